"""Rules that no packet reaches, exactly: computed on sets of packets, not guessed from text."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from fsm_stack.iptables.coverage import (
    OPEN,
    apply_group,
    rule_limits,
)
from fsm_stack.iptables.covers import Covers, Span
from fsm_stack.iptables.diagram import AXES, LEVELS, Diagrams
from fsm_stack.iptables.rule import OUTPUT, PREROUTING, Destination, Jump

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fsm_stack.iptables.coverage import Limits
    from fsm_stack.iptables.diagram import Node
    from fsm_stack.iptables.rule import Rule

_RANGES = {name: (first, end) for name, first, end in AXES}
_DESTINATION = "destination"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """A rule that never applies.

    Attributes:
        chain: its chain.
        number: its place there in the kernel's order, 1-based.
        rule: the rule.
        covered_by: the first single rule of the chain that takes all its packets; None: several
            together do, or the rule contradicts itself.
    """

    chain: str
    number: int
    rule: Rule
    covered_by: Rule | None


def dead_rules(chains: Mapping[str, tuple[Rule, ...]]) -> Iterator[Dead]:
    """Every rule that no packet entering its chain can reach.

    What enters a chain is what the rules that jump to it let in: only packets that a chain gets
    count.

    Args:
        chains: of a loadable rule set, in the kernel's order.
    """
    for name, rules in chains.items():
        entering = _limits_of_callers(chains, name)
        yield from _dead_in_chain(chains, name, rules, entering)


def _limits_of_callers(chains: Mapping[str, tuple[Rule, ...]], name: str) -> list[Limits]:
    """What the jumps to a chain let in; one entry without limits for a hook."""
    if name in (PREROUTING, OUTPUT):
        return [{}]
    jumps = [
        rule_limits(rule)
        for rules in chains.values()
        for rule in rules
        if rule.target == Jump(chain=name)
    ]
    return [limits for limits in jumps if limits is not None]


def _dead_in_chain(
    chains: Mapping[str, tuple[Rule, ...]],
    name: str,
    rules: tuple[Rule, ...],
    entering: list[Limits],
) -> Iterator[Dead]:
    builder = Diagrams()
    done: dict[str, Node] = {}
    state: Node = builder.constant(OPEN)
    if entering:
        state = builder.constant("elsewhere")
        for limits in entering:
            box = builder.box(limits, OPEN, "elsewhere")
            state = builder.combine(lambda a, b: OPEN if a is OPEN or b is OPEN else a, state, box)
    number = 0
    covers = Covers()
    for run in _runs(rules):
        taken = Span()
        for rule in run:
            number += 1
            inside = rule_limits(rule)
            if inside is None or not _reachable(state, inside, taken):
                cover = covers.of(inside) if inside is not None else None
                yield Dead(chain=name, number=number, rule=rule, covered_by=cover)
            if inside is not None:
                covers.add(number, rule, inside)
        state = apply_group(builder, chains, state, run, done)


def _runs(rules: Sequence[Rule]) -> Iterator[list[Rule]]:
    """Neighbouring rules that differ in their destination only."""

    def shape(rule: Rule) -> tuple[object, ...]:
        rest = frozenset(match for match in rule.matches if not isinstance(match, Destination))
        return (rule.target, rest)

    for _, run in groupby(rules, key=shape):
        yield list(run)


def _reachable(state: Node, limits: Limits, taken: Span) -> bool:
    """Whether some undecided packet is inside the limits and not taken by the run so far."""
    wanted = limits.get(_DESTINATION, [_RANGES[_DESTINATION]])
    free = [gap for interval in wanted for gap in taken.free(*interval)]
    for interval in wanted:
        taken.add(*interval)
    return bool(free) and _meets(state, {**limits, _DESTINATION: free}, 0)


def _meets(node: Any, limits: Limits, level: int) -> bool:  # noqa: ANN401  # node or value
    """Whether a box holds a point whose value is still open."""
    if level == LEVELS:
        return node is OPEN
    name, first, end = AXES[level]
    for start, stop in limits.get(name, [(first, end)]):
        index = bisect_right(node.starts, start) - 1
        while index < len(node.starts) and (stop is None or node.starts[index] < stop):
            if _meets(node.children[index], limits, level + 1):
                return True
            index += 1
    return False
