"""What of a text redirects nothing, and what nobody here decides: said, with what hangs on it."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import counted
from fsm_stack.iptables.judge.loadable import beyond, jumps_of
from fsm_stack.iptables.read.tokens import Problem
from fsm_stack.iptables.rule import (
    OUTPUT,
    PREROUTING,
    SOURCE_HOOKS,
    ForeignTarget,
    Jump,
    Return,
)
from fsm_stack.iptables.write import rule_text, target_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.iptables.read.tokens import Line
    from fsm_stack.iptables.rule import Rule, Ruleset

# So many of the rules that nobody here decides are told one by one.
_TOLD: Final = 20


def of_shell(lines: list[Line]) -> Iterator[Problem]:
    """Commands beside the rules."""
    if lines:
        first = min(lines, key=lambda line: line.number)
        message = (
            f"{counted(len(lines), 'line')} of shell around the rules: passed over, what they do "
            f"is not followed: {first.content}"
        )
        yield Problem(id="passed-over", message=message, fix="", line=first.number, column=1)


def of_rules(ruleset: Ruleset, *, loaded: bool) -> Iterator[Problem]:
    """Rules that decide no redirection, and rules of which nobody here knows what they decide.

    Args:
        ruleset: as it was read.
        loaded: whether a kernel printed it.
    """
    rules = [(step.chain, step.rule) for step in ruleset.steps]
    if not any(chain in SOURCE_HOOKS or _is_foreign(rule) for chain, rule in rules):
        return
    jumps = jumps_of(rules)
    deciding = beyond(jumps, {PREROUTING, OUTPUT})
    beside = beyond(jumps, SOURCE_HOOKS) - deciding
    passed = [(chain, rule) for chain, rule in rules if chain in beside]
    if passed:
        hooks = " and ".join(name for name in SOURCE_HOOKS if any(name == c for c, _ in passed))
        message = (
            f"{counted(len(passed), 'rule')} of {hooks} and below: passed over, they translate "
            "the source of connections, and redirect none"
        )
        yield _at("passed-over", message, passed[0][1])
    if not loaded:
        yield from _drops(rules)
    yield from _undecided([rule for chain, rule in rules if chain in deciding], _silent(rules))


def _drops(rules: list[tuple[str, Rule]]) -> Iterator[Problem]:
    """Both back ends refuse to write what nft itself can put into this table."""
    for chain, rule in rules:
        if isinstance(rule.target, ForeignTarget) and rule.target.name == "DROP":
            message = f"chain {chain}: -j DROP: iptables does not let table nat filter"
            yield _at("wrong-hook", message, rule)


def _undecided(rules: list[Rule], silent: set[str]) -> Iterator[Problem]:
    """What may apply, once a text; and whether an answer can hang on it."""
    counts: Counter[str] = Counter()
    first: dict[str, Rule] = {}
    for rule in rules:
        if text := _undecided_text(rule, silent):
            counts[text] += 1
            first.setdefault(text, rule)
    for text, count in islice(counts.items(), _TOLD):
        more = f"; {count} rules have it" if count > 1 else ""
        yield _at("undecided-rule", f"{text}: {rule_text(first[text])}{more}", first[text])
    if left := sum(islice(counts.values(), _TOLD, None)):
        message = f"{counted(left, 'more rule')} that nobody here decides"
        yield _at("undecided-rule", message, first[[*counts][_TOLD]])


def _silent(rules: list[tuple[str, Rule]]) -> set[str]:
    """The chains that give every packet back as it came, whatever matches in them."""
    inside: dict[str, list[Rule]] = {}
    for chain, rule in rules:
        inside.setdefault(chain, []).append(rule)
    jumps = jumps_of(rules)
    speaking = {
        chain
        for chain, own in inside.items()
        if not all(isinstance(rule.target, Jump | Return) or _goes_on(rule) for rule in own)
    }
    callers: dict[str, set[str]] = {}
    for chain, targets in jumps.items():
        for target in targets:
            callers.setdefault(target, set()).add(chain)
    return callers.keys() - beyond(callers, speaking)


def _is_foreign(rule: Rule) -> bool:
    return rule.foreign is not None or isinstance(rule.target, ForeignTarget)


def _goes_on(rule: Rule) -> bool:
    return isinstance(rule.target, ForeignTarget) and rule.target.goes_on


def _undecided_text(rule: Rule, silent: set[str]) -> str:
    """What of a rule is not decided, and what hangs on it; empty: all of it is decided."""
    target = rule.target
    if isinstance(target, ForeignTarget):
        known = target.goes_on or target.name == "DROP"
        return "" if known else f"what {target_text(target)} does is not known"
    if rule.foreign is None:
        return ""
    if isinstance(target, Jump) and target.chain in silent:
        hangs = f"no answer depends on it, since {target.chain} sends nothing elsewhere"
    else:
        hangs = "an answer that depends on it names it"
    return f"{rule.foreign.text} may match; {hangs}"


def _at(kind: str, message: str, rule: Rule) -> Problem:
    line, column = rule.line or 1, rule.column or 1
    return Problem(id=kind, message=message, fix="", line=line, column=column)
