"""Lanes drawn: an SVG that is readable at its own width and at half of it, by day and by night."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from fsm_stack.iptables.picture.scales import addresses, ports
from fsm_stack.iptables.picture.shapes import (
    BOLD,
    MONO,
    Group,
    glyph,
    plain,
    px,
    width_of,
    wrapped,
)
from fsm_stack.iptables.sets.decisions import HOOKS, LANES
from fsm_stack.templating import render, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fsm_stack.iptables.packet import Direction
    from fsm_stack.iptables.picture.entries import Block
    from fsm_stack.iptables.picture.lanes import Lanes
    from fsm_stack.iptables.picture.scales import Axis, Tick
    from fsm_stack.iptables.sets.decisions import LaneName

WIDTH: Final = 900
_NARROW: Final = 600
_MARGIN: Final = 16
_PADDING: Final = 16
_LINE: Final = 21
_ROW_GAP: Final = 11
_BAR: Final = 20
# So far a label may stand out of its axis.
_OVER: Final = 8

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
    "new": "new",
    "gone": "gone",
    "dead": "without effect",
    "expired": "past its end",
    "leaves": "leaves the mesh",
    "enters": "enters the mesh",
    "turns": "goes elsewhere",
}
_WAYS: Final = {
    "leaves": "through the sidecar → bypasses it",
    "enters": "bypasses the sidecar → through it",
    "turns": "goes another way",
}
_LEGEND: Final = (
    "Computed from every rule, nothing is sampled. Addresses and ports stand in order on "
    "logarithmic scales; one alone is drawn wide enough to be seen."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Traffic that another thing happens to than before.

    Attributes:
        kind: whether it leaves the mesh, enters it, or goes elsewhere than before.
        way: from where to where, in words; empty: the kind says it.
        block: which traffic, why, and whose entry it is.
    """

    kind: Literal["leaves", "enters", "turns"]
    way: str = ""
    block: Block


def lanes_svg(
    lanes: Lanes,
    *,
    title: str,
    subtitle: str = "",
    named: Iterable[tuple[str, str]] = (),
    moves: Sequence[Move] | None = None,
    width: int = WIDTH,
    styled: bool = True,
) -> str:
    """All traffic in lanes, as a whole SVG document.

    Args:
        lanes: what to draw.
        title: the heading.
        subtitle: whose rules these are.
        named: names and CIDRs to point out on the axis of addresses.
        moves: what changes lanes, drawn first; None: nothing is compared.
        width: in pixels; below 600 the bars stand below the texts.
        styled: whether it has its style sheet with it; a page that holds several has it once.
    """
    page = _Page([*_shown(lanes), *(move.block for move in moves or ())], list(named), width)
    page.head(title, subtitle)
    if moves is not None:
        page.moves(moves)
    for direction in HOOKS:
        page.direction(direction, lanes[direction])
    page.foot(_LEGEND)
    return render(
        "iptables/lanes.svg.j2", groups=page.groups, width=width, height=px(page.y),
        title=plain(title), sheets=[style_sheet()] if styled else [],
    )  # fmt: skip


def style_sheet() -> str:
    """The style of every picture of lanes, light and dark."""
    return text("iptables/lanes.css")


def _shown(lanes: Lanes) -> list[Block]:
    return [block for rows in lanes.values() for row in rows.values() for block in row]


