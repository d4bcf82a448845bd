"""``fsm-stack rules``: a stack's script, each rule with its reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from fsm_stack.cli.rules_options import profile_option, stack_argument
from fsm_stack.cli.verb import Verb, emit, output_option, project_option

if TYPE_CHECKING:
    from pathlib import Path

    from fsm_stack.edges.rules_source import RulesSource


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
@output_option
@project_option
def rules(
    stack: str,
    *,
    profile: str | None,
    dialect: str,
    document_chains: bool,
    script_only: bool,
    project_dir: Path,
) -> None:
    """Show the rules that a STACK's pods get, each with its reason.

    The rules stand in the script's order; -I puts a rule at the head of its chain. The reasons
    that the stack file gives for its entries stand below.

    \b
    fsm-stack rules prod --script-only > init.sh
    """
    from fsm_stack.cli.rules_listing import family_text, plain_rules, rule_lines
    from fsm_stack.edges.rules_source import of_stack

    if document_chains and dialect != "commands":
        raise click.UsageError("--document-chains: expected --dialect commands")
    source = _in_dialect(of_stack(project_dir, stack, profile), dialect, document_chains)
    script = source.text.removesuffix("\n").split("\n")
    count = len(source.reading.ruleset.steps)
    head = f"{source.name}: {count} rules; {family_text(source)}"
    plain = {"source": source.as_json(), "script": source.text, "rules": plain_rules(source)}
    emit(plain, script if script_only else [head, *rule_lines(source)])


def _in_dialect(source: RulesSource, dialect: str, document_chains: bool) -> RulesSource:  # noqa: FBT001  # as the option has it
    """The same rules as the asked text, read back from it."""
    if dialect == "restore" or source.lists is None or source.settings is None:
        return source
    from fsm_stack.iptables.document_script import document_ruleset
    from fsm_stack.iptables.read import read
    from fsm_stack.iptables.write import write_commands

    ruleset = source.reading.ruleset
    if document_chains:
        ruleset = document_ruleset(source.lists, source.settings.profile)
    text = write_commands(ruleset)
    return replace(source, text=text, reading=read(text))
