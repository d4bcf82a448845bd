"""Words of CEL: texts, lists, ranges and rules, as an API server evaluates them.

An expression costs what its list is long, never its square: the API server stops one that costs
more than 1,000,000. CEL's macros stand in for local names: a list of one value with ``exists``.

Source: Kubernetes, pkg/apis/cel/config.go (limits), apiserver/pkg/cel/library (functions).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.findings.catalogue import rule
from fsm_stack.settings.models.values import CIDR_PATTERN, address_text, cidr_bounds
from fsm_stack.well_known import MULTIPORT_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_stack.findings.finding import Severity

# The first 1.N whose policies may call `cidr()`: an expression may use what the release before
# knew.
CIDR_SINCE: Final = 31
# Ports whose repetitions are counted; a longer list has too many whatever it repeats.
COUNTED_MAX: Final = 200
_SHOWN_MAX: Final = 58  # characters that a message shows of a value, as those in Python do


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """One rule, as a policy has it.

    Attributes:
        id: of the finding.
        severity: whether the finding is an error.
        wrong: an expression: the list of what is wrong, or whether anything is.
        says: an expression of the message, without the id; where something may be wrong with
            each entry ``v`` of a list, about one.
        place: for the message where that expression fails, as with a line break in a value.
        each: ``wrong`` is a list.
    """

    id: str
    severity: Severity
    wrong: str
    says: str
    place: str
    each: bool = False


def validated(rules: Iterable[Validation]) -> dict[str, list[dict[str, str]]]:
    """Rules as ``variables`` and ``validations`` of a policy; every entry is looked at once."""
    variables, validations = [], []
    for number, one in enumerate(rules, start=1):
        good, says = f"!({one.wrong})", one.says
        if one.each:
            wrong = f"variables.wrong{number}"
            variables.append(named(wrong, one.wrong))
            good, says = f"{wrong}.size() == 0", f"{wrong}.map(v, {says})[0]"
        validations.append(
            {
                "expression": good,
                "messageExpression": f"{says} + {text(f' [{one.id}]')}",
                "message": f"{one.place}: {rule(one.id).title} [{one.id}]",
                "reason": "Invalid",
            }
        )
    return {"variables": variables, "validations": validations}


def text(value: str) -> str:
    """A text of CEL."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def pattern(regex: str) -> str:
    """A pattern of CEL, without escapes."""
    return f"r'{regex}'" if "'" not in regex else f'r"{regex}"'


def listing(values: Iterable[object]) -> str:
    """A list of CEL."""
    shown = (text(value) if isinstance(value, str) else str(value) for value in values)
    return f"[{', '.join(shown)}]"


def shown(value: str) -> str:
    """A text in quotes, shortened; the API server drops a warning that has control characters."""
    cut = f"\"'\" + {value}.substring(0, {_SHOWN_MAX - 2}) + '...'"
    quoted = f'({value}.size() > {_SHOWN_MAX} ? {cut} : "\'" + {value} + "\'")'
    return f"({value}.matches(r'[[:cntrl:]]') ? 'text with control characters' : {quoted})"


def named(name: str, expression: str) -> dict[str, str]:
    """A variable of a policy, by what expressions call it."""
    return {"name": name.removeprefix("variables."), "expression": expression}


def of_whole(rule_id: str, wrong: str, place: str, says: str) -> Validation:
    """A rule that is broken as a whole."""
    return Validation(
        id=rule_id, severity=rule(rule_id).severity, wrong=wrong, says=says, place=place
    )


def of_each(
    rule_id: str, wrong: str, place: str, says: str, *, severity: Severity | None = None
) -> Validation:
    """A rule that the entries of a list break, each for itself."""
    return Validation(
        id=rule_id,
        severity=severity or rule(rule_id).severity,
        wrong=wrong,
        says=says,
        place=place,
        each=True,
    )