class _Page:
    """What is drawn so far, from top to bottom."""

    def __init__(self, blocks: list[Block], named: list[tuple[str, str]], width: int) -> None:
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
        self._addresses = addresses(
            {block.addresses for block in blocks}, named, left=start, width=share
        )
        self._ports = ports(left=start + share + gap, width=self._right - start - gap - share)

    def head(self, title: str, subtitle: str) -> None:
        """The heading."""
        group = Group("head")
        self.y = 14
        for line in wrapped(title, 24, self._room, share=BOLD):
            self.y += 30
            group.text("heading", self._left, self.y, line)
        self.y += 4
        for line in wrapped(subtitle, 15, self._room):
            self.y += _LINE
            group.text("note", self._left, self.y, line)
        self.y += 14
        self.groups.append(group)

    def foot(self, told: str) -> None:
        """What to know, at the end."""
        group = Group("foot")
        for line in wrapped(told, 13, self._room):
            self.y += 19
            group.text("tick", self._left, self.y, line)
        self.y += 20
        self.groups.append(group)

    def direction(self, name: Direction, rows: dict[LaneName, tuple[Block, ...]]) -> None:
        """A direction's axes and lanes."""
        self._section(_TITLES[name])
        for lane in LANES:
            self._lane(lane, rows[lane])

    def moves(self, moves: Sequence[Move]) -> None:
        """What changes lanes."""
        count = len(moves)
        self._section("Nothing changes" if not moves else f"{count} change{'s'[: count > 1]}")
        panel = self._open("moves")
        for move in moves:
            told = (move.way or _WAYS[move.kind], move.block.context)
            context = "; ".join(part for part in told if part)
            self._block(replace(move.block, mark=move.kind, context=context), move.kind)
        if not moves:
            self._note(panel, "No connection changes lanes.")
        self._close(panel)

    def _section(self, title: str) -> None:
        """A heading, and the axes beside it."""
        group = Group("head")
        self.y += 34
        group.text("section", self._left, self.y, title)
        self.y += 46 if self._narrow else 16
        top = self.y
        self._axis(group, self._addresses, "addresses")
        self._axis(group, self._ports, "ports")
        self.groups.append(group)
        self.y = top + 32

    def _axis(self, group: Group, axis: Axis, title: str) -> None:
        group.text("axistitle", axis.scale.left, self.y - 24, title)
        right = axis.scale.left + axis.scale.width
        self._labels(group, (axis.names, "name"), self.y - 7, right)
        self._labels(group, (axis.ticks, "tick"), self.y + 10, right)
        y = self.y + 17
        group.path("axis", f"M{px(axis.scale.left)} {y}H{px(right)}")
        for tick in (*axis.ticks, *axis.names):
            kind = "known" if tick in axis.names else "axis"
            group.rect(kind, (tick.left, y - 2, max(2.0, tick.right - tick.left), 4), 1)

    @staticmethod
    def _labels(group: Group, named: tuple[Sequence[Tick], str], y: float, end: float) -> None:
        """Write each label over its place, or beside it; one without room is left out."""
        ticks, kind = named
        free = float("-inf")
        ordered = sorted(ticks, key=lambda tick: tick.left)
        stops = [*(tick.left for tick in ordered[1:]), end + _OVER]
        for tick, stop in zip(ordered, stops, strict=False):
            width = width_of(tick.text, 13)
            middle = (tick.left + tick.right) / 2
            for start in (middle - width / 2, tick.right - width, tick.left):
                if start >= free and start + width <= max(stop, tick.right):
                    group.text(kind, start, y, tick.text)
                    free = start + width + 6
                    break

    def _lane(self, name: LaneName, blocks: Sequence[Block]) -> None:
        panel = self._open(f"lane {name}")
        self.y += 17
        glyph(panel, name, self._left, self.y - 5)
        panel.text("lanename", self._left + 78, self.y, LANE_TITLES[name])
        self.y += 10
        for block in blocks:
            self._small(block, name) if block.minor else self._block(block, name)
        if not blocks:
            self._note(panel, "nothing")
        self._close(panel)

    def _note(self, panel: Group, told: str) -> None:
        self.y += _LINE
        panel.text("note", self._left, self.y, told)

    def _open(self, kind: str) -> Group:
        self._top = self.y
        self.y += 10
        panel = Group(kind)
        self.groups.append(panel)
        return panel

    def _close(self, panel: Group) -> None:
        """Draw what stands behind all that was drawn since the panel was opened."""
        self.y += 14
        back, height = Group(panel.kind), self.y - self._top
        back.rect("panel", (_MARGIN, self._top, self._width - 2 * _MARGIN, height), 10)
        back.rect("edge", (_MARGIN, self._top, 5, height), 2.5)
        self.groups.insert(self.groups.index(panel), back)
        self.y += 10

    def _small(self, block: Block, lane: LaneName) -> None:
        """What every pod has: one line."""
        group = Group(f"row {lane} minor", plain(block.text))
        self.y += _LINE
        told = ", ".join(part for part in (block.reason, block.context) if part)
        used = width_of(block.name, 14, BOLD) + 8
        first, *more = wrapped(told, 14, self._room, first=self._room - used)
        group.text("minor", self._left, self.y, block.name, after=first)
        for line in more:
            self.y += _LINE - 2
            group.text("minor", self._left, self.y, "", after=line)
        self.groups.append(group)

    def _block(self, block: Block, lane: str) -> None:
        """An entry, or all that no entry names: two lines of text, two bars."""
        group = Group(f"row {lane} {block.mark}".rstrip(), plain(block.text))
        self.y += _ROW_GAP
        room = self._text_end - self._left
        top = self.y
        *above, name = wrapped(block.name, 16, room, share=MONO) or [""]
        for line in above:
            group.text("blockname", self._left, top + 15, line)
            top += _LINE
        group.text("blockname", self._left, top + 15, name)
        start = self._left + width_of(name, 16, MONO) + 12
        label = _MARKS.get(block.mark, "")
        wide = width_of(label, 13, BOLD) + 14
        if label and start + wide > self._text_end:
            top += _LINE + 2
            start = self._left + 2
        if label:
            group.rect("mark", (start - 2, top, wide, 20), 10)
            group.text("marktext middle", start - 2 + wide / 2, top + 14.5, label)
            start += wide + 8
        owner = block.owner or ("no owner" if block.named else "")
        reason = block.reason or ("no reason given" if block.named else "")
        lines = [block.context]
        if owner and width_of(owner, 15) <= self._text_end - start:
            group.text("owner end", self._text_end, top + 15, owner)
            lines.append(reason)
        elif reason and owner and width_of(f"{reason}, {owner}", 15) <= room:
            lines.append(f"{reason}, {owner}")
        else:
            lines += [reason, owner]
        self.y = top + 15
        for line in (part for told in lines for part in wrapped(told, 15, room)):
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
