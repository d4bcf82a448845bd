"""Chains and a packet's way through them, laid out and drawn as SVG."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final, assert_never

from fsm_stack.iptables.judge.loadable import require_loadable
from fsm_stack.iptables.packet import redirected_to, sent_to, verdict_text
from fsm_stack.iptables.picture.shapes import (
    GAP,
    HEAD,
    LEFT,
    NUMBER,
    ROW,
    SMALL,
    Box,
    Layout,
    Link,
    Row,
    arrows,
    place,
)
from fsm_stack.iptables.rule import (
    OUTPUT,
    PREROUTING,
    Accept,
    Dnat,
    ForeignTarget,
    Jump,
    Redirect,
    Return,
)
from fsm_stack.iptables.sets.dead import dead_rules
from fsm_stack.iptables.write import match_text
from fsm_stack.templating import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.iptables.packet import Trace
    from fsm_stack.iptables.rule import Rule, Ruleset, Target

# Of a run of like rules so many are drawn; the others are counted.
_RUN_SHOWN: Final = 6

# Numbers of passes, by chain and number of a rule.
Passes = dict[tuple[str, int], list[int]]

_HOOK_TITLES: Final = {
    PREROUTING: "a connection enters the pod",
    OUTPUT: "a process of the pod connects",
}


def lay_out(ruleset: Ruleset, trace: Trace | None) -> Layout:
    """Place every chain that a hook reaches, left to right by its jumps.

    Raises:
        NotLoadableError: iptables would refuse the rules.
    """
    chains = require_loadable(ruleset)
    depths = _depths(chains)
    dead = {(found.chain, found.number) for found in dead_rules(chains)}
    taken, decided = _taken(trace)
    boxes = {
        name: Box(
            name=name,
            title=_HOOK_TITLES.get(name, ""),
            kind="hook" if name in _HOOK_TITLES else "chain",
            rows=[*_rows(name, chains[name], dead, taken, decided, nested=column > 1)],
            column=column,
        )
        for name, column in depths.items()
    }
    last = max(depths.values()) + 1
    links = _links(boxes, last)
    place(list(boxes.values()), links)
    drawn = [arrow for link in links for arrow in arrows(*link)]
    width = max(box.x + box.width for box in boxes.values()) + LEFT
    height = max(box.y + box.height for box in boxes.values()) + GAP
    return Layout(boxes=list(boxes.values()), arrows=drawn, width=width, height=height)


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


def _taken(trace: Trace | None) -> tuple[Passes, Passes]:
    """By chain and number of a rule: the passes that took it, and those that it answered."""
    taken: Passes = {}
    decided: Passes = {}
    for number, one in enumerate(trace.passes if trace else (), start=1):
        for hop in one.hops:
            if hop.matched:
                taken.setdefault((hop.chain, hop.number), []).append(number)
        if (last := one.decided_by) is not None:
            decided.setdefault((last.chain, last.number), []).append(number)
    return (taken, decided)


def _rows(
    chain: str,
    rules: tuple[Rule, ...],
    dead: set[tuple[str, int]],
    taken: Passes,
    decided: Passes,
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
        row.decides = decided.get((chain, number), [])
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
    note = f"never reached: {rule.why.text}" if dead else rule.why.text
    row = Row(
        label=label, note=note, pill=pill, kind=kind, dead=dead, passes=passes,
        end=_end(rule.target),
    )  # fmt: skip
    row.pill_width = len(pill) * SMALL * 1.15 + 18
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
        case ForeignTarget():
            return ("go on", "return") if target.goes_on else ("not known here", "rewrite")
        case _:
            assert_never(target)


def _links(boxes: dict[str, Box], last: int) -> list[Link]:
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
        case Return() | Accept() | ForeignTarget():
            return ""
        case _:
            assert_never(target)


_STORY_LINE = 26
_LEGEND = "; numbers mark the rules that applied, a ring the one that decided"


def chains_svg(ruleset: Ruleset, *, title: str, trace: Trace | None = None) -> str:
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
        "iptables/chains.svg.j2",
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
