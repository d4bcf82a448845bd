"""``fsm-stack read``: what a script or a dump means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from fsm_stack.cli.options import system_option
from fsm_stack.cli.verb import (
    Verb,
    emit,
    fail_on_option,
    finding_lines,
    leave,
    output_option,
    stops,
)

if TYPE_CHECKING:
    from fsm_stack.findings.finding import Finding
    from fsm_stack.iptables.judge.expect import FoundLists
    from fsm_stack.project.rules_source import RulesSource

_DIALECTS: Final = {
    "restore": "a script for iptables-restore",
    "save": "output of iptables-save",
    "listing": "output of iptables -S",
    "commands": "iptables commands",
}


@click.command(cls=Verb, short_help="Say what a script or a dump of rules means.")
@click.argument("file", type=click.Path(allow_dash=True), metavar="FILE|-")
@system_option
@fail_on_option
@output_option
def read(file: str, *, system: str | None, fail_on: str) -> None:
    """Say what a script or a dump of rules means: whose it is, what it excludes, what is wrong.

    FILE is an init container's script, iptables-save, iptables -S, chained iptables commands, or
    what kubectl describe pod printed; - is standard input. Every fault has an id, which fsm-stack
    explain knows.
    """
    from fsm_stack.iptables.judge.lint import lint_reading
    from fsm_stack.project.rules_source import of_script

    source = of_script(file, system)
    findings = source.placed(lint_reading(source.reading))
    emit(_plain(source, findings), _lines(source, findings))
    leave(failed=stops(findings, fail_on))


def _found(source: RulesSource) -> FoundLists:
    from fsm_stack.iptables.judge.expect import found_lists

    return found_lists(source.reading)


def _lists(found: FoundLists) -> dict[str, tuple[str, ...]]:
    from fsm_stack.lists import INTERFACES, LISTS, unique

    values = {name.key: tuple(map(str, found.lists.entries(name))) for name in LISTS}
    return values | {INTERFACES.key: unique((*found.lists.interfaces, *found.inbound_interfaces))}


def _lines(source: RulesSource, findings: tuple[Finding, ...]) -> list[str]:
    from fsm_stack.cli.rules import family_text, rule_lines

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


def _plain(source: RulesSource, findings: tuple[Finding, ...]) -> dict[str, Any]:
    from fsm_stack.cli.rules import plain_rules
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
