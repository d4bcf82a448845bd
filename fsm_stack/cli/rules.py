"""``fsm-stack rules`` and ``read``: a stack's script with reasons; what any script means."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from fsm_stack.cli.options import draw, profile_option, svg_option, system_option
from fsm_stack.cli.verb import (
    Verb,
    emit,
    fail_on_option,
    finding_lines,
    leave,
    output_option,
    project_option,
    stack_argument,
    stops,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fsm_stack.findings.finding import Finding
    from fsm_stack.iptables.judge.expect import FoundLists
    from fsm_stack.iptables.rule import Step
    from fsm_stack.project.rules_source import RulesSource
    from fsm_stack.settings.effective import Bypass

# Reasons start at one column, up to here; a longer rule has its reason on the next line.
_COLUMN_MAX: Final = 80


def entries_of(source: RulesSource) -> Mapping[int, tuple[Bypass, ...]]:
    """The stack's own entries behind each rule, by the rule's place in the script."""
    from datetime import UTC, datetime

    known = source.notes(datetime.now(UTC).date())
    if known is None:
        return {}
    from fsm_stack.redirection.origins import behind

    steps = source.reading.ruleset.steps
    return {index: behind(step.rule, known) for index, step in enumerate(steps)}


def rule_lines(source: RulesSource) -> list[str]:
    """One line a rule, reasons aligned; below it the stack's entries that say more."""
    from fsm_stack.iptables.write import step_line
    from fsm_stack.redirection.origins import declared_text

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
    from fsm_stack.iptables.write import rule_text, step_line

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


@click.command(cls=Verb, short_help="Show the rules that pods get, each with its reason.")
@stack_argument
@profile_option
@click.option(
    "--dialect",
    type=click.Choice(["restore", "commands"]),
    default="restore",
    show_default=True,
    help="restore: the injector's script; commands: one iptables command a rule.",
)
@click.option(
    "--document-chains",
    is_flag=True,
    help="The chains and the order of the documents of 2021; expects --dialect commands.",
)
@click.option("--script-only", is_flag=True, help="The script's bytes and nothing else.")
@svg_option("Also draw the chains into FILE.")
@output_option
@project_option
def rules(
    stack: str,
    *,
    profile: str | None,
    dialect: str,
    document_chains: bool,
    script_only: bool,
    svg: Path | None,
    project_dir: Path,
) -> None:
    """Show the rules that a STACK's pods get, each with its reason.

    The rules stand in the script's order; -I puts a rule at the head of its chain. The reasons
    that the stack file gives for its entries stand below.

    \b
    fsm-stack rules prod --script-only > init.sh
    """
    from fsm_stack.project.rules_source import of_stack

    if document_chains and dialect != "commands":
        raise click.UsageError("--document-chains: expected --dialect commands")
    source = _in_dialect(of_stack(project_dir, stack, profile), dialect, document_chains)
    if svg is not None:
        draw(source, svg, title=f"{source.name}: chains")
    script = source.text.removesuffix("\n").split("\n")
    count = len(source.reading.ruleset.steps)
    head = f"{source.name}: {count} rules; {family_text(source)}"
    plain = {"source": source.as_json(), "script": source.text, "rules": plain_rules(source)}
    emit(plain, script if script_only else [head, *rule_lines(source)])


def _in_dialect(source: RulesSource, dialect: str, document_chains: bool) -> RulesSource:  # noqa: FBT001  # as the option has it
    """The same rules as the asked text, read back from it."""
    if dialect == "restore" or source.lists is None or source.settings is None:
        return source
    from fsm_stack.iptables.read.text import read
    from fsm_stack.iptables.write import document_ruleset, write_commands

    ruleset = source.reading.ruleset
    if document_chains:
        ruleset = document_ruleset(source.lists, source.settings.profile)
    text = write_commands(ruleset)
    return replace(source, text=text, reading=read(text))


_DIALECTS: Final = {
    "restore": "a script for iptables-restore",
    "save": "output of iptables-save",
    "listing": "output of iptables -S",
    "commands": "iptables commands",
}


@click.command(cls=Verb, short_help="Say what a script or a dump of rules means.")
@click.argument("file", type=click.Path(allow_dash=True), metavar="FILE|-")
@system_option
@svg_option("Also draw the chains into FILE.")
@fail_on_option
@output_option
def read(file: str, *, system: str | None, svg: Path | None, fail_on: str) -> None:
    """Say what a script or a dump of rules means: whose it is, what it excludes, what is wrong.

    FILE is an init container's script, iptables-save, iptables -S, chained iptables commands, or
    what kubectl describe pod printed; - is standard input. Every fault has an id, which fsm-stack
    explain knows.
    """
    from fsm_stack.iptables.judge.lint import lint_reading
    from fsm_stack.project.rules_source import of_script

    source = of_script(file, system)
    findings = source.placed(lint_reading(source.reading))
    if svg is not None:
        draw(source, svg, title=f"{source.name}: chains")
    emit(_plain_reading(source, findings), _read_lines(source, findings))
    leave(failed=stops(findings, fail_on))


def _found(source: RulesSource) -> FoundLists:
    from fsm_stack.iptables.judge.expect import found_lists

    return found_lists(source.reading)


def _lists(found: FoundLists) -> dict[str, tuple[str, ...]]:
    from fsm_stack.lists import INTERFACES, LISTS, unique

    values = {name.key: tuple(map(str, found.lists.entries(name))) for name in LISTS}
    return values | {INTERFACES.key: unique((*found.lists.interfaces, *found.inbound_interfaces))}


def _read_lines(source: RulesSource, findings: tuple[Finding, ...]) -> list[str]:
    lines = [f"{source.name}: {_DIALECTS[source.reading.dialect]}; {family_text(source)}"]
    if source.reading.generation is not None:  # else nobody's lists are behind these rules
        lines += _list_lines(_found(source))
    lines += finding_lines(findings) or ["no findings"]
    lines.append(f"rules: {len(source.reading.ruleset.steps)}")
    return [*lines, *rule_lines(source)]


def _list_lines(found: FoundLists) -> list[str]:
    filled = {name: values for name, values in _lists(found).items() if values}
    lines = [
        f"localProxyMode: {found.lists.local_proxy_mode}",
        *(f"{name}: {', '.join(values)}" for name, values in filled.items()),
    ]
    if found.lists.dns_proxy:
        lines.append("localDNSProxy: DNS queries go to the sidecar")
    return lines if filled else [*lines, "lists: empty"]


def _plain_reading(source: RulesSource, findings: tuple[Finding, ...]) -> dict[str, Any]:
    from fsm_stack.iptables.write import rule_text

    family = source.reading.generation
    found = _found(source)
    return {
        "source": source.as_json(),
        "dialect": source.reading.dialect,
        "loads": source.reading.loads,
        "generation": {
            "name": family.name,
            "title": family.title,
            "current": family.current,
            "lacks": list(family.lacks),
        }
        if family
        else None,
        "localProxyMode": found.lists.local_proxy_mode if family else None,
        "localDNSProxy": found.lists.dns_proxy,
        "lists": {name: list(values) for name, values in _lists(found).items()},
        "unknownRules": [rule_text(rule) for rule in found.unknown],
        "findings": [item.as_json() for item in findings],
        "rules": plain_rules(source),
    }
