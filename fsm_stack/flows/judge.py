"""Connections of a log judged by a stack's rules, and by those of another side of it.

Verdicts are the exact ones of :mod:`fsm_stack.iptables.sets`, of rules that were read back from
the script. A connection whose address was translated is judged for everything that its pod may
have asked for: where the answers differ, the verdict is "may".
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.flows.objects import Objects
from fsm_stack.flows.row import INBOUND, OUTBOUND, TCP, End, Original
from fsm_stack.flows.tally import BYPASS, MAY, THROUGH, Tally, Total
from fsm_stack.iptables.packet import Pod, ToListener
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.script import script
from fsm_stack.iptables.sets.coverage import coverage
from fsm_stack.iptables.sets.ranges import complement, dotted, intersection, ipv4_range, merged
from fsm_stack.iptables.sets.reach import child_at
from fsm_stack.lists import (
    EXCLUDED_RANGES,
    INBOUND_PORTS,
    INCLUDED_RANGES,
    OUTBOUND_PORTS,
    Lists,
)
from fsm_stack.redirection.lower import intercept_lists
from fsm_stack.redirection.scopes import MESH
from fsm_stack.settings.accepting import bypasses
from fsm_stack.settings.effective import profile_lists

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from fsm_stack.flows.counting import Sums
    from fsm_stack.flows.row import Way
    from fsm_stack.flows.tally import Verdict
    from fsm_stack.iptables.sets.diagram import Node
    from fsm_stack.settings.accepting import Bypass
    from fsm_stack.settings.models.stack import StackSettings

Span = tuple[int, int]
# An address, or every address of some ranges; and a port.
Asked = tuple["int | tuple[Span, ...]", int]

_EVERY: Final[Span] = (0, 1 << 32)
PRIVATE: Final = tuple(
    sorted(
        bounds
        for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
        if (bounds := ipv4_range(text))
    )
)
_LOOPBACK: Final[Span] = ipv4_range("127.0.0.0/8") or _EVERY
_CACHED_MAX: Final = 50_000
_FLOWS_MAX: Final = 60_000
# No entry decides: nothing excludes it, or it is not among the inclusions.
NO_ENTRY: Final = -1
_UNMESHED: Final = "of a pod without a sidecar"
_NO_POD: Final = "neither end is a pod's"
_NOT_ENROLLED: Final = "of a namespace that the stack does not enroll"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """How logs are to be understood.

    Attributes:
        profile: of the pods that no object tells about; ``mesh``: without annotations.
        original: whether destinations are those that iptables saw, instead of what formats say.
    """

    profile: str = MESH
    original: Original | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rules:
    """The rules of one kind of pod: for TCP of a program that is not the sidecar."""

    outbound: Node
    inbound: Node
    entries: _Entries


class _Entries:
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

    def included(self, way: Way, asked: Asked) -> tuple[int, ...]:
        """The inclusions that a connection is in."""
        return self._ranges(INCLUDED_RANGES.key, asked[0]) if way == OUTBOUND else ()

    def _ranges(self, kind: str, address: int | tuple[Span, ...]) -> tuple[int, ...]:
        if kind not in self.spans:
            return ()
        if isinstance(address, int):
            starts, taken = self._cut[kind]
            return taken[bisect_right(starts, address) - 1]
        return tuple(
            number for span, number in self.spans[kind] if intersection([span], address)
        )


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


def _nothing() -> list[float]:
    return [0, 0, 0, float("inf"), float("-inf")]


def _add(known: list[float], values: list[float]) -> None:
    known[0] += values[0]
    known[1] += values[1]
    known[2] += values[2]
    if values[3] < known[3]:  # a third of min's time
        known[3] = values[3]
    if values[4] > known[4]:
        known[4] = values[4]


class Side:
    """One side of a stack: its settings, and the rules of its pods."""

    def __init__(self, settings: StackSettings, today: date) -> None:
        self.settings = settings
        self.entries = bypasses(settings, today)
        self._profiles = {
            profile_lists(settings, name): name for name in reversed(settings.annotation_profiles)
        }
        self._rules: dict[tuple[str, Lists | None], _Rules] = {}

    def scope(self, lists: Lists) -> str:
        """The profile with these lists; empty: none has them."""
        return self._profiles.get(lists, MESH if lists == Lists() else "")

    def rules(self, scope: str, lists: Lists | None) -> _Rules:
        """The rules of a profile's pods, or of pods with these lists where there is no such one."""
        key = (scope, None) if scope == MESH or scope in self._names else ("", lists)
        if key not in self._rules:
            self._rules[key] = self._made(*key)
        return self._rules[key]

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(self.settings.annotation_profiles)

    def _made(self, scope: str, lists: Lists | None) -> _Rules:
        known = enumerate(self.entries)
        chosen = [(at, item) for at, item in known if item.scope in (MESH, scope)]
        if scope in self._names:
            lists = profile_lists(self.settings, scope)
        merged_lists = intercept_lists(self.settings, lists)
        fates = coverage(read(script(merged_lists, self.settings.profile)).ruleset)
        return _Rules(
            outbound=_of_a_program(fates.outbound),
            inbound=_of_a_program(fates.inbound),
            entries=_Entries(chosen),
        )


