"""What a change of rules does to traffic: the fewest products of sets that say it, exactly.

The packets of two rule sets fall into few classes an axis, however many ranges there are. In that
grid the changed packets are covered by as few products as there can be. Swapped sides give the
same products, and only the classes count: order, repetitions and split ranges do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import product
from operator import or_
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.iptables.packet import ToListener, Untouched
from fsm_stack.iptables.sets.diagram import AXES, LEVELS, Diagrams, by_level, child_at, classes_of
from fsm_stack.iptables.sets.ranges import cidrs
from fsm_stack.iptables.sets.reach import Region, changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fsm_stack.iptables.packet import Direction, Verdict
    from fsm_stack.iptables.sets.coverage import Coverage
    from fsm_stack.iptables.sets.diagram import Node
    from fsm_stack.iptables.sets.ranges import Interval
    from fsm_stack.iptables.sets.reach import Intervals

# Beyond these the answer is exact still, and not proved to be the fewest. An injector's script
# with any lists stays below 40 products.
_PRODUCTS_MAX: Final = 200
_PAIRS_MAX: Final = 10_000
_STEPS_MAX: Final = 1_000
_CELLS_MAX: Final = 200_000
# Axes on which a sentence may be wider than what changes, in this order.
_WIDENED: Final = ("interface", "destination", "port")
_NAMES: Final = tuple(name for name, _, _ in AXES)

Masks = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Packets that one verdict had and another one gets.

    Attributes:
        before: what happened to them.
        after: what happens to them now.
        region: exactly these packets; regions of one answer may overlap.
        said: the same and what has the other verdict on both sides, where that is shorter to say:
            every packet of it is bypassed, and it changes for those in ``region``.
    """

    before: Verdict
    after: Verdict
    region: Region
    said: Region


def shifts(before: Coverage, after: Coverage) -> tuple[Shift, ...]:
    """Every packet whose verdict differs, in the fewest regions, in one fixed order.

    Raises:
        TooComplexError: the rules differ too much from one another.
    """
    if before == after:
        return ()
    builder = Diagrams()
    found: list[Shift] = []
    pairs: tuple[tuple[Direction, Node, Node], ...] = (
        ("outbound", before.outbound, after.outbound),
        ("inbound", before.inbound, after.inbound),
    )
    for direction, one, two in pairs:
        both = builder.combine(lambda was, now: (was, now), one, two)
        found += _of_direction(direction, both, before, after)
    return tuple(found)


def _of_direction(
    direction: Direction, both: Node, before: Coverage, after: Coverage
) -> Iterator[Shift]:
    grid = Grid(both)
    if not grid.values:  # too large a grid: exact still, as the diagram has it
        for region in changed(before, after).regions():
            if region.direction == direction:
                was, now = _verdicts(both, region)
                yield Shift(before=was, after=now, region=region, said=region)
        return
    for (was, now), cells in sorted(grid.values.items(), key=lambda item: _order(item[0])):
        if was == now:
            continue
        allowed = _sayable(grid, was, now)
        for masks in fewest(grid, cells):
            said = _widened(grid, masks, allowed)
            yield Shift(
                before=was,
                after=now,
                region=grid.region(direction, masks),
                said=_filled(grid, direction, said, allowed),
            )


def _order(pair: tuple[Verdict, Verdict]) -> tuple[bool, str, str]:
    """Bypasses first, then by name."""
    return (not isinstance(pair[1], Untouched), repr(pair[1]), repr(pair[0]))


def _verdicts(both: Node, region: Region) -> tuple[Verdict, Verdict]:
    """The two verdicts of a region of the diagram itself: any of its packets has them."""
    node: Any = both
    for intervals in parts(region):
        node = child_at(node, intervals[0][0])
    was, now = node
    return (was, now)


def parts(region: Region) -> tuple[Intervals, ...]:
    """A region's sets, in the order of the axes."""
    return (
        region.protocols,
        region.interfaces,
        region.uids,
        region.ports,
        region.sources,
        region.destinations,
    )


