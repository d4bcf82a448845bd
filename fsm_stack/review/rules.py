"""What differs in the rules of each scope: by meaning, whatever the order of the text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fsm_stack.iptables.read.tokens import RuleSyntaxError
from fsm_stack.iptables.rule import Destination, Multiport, Source
from fsm_stack.iptables.rule_text import step_line
from fsm_stack.iptables.sets.ranges import canonical
from fsm_stack.review.model import RuleLine, RulesChange
from fsm_stack.review.traffic import Unreadable, refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fsm_stack.iptables.rule import Match, Step
    from fsm_stack.review.side import Side
    from fsm_stack.review.traffic import Fates, Pair


def rules_changes(compared: Sequence[Pair], fates: Fates) -> tuple[RulesChange, ...]:
    """The scopes whose rules differ, those that differ in the same way together.

    Rules that are the same but for their order, or for the order of their ports, are told as a
    change of text that changes no traffic; where they do change it, the traffic says so.
    """
    groups: dict[Any, tuple[list[str], RulesChange]] = {}
    for pair in compared:
        if (
            pair.offered
            or pair.before[0].scripts[pair.before[1]] == pair.after[0].scripts[pair.after[1]]
        ):
            continue
        change = _of_pair(pair, fates)
        key = (change.added, change.removed, change.same_traffic, change.refused)
        groups.setdefault(key, ([], change))[0].append(pair.name)
    return tuple(replace(change, scopes=tuple(names)) for names, change in groups.values())


def _of_pair(pair: Pair, fates: Fates) -> RulesChange:
    try:
        same = not fates.between(pair.before, pair.after)
    except Unreadable:
        same = False
    one, two = _rules(*pair.before), _rules(*pair.after)
    return RulesChange(
        scopes=(),
        added=tuple(line for key, line in two.items() if key not in one),
        removed=tuple(line for key, line in one.items() if key not in two),
        same_traffic=same,
        refused=refused(*pair.after),
    )


def _rules(side: Side, scope: str) -> dict[Any, RuleLine]:
    try:
        steps = side.reading(scope).ruleset.steps
    except RuleSyntaxError:
        return {}
    return {
        _meaning(step): RuleLine(text=step_line(step), why=step.rule.why.text) for step in steps
    }


def _meaning(step: Step) -> Any:  # noqa: ANN401  # a key
    matches = frozenset(_plain(match) for match in step.rule.matches)
    return (step.chain, matches, step.rule.target)


def _plain(match: Match) -> Any:  # noqa: ANN401  # a key
    if isinstance(match, Source | Destination):
        return (type(match).__name__, canonical(match.cidr) or match.cidr, match.negated)
    if isinstance(match, Multiport):
        return (frozenset(map(str, match.ports)), match.negated)
    return match
