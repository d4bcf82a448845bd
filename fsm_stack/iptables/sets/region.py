"""One product of sets of a traffic set, and its text."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.packet import protocol_name
from fsm_stack.iptables.sets.diagram import AXES
from fsm_stack.iptables.sets.ranges import cidrs, complement, prefix_end

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fsm_stack.iptables.packet import Direction
    from fsm_stack.iptables.sets.diagram import Interval

Intervals = tuple["Interval", ...]
_ENDS = {name: (first, end) for name, first, end in AXES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A product of sets: a packet is in it when every part is.

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

    def texts(spans: Sequence[Interval]) -> list[str]:
        return [
            protocol_name(start) if stop - start == 1 else f"{start}-{stop - 1}"
            for start, stop in spans
        ]

    return _shorter(texts(intervals), texts(complement(intervals, *_ENDS["protocol"])))


def numbers_text(intervals: Intervals, axis: str = "port") -> str:
    """``80,443,8000-8999``, both ends inside, or ``any but 80``: whichever has fewer parts."""

    def texts(spans: Sequence[Interval]) -> list[str]:
        return [
            str(start) if stop - start == 1 else f"{start}-{stop - 1}" for start, stop in spans
        ]

    return _shorter(texts(intervals), texts(complement(intervals, *_ENDS[axis])))


def uids_text(intervals: Intervals) -> str:
    """``1500`` or ``any but 1500``."""
    return numbers_text(intervals, "uid")


def addresses_text(intervals: Intervals) -> str:
    """The fewest CIDRs, in order, or ``any but`` the fewest CIDRs: whichever has fewer parts."""

    def texts(spans: Sequence[Interval]) -> list[str]:
        return [cidr for start, stop in spans for cidr in cidrs(start, stop)]

    return _shorter(texts(intervals), texts(complement(intervals, *_ENDS["destination"])))


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
        first, end = _ENDS["interface"]
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
    return f"{start}+" if stop == prefix_end(start) and start else _all(start, stop)


def _all(start: str, stop: str | None) -> str | None:
    return "any" if not start and stop is None else None


ANY: Final = "any"
# What the sets of a region are called in front of their text, in the order of reading.
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
    whole = (_ENDS[name.removesuffix("s")],)
    return ANY if intervals == whole else SET_TEXTS[name](intervals)
