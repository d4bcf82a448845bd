"""The rules of a stack's pods, ready to be asked about single connections and whole ranges.

Verdicts are the exact ones of :mod:`fsm_stack.iptables.sets`, of rules that were read back from
the script.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.flows.row import INBOUND, OUTBOUND, TCP
from fsm_stack.flows.tally import BYPASS, THROUGH
from fsm_stack.iptables.packet import Pod, ToListener, may_reach_sidecar
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.sets.coverage import coverage
from fsm_stack.iptables.sets.diagram import child_at
from fsm_stack.iptables.sets.ranges import Span, intersection, ipv4_range
from fsm_stack.iptables.write import script
from fsm_stack.lists import (
    EXCLUDED_RANGES,
    INBOUND_PORTS,
    INCLUDED_RANGES,
    MESH,
    OUTBOUND_PORTS,
    Lists,
)
from fsm_stack.redirection.origins import intercept_lists
from fsm_stack.settings.effective import bypasses, profile_lists

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from fsm_stack.flows.row import Way
    from fsm_stack.flows.tally import Verdict
    from fsm_stack.iptables.packet import Verdict as Fate
    from fsm_stack.iptables.sets.diagram import Node
    from fsm_stack.settings.effective import Bypass
    from fsm_stack.settings.models.stack import StackSettings

# An address, or every address of some ranges; and a port.
Asked = tuple["int | tuple[Span, ...]", int]
EVERY: Final[Span] = (0, 1 << 32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rules:
    """The rules of one kind of pod: for TCP of a program that is not the sidecar."""

    outbound: Node
    inbound: Node
    entries: Entries


class Entries:
    """Which entries of the lists take a connection, by number."""

    def __init__(self, entries: Sequence[tuple[int, Bypass]]) -> None:
        self.ports: dict[str, dict[int, tuple[int, ...]]] = {}
        spans: dict[str, list[tuple[Span, int]]] = {}
        for number, item in entries:
            if item.kind in (OUTBOUND_PORTS.key, INBOUND_PORTS.key):
                of_list = self.ports.setdefault(item.kind, {})
                of_list[int(item.value)] = (*of_list.get(int(item.value), ()), number)
            elif bounds := ipv4_range(item.value):
                spans.setdefault(item.kind, []).append((bounds, number))
        self.spans = spans
        self._cut = {kind: _cut(found) for kind, found in spans.items()}

    def taking(self, way: Way, asked: Asked) -> tuple[int, ...]:
        """The exclusions that take a connection past the sidecar, in the order of the rules."""
        address, port = asked
        if way == INBOUND:
            return self.ports.get(INBOUND_PORTS.key, {}).get(port, ())
        ports = self.ports.get(OUTBOUND_PORTS.key, {}).get(port, ())
        return (*self._ranges(EXCLUDED_RANGES.key, address), *ports)

    def surely(self, way: Way, asked: Asked) -> set[int]:
        """Those of both that hold all of what may have been asked for."""
        found = {*self.taking(way, asked), *self.included(way, asked)}
        if way == INBOUND or isinstance(asked[0], int):
            return found
        held = {n for of in self.spans.values() for span, n in of if _holds(span, asked[0])}
        return found & {*held, *self.ports.get(OUTBOUND_PORTS.key, {}).get(asked[1], ())}

    def included(self, way: Way, asked: Asked) -> tuple[int, ...]:
        """The inclusions that a connection is in."""
        return self._ranges(INCLUDED_RANGES.key, asked[0]) if way == OUTBOUND else ()

    def _ranges(self, kind: str, address: int | tuple[Span, ...]) -> tuple[int, ...]:
        if kind not in self.spans:
            return ()
        if isinstance(address, int):
            starts, taken = self._cut[kind]
            return taken[bisect_right(starts, address) - 1]
        return tuple(number for span, number in self.spans[kind] if intersection([span], address))


def _holds(span: Span, ranges: tuple[Span, ...]) -> bool:
    return all(span[0] <= start and end <= span[1] for start, end in ranges)


def _cut(found: list[tuple[Span, int]]) -> tuple[list[int], list[tuple[int, ...]]]:
    """Every address's entries, by where the answer changes: a sweep over the ends."""
    events: dict[int, list[tuple[int, bool]]] = {0: []}
    for (start, end), number in found:
        events.setdefault(start, []).append((number, True))
        events.setdefault(end, []).append((number, False))
    starts, taken = [], []
    now: set[int] = set()
    for at in sorted(events):
        for number, enters in events[at]:
            (now.add if enters else now.discard)(number)
        starts.append(at)
        taken.append(tuple(sorted(now)))
    return starts, taken


class Rulebook:
    """One side of a stack: its settings, and the rules of each kind of pod.

    Args:
        settings: of the stack; for scripts, those that the cluster and its lists are told by.
        today: for entries with an end.
        scripts: what pods run instead of what the settings render, by profile.
    """

    def __init__(
        self, settings: StackSettings, today: date, scripts: Mapping[str, str] | None = None
    ) -> None:
        self.settings = settings
        self.entries = bypasses(settings, today)
        self._scripts = scripts or {}
        self._profiles = {
            profile_lists(settings, name): name for name in reversed(settings.annotation_profiles)
        }
        self._rules: dict[tuple[str, Lists | None], Rules] = {}

    def scope(self, lists: Lists) -> str:
        """The profile with these lists; empty: none has them."""
        return self._profiles.get(lists, MESH if lists == Lists() else "")

    def rules(self, scope: str, lists: Lists | None) -> Rules:
        """The rules of a profile's pods, or of pods with these lists where it is none."""
        key = (scope, None) if scope == MESH or scope in self._names else ("", lists)
        if key not in self._rules:
            self._rules[key] = self._made(*key)
        return self._rules[key]

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(self.settings.annotation_profiles)

    def _made(self, scope: str, lists: Lists | None) -> Rules:
        known = enumerate(self.entries)
        chosen = [(at, item) for at, item in known if item.scope in (MESH, scope)]
        if scope in self._names:
            lists = profile_lists(self.settings, scope)
        if self._scripts:
            text = self._scripts.get(scope, self._scripts[MESH])
        else:
            text = script(intercept_lists(self.settings, lists), self.settings.profile)
        fates = coverage(read(text).ruleset)
        return Rules(
            outbound=_of_a_program(fates.outbound),
            inbound=_of_a_program(fates.inbound),
            entries=Entries(chosen),
        )


def _of_a_program(node: Node) -> Node:
    """A diagram from its ports on: TCP over the pod's interface, not the sidecar's own."""
    found: Any = node
    for point in (TCP, Pod().interface, 0):
        found = child_at(found, point)
    by_port: Node = found
    return by_port


def verdicts(node: Node, asked: Asked) -> set[Verdict]:
    """What becomes of everything that may have been asked for."""
    address, port = asked
    by_address = child_at(child_at(node, port), 0)
    if isinstance(address, int):
        return _verdicts(child_at(by_address, address))
    stops = (*by_address.starts[1:], EVERY[1])
    spans = zip(by_address.starts, stops, by_address.children, strict=True)
    found: set[Verdict] = set()
    for start, stop, child in spans:
        if intersection([(start, stop)], address):
            found |= _verdicts(child)
    return found


def _verdicts(fate: Fate) -> set[Verdict]:
    """Both where a rule decides it that nobody here can decide."""
    if isinstance(fate, ToListener):
        return {THROUGH}
    return {THROUGH, BYPASS} if may_reach_sidecar(fate) else {BYPASS}
