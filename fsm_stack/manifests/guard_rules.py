"""The guard's rules: each check of lists once more, as an expression of CEL.

Limits, patterns and ids are those of the checks in Python; that both say the same is tested
against real API servers. An expression costs what its list is long, never its square: the API
server stops one that costs more than 1,000,000. CEL's macros stand in for local names: a list of
one value with ``exists``.

Source: Kubernetes, pkg/apis/cel/config.go (limits), apiserver/pkg/cel/library (functions).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.findings.catalogue import rule
from fsm_stack.findings.finding import Severity
from fsm_stack.lists import EXCLUDED_RANGES, INTERFACES, LISTS
from fsm_stack.settings.checks.ranges import POD_INTERFACE, USUAL_RANGES
from fsm_stack.settings.models.policy import GUARDED_ENTRIES_MAX
from fsm_stack.settings.models.values import CIDR_PATTERN, INTERFACE_CHARACTERS, cidr_bounds
from fsm_stack.well_known import (
    INTERFACE_NAME_MAX,
    MULTIPORT_MAX,
    PORT_MAX,
    PORT_MIN,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.lists import ListName
    from fsm_stack.settings.models.stack import StackSettings

# The first 1.N whose policies may call `cidr()`: an expression may use what the release before
# knew.
CIDR_SINCE: Final = 31
# Ports whose repetitions are counted; a longer list has too many whatever it repeats.
COUNTED_MAX: Final = 200
# Characters of an init script: rules for two lists of the longest.
SCRIPT_MAX: Final = 1_500_000
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
    """A text in quotes, shortened."""
    cut = f"\"'\" + {value}.substring(0, {_SHOWN_MAX - 2}) + '...'"
    return f'({value}.size() > {_SHOWN_MAX} ? {cut} : "\'" + {value} + "\'")'


def distinct(entries: str) -> str:
    """How many different entries a list has, of the first :data:`COUNTED_MAX`."""
    tens, units = listing(range(0, COUNTED_MAX, 10)), listing(range(10))
    at = f"{entries}[t + u]"
    new = f"t + u < {entries}.size() && {entries}.indexOf({at}) == t + u"
    counted = f"{tens}.map(t, {units}.filter(u, {new}).size()).sum()"
    exact = f"{entries}.size() <= {MULTIPORT_MAX} || {entries}.size() > {COUNTED_MAX}"
    return f"({exact} ? {entries}.size() : {counted})"


_ASCII: Final = pattern(r"^[\x00-\x7F]*$")
_IPV6: Final = pattern(r"(?s)^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(/.*)?$")
_SIZES: Final = listing(1 << 32 - length for length in range(33))
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
        if self.has_cidr:
            return f"cidr(v).containsCIDR({text(known)})"
        first, last = cidr_bounds(known)
        return _numbers(f"n - n % s <= {first} && n - n % s + s > {last}")

    def inside(self, known: str) -> str:
        """The range, of more than one address, is a part of another one."""
        if self.has_cidr:
            return f"cidr({text(known)}).containsCIDR(v) && cidr(v).prefixLength() < 32"
        first, last = cidr_bounds(known)
        return _numbers(f"s > 1 && n - n % s >= {first} && n - n % s + s <= {last + 1}")

    def together(self, ranges: str) -> str:
        """Ranges of at least a sixteenth of all addresses hold every address."""
        sixteenths = (f"{start}.0.0.0/{_WIDE_MAX}" for start in range(0, 256, 16))
        wide = f"{ranges}.filter(v, v.matches({pattern(f'/[0-{_WIDE_MAX}]$')}))"
        if self.has_cidr:
            holds = "w.exists(v, cidr(v).containsCIDR(b))"
            return f"[{wide}].exists(w, {listing(sixteenths)}.all(b, {holds}))"
        firsts = listing(cidr_bounds(block)[0] for block in sixteenths)
        inside = _numbers("n - n % s <= b && b < n - n % s + s")
        return f"[{wide}].exists(w, {firsts}.all(b, w.exists(v, {inside})))"


def _numbers(condition: str) -> str:
    """A condition on a range's address ``n`` and its number of addresses ``s``."""
    octets = "v.split('/')[0].split('.').map(o, int(o))"
    number = "[o[0] * 16777216 + o[1] * 65536 + o[2] * 256 + o[3]]"
    size = f"[{_SIZES}[int(v.split('/')[1])]]"
    return f"[{octets}].exists(o, {number}.exists(n, {size}.exists(s, {condition})))"


def variable(listed: ListName) -> str:
    """The variable of a policy that has a list's entries."""
    return f"variables.{listed.key}"


