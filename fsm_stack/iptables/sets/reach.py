"""Sets of traffic, exact: which packets go through the sidecar, as values that can be compared.

A set is computed from the rules, never sampled. The same set always has the same regions and the
same text, however its rules were written.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import few
from fsm_stack.iptables.packet import ToListener, protocol_name
from fsm_stack.iptables.sets.coverage import WHOLE, Coverage, coverage
from fsm_stack.iptables.sets.diagram import AXES, LEVELS, Diagrams, Node, child_at, grouped, same
from fsm_stack.iptables.sets.ranges import cidrs, complement, merged, prefix_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fsm_stack.iptables.packet import Direction, Verdict
    from fsm_stack.iptables.rule import Ruleset
    from fsm_stack.iptables.sets.ranges import Interval

_PORT_LEVEL = 3
Intervals = tuple["Interval", ...]


@dataclass(frozen=True, slots=True)
class Region:
    """A product of sets, in the order of the axes: a packet is in it when every part is.

    Attributes:
        direction: outbound or inbound.
        protocols: numbers.
        interfaces: names as string intervals, see :mod:`fsm_stack.iptables.sets.ranges`.
        uids: of the sending process; all of them inbound.
        ports: destination ports.
        sources: IPv4 addresses as numbers.
        destinations: IPv4 addresses as numbers.

    All intervals are half open, sorted and disjoint; ``None`` is the open end of the names.
    """

    direction: Direction
    protocols: Intervals
    interfaces: Intervals
    uids: Intervals
    ports: Intervals
    sources: Intervals
    destinations: Intervals

    @property
    def size(self) -> int:
        """How many pairs of destination address and port it holds."""
        return length(self.destinations) * length(self.ports)


def length(intervals: Intervals) -> int:
    """How many numbers the intervals hold."""
    return sum(stop - start for start, stop in intervals)


def region_text(region: Region) -> str:
    """One line: direction, then every part that is limited; ``any`` is left out."""
    parts = [
        f"{label}{text}"
        for name, label in _LABELS.items()
        if (text := set_text(region, name)) != ANY
    ]
    return " ".join([region.direction, *parts])


def protocols_text(intervals: Intervals) -> str:
    """``tcp,udp``, a long interval as numbers, or ``any but tcp``: whichever has fewer parts."""
    return numbers_text(intervals, "protocol", protocol_name)


def numbers_text(
    intervals: Intervals, axis: str = "port", name: Callable[[int], str] = str
) -> str:
    """``80,443,8000-8999``, both ends inside, or ``any but 80``: whichever has fewer parts."""

    def texts(spans: Sequence[Interval]) -> list[str]:
        return [
            name(start) if stop - start == 1 else f"{start}-{stop - 1}" for start, stop in spans
        ]

    return _shorter(texts(intervals), texts(complement(intervals, *WHOLE[axis])))


def uids_text(intervals: Intervals) -> str:
    """``1500`` or ``any but 1500``."""
    return numbers_text(intervals, "uid")


def addresses_text(intervals: Intervals) -> str:
    """The fewest CIDRs, in order, or ``any but`` the fewest CIDRs: whichever has fewer parts."""

    def texts(spans: Sequence[Interval]) -> list[str]:
        return [cidr for start, stop in spans for cidr in cidrs(start, stop)]

    return _shorter(texts(intervals), texts(complement(intervals, *WHOLE["destination"])))


def _shorter(inside: list[str], outside: list[str]) -> str:
    if outside and len(outside) < len(inside):
        return f"any but {','.join(outside)}"
    return ",".join(inside)


def interfaces_text(intervals: Intervals) -> str:
    """``lo``, ``veth+``, or ``any but eth1,lo``: whatever is exact with patterns only."""
    if patterns := _patterns(intervals):
        return ",".join(patterns)
    hull = _pattern(intervals[0][0], intervals[-1][1])
    gaps = [(stop, after[0]) for (_, stop), after in pairwise(intervals)]
    if hull is None:
        first, end = WHOLE["interface"]
        hull = "any"
        gaps = [(first, intervals[0][0]), *gaps, (intervals[-1][1], end)]
        gaps = [gap for gap in gaps if gap[0] != gap[1]]
    if excluded := _patterns(gaps):
        return f"{hull} but {','.join(excluded)}"
    return ",".join(f"names from {start!r} to before {stop!r}" for start, stop in intervals)


def _patterns(intervals: Sequence[Interval]) -> list[str]:
    """Every interval as a pattern; empty when one of them is none."""
    found = [_pattern(start, stop) for start, stop in intervals]
    patterns = [pattern for pattern in found if pattern is not None]
    return patterns if len(patterns) == len(found) else []


def _pattern(start: str, stop: str | None) -> str | None:
    if stop == f"{start}\0":
        return start
    if start:
        return f"{start}+" if stop == prefix_end(start) else None
    return "any" if stop is None else None


ANY: Final = "any"
# What stands in front of the text of each set, in the order of reading.
_LABELS: Final = {
    "protocols": "",
    "interfaces": "via ",
    "uids": "uid ",
    "sources": "from ",
    "destinations": "to ",
    "ports": "port ",
}
SET_TEXTS: Final[dict[str, Callable[[Intervals], str]]] = {
    "protocols": protocols_text,
    "interfaces": interfaces_text,
    "uids": uids_text,
    "sources": addresses_text,
    "destinations": addresses_text,
    "ports": numbers_text,
}


def set_text(region: Region, name: str) -> str:
    """One set of a region in words; ``any`` where it is not limited."""
    intervals: Intervals = getattr(region, name)
    return ANY if intervals == (WHOLE[name.removesuffix("s")],) else SET_TEXTS[name](intervals)


def shortened(text: str, most: int) -> str:
    """A set's text with so many of its members, and how many more there are."""
    head, but, tail = text.rpartition("any but ")
    return f"{head}{but}{few(tail.split(','), most)}"


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """A set of packets, closed under union, intersection and difference."""

    outbound: Node
    inbound: Node

    def __eq__(self, other: object) -> bool:
        """Whether both hold exactly the same packets."""
        if not isinstance(other, Traffic):
            return NotImplemented
        return same(self.outbound, other.outbound) and same(self.inbound, other.inbound)

    __hash__ = None  # type: ignore[assignment]  # equal ones are not found cheaply

    def __or__(self, other: Traffic) -> Traffic:
        """What is in one of them."""
        return self._combined(other, lambda one, two: one or two)

    def __and__(self, other: Traffic) -> Traffic:
        """What is in both."""
        return self._combined(other, lambda one, two: one and two)

    def __sub__(self, other: Traffic) -> Traffic:
        """What is in this one only."""
        return self._combined(other, lambda one, two: one and not two)

    def __bool__(self) -> bool:
        """Whether any packet is in it."""
        return any(True for _ in self.regions())

    def _combined(self, other: Traffic, how: Callable[[Any, Any], bool]) -> Traffic:
        builder = Diagrams()
        return Traffic(
            builder.combine(how, self.outbound, other.outbound),
            builder.combine(how, self.inbound, other.inbound),
        )

    def regions(self) -> Iterator[Region]:
        """Disjoint regions whose union it is, in one fixed order."""
        yield from _regions("outbound", self.outbound)
        yield from _regions("inbound", self.inbound)

    @property
    def size(self) -> int:
        """How many (direction, destination, port) triples some packet of it has."""
        return _projected(self.outbound) + _projected(self.inbound)

    def holds(
        self,
        direction: Direction,
        *,
        protocol: int = 6,
        interface: str,
        uid: int,
        port: int,
        source: int = 0,
        destination: int,
    ) -> bool:
        """Whether one packet is in it; addresses and the protocol as numbers."""
        node: Any = self.outbound if direction == "outbound" else self.inbound
        for point in (protocol, interface, uid, port, source, destination):
            node = child_at(node, point)
        return bool(node)

    def __str__(self) -> str:
        """One line a region; the same set always prints the same."""
        return "\n".join(region_text(region) for region in self.regions()) or "nothing"


