"""Chains and a packet's way through them, drawn: SVG to look at rather than text to read."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from fsm_stack.iptables.picture_boxes import HEAD, NUMBER, ROW
from fsm_stack.iptables.picture_layout import lay_out
from fsm_stack.iptables.verdict import verdict_text
from fsm_stack.templating import render

if TYPE_CHECKING:
    from fsm_stack.iptables.packet import Trace
    from fsm_stack.iptables.rule import Ruleset

_STORY_LINE = 26
_LEGEND = "; numbers mark the rules that applied, a ring the one that decided"


def picture(ruleset: Ruleset, *, title: str, trace: Trace | None = None) -> str:
    """An SVG of every chain that traffic reaches.

    Args:
        ruleset: rules that iptables can load.
        title: the heading.
        trace: a connection whose way is drawn over the chains, each pass in its own colour.

    Returns:
        A whole SVG document. Long runs of like rules are shortened and counted.

    Raises:
        NotLoadableError: iptables would refuse the rules.
    """
    layout = lay_out(ruleset, trace)
    story = [
        {
            "number": number,
            "text": escape(f"{one.title}: {verdict_text(one.verdict)}"),
            "why": escape(one.why),
            "y": layout.height + _STORY_LINE * number * 1.7,
        }
        for number, one in enumerate(trace.passes if trace else (), start=1)
    ]
    boxes = [
        {
            "name": escape(box.name),
            "title": escape(box.title),
            "kind": box.kind,
            "x": round(box.x),
            "y": round(box.y),
            "width": round(box.width),
            "height": round(box.height),
            "name_y": round(box.y + (19 if box.title else HEAD / 2 + 5)),
            "rows": [
                {
                    "label": escape(row.label),
                    "note": escape(row.note),
                    "kind": f"{row.kind} dead" if row.dead else row.kind,
                    "pills": [escape(row.pill)] if row.pill else [],
                    "passes": [
                        {
                            "number": number,
                            "x": round(box.x + NUMBER * (index + 0.75)),
                        }
                        for index, number in enumerate(row.passes)
                    ],
                    "rings": row.decides[:1],
                    "x": round(box.x + box.indent),
                    "y": round(row.y),
                    "pill_x": round(box.x + box.width - row.pill_width - 10),
                    "pill_width": round(row.pill_width),
                }
                for row in box.rows
            ],
        }
        for box in layout.boxes
    ]
    arrows = sorted(layout.arrows, key=lambda arrow: arrow.step)
    return render(
        "iptables/picture.svg.j2",
        title=escape("".join(one if one.isprintable() else "\ufffd" for one in title)),
        boxes=boxes,
        arrows=[
            {"path": arrow.path, "kind": f"pass{arrow.step}" if arrow.step else _plain(arrow.dead)}
            for arrow in arrows
        ],
        legend=_LEGEND if trace else "",
        story=story,
        row_height=ROW,
        width=round(layout.width),
        height=round(layout.height + _STORY_LINE * 1.7 * (len(story) + 1)),
    )


def _plain(dead: bool) -> str:  # noqa: FBT001  # one flag, one word
    return "dead" if dead else "plain"