def _ranges(listed: ListName) -> str:
    """The variable that has those entries which are IPv4 ranges."""
    return f"variables.{listed.key}Valid"


def named(name: str, expression: str) -> dict[str, str]:
    """A variable of a policy, by what expressions call it."""
    return {"name": name.removeprefix("variables."), "expression": expression}


def mesh_config_variables(dialect: Dialect) -> Iterator[dict[str, str]]:
    """The lists of a MeshConfig, empty where they are absent or too long."""
    whole = "has(object.spec) && has(object.spec.traffic)"
    for listed in LISTS:
        path = f"object.spec.traffic.{listed.key}"
        given = f"{whole} && has({path}) && type({path}) == list"
        yield named(f"{listed.key}Given", f"{given} ? {path} : []")
        entries = f"variables.{listed.key}Given"
        bounded = f"{entries}.size() <= {GUARDED_ENTRIES_MAX} ? {entries} : []"
        yield named(variable(listed), bounded)
        if listed.holds == "ranges":
            valid = f"{variable(listed)}.filter(v, type(v) == string && {dialect.valid})"
            yield named(_ranges(listed), valid)


def mesh_config_rules(settings: StackSettings, dialect: Dialect) -> Iterator[Validation]:
    """Every rule of a MeshConfig's lists: what is fatal, then what may be accepted."""
    for listed in LISTS:
        place = f"spec.traffic.{listed.key}"
        given = f"variables.{listed.key}Given.size()"
        says = f"expected at most {GUARDED_ENTRIES_MAX} entries, got "
        yield of_whole(
            "too-large", f"{given} > {GUARDED_ENTRIES_MAX}", place, _count(place, says, given)
        )
        if listed.holds == "ports":
            yield from _port_rules(listed, place)
        elif listed.holds == "ranges":
            yield from _range_rules(listed, place, dialect)
        else:
            yield from _interface_rules(listed, place, settings)
    yield from _everything(settings, dialect)
    yield from _mesh_traffic(settings, dialect)


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


def _count(place: str, says: str, number: str) -> str:
    return f"{text(f'{place}: {says}')} + string({number})"


def _none(
    rule_id: str,
    entries: str,
    wrong: str,
    place: str,
    says: str,
    *,
    severity: Severity | None = None,
) -> Validation:
    """No entry ``v`` is wrong; the message names the first that is, and where it stands."""
    where = f"{text(f'{place}[')} + string({entries.removesuffix('Valid')}.indexOf(v)) + ']: '"
    return of_each(
        rule_id,
        f"{entries}.filter(v, {wrong})",
        place,
        f"{where} + {says}",
        severity=severity,
    )


def _port_rules(listed: ListName, place: str) -> Iterator[Validation]:
    entries = variable(listed)
    says = _count(place, f"expected at most {MULTIPORT_MAX} ports, got ", distinct(entries))
    yield of_whole("too-many-ports", f"{distinct(entries)} > {MULTIPORT_MAX}", place, says)
    wrong = f"type(v) != int || v < {PORT_MIN} || v > {PORT_MAX}"
    expected = text(f"expected a port from {PORT_MIN} to {PORT_MAX}, got ")
    yield _none("invalid-port", entries, wrong, place, f"{expected} + string(v)")


def _range_rules(listed: ListName, place: str, dialect: Dialect) -> Iterator[Validation]:
    entries = variable(listed)
    yield _ascii(entries, place)
    known = f"type(v) == string && v.matches({_ASCII}) && !({dialect.valid})"
    says = f"'expected an IPv4 CIDR such as 10.0.0.0/8, got ' + {shown('v')}"
    wrong = f"type(v) != string || {known} && !v.matches({_IPV6})"
    yield _none("invalid-cidr", entries, wrong, place, says)
    says = (
        f"'expected an IPv4 CIDR, got the IPv6 range ' + {shown('v')} + "
        "'; only IPv4 is intercepted'"
    )
    yield _none("ipv6-cidr", entries, f"{known} && v.matches({_IPV6})", place, says)
    says = "v + ' has host bits set'"
    yield _none("host-bits", _ranges(listed), dialect.host_bits, place, says)


def _ascii(entries: str, place: str) -> Validation:
    wrong = f"type(v) == string && !v.matches({_ASCII})"
    return _none("not-ascii", entries, wrong, place, f"{shown('v')} + ': expected ASCII'")


def _characters(allowed: Iterable[str]) -> str:
    """A class of a pattern, without its brackets."""
    letters = "".join(sorted(one for one in allowed if not one.isalnum()))
    return "A-Za-z0-9" + "".join(f"\\{one}" for one in letters)


