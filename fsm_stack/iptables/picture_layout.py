"""Where everything of a picture of chains stands: boxes, rows, arrows, in pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, assert_never

from fsm_stack.iptables.dead import dead_rules
from fsm_stack.iptables.loadable import require_loadable
from fsm_stack.iptables.rule import (
    OUTPUT,
    PREROUTING,
    Accept,
    Dnat,
    Jump,
    Redirect,
    Return,
)
from fsm_stack.iptables.rule_text import match_text
from fsm_stack.iptables.verdict import redirected_to, sent_to, verdict_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.iptables.packet import Trace
    from fsm_stack.iptables.rule import Rule, Ruleset, Target

ROW: Final = 38
HEAD: Final = 46
GAP: Final = 34
COLUMN_GAP: Final = 110
TOP: Final = 96
LEFT: Final = 36
# Widths of a character of the two fonts, and what stands around the texts.
_MONO: Final = 7.3
_SMALL: Final = 5.7
_PADDING: Final = 28
_BOX_MIN: Final = 250
# Of a run of like rules so many are drawn; the others are counted.
_RUN_SHOWN: Final = 6

_HOOK_TITLES: Final = {
    PREROUTING: "a connection enters the pod",
    OUTPUT: "a process of the pod connects",
}


@dataclass(slots=True, kw_only=True)
class Row:
    """One rule, or a count of rules that are not drawn.

    ``label`` is what it matches, ``note`` its reason, ``pill`` what it does; ``kind`` is the
    pill's class: return, accept, jump, redirect, rewrite or more. ``passes`` are the numbers of
    the passes of a trace that went through it. ``end`` is the box it leads to; empty: to none.
    """

    label: str
    note: str
    pill: str
    kind: str
    end: str = ""
    dead: bool = False
    passes: list[int] = field(default_factory=list)
    y: float = 0
    pill_width: float = 0


@dataclass(slots=True, kw_only=True)
class Box:
    """A chain, or an end of the way; an end has no rows."""

    name: str
    title: str
    kind: str
    rows: list[Row]
    column: int
    x: float = 0
    y: float = 0
    width: float = _BOX_MIN

    @property
    def height(self) -> float:
        """Its own, from its rows."""
        return HEAD + ROW * len(self.rows) + (10 if self.rows else 0)


@dataclass(slots=True, kw_only=True)
class Arrow:
    """From a row to a box; ``step`` is the pass of a trace that took it, 0 for none."""

    path: str
    step: int
    dead: bool


@dataclass(slots=True, kw_only=True)
class Layout:
    """The whole picture."""

    boxes: list[Box]
    arrows: list[Arrow]
    width: float
    height: float


def lay_out(ruleset: Ruleset, trace: Trace | None) -> Layout:
    """Place every chain that a hook reaches, left to right by its jumps.

    Raises:
        NotLoadableError: iptables would refuse the rules.
    """
    chains = require_loadable(ruleset)
    depths = _depths(chains)
    dead = {(found.chain, found.number) for found in dead_rules(chains)}
    taken = _taken(trace)
    boxes = {
        name: Box(
            name=name,
            title=_HOOK_TITLES.get(name, ""),
            kind="hook" if name in _HOOK_TITLES else "chain",
            rows=[*_rows(name, chains[name], dead, taken, nested=column > 1)],
            column=column,
        )
        for name, column in depths.items()
    }
    last = max(depths.values()) + 1
    links = _links(boxes, last)
    _place(sorted(boxes.values(), key=lambda box: box.kind != "end"))
    arrows = [_arrow(start, row, end) for start, row, end in links]
    width = max(box.x + box.width for box in boxes.values()) + LEFT
    height = max(box.y + box.height for box in boxes.values()) + GAP
    return Layout(boxes=list(boxes.values()), arrows=arrows, width=width, height=height)


def _depths(chains: Mapping[str, tuple[Rule, ...]]) -> dict[str, int]:
    """Reached chains with the longest way of jumps to them, hooks first."""
    depths = {OUTPUT: 0, PREROUTING: 0}
    todo = list(depths)
    while todo:
        name = todo.pop(0)
        for rule in chains[name]:
            target = rule.target
            if isinstance(target, Jump) and depths.get(target.chain, -1) < depths[name] + 1:
                depths[target.chain] = depths[name] + 1
                todo.append(target.chain)
    return depths


def _taken(trace: Trace | None) -> dict[tuple[str, int], list[int]]:
    taken: dict[tuple[str, int], list[int]] = {}
    for number, one in enumerate(trace.passes if trace else (), start=1):
        for hop in one.hops:
            if hop.matched:
                taken.setdefault((hop.chain, hop.number), []).append(number)
    return taken


def _rows(
    chain: str,
    rules: tuple[Rule, ...],
    dead: set[tuple[str, int]],
    taken: dict[tuple[str, int], list[int]],
    *,
    nested: bool,
) -> Iterator[Row]:
    hidden: list[Row] = []
    previous: object = None
    run = 0
    for number, rule in enumerate(rules, start=1):
        shape = (rule.target, tuple(type(match) for match in rule.matches))
        run = run + 1 if shape == previous else 1
        previous = shape
        passes = taken.get((chain, number), [])
        row = _row(rule, dead=(chain, number) in dead, passes=passes)
        if nested and row.kind == "return":
            row.pill = "back"
        if run > _RUN_SHOWN and not passes:
            hidden.append(row)
            continue
        yield from _shortened(hidden)
        hidden.clear()
        yield row
    yield from _shortened(hidden)


def _shortened(hidden: list[Row]) -> list[Row]:
    """A count instead of rows; a single row needs no more room than its count."""
    return [_more(len(hidden))] if len(hidden) > 1 else [*hidden]


def _more(count: int) -> Row:
    return Row(label=f"… {count} more like this", note="", pill="", kind="more")


def _row(rule: Rule, *, dead: bool, passes: list[int]) -> Row:
    pill, kind = _pill(rule.target)
    label = " ".join(match_text(match) for match in rule.matches) or "everything else"
    note = f"never reached: {rule.why}" if dead else rule.why
    row = Row(
        label=label, note=note, pill=pill, kind=kind, dead=dead, passes=passes,
        end=_end(rule.target),
    )  # fmt: skip
    row.pill_width = len(pill) * _SMALL * 1.15 + 18
    return row


def _pill(target: Target) -> tuple[str, str]:
    match target:
        case Return():
            return ("leave alone", "return")
        case Accept():
            return ("accept", "accept")
        case Redirect():
            return (f"to port {target.port}", "redirect")
        case Dnat():
            return (f"to {target.to}", "rewrite")
        case Jump():
            return ("examine", "jump")
        case _:
            assert_never(target)


def _links(boxes: dict[str, Box], last: int) -> list[tuple[Box, Row, Box]]:
    """Rows with where they lead; the ends of the way are made here."""
    links = []
    for box in list(boxes.values()):
        for row in box.rows:
            if not row.end:
                continue
            if row.end not in boxes:
                # A rewrite by a hook ends beside it; the listeners stand together at the end.
                column = box.column + 1 if row.kind == "rewrite" else last
                boxes[row.end] = Box(name=row.end, title="", kind="end", rows=[], column=column)
            links.append((box, row, boxes[row.end]))
    return links


def _end(target: Target) -> str:
    match target:
        case Jump():
            return target.chain
        case Redirect():
            return verdict_text(redirected_to(target.port)).removeprefix("to the ")
        case Dnat():
            return verdict_text(sent_to(target.to))
        case Return() | Accept():
            return ""
        case _:
            assert_never(target)


def _place(boxes: list[Box]) -> None:
    columns: dict[int, list[Box]] = {}
    for box in boxes:
        columns.setdefault(box.column, []).append(box)
        texts = [len(row.label) * _MONO + row.pill_width + _PADDING * 2 for row in box.rows]
        notes = [len(row.note) * _SMALL + row.pill_width + _PADDING * 2 for row in box.rows]
        head = max(len(box.name) * _MONO * 1.15, len(box.title) * _SMALL) + _PADDING * 2
        box.width = max(_BOX_MIN, head, *texts, *notes) if box.rows else max(_BOX_MIN, head)
    x = float(LEFT)
    tallest = max(_stacked(column) for column in columns.values())
    for number in sorted(columns):
        y = TOP + (tallest - _stacked(columns[number])) / 2
        for box in columns[number]:
            box.x, box.y = x, y
            for index, row in enumerate(box.rows):
                row.y = y + HEAD + ROW * index
            y += box.height + GAP
        x += max(box.width for box in columns[number]) + COLUMN_GAP


def _stacked(boxes: list[Box]) -> float:
    return sum(box.height for box in boxes) + GAP * (len(boxes) - 1)


def _arrow(start: Box, row: Row, end: Box) -> Arrow:
    x1, y1 = start.x + start.width, row.y + ROW / 2
    x2, y2 = end.x - 5, end.y + HEAD / 2
    bend = max(40.0, (x2 - x1) / 2)
    bends = f"{x1 + bend:.0f} {y1:.0f}, {x2 - bend:.0f} {y2:.0f}"
    path = f"M {x1:.0f} {y1:.0f} C {bends}, {x2:.0f} {y2:.0f}"
    return Arrow(path=path, step=min(row.passes, default=0), dead=row.dead)
