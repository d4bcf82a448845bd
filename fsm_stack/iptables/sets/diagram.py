"""Functions over ordered axes as shared, canonical interval diagrams.

A node at level ``n`` splits axis ``n`` into half-open intervals, each with a child; the last
level has plain values. Touching intervals never have the same child, so that equal functions
have equal diagrams: nothing is sampled and nothing depends on the order of the rules.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.iptables.sets.ranges import IPV4_END, Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

# Axis names in the order of the levels, each with its first point and its end (None: open).
# Destinations come last: lists of ranges are the long ones, and the levels above share them.
AXES: Final[tuple[tuple[str, Any, Any], ...]] = (
    ("protocol", 0, 256),
    ("interface", "", None),
    ("uid", 0, IPV4_END),
    ("port", 0, 65536),
    ("source", 0, IPV4_END),
    ("destination", 0, IPV4_END),
)
LEVELS: Final = len(AXES)

# Work is counted in intervals of nodes. An injector's script takes 7,000 in all; rules that differ
# in their destination only take about 200 each.
_WORK: Final = 1_000_000
_WORK_A_RULE: Final = 1_000

Value = Any


class TooComplexError(InputError):
    """Rules that differ so much from one another that comparing them has no end in sight."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A split of one axis.

    Attributes:
        starts: where each interval starts; the first is the axis's first point.
        children: what is there: nodes of the next level, or values at the last.
    """

    starts: tuple[Any, ...]
    children: tuple[Any, ...]


class Diagrams:
    """Builds and combines diagrams; equal parts of one builder are the same object.

    Args:
        rules: how many there are to look at: so much more work is allowed.
    """

    def __init__(self, *, rules: int = 0) -> None:
        self._left = _WORK + _WORK_A_RULE * rules
        self._known: dict[tuple[Any, ...], Node] = {}
        self._values: dict[Hashable, Hashable] = {}
        self._constants: dict[tuple[int, Hashable], Any] = {}

    def node(self, starts: Sequence[Any], children: Sequence[Any]) -> Node:
        """The node with these intervals, touching ones with the same child joined.

        Raises:
            TooComplexError: the builder has worked enough.
        """
        self._left -= len(starts)
        if self._left < 0:
            raise TooComplexError("the rules differ too much from one another to be compared")
        kept_starts, kept = [starts[0]], [children[0]]
        last = children[0]
        for start, child in zip(starts, children, strict=True):
            if child is not last:
                kept_starts.append(start)
                kept.append(child)
                last = child
        key = (*kept_starts, None, *map(id, kept))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = Node(tuple(kept_starts), tuple(kept))
        return known

    def value(self, value: Hashable) -> Hashable:
        """The one object that stands for all equal values."""
        return self._values.setdefault(value, value)

    def constant(self, value: Hashable, level: int = 0) -> Any:  # noqa: ANN401  # node or value
        """The diagram that has this value everywhere."""
        value = self.value(value)
        key = (level, value)
        if key not in self._constants:
            if level == LEVELS:
                self._constants[key] = value
            else:
                below = self.constant(value, level + 1)
                self._constants[key] = self.node((AXES[level][1],), (below,))
        return self._constants[key]

    def box(
        self, limits: dict[str, list[Interval]], value: Hashable, other: Hashable, level: int = 0
    ) -> Any:  # noqa: ANN401  # node or value
        """``value`` where every limited axis is inside its intervals, ``other`` elsewhere.

        Args:
            limits: axis name to sorted, disjoint intervals; an absent axis is not limited.
            value: for the inside.
            other: for the outside.
            level: where to start.
        """
        if level == LEVELS:
            return self.value(value)
        name, first, end = AXES[level]
        inside = self.box(limits, value, other, level + 1)
        if name not in limits:
            return self.node((first,), (inside,))
        outside = self.constant(other, level + 1)
        starts, children = [first], [outside]
        for start, stop in limits[name]:
            if start == starts[-1]:
                children[-1] = inside
            else:
                starts.append(start)
                children.append(inside)
            if stop is not None and stop != end:
                starts.append(stop)
                children.append(outside)
        return self.node(starts, children)

    def combine(self, how: Callable[[Value, Value], Hashable], left: Node, right: Node) -> Node:
        """The diagram of ``how(left, right)`` at every point."""
        memo: dict[tuple[int, int], Any] = {}

        def at(one: Any, two: Any, level: int) -> Any:  # noqa: ANN401  # node or value
            key = (id(one), id(two))
            found = memo.get(key)
            if found is None:
                if level == LEVELS:
                    found = self.value(how(one, two))
                else:
                    found = self._merge(one, two, level, at)
                memo[key] = found
            return found

        result: Node = at(left, right, 0)
        return result

    def _merge(self, one: Node, two: Node, level: int, at: Callable[[Any, Any, int], Any]) -> Node:
        below = level + 1
        starts: list[Any] = []
        children: list[Any] = []
        a_starts, a_children, b_starts, b_children = (
            one.starts, one.children, two.starts, two.children
        )  # fmt: skip
        a_end, b_end = len(a_starts), len(b_starts)
        i = j = 1
        starts.append(a_starts[0])
        children.append(at(a_children[0], b_children[0], below))
        while i < a_end or j < b_end:
            if j == b_end or (i < a_end and a_starts[i] < b_starts[j]):
                starts.append(a_starts[i])
                i += 1
            elif i == a_end or b_starts[j] < a_starts[i]:
                starts.append(b_starts[j])
                j += 1
            else:
                starts.append(a_starts[i])
                i += 1
                j += 1
            children.append(at(a_children[i - 1], b_children[j - 1], below))
        return self.node(starts, children)

    def convert(self, how: Callable[[Value], Hashable], diagram: Node) -> Node:
        """The diagram of ``how(value)`` at every point; it may come from another builder."""
        memo: dict[int, Any] = {}

        def at(one: Any, level: int) -> Any:  # noqa: ANN401  # node or value
            if level == LEVELS:
                return self.value(how(one))
            found = memo.get(id(one))
            if found is None:
                children = [at(child, level + 1) for child in one.children]
                found = memo[id(one)] = self.node(one.starts, children)
            return found

        result: Node = at(diagram, 0)
        return result


def values(diagram: Node) -> list[Value]:
    """Every value that some point has."""
    level = [diagram]
    for _ in range(LEVELS - 1):
        level = list({id(child): child for node in level for child in node.children}.values())
    return list(dict.fromkeys(value for node in level for value in node.children))


def same(left: Node, right: Node) -> bool:
    """Whether two diagrams, of one builder or of two, are the same function."""
    memo: dict[tuple[int, int], bool] = {}

    def at(one: Any, two: Any, level: int) -> bool:  # noqa: ANN401  # node or value
        if one is two:
            return True
        if level == LEVELS:
            return bool(one == two)
        key = (id(one), id(two))
        if key not in memo:
            memo[key] = one.starts == two.starts and all(
                at(a, b, level + 1) for a, b in zip(one.children, two.children, strict=True)
            )
        return memo[key]

    return at(left, right, 0)


def child_at(node: Node, point: Any) -> Any:  # noqa: ANN401  # node or value
    """The child whose interval holds a point of the axis."""
    return node.children[bisect_right(node.starts, point) - 1]


def grouped(node: Node, level: int) -> list[tuple[Any, tuple[Interval, ...]]]:
    """Each different child with all its intervals, in order of the first."""
    end = AXES[level][2]
    stops = (*node.starts[1:], end)
    groups: dict[int, tuple[Any, list[Interval]]] = {}
    for start, stop, child in zip(node.starts, stops, node.children, strict=True):
        groups.setdefault(id(child), (child, []))[1].append((start, stop))
    return [(child, tuple(intervals)) for child, intervals in groups.values()]


@dataclass(frozen=True, slots=True)
class Classes:
    """One axis: where its intervals start, the class of each, a point of each class."""

    starts: list[Any]
    numbers: list[int]
    points: list[Any]


def by_level(root: Node) -> list[list[Node]]:
    """The different nodes of each level."""
    levels = [[root]]
    for _ in range(LEVELS - 1):
        below = {id(child): child for node in levels[-1] for child in node.children}
        levels.append(list(below.values()))
    return levels


def classes_of(nodes: list[Node]) -> Classes:
    """Intervals are of one class when every node of the level has the same child for them."""
    starts = sorted({start for node in nodes for start in node.starts})
    known: dict[tuple[int, ...], int] = {}
    numbers, points = [], []
    at = [0] * len(nodes)
    for start in starts:
        for index, node in enumerate(nodes):
            if at[index] + 1 < len(node.starts) and node.starts[at[index] + 1] == start:
                at[index] += 1
        key = tuple(id(node.children[at[index]]) for index, node in enumerate(nodes))
        if key not in known:
            known[key] = len(known)
            points.append(start)
        numbers.append(known[key])
    return Classes(starts, numbers, points)
