"""Rules with their reasons, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fsm_stack.edges.rules_source import RulesSource
    from fsm_stack.iptables.rule import Step
    from fsm_stack.settings.bypasses import Bypass

# Reasons start at one column, up to here; a longer rule has its reason on the next line.
_COLUMN_MAX: Final = 80


def entries_of(source: RulesSource) -> Mapping[int, tuple[Bypass, ...]]:
    """The stack's own entries behind each rule, by the rule's place in the script."""
    if source.settings is None:
        return {}
    from datetime import UTC, datetime

    from fsm_stack.redirection.declared import behind, declared

    known = declared(source.settings, source.profile, datetime.now(UTC).date())
    steps = source.reading.ruleset.steps
    return {index: behind(step.rule, known) for index, step in enumerate(steps)}


def rule_lines(source: RulesSource) -> list[str]:
    """One line a rule, reasons aligned; below it the stack's entries that say more."""
    from fsm_stack.iptables.rule_text import step_line
    from fsm_stack.redirection.declared import declared_text

    steps = source.reading.ruleset.steps
    texts = [step_line(step) for step in steps]
    width = max((len(text) for text in texts if len(text) <= _COLUMN_MAX), default=0)
    entries = entries_of(source)
    lines = []
    for index, (step, text) in enumerate(zip(steps, texts, strict=True)):
        lines += _with_reason(text, step.rule.why.text, width)
        told = [item for item in entries.get(index, ()) if item.reason or item.owner]
        lines += [f"  {'':{width}}    {declared_text(item)}" for item in told]
    return lines


def _with_reason(text: str, why: str, width: int) -> list[str]:
    if len(text) > width:
        return [f"  {text}", f"  {'':{width}}  {why}"]
    return [f"  {text:{width}}  {why}"]


def plain_rules(source: RulesSource) -> list[dict[str, Any]]:
    """The same as plain values, in the order of the script."""
    entries = entries_of(source)
    steps: Sequence[Step] = source.reading.ruleset.steps
    return [_plain(step, entries.get(index, ())) for index, step in enumerate(steps)]


def _plain(step: Step, entries: tuple[Bypass, ...]) -> dict[str, Any]:
    from fsm_stack.iptables.rule_text import rule_text, step_line

    return {
        "text": step_line(step),
        "chain": step.chain,
        "rule": rule_text(step.rule),
        "line": step.rule.line,
        "why": step.rule.why.text,
        "entries": [
            {
                "path": item.path,
                "value": item.value,
                "reason": item.reason or None,
                "owner": item.owner or None,
            }
            for item in entries
        ],
    }


def family_text(source: RulesSource) -> str:
    """``FSM_PROXY_*: written by FSM today``."""
    family = source.reading.generation
    return family.describe() if family else "no known injector's chains"
