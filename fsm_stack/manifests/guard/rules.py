"""The rules of a MeshConfig's lists: each check once more, in CEL.

Limits, patterns and ids are those of the checks in Python; that both say the same is tested
against real API servers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import Severity
from fsm_stack.lists import EXCLUDED_RANGES, INTERFACES, LISTS
from fsm_stack.manifests.guard.cel import (
    SIZES,
    Dialect,
    Validation,
    distinct,
    listing,
    named,
    of_each,
    of_whole,
    pattern,
    shown,
    text,
)
from fsm_stack.settings.checks.ranges import POD_INTERFACE, USUAL_RANGES
from fsm_stack.settings.models.policy import GUARDED_ENTRIES_MAX
from fsm_stack.settings.models.values import INTERFACE_CHARACTERS
from fsm_stack.well_known import INTERFACE_NAME_MAX, MULTIPORT_MAX, PORT_MAX, PORT_MIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.lists import ListName
    from fsm_stack.settings.models.stack import StackSettings

_ASCII: Final = pattern(r"^[\x00-\x7F]*$")
_IPV6: Final = pattern(r"(?s)^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(/.*)?$")

# JSON knows one kind of number: an API server keeps 8080.0 as it came, and tools that evaluate
# policies without one read every number so.
_WHOLE: Final = (
    f"type(v) == double && v >= {PORT_MIN}.0 && v <= {PORT_MAX}.0 && v == double(int(v)) "
    "? int(v) : v"
)


def variable(listed: ListName) -> str:
    """The variable of a policy that has a list's entries."""
    return f"variables.{listed.key}"


def ranges(listed: ListName) -> str:
    """The variable that has those entries which are IPv4 ranges."""
    return f"variables.{listed.key}Valid"


def mesh_config_variables(dialect: Dialect) -> Iterator[dict[str, str]]:
    """The lists of a MeshConfig, empty where they are absent or too long."""
    if not dialect.has_cidr:
        yield named("sizes", SIZES)
    whole = "has(object.spec) && has(object.spec.traffic)"
    for listed in LISTS:
        path = f"object.spec.traffic.{listed.key}"
        given = f"{whole} && has({path}) && type({path}) == list"
        yield named(f"{listed.key}Given", f"{given} ? {path} : []")
        entries = f"variables.{listed.key}Given"
        taken = f"{entries}.map(v, {_WHOLE})" if listed.holds == "ports" else entries
        bounded = f"{entries}.size() <= {GUARDED_ENTRIES_MAX} ? {taken} : []"
        yield named(variable(listed), bounded)
        if listed.holds == "ranges":
            valid = f"{variable(listed)}.filter(v, type(v) == string && {dialect.valid})"
            yield named(ranges(listed), valid)


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
    yield _none("host-bits", ranges(listed), dialect.host_bits, place, says)


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
    place, entries = f"spec.traffic.{EXCLUDED_RANGES.key}", ranges(EXCLUDED_RANGES)
    alone = f"{entries}.filter(v, v.endsWith('/0'))"
    one = f"{alone}[0] + ' excludes every address: nothing outbound is intercepted'"
    more = f"{entries}.join(', ') + ' together exclude every address'"
    says = f"{text(f'{place}: ')} + ({alone}.size() > 0 ? {one} : {more})"
    yield of_whole("excludes-everything", dialect.together(entries), place, says)


def _mesh_traffic(settings: StackSettings, dialect: Dialect) -> Iterator[Validation]:
    """H9, entry by entry; what several cover only together is said by the checks in Python."""
    taken = accepted(settings, "excludes-mesh-traffic", EXCLUDED_RANGES)
    cluster = settings.cluster
    own = (f"{cluster.api_server.address}/32",) if cluster.api_server else ()
    free = f"!(v in {listing((*own, *taken))}) && " if own or taken else ""
    place, entries = f"spec.traffic.{EXCLUDED_RANGES.key}", ranges(EXCLUDED_RANGES)
    counts = f"{free}!v.endsWith('/0') && "
    declared = [(known, "pod") for known in cluster.pod_ranges]
    declared += [(known, "service") for known in cluster.service_ranges]
    for known, kind in declared:
        covers, inside = dialect.covers(known), dialect.inside(known)
        says = f"v + {text(f' covers the cluster{chr(39)}s {kind} range {known}')}"
        yield _none("excludes-mesh-traffic", entries, f"{counts}{covers}", place, says)
        says = f"v + {text(f' is part of the cluster{chr(39)}s {kind} range {known}')}"
        part = f"{counts}{inside} && !({covers})"
        yield _none("excludes-mesh-traffic", entries, part, place, says, severity=Severity.WARNING)
    kinds = {kind for _, kind in declared}
    for known, kind in USUAL_RANGES.items():
        if kind not in kinds:
            says = f"v + {text(f' covers {known}, the usual {kind} range')}"
            wrong = f"{counts}{dialect.covers(known)}"
            yield _none(
                "excludes-mesh-traffic", entries, wrong, place, says, severity=Severity.WARNING
            )