class Grid:
    """The classes of packets that a diagram tells apart, and what it says of each.

    Attributes:
        values: each value with its cells, as bits; empty: there are too many cells.
    """

    def __init__(self, root: Node) -> None:
        levels = [classes_of(nodes) for nodes in by_level(root)]
        self.counts = [len(level.points) for level in levels]
        self._intervals = [
            _intervals_of(level.starts, level.numbers, AXES[index][2])
            for index, level in enumerate(levels)
        ]
        self.strides = [1] * LEVELS
        for index in range(LEVELS - 2, -1, -1):
            self.strides[index] = self.strides[index + 1] * self.counts[index + 1]
        self.values: dict[Any, int] = {}
        if self.strides[0] * self.counts[0] > _CELLS_MAX:
            return
        for cell, points in enumerate(product(*(level.points for level in levels))):
            node: Any = root
            for point in points:
                node = child_at(node, point)
            self.values[node] = self.values.get(node, 0) | 1 << cell

    def full(self, axis: int) -> int:
        """All classes of an axis."""
        return (1 << self.counts[axis]) - 1

    def bits(self, masks: Masks) -> int:
        """The cells of a product."""
        found = masks[-1]
        for axis in range(LEVELS - 2, -1, -1):
            stride = self.strides[axis]
            found = reduce(or_, (found << number * stride for number in _numbers(masks[axis])), 0)
        return found

    def products(self, cells: int) -> list[Masks]:
        """Disjoint products whose union the cells are."""
        return self._products(cells, 0)

    def _products(self, cells: int, axis: int) -> list[Masks]:
        if axis == LEVELS:
            return [()] if cells else []
        slices: dict[int, int] = {}
        stride = self.strides[axis]
        for number in range(self.counts[axis]):
            inside = cells >> number * stride & (1 << stride) - 1
            if inside:
                slices[inside] = slices.get(inside, 0) | 1 << number
        return [
            (mask, *rest)
            for inside, mask in slices.items()
            for rest in self._products(inside, axis + 1)
        ]

    def intervals(self, axis: int, mask: int) -> Intervals:
        """The intervals of some classes of an axis, touching ones joined."""
        found = sorted(
            (interval for number in _numbers(mask) for interval in self._intervals[axis][number]),
            key=lambda interval: interval[0],
        )
        joined: list[Interval] = []
        for start, stop in found:
            if joined and joined[-1][1] == start:
                joined[-1] = (joined[-1][0], stop)
            else:
                joined.append((start, stop))
        return tuple(joined)

    def region(self, direction: Direction, masks: Masks) -> Region:
        """A product as a region."""
        protocols, interfaces, uids, ports, sources, destinations = (
            self.intervals(axis, mask) for axis, mask in enumerate(masks)
        )
        return Region(
            direction=direction,
            protocols=protocols,
            interfaces=interfaces,
            uids=uids,
            ports=ports,
            sources=sources,
            destinations=destinations,
        )


def _intervals_of(
    starts: Sequence[Any],
    numbers: Sequence[int],
    end: Any,  # noqa: ANN401  # any axis
) -> dict[int, list[Interval]]:
    found: dict[int, list[Interval]] = {}
    for start, stop, number in zip(starts, (*starts[1:], end), numbers, strict=True):
        found.setdefault(number, []).append((start, stop))
    return found


