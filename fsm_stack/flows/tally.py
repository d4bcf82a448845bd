"""What a replay adds up: sides, flows, evidence for entries. Bounded, and two of them are one.

Whatever the length of the logs, so many flows are kept by name, the small ones as a sum, and so
many addresses, near ones together: an address that was seen is never lost.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fsm_stack.flows.row import Way

# Through the sidecar, past it, or the one or the other: what was asked for is unknown.
Verdict = Literal["through", "bypass", "may"]
THROUGH: Final = "through"
BYPASS: Final = "bypass"
MAY: Final = "may"

POINTS_MAX: Final = 20_000
SPANS_MAX: Final = 4_000
PEERS_MAX: Final = 400
# Of so many addresses of one entry none are joined, however many entries there are.
_POINTS_MIN: Final = 64


@dataclass(slots=True)
class Total:
    """How much traffic.

    Attributes:
        rows: of logs.
        connections: that started.
        bytes: in both directions, as far as logs have them.
        first: seconds since 1970.
        last: likewise.
    """

    rows: int = 0
    connections: int = 0
    bytes: int = 0
    first: float = float("inf")
    last: float = float("-inf")

    def add(self, values: Sequence[float]) -> None:
        """Take what was counted: rows, connections, bytes, first, last."""
        rows, connections, size, first, last = values
        self.rows += int(rows)
        self.connections += int(connections)
        self.bytes += int(size)
        self.first = min(self.first, first)
        self.last = max(self.last, last)

    def values(self) -> tuple[float, ...]:
        """What :meth:`add` takes."""
        return (self.rows, self.connections, self.bytes, self.first, self.last)

    def __bool__(self) -> bool:
        """Whether anything was seen."""
        return self.rows > 0


@dataclass(slots=True)
class Seen:
    """Addresses with their traffic; when they are many, the nearest ones become one span.

    Attributes:
        points: by address.
        spans: first address and one past the last, of those that were joined.
    """

    points: dict[int, Total] = field(default_factory=dict)
    spans: dict[tuple[int, int], Total] = field(default_factory=dict)

    def add(self, address: int, values: Sequence[float], *, most: int = POINTS_MAX) -> None:
        """Take one address; of more than so many the nearest are joined."""
        known = self.points.get(address)
        if known is None:
            known = self.points[address] = Total()
        known.add(values)
        if len(self.points) > most:
            self._join()

    def merge(self, other: Seen) -> None:
        """Take all of another one."""
        for span, sums in other.spans.items():
            self.spans.setdefault(span, Total()).add(sums.values())
        for address, sums in other.points.items():
            self.add(address, sums.values())

    def intervals(self) -> list[tuple[int, int, Total]]:
        """Every address that was seen, in order; spans hold some that were not."""
        found = [(start, end, sums) for (start, end), sums in self.spans.items()]
        found += [(address, address + 1, sums) for address, sums in self.points.items()]
        return sorted(found, key=lambda item: item[:2])

    def _join(self) -> None:
        """Close the smallest gaps, until few spans are left."""
        found = self.intervals()
        gaps = sorted(after[0] - one[1] for one, after in pairwise(found))
        widest = gaps[max(len(gaps) - SPANS_MAX, 0)]
        self.points, self.spans = {}, {}
        start, end, total = *found[0][:2], Total()
        for at, stop, sums in found:
            if at - end > widest:
                self.spans[start, end] = total
                start, end, total = at, stop, Total()
            end = max(end, stop)
            total.add(sums.values())
        self.spans[start, end] = total


@dataclass(slots=True)
class Evidence:
    """What was seen of one entry.

    Attributes:
        sure: traffic that it takes past the sidecar, or with an inclusion through it.
        may: traffic of which that is not known, because its address was translated.
        alone: of ``sure``, what no other entry takes.
        peers: bytes and rows by workload, the biggest ones.
    """

    sure: Total = field(default_factory=Total)
    may: Total = field(default_factory=Total)
    alone: Total = field(default_factory=Total)
    peers: Counter[str] = field(default_factory=Counter)

    def met(self, name: str, weight: int) -> None:
        """Count a workload."""
        self.peers[name] += weight
        if len(self.peers) > 2 * PEERS_MAX:
            self.peers = Counter(dict(self.peers.most_common(PEERS_MAX)))

    def merge(self, other: Evidence) -> None:
        """Take all of another one."""
        self.sure.add(other.sure.values())
        self.may.add(other.may.values())
        self.alone.add(other.alone.values())
        for name, weight in other.peers.items():
            self.met(name, weight)


# Way, workload, peer's address or name, port, verdict before and now, the entry that decides now.
Flow = tuple["Way", str, "int | str", int, Verdict, Verdict, int]


@dataclass(slots=True)
class Tally:
    """Everything that a replay adds up.

    Attributes:
        sides: by way, verdict before, verdict now.
        flows: the biggest, by what they are.
        others: the sum of the rest, as ``sides`` has them.
        entries: evidence by the number of the entry.
        seen: addresses that bypass, by the numbers of the entries that take them.
        pinned: entries that take traffic whose address is not known: they stay as they are.
        passed: connections that are not judged, by reason.
    """

    sides: dict[tuple[Way, Verdict, Verdict], Total] = field(default_factory=dict)
    flows: dict[Flow, Total] = field(default_factory=dict)
    others: dict[tuple[Way, Verdict, Verdict], Total] = field(default_factory=dict)
    entries: dict[int, Evidence] = field(default_factory=dict)
    seen: dict[tuple[int, ...], Seen] = field(default_factory=dict)
    pinned: set[int] = field(default_factory=set)
    passed: Counter[str] = field(default_factory=Counter)

    def flow(self, flow: Flow, values: Sequence[float]) -> None:
        """Take one flow."""
        known = self.flows.get(flow)
        if known is None:
            known = self.flows[flow] = Total()
        known.add(values)

    def side(self, way: Way, before: Verdict, now: Verdict, values: Sequence[float]) -> None:
        """Take traffic of one side."""
        self.sides.setdefault((way, before, now), Total()).add(values)

    def address(self, taken: tuple[int, ...], address: int, values: Sequence[float]) -> None:
        """Take an address that these entries take past the sidecar."""
        seen = self.seen.setdefault(taken, Seen())
        seen.add(address, values, most=max(_POINTS_MIN, POINTS_MAX // len(self.seen)))

    def entry(self, number: int) -> Evidence:
        """The evidence of one entry."""
        return self.entries.setdefault(number, Evidence())

    def merge(self, other: Tally) -> None:
        """Take all of another one."""
        for key, sums in other.sides.items():
            self.side(*key, sums.values())
        for flow, sums in other.flows.items():
            self.flow(flow, sums.values())
        for key, sums in other.others.items():
            self.others.setdefault(key, Total()).add(sums.values())
        for number, evidence in other.entries.items():
            self.entry(number).merge(evidence)
        for taken, seen in other.seen.items():
            self.seen.setdefault(taken, Seen()).merge(seen)
        self.pinned |= other.pinned
        self.passed.update(other.passed)

    def biggest(self, flows: Iterable[Flow]) -> list[tuple[Flow, Total]]:
        """Flows with their traffic, by bytes and connections."""
        found = [(flow, self.flows[flow]) for flow in flows]
        return sorted(found, key=lambda item: (*_weight(item[1]), str(item[0])))

    def total(self) -> Total:
        """All traffic that was judged."""
        whole = Total()
        for sums in self.sides.values():
            whole.add(sums.values())
        return whole


def _weight(sums: Total) -> tuple[int, int, int]:
    return (-sums.bytes, -sums.connections, -sums.rows)
