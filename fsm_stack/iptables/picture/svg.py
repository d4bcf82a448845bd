"""Shapes and texts of an SVG: texts are measured, fitted, wrapped and escaped here."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import harmless

if TYPE_CHECKING:
    from fsm_stack.iptables.sets.decisions import LaneName

# Widths of a character as shares of the font's size.
SANS: Final = 0.53
BOLD: Final = 0.6
MONO: Final = 0.61
_WIDE: Final = 1.0
_LINES_MAX: Final = 3


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