def _of_a_program(node: Node) -> Node:
    """A diagram from its ports on: TCP over the pod's interface, not the sidecar's own."""
    found: Any = node
    for point in (TCP, Pod().interface, 0):
        found = child_at(found, point)
    by_port: Node = found
    return by_port


def _verdicts(node: Node, asked: Asked) -> set[Verdict]:
    """What becomes of everything that may have been asked for."""
    address, port = asked
    by_address = child_at(child_at(node, port), 0)
    if isinstance(address, int):
        return {_verdict(child_at(by_address, address))}
    stops = (*by_address.starts[1:], _EVERY[1])
    spans = zip(by_address.starts, stops, by_address.children, strict=True)
    return {
        _verdict(child)
        for start, stop, child in spans
        if intersection([(start, stop)], address)
    }


def _verdict(fate: object) -> Verdict:
    return THROUGH if isinstance(fate, ToListener) else BYPASS


@dataclass(slots=True, eq=False)  # one object an answer: flows are kept by it
class _Answer:
    """What is known of connections to one destination, and how many there were."""

    way: Way
    before: Verdict
    now: Verdict
    asked: tuple[Asked, ...]
    taking: tuple[tuple[int, ...], ...]
    included: tuple[int, ...]
    peer: int | str
    port: int
    sums: list[float] = field(default_factory=_nothing)

    @property
    def takers(self) -> tuple[int, ...]:
        """The entries that it is evidence for."""
        if self.now == THROUGH:
            return self.included
        return tuple(dict.fromkeys(number for taking in self.taking for number in taking))


@dataclass(slots=True, eq=False)
class _Own:
    """The pod at whose end a connection was seen.

    Attributes:
        name: of its workload, or its address.
        scope: the profile whose rules it has; empty: it has lists of its own.
        lists: its annotations'; None: unknown.
        why: it is not judged; empty: it is.
    """

    name: str
    scope: str
    lists: Lists | None
    why: str