def _interface_rules(
    listed: ListName, place: str, settings: StackSettings
) -> Iterator[Validation]:
    entries = variable(listed)
    yield _ascii(entries, place)
    name = pattern(rf"^[{_characters(INTERFACE_CHARACTERS)}]*\+?$")
    good = (
        f"v.matches({name}) && v.size() >= 1 && v.size() <= {INTERFACE_NAME_MAX} && "
        f"!v.startsWith('-') && !v.matches({pattern(r'^[.]{1,2}[+]?$')})"
    )
    says = (
        f"'expected 1 to {INTERFACE_NAME_MAX} letters, digits and signs with + only at the end, "
        f"got ' + {shown('v')}"
    )
    wrong = f"type(v) != string || v.matches({_ASCII}) && !({good})"
    yield _none("invalid-interface", entries, wrong, place, says)
    wide = accepted(settings, "excludes-everything", INTERFACES)
    says = "\"'+' matches every interface\""
    if "+" not in wide:
        yield _none("excludes-everything", entries, "v == '+'", place, says)
    names = (POD_INTERFACE, *(f"{POD_INTERFACE[:end]}+" for end in range(1, 5)))
    rest = listing(name for name in names if name not in wide)
    says = f"v + ' matches {POD_INTERFACE}'"
    yield _none(
        "excludes-everything", entries, f"v in {rest}", place, says, severity=Severity.WARNING
    )


def accepted(settings: StackSettings, rule_id: str, listed: ListName) -> tuple[str, ...]:
    """The entries of a list of the mesh for which the stack accepts a finding; ``*``: all of it.

    What is declared and accepted is never refused.
    """
    found = []
    entries = getattr(settings.traffic, listed.setting)
    whole = f"traffic.{listed.key}"
    for one in settings.accept:
        if one.id == rule_id and one.path == whole:
            found.append("*")
        if one.id == rule_id:
            found += [
                str(entry.value)
                for index, entry in enumerate(entries)
                if one.path == f"{whole}[{index}]"
            ]
    return tuple(found)


def _everything(settings: StackSettings, dialect: Dialect) -> Iterator[Validation]:
    if accepted(settings, "excludes-everything", EXCLUDED_RANGES):
        return
    place, ranges = f"spec.traffic.{EXCLUDED_RANGES.key}", _ranges(EXCLUDED_RANGES)
    alone = f"{ranges}.filter(v, v.endsWith('/0'))"
    one = f"{alone}[0] + ' excludes every address: nothing outbound is intercepted'"
    more = f"{ranges}.join(', ') + ' together exclude every address'"
    says = f"{text(f'{place}: ')} + ({alone}.size() > 0 ? {one} : {more})"
    yield of_whole("excludes-everything", dialect.together(ranges), place, says)


def _mesh_traffic(settings: StackSettings, dialect: Dialect) -> Iterator[Validation]:
    """H9, entry by entry; what several cover only together is said by the checks in Python."""
    taken = accepted(settings, "excludes-mesh-traffic", EXCLUDED_RANGES)
    cluster = settings.cluster
    own = (f"{cluster.api_server.address}/32",) if cluster.api_server else ()
    free = f"!(v in {listing((*own, *taken))}) && " if own or taken else ""
    place, ranges = f"spec.traffic.{EXCLUDED_RANGES.key}", _ranges(EXCLUDED_RANGES)
    counts = f"{free}!v.endsWith('/0') && "
    declared = [(known, "pod") for known in cluster.pod_ranges]
    declared += [(known, "service") for known in cluster.service_ranges]
    for known, kind in declared:
        covers, inside = dialect.covers(known), dialect.inside(known)
        says = f"v + {text(f' covers the cluster{chr(39)}s {kind} range {known}')}"
        yield _none("excludes-mesh-traffic", ranges, f"{counts}{covers}", place, says)
        says = f"v + {text(f' is part of the cluster{chr(39)}s {kind} range {known}')}"
        part = f"{counts}{inside} && !({covers})"
        yield _none("excludes-mesh-traffic", ranges, part, place, says, severity=Severity.WARNING)
    kinds = {kind for _, kind in declared}
    for known, kind in USUAL_RANGES.items():
        if kind not in kinds:
            says = f"v + {text(f' covers {known}, the usual {kind} range')}"
            wrong = f"{counts}{dialect.covers(known)}"
            yield _none(
                "excludes-mesh-traffic", ranges, wrong, place, says, severity=Severity.WARNING
            )
