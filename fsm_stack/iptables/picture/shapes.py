"""Shapes and texts of an SVG, measured and escaped; boxes, rows and arrows and their places."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.iptables.sets.decisions import LaneName


# Widths of a character as shares of the font's size.
SANS: Final = 0.53
BOLD: Final = 0.6
MONO: Final = 0.61
_WIDE: Final = 1.0
_LINES_MAX: Final = 3

# Boxes of a picture of chains, in pixels.
ROW: Final = 38
HEAD: Final = 46
GAP: Final = 34
COLUMN_GAP: Final = 110
TOP: Final = 96
LEFT: Final = 36
# Widths of a character of their two fonts, and what stands around the texts.
_CODE: Final = 7.3
SMALL: Final = 5.7
_PADDING: Final = 28
_BOX_MIN: Final = 250
# From one number of a pass to the next, and from one arrow to the next beside it.
NUMBER: Final = 16
_ARROW_GAP: Final = 9


@dataclass(slots=True)
class Group:
    """Shapes and texts that belong together; all texts are escaped."""

    kind: str
    title: str = ""
    rects: list[dict[str, object]] = field(default_factory=list)
    texts: list[dict[str, object]] = field(default_factory=list)
    paths: list[dict[str, object]] = field(default_factory=list)

    def rect(self, kind: str, box: tuple[float, float, float, float], r: float) -> None:
        """A rectangle with round corners."""
        x, y, width, height = map(px, box)
        self.rects.append(
            {"kind": kind, "x": x, "y": y, "width": width, "height": height, "r": px(r)}
        )

    def text(self, kind: str, x: float, y: float, text: str, *, after: str = "") -> None:
        """A line of text; its class says which end stands at x. ``after`` follows it, lighter."""
        rest = [plain(after)] if after else []
        place = {"x": px(x), "y": px(y)}
        self.texts.append({"kind": kind, "text": plain(text), "after": rest, **place})

    def path(self, kind: str, path: str) -> None:
        """A line."""
        self.paths.append({"kind": kind, "d": path})


def px(number: float) -> str:
    """A length in pixels, to a tenth."""
    return f"{number:.1f}".removesuffix(".0")


def plain(text: str) -> str:
    """What a file or a cluster says, as text of an SVG."""
    return escape(harmless(text))


def width_of(text: str, size: float, share: float = SANS) -> float:
    """About how wide a text is, rather too much than too little."""
    wide = sum(1 for one in text if unicodedata.east_asian_width(one) in "WF")
    return size * (wide * _WIDE + (len(text) - wide) * share)


def fitted(text: str, size: float, width: float, share: float = SANS) -> str:
    """The text, or as much of its beginning as has room."""
    text = harmless(text, limit=None)
    if width_of(text, size, share) <= width:
        return text
    while text and width_of(f"{text}…", size, share) > width:
        text = text[: min(len(text) - 1, int(width / size / share) + 1)]
    return f"{text.rstrip()}…"


def wrapped(
    text: str, size: float, width: float, *, first: float | None = None, share: float = SANS
) -> list[str]:
    """The text in lines; the first may have less room. At most three, the rest is cut."""
    lines: list[str] = []
    left = text
    room = width if first is None else first
    while left and len(lines) < _LINES_MAX - 1:
        words, line = left.split(" "), ""
        while words and width_of(f"{line} {words[0]}".strip(), size, share) <= room:
            line = f"{line} {words.pop(0)}".strip()
        if not line and room == width:  # one word that is too long
            break
        lines.append(line)
        left = " ".join(words)
        room = width
    return [*lines, fitted(left, size, room, share)] if left else lines


def glyph(group: Group, lane: LaneName, x: float, y: float) -> None:
    """An application's way: through a box, around it, and past it."""
    end = x + 62
    head = f"M{end - 6} {y - 4}L{end} {y}L{end - 6} {y + 4}"
    ways = {
        "sidecar": f"M{x + 5} {y}H{x + 22}M{x + 40} {y}H{end}",
        "bypass": f"M{x + 5} {y}C{x + 16} {y} {x + 12} {y - 13} {x + 31} {y - 13}"
                  f"S{x + 46} {y} {end} {y}",
        "unseen": f"M{x + 5} {y}H{end}",
    }  # fmt: skip
    if lane != "unseen":
        group.rect("sidecarbox", (x + 22, y - 8, 18, 16), 3)
    group.rect("app", (x - 1, y - 5, 10, 10), 5)
    group.path("way", ways[lane] + head)