class Judge:
    """Judges connections by one side of a stack, or by two.

    What is done for every connection is little: the answer for its destination is worked out
    once, and what was counted reaches entries and sides when all is read.

    Args:
        now: the side that entries and evidence are of.
        before: the side to compare with; None: nothing changes.
        objects: of the cluster.
        assumed: how logs are to be understood.
    """

    def __init__(
        self,
        now: Side,
        before: Side | None = None,
        objects: Objects | None = None,
        assumed: Assumed | None = None,
    ) -> None:
        self.now = now
        self.before = before
        self.objects = objects or Objects()
        self.assumed = assumed or Assumed()
        settings = now.settings
        self._pods = _spans(settings.cluster.pod_ranges)
        self._services = tuple(_spans(settings.cluster.service_ranges)) or PRIVATE
        enrolled = () if self.objects.has_pods else settings.enrolled_namespaces
        self._enrolled = frozenset(item.name for item in enrolled)
        self._tally = Tally()
        self._owns: dict[tuple[Way, int | str | None, End], _Own] = {}
        self._answers: dict[Any, _Answer] = {}
        self._flows: dict[Any, list[float]] = {}
        self._of_pods: dict[int, bool] = {}

    def take(self, sums: Sums) -> None:
        """Judge what was counted."""
        for (source, target, port, end), values in sums.items():
            way = end.way
            if way == OUTBOUND:
                self._judged(way, source, target, port, end, values)
            elif way == INBOUND:
                self._judged(way, source, target, port, end, values)
            else:
                out, into = self._is_pod(source), self._is_pod(target)
                if out:
                    self._judged(OUTBOUND, source, target, port, end, values)
                if into:
                    self._judged(INBOUND, source, target, port, end, values)
                if not out and not into:
                    self._tally.passed[_NO_POD] += int(values[0])

    def finish(self) -> Tally:
        """What was added up so far; the judge starts anew."""
        self._spread()
        for key, values in self._flows.items():
            self._told(key, values, named=True)
        tally, self._tally, self._flows = self._tally, Tally(), {}
        return tally

    def _judged(
        self,
        way: Way,
        source: int | None,
        target: int | str,
        port: int,
        end: End,
        values: list[float],
    ) -> None:
        own_key = (way, source if way == OUTBOUND else target, end)
        own = self._owns.get(own_key)
        if own is None:
            own = self._owns[own_key] = self._own(*own_key)
        if own.why:
            self._tally.passed[own.why] += int(values[0])
            return
        key = (way, target, port, end, own.scope or own.lists)
        answer = self._answers.get(key)
        if answer is None:
            if len(self._answers) >= _CACHED_MAX:
                self._spread()
            answer = self._answers[key] = self._worked_out(
                way, target, port, end, own.scope, own.lists
            )
        _add(answer.sums, values)
        flow = (own.name, answer, None if way == OUTBOUND else source)
        known = self._flows.get(flow)
        if known is None:
            self._flows[flow] = [*values]
            if len(self._flows) > _FLOWS_MAX:
                self._prune()
        else:
            _add(known, values)

    def _spread(self) -> None:
        """Take what answers counted into sides, entries and addresses."""
        tally = self._tally
        for answer in self._answers.values():
            values = answer.sums
            if not values[0]:
                continue
            tally.side(answer.way, answer.before, answer.now, values)
            for number in answer.takers:
                evidence = tally.entry(number)
                (evidence.may if answer.now == MAY else evidence.sure).add(values)
            if answer.now != THROUGH:
                self._spread_taking(answer, values)
            answer.sums = _nothing()
        if len(self._answers) >= _CACHED_MAX:
            self._answers.clear()
            self._owns.clear()
            self._of_pods.clear()

    def _spread_taking(self, answer: _Answer, values: list[float]) -> None:
        for asked, taking in zip(answer.asked, answer.taking, strict=True):
            if not taking:
                continue
            if answer.now == BYPASS and len(answer.asked) == len(taking) == 1:
                self._tally.entry(taking[0]).alone.add(values)
            if answer.way == INBOUND:
                self._tally.address(taking, asked[1], values)
            elif isinstance(asked[0], int):
                self._tally.address(taking, asked[0], values)
            else:
                self._tally.pinned.update(taking)

    def _prune(self) -> None:
        """Keep the bigger flows, and first of all those that change their side."""
        sizes = sorted(values[2] + values[0] for values in self._flows.values())
        middle = sizes[len(sizes) // 2]
        kept: dict[Any, list[float]] = {}
        for key, values in self._flows.items():
            big = values[2] + values[0] > middle or key[1].before != key[1].now
            if big and len(kept) < _FLOWS_MAX * 3 // 4:
                kept[key] = values
            else:
                self._told(key, values, named=False)
        self._flows = kept

    def _told(self, key: tuple[str, _Answer, int | None], values: list[float], *, named: bool
    ) -> None:
        name, answer, source = key
        for number in answer.takers:
            self._tally.entry(number).met(name, int(values[2] or values[0]))
        side = (answer.way, answer.before, answer.now)
        if not named:
            self._tally.others.setdefault(side, Total()).add(values)
            return
        peer = answer.peer
        if answer.way == INBOUND:
            peer = "unknown" if source is None else source
        first = answer.taking[0] if answer.taking else ()
        decides = first[0] if first and answer.now != THROUGH else NO_ENTRY
        self._tally.flow(
            (answer.way, name, peer, answer.port, answer.before, answer.now, decides), values
        )

    def _own(self, way: Way, address: int | str | None, end: End) -> _Own:
        workload = self.objects.named.get(end.name) if end.name else None
        if workload is None and isinstance(address, int):
            workload = self.objects.pods.get(address)
        if workload is not None:
            lists = workload.lists
            why = "" if workload.meshed else _UNMESHED
            return _Own(workload.name, self.now.scope(lists), lists, why)
        why = ""
        if not end.name:
            why = "" if self._is_pod(address) else _NO_POD
        elif self._enrolled and end.name.split("/")[1] not in self._enrolled:
            why = _NOT_ENROLLED
        name = end.name or (dotted(address) if isinstance(address, int) else "unknown")
        return _Own(name, self.assumed.profile, None, why)

    def _is_pod(self, address: int | str | None) -> bool:
        """Whether a pod of the cluster has an address."""
        if not isinstance(address, int):
            return address is None
        known = self._of_pods.get(address)
        if known is None:
            known = self._of_pods[address] = address in self.objects.pods or _inside(
                address, self._pods or PRIVATE
            )
        return known

    def _worked_out(
        self, way: Way, target: int | str, port: int, end: End, scope: str, lists: Lists | None
    ) -> _Answer:
        asked = ((target, port),) if way == INBOUND else self._asked(target, port, end)
        if isinstance(target, str) and way == INBOUND:
            asked = (((_EVERY,), port),)
        spots: tuple[Asked, ...] = tuple(asked)  # type: ignore[arg-type]  # no text is left
        rules = self.now.rules(scope, lists)
        now = self._of(rules, way, spots)
        before = now
        if self.before is not None:
            before = self._of(self.before.rules(scope, lists), way, spots)
        one = spots[0] if len(spots) == 1 and isinstance(spots[0][0], int) else None
        return _Answer(
            way=way,
            before=before,
            now=now,
            asked=spots,
            taking=tuple(rules.entries.taking(way, spot) for spot in spots),
            included=tuple(
                dict.fromkeys(n for spot in spots for n in rules.entries.included(way, spot))
            ),
            peer=one[0] if one is not None and isinstance(one[0], int) else target,
            port=one[1] if one is not None else port,
        )

    def _of(self, rules: _Rules, way: Way, asked: Sequence[Asked]) -> Verdict:
        node = rules.outbound if way == OUTBOUND else rules.inbound
        found = set[Any]().union(*(_verdicts(node, spot) for spot in asked))
        return found.pop() if len(found) == 1 else MAY

    def _asked(self, target: int | str, port: int, end: End) -> tuple[Asked, ...]:
        """Everything that a pod may have asked for when a log has this destination."""
        service = self.objects.service(end.service) if end.service else None
        if isinstance(target, str):
            if service is not None and service[0] is not None:
                return ((service[0], port),)
            return ((self._region(target.partition(" ")[0]), port),)
        original = self.assumed.original or end.original
        if original == "yes":
            return ((target, port),)
        itself: tuple[Asked, ...] = ((target, port),)
        if self.objects.has_services:
            fronts = self.objects.endpoints.get((target, port), ())
            if service is not None and service[0] is not None:
                fronts = tuple(one for one in fronts if one[0] == service[0]) or fronts
            found = tuple(
                (target if address is None else address, front) for address, front in fronts
            )
            both = (*itself, *found) if original == "unknown" or not found else found
            return tuple(dict.fromkeys(both))
        if _inside(target, self._pods or PRIVATE):
            return (*itself, (self._services, port))
        return itself

    def _region(self, kind: str) -> tuple[Span, ...]:
        """The addresses that a kind of endpoint may have."""
        if kind == "wep":
            return tuple(merged([*(self._pods or PRIVATE), *self._services]))
        if kind == "pvt":
            return PRIVATE
        if kind == "pub":
            return tuple(complement(merged([*PRIVATE, _LOOPBACK]), *_EVERY))
        return tuple(complement([_LOOPBACK], *_EVERY))


def _spans(texts: Sequence[str]) -> list[Span]:
    return merged([bounds for text in texts if (bounds := ipv4_range(text))])


def _inside(address: int, spans: Sequence[Span]) -> bool:
    return any(start <= address < end for start, end in spans)
