"""Lanes drawn: an SVG that is readable at its own width and at half of it, by day and by night."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import harmless
from fsm_stack.iptables.picture.scales import addresses, ports
from fsm_stack.iptables.sets.decisions import HOOKS, LANES
from fsm_stack.templating import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fsm_stack.iptables.packet import Direction
    from fsm_stack.iptables.picture.lanes import Block, Lanes
    from fsm_stack.iptables.picture.scales import Axis, Tick
    from fsm_stack.iptables.sets.decisions import LaneName

WIDTH: Final = 900
_NARROW: Final = 600
_MARGIN: Final = 16
_PADDING: Final = 16
_LINE: Final = 21
_ROW_GAP: Final = 11
_BAR: Final = 20
_LINES_MAX: Final = 3
# Widths of a character as shares of the font's size.
_SANS: Final = 0.53
_BOLD: Final = 0.6
_MONO: Final = 0.61
_WIDE: Final = 1.0

_TITLES: Final[dict[Direction, str]] = {
    "outbound": "Outbound: the pod connects",
    "inbound": "Inbound: a client connects",
}
LANE_TITLES: Final[dict[LaneName, str]] = {
    "sidecar": "Through the sidecar",
    "bypass": "Bypasses the sidecar",
    "unseen": "Never looked at",
}
_MARKS: Final = {
    "new": "new", "gone": "gone", "dead": "without effect", "expired": "past its end",
}  # fmt: skip
_LEGEND: Final = (
    "Computed from every rule, nothing is sampled. Addresses and ports stand in order on "
    "logarithmic scales; one alone is drawn wide enough to be seen."
)


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
        x, y, width, height = map(_px, box)
        self.rects.append(
            {"kind": kind, "x": x, "y": y, "width": width, "height": height, "r": _px(r)}
        )

    def text(self, kind: str, x: float, y: float, text: str, *, after: str = "") -> None:
        """A line of text; its class says which end stands at x. ``after`` follows it, lighter."""
        rest = [plain(after)] if after else []
        place = {"x": _px(x), "y": _px(y)}
        self.texts.append({"kind": kind, "text": plain(text), "after": rest, **place})

    def path(self, kind: str, path: str) -> None:
        """A line."""
        self.paths.append({"kind": kind, "d": path})


def _px(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def plain(text: str) -> str:
    """What a file or a cluster says, as text of an SVG."""
    return escape(harmless(text))


def width_of(text: str, size: float, share: float = _SANS) -> float:
    """About how wide a text is, rather too much than too little."""
    wide = sum(1 for one in text if unicodedata.east_asian_width(one) in "WF")
    return size * (wide * _WIDE + (len(text) - wide) * share)


def fitted(text: str, size: float, width: float, share: float = _SANS) -> str:
    """The text, or as much of its beginning as has room."""
    text = harmless(text, limit=None)
    if width_of(text, size, share) <= width:
        return text
    while text and width_of(f"{text}…", size, share) > width:
        text = text[: min(len(text) - 1, int(width / size / share) + 1)]
    return f"{text.rstrip()}…"


def lanes_svg(
    lanes: Lanes,
    *,
    title: str,
    subtitle: str = "",
    named: Iterable[tuple[str, str]] = (),
    width: int = WIDTH,
) -> str:
    """All traffic in lanes, as a whole SVG document.

    Args:
        lanes: what to draw.
        title: the heading.
        subtitle: whose rules these are.
        named: names and CIDRs to point out on the axis of addresses.
        width: in pixels; below 600 the bars stand below the texts.
    """
    page = _Page(lanes, list(named), width)
    page.head(title, subtitle)
    for direction in HOOKS:
        page.direction(direction, lanes[direction])
    page.foot(_LEGEND)
    return render(
        "iptables/lanes.svg.j2", groups=page.groups, width=width, height=_px(page.y),
        title=plain(title),
    )  # fmt: skip


class _Page:
    """What is drawn so far, from top to bottom."""

    def __init__(self, lanes: Lanes, named: list[tuple[str, str]], width: int) -> None:
        self.groups: list[Group] = []
        self.y = 0.0
        self._width = width
        self._left, self._right = _MARGIN + _PADDING, width - _MARGIN - _PADDING
        self._narrow = width < _NARROW
        room = self._room = self._right - self._left
        start = self._left if self._narrow else self._left + room * 0.5
        self._text_end = self._right if self._narrow else start - 24
        gap = 22
        share = 0.58 * (self._right - start - gap)
        shown = {
            block.addresses for rows in lanes.values() for row in rows.values() for block in row
        }
        self._addresses = addresses(shown, named, left=start, width=share)
        self._ports = ports(left=start + share + gap, width=self._right - start - gap - share)

    def head(self, title: str, subtitle: str) -> None:
        """The heading."""
        group = Group("head")
        self.y = 14
        for line in wrapped(title, 24, self._room, share=_BOLD):
            self.y += 30
            group.text("heading", self._left, self.y, line)
        self.y += 4
        for line in wrapped(subtitle, 15, self._room):
            self.y += _LINE
            group.text("note", self._left, self.y, line)
        self.y += 14
        self.groups.append(group)

    def foot(self, text: str) -> None:
        """What to know, at the end."""
        group = Group("foot")
        for line in wrapped(text, 13, self._room):
            self.y += 19
            group.text("tick", self._left, self.y, line)
        self.y += 20
        self.groups.append(group)

    def direction(self, name: Direction, rows: dict[LaneName, tuple[Block, ...]]) -> None:
        """A direction's axes and lanes."""
        group = Group("head")
        self.y += 34
        group.text("section", self._left, self.y, _TITLES[name])
        self.y += 46 if self._narrow else 16
        top = self.y
        self._axis(group, self._addresses, "addresses")
        self._axis(group, self._ports, "ports")
        self.groups.append(group)
        self.y = top + 32
        for lane in LANES:
            self._lane(lane, rows[lane])

    def _axis(self, group: Group, axis: Axis, title: str) -> None:
        group.text("axistitle", axis.scale.left, self.y - 24, title)
        free = axis.scale.left - 12
        for tick in axis.names:
            free = self._label(group, tick, free, self.y - 7, "name")
        free = axis.scale.left - 12
        for tick in axis.ticks:
            free = self._label(group, tick, free, self.y + 10, "tick")
        y = self.y + 17
        right = axis.scale.left + axis.scale.width
        group.path("axis", f"M{_px(axis.scale.left)} {y}H{_px(right)}")
        for tick in (*axis.ticks, *axis.names):
            kind = "known" if tick in axis.names else "axis"
            group.rect(kind, (tick.left, y - 2, max(2.0, tick.right - tick.left), 4), 1)

    def _label(self, group: Group, tick: Tick, free: float, y: float, kind: str) -> float:
        """Write a label over its place when there is room; where the room then begins."""
        half = width_of(tick.text, 13) / 2
        middle = (tick.left + tick.right) / 2
        if middle - half < free or middle + half > self._right + 4:
            return free
        group.text(f"{kind} middle", middle, y, tick.text)
        return middle + half + 6

    def _lane(self, name: LaneName, blocks: Sequence[Block]) -> None:
        panel = Group(f"lane {name}")
        self.groups.append(panel)
        top = self.y
        self.y += 27
        _glyph(panel, name, self._left, self.y - 5)
        panel.text("lanename", self._left + 78, self.y, LANE_TITLES[name])
        self.y += 10
        for block in blocks:
            self._small(block, name) if block.minor else self._block(block, name)
        if not blocks:
            self.y += _LINE
            panel.text("note", self._left, self.y, "nothing")
        self.y += 14
        back = Group(panel.kind)
        back.rect("panel", (_MARGIN, top, self._width - 2 * _MARGIN, self.y - top), 10)
        back.rect("edge", (_MARGIN, top, 5, self.y - top), 2.5)
        self.groups.insert(self.groups.index(panel), back)
        self.y += 10

    def _small(self, block: Block, lane: LaneName) -> None:
        """What every pod has: one line."""
        group = Group(f"row {lane} minor", plain(block.text))
        self.y += _LINE
        told = ", ".join(part for part in (block.reason, block.context) if part)
        used = width_of(block.name, 14, _BOLD) + 8
        first, *more = wrapped(told, 14, self._room, first=self._room - used)
        group.text("minor", self._left, self.y, block.name, after=first)
        for line in more:
            self.y += _LINE - 2
            group.text("minor", self._left, self.y, "", after=line)
        self.groups.append(group)

    def _block(self, block: Block, lane: LaneName) -> None:
        """An entry, or all that no entry names: two lines of text, two bars."""
        group = Group(f"row {lane} {block.mark}".rstrip(), plain(block.text))
        self.y += _ROW_GAP
        room = self._text_end - self._left
        top = self.y
        name = fitted(block.name, 16, room, _MONO)
        group.text("blockname", self._left, top + 15, name)
        start = self._left + width_of(name, 16, _MONO) + 12
        label = _MARKS.get(block.mark, "")
        if label:
            wide = width_of(label, 13, _BOLD) + 14
            if start + wide <= self._text_end:
                group.rect("mark", (start - 2, top, wide, 20), 10)
                group.text("marktext middle", start - 2 + wide / 2, top + 14.5, label)
                start += wide + 8
        owner = block.owner or ("no owner" if block.named else "")
        lines = [block.context, block.reason or ("no reason given" if block.named else "")]
        if owner and width_of(owner, 15) <= self._text_end - start:
            group.text("owner end", self._text_end, top + 15, owner)
        else:
            lines.append(owner)
        self.y = top + 15
        for line in (part for text in lines for part in wrapped(text, 15, room)):
            self.y += _LINE - 1
            group.text("note", self._left, self.y, line)
        self.y += 5
        bar = self.y + 4 if self._narrow else top + 8
        for axis, intervals in ((self._addresses, block.addresses), (self._ports, block.ports)):
            group.rect("track", (axis.scale.left, bar, axis.scale.width, _BAR), 4)
            for piece in axis.scale.pieces(intervals):
                kind = "hole" if piece.hole else "bar"
                group.rect(kind, (piece.x, bar, piece.width, _BAR), min(4, piece.width / 3))
        self.y = max(self.y, bar + _BAR)
        self.groups.append(group)


def wrapped(
    text: str, size: float, width: float, *, first: float | None = None, share: float = _SANS
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


def _glyph(group: Group, lane: LaneName, x: float, y: float) -> None:
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