def distinct(entries: str) -> str:
    """How many different entries a list has, of the first :data:`COUNTED_MAX`."""
    tens, units = listing(range(0, COUNTED_MAX, 10)), listing(range(10))
    at = f"{entries}[t + u]"
    new = f"t + u < {entries}.size() && {entries}.indexOf({at}) == t + u"
    counted = f"{tens}.map(t, {units}.filter(u, {new}).size()).sum()"
    exact = f"{entries}.size() <= {MULTIPORT_MAX} || {entries}.size() > {COUNTED_MAX}"
    return f"({exact} ? {entries}.size() : {counted})"


# Addresses of a range, by the length of its prefix: a variable of its own, made once.
SIZES: Final = listing(1 << 32 - length for length in range(33))
_WIDE_MAX: Final = 4  # longest prefix of the ranges that are added up to everything


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What CEL can say about an IPv4 range ``v`` in a release of Kubernetes.

    Attributes:
        has_cidr: it has the functions ``isCIDR`` and ``cidr``; otherwise patterns and numbers.
    """

    has_cidr: bool

    @property
    def valid(self) -> str:
        """An IPv4 CIDR, host bits or not."""
        if self.has_cidr:
            return "isCIDR(v) && cidr(v).ip().family() == 4"
        return f"v.matches({pattern(CIDR_PATTERN)})"

    @property
    def host_bits(self) -> str:
        """The range has host bits set."""
        if self.has_cidr:
            return "string(cidr(v).masked()) != v"
        return _numbers("n % s != 0")

    def covers(self, known: str) -> str:
        """The range holds another one."""
        first, last = cidr_bounds(known)
        if self.has_cidr:
            return f"{_length('v')} <= {_prefix(known)} && {_contains(first)}"
        return _numbers(f"n - n % s <= {first} && n - n % s + s > {last}")

    def within(self, known: str) -> str:
        """The range is a part of another one, or is it."""
        if self.has_cidr:
            inside = f"cidr({text(known)}).containsIP(cidr(v).ip())"
            return f"{_length('v')} >= {_prefix(known)} && {inside}"
        first, last = cidr_bounds(known)
        return _numbers(f"n - n % s >= {first} && n - n % s + s <= {last + 1}")

    def inside(self, known: str) -> str:
        """The range, of more than one address, is a part of another one."""
        return f"{self.within(known)} && !v.endsWith('/32')"

    def meets(self, known: str) -> str:
        """The range has an address of another one: one of the two is a part of the other."""
        return f"({self.covers(known)} || {self.within(known)})"

    def together(self, ranges: str) -> str:
        """Ranges of at least a sixteenth of all addresses hold every address."""
        sixteenths = [f"{start}.0.0.0" for start in range(0, 256, 16)]
        wide = f"{ranges}.filter(v, v.matches({pattern(f'/[0-{_WIDE_MAX}]$')}))"
        if self.has_cidr:
            holds = "w.exists(v, cidr(v).containsIP(b))"
            return f"[{wide}].exists(w, {listing(sixteenths)}.all(b, {holds}))"
        firsts = listing(cidr_bounds(f"{block}/{_WIDE_MAX}")[0] for block in sixteenths)
        inside = _numbers("n - n % s <= b && b < n - n % s + s")
        return f"[{wide}].exists(w, {firsts}.all(b, w.exists(v, {inside})))"


# `containsCIDR` of 1.31 is false where the smaller range begins behind the larger one: asked are
# an address and the lengths.
def _contains(address: int) -> str:
    return f"cidr(v).containsIP({text(address_text(address))})"


def _length(value: str) -> str:
    return f"cidr({value}).prefixLength()"


def _prefix(known: str) -> int:
    return int(known.partition("/")[2])


def _numbers(condition: str) -> str:
    """A condition on a range's address ``n`` and its number of addresses ``s``."""
    octets = "v.split('/')[0].split('.').map(o, int(o))"
    number = "[o[0] * 16777216 + o[1] * 65536 + o[2] * 256 + o[3]]"
    size = "[variables.sizes[int(v.split('/')[1])]]"
    return f"[{octets}].exists(o, {number}.exists(n, {size}.exists(s, {condition})))"