def reach(ruleset: Ruleset) -> Traffic:
    """All traffic that the rules send through the sidecar.

    Raises:
        NotLoadableError: iptables would refuse the rules.
    """
    return where(coverage(ruleset), lambda verdict: isinstance(verdict, ToListener))


def where(fates: Coverage, test: Callable[[Verdict], bool]) -> Traffic:
    """All traffic whose verdict passes a test."""
    builder = Diagrams()
    return Traffic(
        builder.convert(lambda verdict: bool(test(verdict)), fates.outbound),
        builder.convert(lambda verdict: bool(test(verdict)), fates.inbound),
    )


def changed(before: Coverage, after: Coverage) -> Traffic:
    """All traffic that has another verdict in the second."""
    builder = Diagrams()

    def differs(one: Verdict, two: Verdict) -> bool:
        return one != two

    return Traffic(
        builder.combine(differs, before.outbound, after.outbound),
        builder.combine(differs, before.inbound, after.inbound),
    )


def _regions(direction: Direction, node: Node) -> Iterator[Region]:
    for parts in _products(node, 0):
        yield Region(direction, *parts)


def _products(node: Any, level: int) -> Iterator[tuple[Intervals, ...]]:  # noqa: ANN401  # node or value
    if level == LEVELS:
        if node:
            yield ()
        return
    for child, intervals in grouped(node, level):
        for rest in _products(child, level + 1):
            yield (intervals, *rest)


def _projected(node: Node) -> int:
    """Pairs of destination and port, whatever the other axes say."""
    below: list[Node] = [node]
    for _ in range(_PORT_LEVEL):
        below = list({id(child): child for one in below for child in one.children}.values())
    return _pairs(below)


def _pairs(nodes: list[Node]) -> int:
    """The size of a union of port diagrams, sources projected away."""
    ports = sorted({start for node in nodes for start in node.starts})
    total = 0
    for start, stop in zip(ports, [*ports[1:], AXES[_PORT_LEVEL][2]], strict=True):
        spans: list[Interval] = []
        for node in nodes:
            for by_destination in child_at(node, start).children:
                for inside, intervals in grouped(by_destination, LEVELS - 1):
                    spans.extend(intervals if inside else ())
        total += (stop - start) * length(tuple(merged(spans)))
    return total
