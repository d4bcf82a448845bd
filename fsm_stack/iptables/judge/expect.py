"""A script against the lists it was meant to come from: what is missing, what is extra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, assert_never

from fsm_stack.findings.finding import finding
from fsm_stack.iptables.generate import DNS_LISTENER
from fsm_stack.iptables.rule import (
    Destination,
    DestinationPort,
    Dnat,
    InInterface,
    Multiport,
    OutInterface,
    Reason,
)
from fsm_stack.iptables.sets.dead import Span
from fsm_stack.iptables.sets.ranges import canonical
from fsm_stack.lists import LISTS, POD_IP_MODE, InterceptLists
from fsm_stack.well_known import PORT_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fsm_stack.findings.finding import Finding
    from fsm_stack.iptables.read.text import Reading
    from fsm_stack.iptables.rule import Ports, Rule
    from fsm_stack.lists import Holds


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLists:
    """What a script excludes and includes.

    Attributes:
        lists: as the generator would have got them; interfaces are the outbound ones.
        inbound_interfaces: the inbound ones: a dump may differ.
        unknown: rules that no injector writes.
    """

    lists: InterceptLists
    inbound_interfaces: tuple[str, ...]
    unknown: tuple[Rule, ...]


def found_lists(reading: Reading) -> FoundLists:
    """The lists behind a script: the generator's inverse, as far as the script tells.

    Ranges come as written, ports as numbers; a port range counts as every port in it that is one
    and that no range before it had.
    """
    rules = [step.rule for step in reading.ruleset.steps]
    by_reason: dict[Reason, list[Rule]] = {}
    for rule in rules:
        by_reason.setdefault(rule.why, []).append(rule)
    inbound = by_reason.pop(Reason.INBOUND_INTERFACE, [])
    entries = {
        reason.entries_of.field: tuple(_READERS[reason.entries_of.holds](made))
        for reason, made in by_reason.items()
        if reason.entries_of is not None
    }
    rewritten = [rule.target.to for rule in rules if isinstance(rule.target, Dnat)]
    return FoundLists(
        lists=InterceptLists(
            local_proxy_mode=POD_IP_MODE if Reason.POD_IP in by_reason else "Localhost",
            dns_proxy=DNS_LISTENER in rewritten,
            **entries,
        ),
        inbound_interfaces=tuple(_interfaces(inbound)),
        unknown=tuple(by_reason.get(Reason.UNKNOWN, ())),
    )


def differences(reading: Reading, declared: InterceptLists) -> Iterator[Finding]:
    """What a script lacks of the declared lists, and what it has beyond them.

    One finding for each rule that is missing (a port list is one rule), one for each entry that
    nothing declares. Ranges are compared by the addresses they match.
    """
    found = found_lists(reading)
    lists = found.lists
    for name in LISTS:
        wanted, there = declared.entries(name), lists.entries(name)
        match name.holds:
            case "ports":
                yield from _compare_ports(name.title, wanted, there)
            case "ranges":
                yield from _compare_entries(name.title, _canonical(wanted), _canonical(there))
            case "interfaces":
                both = (*there, *found.inbound_interfaces)
                yield from _compare_entries(name.title, wanted, both)
            case _ as never:
                assert_never(never)
    declared_mode = declared.local_proxy_mode == POD_IP_MODE
    if declared_mode != (lists.local_proxy_mode == POD_IP_MODE):
        has = "lacks" if declared_mode else "has"
        yield finding("missing-rule" if declared_mode else "undeclared-entry",
                      f"the script {has} the PodIP rule")  # fmt: skip


def _compare_ports(what: str, declared: Sequence[int], found: Sequence[int]) -> Iterator[Finding]:
    wanted, there = dict.fromkeys(declared), dict.fromkeys(found)
    missing = [port for port in wanted if port not in there]
    extra = [port for port in there if port not in wanted]
    if missing:
        ports = ", ".join(map(str, missing))
        yield finding("missing-rule", f"{what} {ports}: the script has no rule for them",
                      value=ports)  # fmt: skip
    if extra:
        ports = ", ".join(map(str, extra))
        yield finding("undeclared-entry", f"{what} {ports}: not declared", value=ports)


def _compare_entries(
    what: str, declared: Sequence[str], found: Sequence[str]
) -> Iterator[Finding]:
    wanted, there = dict.fromkeys(declared), dict.fromkeys(found)
    for entry in wanted:
        if entry not in there:
            yield finding("missing-rule", f"{what} {entry}: the script has no rule for it",
                          value=entry)  # fmt: skip
    for entry in there:
        if entry not in wanted:
            yield finding("undeclared-entry", f"{what} {entry}: not declared", value=entry)


def _canonical(texts: Sequence[str]) -> list[str]:
    return [canonical(text) or text for text in texts]


def _interfaces(rules: Sequence[Rule]) -> Iterator[str]:
    for rule in rules:
        for match in rule.matches:
            if isinstance(match, InInterface | OutInterface):
                yield match.name


def _ranges(rules: Sequence[Rule]) -> Iterator[str]:
    for rule in rules:
        for match in rule.matches:
            if isinstance(match, Destination):
                yield match.cidr


def _ports(rules: Sequence[Rule]) -> Iterator[int]:
    known = Span()
    for rule in rules:
        for match in rule.matches:
            if isinstance(match, Multiport | DestinationPort):
                listed = match.ports if isinstance(match, Multiport) else (match.ports,)
                for ports in listed:
                    yield from _numbers(ports, known)


def _numbers(ports: Ports, known: Span) -> Iterator[int]:
    """The ports of one entry; a text may hold many ranges, and ends that are no ports."""
    if ports.last is None:
        yield ports.first
        return
    start, stop = max(0, ports.first), min(ports.last, PORT_MAX) + 1
    for gap in known.free(start, stop):
        yield from range(*gap)
    if start < stop:
        known.add(start, stop)


_READERS: Final[Mapping[Holds, Callable[[Sequence[Rule]], Iterator[Any]]]] = {
    "ports": _ports,
    "ranges": _ranges,
    "interfaces": _interfaces,
}