@dataclass(slots=True, kw_only=True)
class Row:
    """One rule, or a count of rules that are not drawn.

    ``label`` is what it matches, ``note`` its reason, ``pill`` what it does; ``kind`` is the
    pill's class: return, accept, jump, redirect, rewrite or more. ``passes`` are the numbers of
    the passes of a trace that went through it, ``decides`` of those that it answered. ``end`` is
    the box it leads to; empty: to none.
    """

    label: str
    note: str
    pill: str
    kind: str
    end: str = ""
    dead: bool = False
    passes: list[int] = field(default_factory=list)
    decides: list[int] = field(default_factory=list)
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
    indent: float = 16

    @property
    def height(self) -> float:
        """Its own, from its rows."""
        return HEAD + ROW * len(self.rows) + (10 if self.rows else 0)


# A row, the box it stands in, and the box it leads to.
Link = tuple[Box, Row, Box]


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


def place(boxes: list[Box], links: list[Link]) -> None:
    """Give every box its size and its corner, and every row its height: column by column."""
    columns: dict[int, list[Box]] = {}
    for box in boxes:
        columns.setdefault(box.column, []).append(box)
        _measure(box)
    x = float(LEFT)
    tallest = max(_stacked(column) for column in columns.values())
    for number in sorted(columns):
        y = TOP + (tallest - _stacked(columns[number])) / 2
        # Boxes stand in the order of what leads to them, so that few arrows cross.
        for box in sorted(columns[number], key=lambda box: _mean_source(box, links)):
            box.x, box.y = x, y
            for index, row in enumerate(box.rows):
                row.y = y + HEAD + ROW * index
            y += box.height + GAP
        x += max(box.width for box in columns[number]) + COLUMN_GAP


def _measure(box: Box) -> None:
    """Room for the longest text of the box, and for the numbers of the passes before it."""
    most = max((len(row.passes) for row in box.rows), default=0)
    box.indent = max(16, NUMBER * most + 8)
    beside = box.indent + _PADDING * 1.5
    texts = [len(row.label) * _CODE + row.pill_width + beside for row in box.rows]
    notes = [len(row.note) * SMALL + row.pill_width + beside for row in box.rows]
    head = max(len(box.name) * _CODE * 1.15, len(box.title) * SMALL) + _PADDING * 2
    box.width = max(_BOX_MIN, head, *texts, *notes)


def _mean_source(box: Box, links: list[Link]) -> float:
    """How far down the rows stand that lead to a box, on average."""
    heights = [row.y for _, row, end in links if end is box]
    return sum(heights) / len(heights) if heights else 0.0


def _stacked(boxes: list[Box]) -> float:
    return sum(box.height for box in boxes) + GAP * (len(boxes) - 1)


def arrows(start: Box, row: Row, end: Box) -> Iterator[Arrow]:
    """One for each pass that went there, side by side; one thin one when none did."""
    for index, step in enumerate(row.passes or [0]):
        shift = _ARROW_GAP * (index - (max(1, len(row.passes)) - 1) / 2)
        x1, y1 = start.x + start.width, row.y + ROW / 2 + shift
        x2, y2 = end.x - 5, end.y + HEAD / 2 + shift
        bend = max(40.0, (x2 - x1) / 2)
        bends = f"{x1 + bend:.0f} {y1:.0f}, {x2 - bend:.0f} {y2:.0f}"
        path = f"M {x1:.0f} {y1:.0f} C {bends}, {x2:.0f} {y2:.0f}"
        yield Arrow(path=path, step=step, dead=row.dead)
