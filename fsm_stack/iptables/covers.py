"""What earlier rules of a chain take, asked for one rule after the other without a walk each time.

A dump may have tens of thousands of rules that differ in their destination only.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.ranges import IPV4_END, intersection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.iptables.coverage import Limits
    from fsm_stack.iptables.rule import Rule

Range = tuple[int, int]
Shape = tuple[tuple[str, tuple[object, ...]], ...]
_DESTINATION: Final = "destination"
# So many shapes are remembered: an injector's chain has seven. Each question looks at all of them.
_SHAPES_MAX: Final = 200


class Span:
    """A growing set of whole numbers, as disjoint half-open intervals."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def free(self, start: int, stop: int) -> list[Range]:
        """What of an interval is not in it."""
        gaps = []
        index = bisect_right(self._stops, start)
        while index < len(self._starts) and self._starts[index] < stop:
            if start < self._starts[index]:
                gaps.append((start, self._starts[index]))
            start = self._stops[index]
            index += 1
        return [*gaps, (start, stop)] if start < stop else gaps

    def add(self, start: int, stop: int) -> None:
        """Take an interval in."""
        first, end = bisect_left(self._stops, start), bisect_right(self._starts, stop)
        if first < end:
            start, stop = min(start, self._starts[first]), max(stop, self._stops[end - 1])
        self._starts[first:end] = [start]
        self._stops[first:end] = [stop]


class Covers:
    """Rules so far, to be asked for the first that alone takes all packets of another.

    Rules of one shape, that is with the same limits apart from the destination, are found by
    their range: at most 33 ranges hold a given one. Rules past the first 200 shapes are not known.
    """

    def __init__(self) -> None:
        self._shapes: dict[Shape, tuple[Limits, dict[Range, tuple[int, Rule]]]] = {}
        self._odd: list[tuple[int, Rule, Limits]] = []

    def add(self, number: int, rule: Rule, limits: Limits) -> None:
        """A rule and its place in the chain."""
        ranges = limits.get(_DESTINATION, [(0, IPV4_END)])
        if len(ranges) > 1:  # a negated range
            if len(self._odd) < _SHAPES_MAX:
                self._odd.append((number, rule, limits))
            return
        rest = {axis: limits[axis] for axis in sorted(limits) if axis != _DESTINATION}
        shape = tuple((axis, tuple(intervals)) for axis, intervals in rest.items())
        if shape in self._shapes or len(self._shapes) < _SHAPES_MAX:
            self._shapes.setdefault(shape, (rest, {}))[1].setdefault(ranges[0], (number, rule))

    def of(self, limits: Limits) -> Rule | None:
        """The first rule that takes everything within the limits; None: no single one does."""
        ranges = limits.get(_DESTINATION, [(0, IPV4_END)])
        around = list(_around(ranges[0][0], ranges[-1][1]))
        found = [
            known[block]
            for rest, known in self._shapes.values()
            if _inside(limits, rest)
            for block in around
            if block in known
        ]
        found += [(number, rule) for number, rule, wide in self._odd if _inside(limits, wide)]
        return min(found, key=lambda one: one[0])[1] if found else None


def _around(start: int, stop: int) -> Iterator[Range]:
    """Every CIDR that holds an interval, as intervals, the narrowest first."""
    size = 1 << (start ^ (stop - 1)).bit_length()
    while size <= IPV4_END:
        base = start & ~(size - 1)
        yield (base, base + size)
        size <<= 1


def _inside(narrow: Limits, wide: Limits) -> bool:
    return all(
        axis in narrow and intersection(narrow[axis], intervals) == narrow[axis]
        for axis, intervals in wide.items()
    )