def _numbers(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def fewest(grid: Grid, cells: int) -> list[Masks]:
    """The fewest products whose union the cells are; the larger ones where there is a choice."""
    candidates = _maximal(grid.products(cells))
    sized = [(grid.bits(masks), masks) for masks in candidates]
    sized.sort(key=lambda item: (-item[0].bit_count(), item[1]))
    chosen = _cover(cells, [bits for bits, _ in sized])
    return [masks for bits, masks in sized if bits in chosen]


def _maximal(start: list[Masks]) -> list[Masks]:
    """Every product inside the cells that no other one contains, by consensus.

    Two products that meet on all axes but one hold a third one together. Source: Quine's method,
    for sets of several values an axis.
    """
    known = set(start)
    todo = list(start)
    pairs = _PAIRS_MAX
    while todo and len(known) < _PRODUCTS_MAX and pairs > 0:
        one = todo.pop()
        if one not in known:
            continue
        pairs -= len(known)
        for other in tuple(known):
            for third in _consensus(one, other):
                if any(_within(third, old) for old in known):
                    continue
                known = {old for old in known if not _within(old, third)}
                known.add(third)
                todo.append(third)
    return [one for one in known if not any(_within(one, old) and one != old for old in known)]


def _consensus(one: Masks, other: Masks) -> Iterator[Masks]:
    shared = [a & b for a, b in zip(one, other, strict=True)]
    empty = [axis for axis, mask in enumerate(shared) if not mask]
    if len(empty) > 1:
        return
    for axis in empty or range(LEVELS):
        joined = one[axis] | other[axis]
        if joined != one[axis] and joined != other[axis]:
            yield (*shared[:axis], joined, *shared[axis + 1 :])


def _within(one: Masks, other: Masks) -> bool:
    return all(a & ~b == 0 for a, b in zip(one, other, strict=True))


def _cover(cells: int, candidates: list[int]) -> set[int]:
    """As few candidates as cover the cells: branch and bound, from the greedy answer down."""
    best = _greedy(cells, candidates)
    steps = _STEPS_MAX

    def search(left: int, taken: list[int]) -> None:
        nonlocal best, steps
        steps -= 1
        if steps < 0 or len(taken) + bool(left) >= len(best):
            return
        if not left:
            best = list(taken)
            return
        # A cell that few candidates hold decides most.
        low = min(_some(left), key=lambda bit: sum(1 for one in candidates if one & bit))
        for one in candidates:
            if one & low:
                search(left & ~one, [*taken, one])

    search(cells, [])
    return set(best)


def _some(cells: int, most: int = 32) -> Iterator[int]:
    for _ in range(most):
        if not cells:
            return
        low = cells & -cells
        yield low
        cells ^= low


def _greedy(cells: int, candidates: list[int]) -> list[int]:
    taken = []
    while cells:
        one = max(candidates, key=lambda bits: (bits & cells).bit_count())
        taken.append(one)
        cells &= ~one
    return taken


def _sayable(grid: Grid, was: Verdict, now: Verdict) -> int:
    """The cells that a sentence about a change may take in without being wrong.

    All of what is said to leave the mesh is outside of it afterwards; all of what is said to come
    back was outside before. Swapped sides are so told in the same words.
    """

    def cells(test: Callable[[Verdict, Verdict], bool]) -> int:
        found = (bits for (one, two), bits in grid.values.items() if test(one, two))
        return reduce(or_, found, 0)

    if isinstance(now, Untouched) and isinstance(was, ToListener):
        return cells(lambda _, two: isinstance(two, Untouched))
    if isinstance(was, Untouched) and isinstance(now, ToListener):
        return cells(lambda one, _: isinstance(one, Untouched))
    return cells(lambda one, two: (one, two) == (was, now))


def _widened(grid: Grid, masks: Masks, allowed: int) -> Masks:
    for name in _WIDENED:
        axis = _NAMES.index(name)
        wider = (*masks[:axis], grid.full(axis), *masks[axis + 1 :])
        if grid.bits(wider) & ~allowed == 0:
            masks = wider
    return masks


def _filled(grid: Grid, direction: Direction, masks: Masks, allowed: int) -> Region:
    """The region with gaps between its destinations filled, where fewer CIDRs say it so."""
    axis = LEVELS - 1
    addable = [
        number
        for number in range(grid.counts[axis])
        if grid.bits((*masks[:-1], 1 << number)) & ~allowed == 0
    ]
    wide = grid.intervals(axis, masks[-1] | reduce(or_, (1 << one for one in addable), 0))
    kept = grid.intervals(axis, masks[-1])
    filled: list[Interval] = []
    at = 0
    for _, stop in wide:
        first = at
        while at < len(kept) and kept[at][1] <= stop:
            at += 1
        inside = kept[first:at]
        if not inside:
            continue
        hull = (inside[0][0], inside[-1][1])
        shorter = len(cidrs(*hull)) < sum(len(cidrs(*one)) for one in inside)
        filled += [hull] if shorter else inside
    region = grid.region(direction, masks)
    return Region(
        direction=direction,
        protocols=region.protocols,
        interfaces=region.interfaces,
        uids=region.uids,
        ports=region.ports,
        sources=region.sources,
        destinations=tuple(filled),
    )
