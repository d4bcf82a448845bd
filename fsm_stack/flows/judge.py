"""Connections of a log judged by a stack's rules, and by those of another side of it.

A connection whose address was translated is judged for everything that its pod may have asked
for: where the answers differ, the verdict is "may".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.flows.objects import Addresses, Assumed, Objects
from fsm_stack.flows.row import INBOUND, OUTBOUND, End
from fsm_stack.flows.rulebook import EVERY, Asked, verdicts
from fsm_stack.flows.tally import BYPASS, MAY, THROUGH, Tally, Total
from fsm_stack.iptables.sets.ranges import dotted
from fsm_stack.lists import MESH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsm_stack.flows.counting import Sums
    from fsm_stack.flows.row import Key, Way
    from fsm_stack.flows.rulebook import Rulebook, Rules
    from fsm_stack.flows.tally import Verdict
    from fsm_stack.lists import Lists

_CACHED_MAX: Final = 50_000
_FLOWS_MAX: Final = 60_000
# No entry decides: nothing excludes it, or it is not among the inclusions.
NO_ENTRY: Final = -1
_UNMESHED: Final = "of a pod without a sidecar"
_NO_POD: Final = "neither end is a pod's"
_NOT_ENROLLED: Final = "of a namespace that the stack does not enroll"


def _nothing() -> list[float]:
    return [0, 0, 0, float("inf"), float("-inf")]


def _add(known: list[float], values: list[float]) -> None:
    known[0] += values[0]
    known[1] += values[1]
    known[2] += values[2]
    known[3] = min(known[3], values[3])
    known[4] = max(known[4], values[4])


@dataclass(slots=True, eq=False)  # one object an answer: flows are kept by it
class _Answer:
    """What is known of connections to one destination, and how many there were."""

    way: Way
    before: Verdict
    now: Verdict
    asked: tuple[Asked, ...]
    taking: tuple[tuple[int, ...], ...]
    included: tuple[int, ...]
    sure: frozenset[int]
    peer: int | str
    port: int
    sums: list[float] = field(default_factory=_nothing)

    @property
    def decides(self) -> int:
        """The entry whose rule comes first; none where it goes through, or nothing excludes it."""
        first = self.taking[0] if self.taking and self.now != THROUGH else ()
        return next((one for one in first if one in self.sure), first[0] if first else NO_ENTRY)

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
        kinds: the profile whose rules it has, or an empty text and its own lists; of a pod that
            a snapshot does not know, every profile.
        why: it is not judged; empty: it is.
    """

    name: str
    kinds: tuple[tuple[str, Lists | None], ...]
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

    Attributes:
        scopes: the profiles that some pod is known to have.
    """

    def __init__(
        self,
        now: Rulebook,
        before: Rulebook | None = None,
        objects: Objects | None = None,
        assumed: Assumed | None = None,
    ) -> None:
        self.now = now
        self.before = before
        self.objects = objects or Objects()
        self.assumed = assumed or Assumed()
        settings = now.settings
        self._addresses = Addresses(settings.cluster, self.objects, self.assumed.original)
        enrolled = () if self.objects.has_pods else settings.enrolled_namespaces
        self._enrolled = frozenset(item.name for item in enrolled)
        self.scopes = {self.assumed.profile} | {
            now.scope(workload.lists) for workload in self.objects.named.values()
        }
        self._unknown: tuple[tuple[str, Lists | None], ...] = ((self.assumed.profile, None),)
        if self.objects.has_pods and self.assumed.profile == MESH:  # it came or went since then
            profiles = (MESH, *settings.annotation_profiles)
            self._unknown = tuple((name, None) for name in profiles)
        self._tally = Tally()
        self._owns: dict[tuple[Way, int | str | None, End], _Own] = {}
        self._answers: dict[Any, _Answer] = {}
        self._flows: dict[Any, list[float]] = {}

    def take(self, sums: Sums) -> None:
        """Judge what was counted."""
        for (source, target, port, end), values in sums:
            way = end.way
            if way:
                self._judged(way, source, target, port, end, values)
            else:
                out = self._addresses.is_pod(source)
                into = source is not None and self._addresses.is_pod(target)
                if out:
                    self._judged(OUTBOUND, source, target, port, end, values)
                if into:
                    self._judged(INBOUND, source, target, port, end, values)
                if not out and not into:
                    self._tally.passed[_NO_POD] += int(values[0])

    def verdict(self, key: Key) -> tuple[Verdict, int] | None:
        """What becomes of one connection, and the entry that decides; None: no pod makes it.

        One that is seen where it leaves and where it enters is judged where it leaves.
        """
        source, target, port, end = key
        way = end.way or (OUTBOUND if self._addresses.is_pod(source) else INBOUND)
        address = source if way == OUTBOUND else target
        own = self._own(address, end)
        if own.why or (not end.way and not self._addresses.is_pod(address)):
            return None
        answer = self._answer(way, target, port, end, own)
        return answer.now, answer.decides

    def finish(self) -> Tally:
        """What was added up so far; the judge starts anew."""
        self._spread()
        for key, values in self._flows.items():
            self._told(key, values, named=True)
        tally, self._tally, self._flows = self._tally, Tally(), {}
        return tally

    def _judged(  # noqa: PLR0917  # called for every connection: keywords cost a fifth
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
            if len(self._owns) >= _CACHED_MAX:
                self._owns.clear()
            own = self._owns[own_key] = self._own(own_key[1], end)
        if own.why:
            self._tally.passed[own.why] += int(values[0])
            return
        answer = self._answer(way, target, port, end, own)
        _add(answer.sums, values)
        flow = (own.name, answer, None if way == OUTBOUND else source)
        known = self._flows.get(flow)
        if known is None:
            self._flows[flow] = [*values]
            if len(self._flows) > _FLOWS_MAX:
                self._prune()
        else:
            _add(known, values)

    def _answer(self, way: Way, target: int | str, port: int, end: End, own: _Own) -> _Answer:
        key = (way, target, port, end, own.kinds)
        answer = self._answers.get(key)
        if answer is None:
            if len(self._answers) >= _CACHED_MAX:
                self._spread()
            answer = self._answers[key] = self._worked_out(way, target, port, end, own)
        return answer

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
                known = answer.now != MAY and number in answer.sure
                (evidence.sure if known else evidence.may).add(values)
            if answer.now != THROUGH:
                self._spread_taking(answer, values)
            answer.sums = _nothing()
        if len(self._answers) >= _CACHED_MAX:
            self._answers.clear()

    def _spread_taking(self, answer: _Answer, values: list[float]) -> None:
        for asked, taking in zip(answer.asked, answer.taking, strict=True):
            if not taking:
                continue
            alone = len(answer.asked) == len(taking) == 1 and taking[0] in answer.sure
            if answer.now == BYPASS and alone:
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

    def _told(
        self, key: tuple[str, _Answer, int | None], values: list[float], *, named: bool
    ) -> None:
        name, answer, source = key
        for number in answer.takers:
            self._tally.entry(number).met(name, int(values[2] + values[0]))
        side = (answer.way, answer.before, answer.now)
        if not named:
            self._tally.others.setdefault(side, Total()).add(values)
            return
        peer = answer.peer
        if answer.way == INBOUND:
            peer = "unknown" if source is None else source
        told = (answer.way, name, peer, answer.port, answer.before, answer.now, answer.decides)
        self._tally.flow(told, values)

    def _own(self, address: int | str | None, end: End) -> _Own:
        workload = self.objects.named.get(end.name) if end.name else None
        if workload is None and isinstance(address, int):
            workload = self.objects.pods.get(address)
        if workload is not None:
            lists = workload.lists
            why = "" if workload.meshed else _UNMESHED
            return _Own(workload.name, ((self.now.scope(lists), lists),), why)
        why = ""
        if not end.name:
            why = "" if self._addresses.is_pod(address) else _NO_POD
        elif self._enrolled and (place := end.name.split("/")[1:2]):
            why = "" if place[0] in self._enrolled else _NOT_ENROLLED
        name = end.name or (dotted(address) if isinstance(address, int) else "unknown")
        return _Own(name, self._unknown, why)

    def _worked_out(self, way: Way, target: int | str, port: int, end: End, own: _Own) -> _Answer:
        rules = [self.now.rules(*kind) for kind in own.kinds]
        spots: tuple[Asked, ...]
        if way == INBOUND:
            spots = ((target if isinstance(target, int) else (EVERY,), port),)
        else:
            spots = self._addresses.asked(target, port, end, rules)
        now = before = self._of(rules, way, spots)
        if self.before is not None:
            before = self._of([self.before.rules(*kind) for kind in own.kinds], way, spots)
        one = spots[0] if len(spots) == 1 and isinstance(spots[0][0], int) else None
        return _Answer(
            way=way,
            before=before,
            now=now,
            asked=spots,
            taking=tuple(
                tuple(dict.fromkeys(n for one in rules for n in one.entries.taking(way, spot)))
                for spot in spots
            ),
            included=tuple(
                dict.fromkeys(
                    n for one in rules for spot in spots for n in one.entries.included(way, spot)
                )
            ),
            sure=frozenset(
                set[int].intersection(
                    *(one.entries.surely(way, spot) for one in rules for spot in spots)
                )
            ),
            peer=one[0] if one is not None and isinstance(one[0], int) else target,
            port=one[1] if one is not None else port,
        )

    def _of(self, rules: Sequence[Rules], way: Way, asked: Sequence[Asked]) -> Verdict:
        nodes = [one.outbound if way == OUTBOUND else one.inbound for one in rules]
        found = set[Any]().union(*(verdicts(node, spot) for node in nodes for spot in asked))
        return found.pop() if len(found) == 1 else MAY
