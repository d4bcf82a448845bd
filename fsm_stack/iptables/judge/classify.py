"""Verdicts of many connections at once: columns in, a column out.

Every axis is cut into the classes that some rule tells apart; their number is small whatever the
number of ranges. A connection is then one look-up an axis and one in the table of classes.
Standard library only: a numeric library would not pay for its import here.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import partial
from itertools import product, repeat
from operator import add
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.iptables.sets.diagram import AXES, by_level, child_at, classes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fsm_stack.iptables.packet import Direction, Verdict
    from fsm_stack.iptables.sets.coverage import Coverage
    from fsm_stack.iptables.sets.diagram import Classes, Node

# Axes whose columns hold few different values: each is looked up once.
_FEW_VALUES: Final = frozenset({"protocol", "interface", "uid"})
# An axis up to this long becomes a table of every point.
_TABLE_MAX: Final = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """Connections of one direction, a column a part; all columns have the same length.

    Attributes:
        direction: of all of them.
        protocols: numbers, 0 to 255 (6 is TCP).
        interfaces: names.
        uids: of the sending process; 0 inbound.
        ports: destination ports.
        destinations: IPv4 addresses as numbers.
        sources: IPv4 addresses as numbers; None: no rule looks at them, or they do not matter.
    """

    direction: Direction
    protocols: Sequence[int]
    interfaces: Sequence[str]
    uids: Sequence[int]
    ports: Sequence[int]
    destinations: Sequence[int]
    sources: Sequence[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """A verdict for each connection.

    Attributes:
        column: for each connection, an index into ``kinds``.
        kinds: the different verdicts.
    """

    column: list[int]
    kinds: tuple[Verdict, ...]

    def __getitem__(self, index: int) -> Verdict:
        """The verdict of one connection."""
        return self.kinds[self.column[index]]

    def counts(self) -> dict[Verdict, int]:
        """How many connections have each verdict."""
        return {kind: self.column.count(index) for index, kind in enumerate(self.kinds)}


def classify(fates: Coverage, flows: Flows) -> Verdicts:
    """The verdict of every flow.

    Args:
        fates: of the rule set; computed once, used for any number of columns.
        flows: the connections.

    Raises:
        InputError: columns of different lengths.
    """
    root = fates.outbound if flows.direction == "outbound" else fates.inbound
    sources = flows.sources
    columns: list[Sequence[Any] | None] = [
        flows.protocols, flows.interfaces, flows.uids, flows.ports, sources, flows.destinations,
    ]  # fmt: skip
    lengths = {len(column) for column in columns if column is not None}
    if len(lengths) > 1:
        raise InputError(f"columns of different lengths: {', '.join(map(str, sorted(lengths)))}")
    levels = [classes_of(nodes) for nodes in by_level(root)]
    kinds: dict[Verdict, int] = {}
    table = _table(root, levels, kinds)
    total: Iterable[int] = repeat(0, next(iter(lengths)))
    stride = len(table)
    for (name, _, _), column, level in zip(AXES, columns, levels, strict=True):
        stride //= len(level.points)
        if column is not None and len(level.points) > 1:
            total = map(add, total, _column(name, column, level, stride))
    return Verdicts(column=list(map(table.__getitem__, total)), kinds=tuple(kinds))


def _table(root: Node, levels: list[Classes], kinds: dict[Verdict, int]) -> list[int]:
    """The verdict's index for every combination of classes, the last axis fastest."""
    table = []
    for combination in product(*(level.points for level in levels)):
        node: Any = root
        for point in combination:
            node = child_at(node, point)
        table.append(kinds.setdefault(node, len(kinds)))
    return table


def _column(name: str, column: Sequence[Any], level: Classes, stride: int) -> Iterable[int]:
    """Each point's class, times the stride of its axis in the table."""
    offsets = [number * stride for number in level.numbers]
    end = next(end for axis, _, end in AXES if axis == name)
    find = partial(bisect_right, level.starts)
    # bisect counts the starts up to a point, the point's own interval included.
    by_count = [0, *offsets]
    if name in _FEW_VALUES:
        known = {value: by_count[find(value)] for value in set(column)}
        return map(known.__getitem__, column)
    if end <= _TABLE_MAX:
        points = [by_count[find(point)] for point in range(end)]
        return map(points.__getitem__, column)
    return map(by_count.__getitem__, map(find, column))
