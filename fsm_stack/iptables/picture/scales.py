"""Addresses and ports on readable scales: in order, wide things narrower than they are."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import log2
from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.sets.ranges import IPV4_END, complement, dotted, ipv4_range
from fsm_stack.well_known import PORT_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fsm_stack.iptables.sets.reach import Intervals

# The ranges that people know by heart, drawn always.
_LANDMARKS: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
_PORT_TICKS: Final = (1, 10, 100, 1_000, 10_000)
_THOUSAND: Final = 1_000
# Added to the binary logarithm of a part's size: one address has a visible width, too.
_EXTRA: Final = 4.0
# What is narrower is drawn so wide, and a gap that is narrower is no gap.
_LEAST: Final = 4.0
_GAP: Final = 0.6
# So many parts of one set are drawn; what then follows is drawn as one.
_PARTS_MAX: Final = 120


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar: filled, or a hole in one."""

    x: float
    width: float
    hole: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A label at a place; ``left`` and ``right`` are the ends of what it names."""

    text: str
    left: float
    right: float


class Scale:
    """An axis of whole numbers on so many pixels.

    Args:
        cuts: sorted points from the axis's first to its end; between two of them it is linear.
        weights: how wide each part between two cuts is, in any unit.
        left: the first point's place.
        width: of the whole.
    """

    def __init__(
        self, cuts: Sequence[int], weights: Sequence[float], *, left: float, width: float
    ) -> None:
        total = sum(weights)
        self._cuts = cuts
        self._places = [0.0, *accumulate(weight * width / total for weight in weights)]
        self.left, self.width = left, width

    def place(self, point: int) -> float:
        """Where a point is, in pixels."""
        index = min(bisect_right(self._cuts, point), len(self._cuts) - 1) - 1
        start, stop = self._cuts[index], self._cuts[index + 1]
        low, high = self._places[index], self._places[index + 1]
        return self.left + low + (high - low) * (point - start) / (stop - start)

    def pieces(self, intervals: Intervals) -> list[Piece]:
        """A set as a bar: the parts of it, or the whole with holes, whichever is less."""
        first, end = self._cuts[0], self._cuts[-1]
        outside = complement(intervals, first, end)
        if len(outside) < len(intervals):
            whole = [Piece(self.left, self.width, hole=False)]
            return [*whole, *self._drawn(outside, hole=True)]
        return self._drawn(intervals, hole=False)

    def _drawn(self, intervals: Iterable[tuple[int, int]], *, hole: bool) -> list[Piece]:
        spans: list[list[float]] = []
        for start, stop in intervals:
            low, high = self.place(start), self.place(stop)
            if high - low < _LEAST:
                low = min(
                    max(self.left, (low + high - _LEAST) / 2), self.left + self.width - _LEAST
                )
                high = low + _LEAST
            if spans and (low - spans[-1][1] < _GAP or len(spans) == _PARTS_MAX):
                spans[-1][1] = max(high, spans[-1][1])
            else:
                spans.append([low, high])
        return [Piece(low, high - low, hole=hole) for low, high in spans]


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale with what is written over it: ranges by name above, ticks below."""

    scale: Scale
    names: tuple[Tick, ...]
    ticks: tuple[Tick, ...]


def addresses(
    shown: Iterable[Intervals], named: Iterable[tuple[str, str]], *, left: float, width: float
) -> Axis:
    """The axis of all IPv4 addresses.

    Every part between two borders of what is shown is as wide as the logarithm of its size, so
    that one address can be seen beside half the internet.

    Args:
        shown: all sets that are drawn on it.
        named: names and CIDRs of ranges to point out: the cluster's own.
        left: where it starts, in pixels.
        width: how long it is.
    """
    known = [(name, bounds) for name, cidr in named if (bounds := ipv4_range(cidr)) is not None]
    marks = [(text, bounds) for text in _LANDMARKS if (bounds := ipv4_range(text)) is not None]
    borders = {0, IPV4_END}
    borders.update(point for _, bounds in (*known, *marks) for point in bounds)
    borders.update(point for intervals in shown for span in intervals for point in span)
    cuts = sorted(borders)
    weights = [log2(stop - start) + _EXTRA for start, stop in pairwise(cuts)]
    scale = Scale(cuts, weights, left=left, width=width)

    def tick(text: str, bounds: tuple[int, int]) -> Tick:
        return Tick(text, scale.place(bounds[0]), scale.place(bounds[1]))

    return Axis(
        scale,
        tuple(tick(name, bounds) for name, bounds in known),
        tuple(tick(_short(*bounds), bounds) for _, bounds in marks),
    )


def _short(start: int, stop: int) -> str:
    """``10/8``: the CIDR without its zeros."""
    text = dotted(start)
    while text.endswith(".0"):
        text = text.removesuffix(".0")
    return f"{text}/{(IPV4_END // (stop - start)).bit_length() - 1}"


def ports(*, left: float, width: float) -> Axis:
    """The axis of all ports, by their logarithm."""
    cuts = [0, *(1 << power for power in range(16)), PORT_MAX + 1]
    scale = Scale(cuts, [1.0] * (len(cuts) - 1), left=left, width=width)
    ticks = (
        Tick(
            f"{number // _THOUSAND}k" if number >= _THOUSAND else str(number),
            scale.place(number), scale.place(number + 1),
        )
        for number in _PORT_TICKS
    )  # fmt: skip
    return Axis(scale, (), tuple(ticks))
