"""Where everything of a picture of chains stands: boxes, rows, arrows, in pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from fsm_stack.iptables.dead import dead_rules
from fsm_stack.iptables.loadable import require_loadable
from fsm_stack.iptables.picture_boxes import (
    GAP,
    LEFT,
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
        case Return() | Accept():
            return ""
        case _:
            assert_never(target)
