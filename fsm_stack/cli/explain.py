"""``fsm-stack explain`` and ``completion``: what a finding means; completion for a shell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsm_stack.cli.verb import Id, Verb, emit, every_rule, leave, output_option
from fsm_stack.credentials import without_credentials
from fsm_stack.errors import InputError, did_you_mean
from fsm_stack.findings.catalogue import TOPICS, all_rules
from fsm_stack.findings.finding import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings import Rule

_WIDTH = 80
_TEXT_MAX = 4 * 1024 * 1024


@click.command(cls=Verb, short_help="Say what a finding means and how to mend it.")
@click.argument("finding_id", type=Id(every_rule), required=False, metavar="[ID | FILE | -]")
@output_option
def explain(finding_id: str | None) -> None:
    """Say what a finding means, why it matters and how to mend it.

    ID is a finding's id, such as too-many-ports, or a hazard's, such as H1, which may have several
    findings. Without ID, every finding is listed.

    FILE, or - for standard input, holds a log of an init container, events or an error of the API
    server: what each known line of it comes from, and the remedy. Exit code 1: none is known.
    """
    if finding_id is not None and _is_text(finding_id):
        _explain_text(finding_id)
    if finding_id is None:
        rules = tuple(all_rules().values())
        emit([_plain(known) for known in rules], _list())
    else:
        rules = _meant(finding_id)
        emit([_plain(known) for known in rules], "\n".join(map(_text, rules)).splitlines())


def _is_text(name: str) -> bool:
    """Whether a word names a text to explain; an id of the catalogue never does."""
    return name == "-" or (name not in all_rules() and Path(name).is_file())


def _explain_text(name: str) -> None:
    from fsm_stack.verify.causes import causes, telling_line

    text = _read(name)
    known = tuple(causes(text))
    plain = [
        {"means": _shown(one.means), "fix": _shown(one.fix), "line": _shown(one.line)}
        for one in known
    ]
    lines = [
        line
        for one in known
        for line in (
            f"cause: {_shown(one.means)}",
            f"  seen: {_shown(one.line)}",
            f"  fix:  {_shown(one.fix)}",
        )
    ]
    said = _shown(telling_line(text, None)) or "nothing"
    emit(plain, lines or [f"no known cause; what tells most: {said}"])
    leave(failed=not known)


def _shown(text: str) -> str:
    """A line of a pasted text: whole, and without credentials."""
    return harmless(without_credentials(text), limit=None)


def _read(name: str) -> str:
    import sys

    from fsm_stack.project.files import read_file

    if name == "-":
        return sys.stdin.read(_TEXT_MAX)
    content = read_file(Path(name), limit=_TEXT_MAX)
    return (content or b"").decode(errors="replace")


def _meant(name: str) -> tuple[Rule, ...]:
    rules = all_rules()
    if name in rules:
        return (rules[name],)
    by_hazard = tuple(known for known in rules.values() if name.upper() in known.hazard)
    if by_hazard:
        return by_hazard
    hazards = {hazard for known in rules.values() for hazard in known.hazard}
    hint = did_you_mean(name, (*rules, *sorted(hazards))) or "; fsm-stack explain lists all"
    raise InputError(f"{name!r}: no such finding or hazard{hint}")


def _list() -> Iterator[str]:
    """Every finding, topic by topic; behind it its hazards, which are ids to explain, too."""
    width = max(map(len, all_rules()))
    for topic, rules in TOPICS.items():
        yield click.style(topic, bold=True)
        for known in rules:
            hazards = f" ({', '.join(known.hazard)})" if known.hazard else ""
            yield f"  {known.id:{width}}  {known.severity:7}  {known.title}{hazards}"
        yield ""
    yield "fsm-stack explain ID says more; H1 and the like are hazards, each with its findings"


def _text(known: Rule) -> str:
    parts = {
        "Why": known.why,
        "Fix": known.fix,
        "Hazard": ", ".join(known.hazard),
        "Source": known.source,
    }
    body = [
        click.wrap_text(
            text, width=_WIDTH, initial_indent=f"  {label + ':':8}", subsequent_indent=" " * 10
        )
        for label, text in parts.items()
        if text
    ]
    head = f"{click.style(known.id, bold=True)} ({known.severity}): {known.title}"
    return "\n".join((head, *body, ""))


def _plain(known: Rule) -> dict[str, Any]:
    return {
        "id": known.id,
        "severity": known.severity,
        "title": known.title,
        "why": known.why,
        "fix": known.fix,
        "hazards": list(known.hazard),
        "source": known.source or None,
    }


@click.command(cls=Verb, short_help="Print the shell's completion script.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@output_option
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell: verbs, options, stacks and finding ids.

    \b
    bash:  eval "$(fsm-stack completion bash)"          in ~/.bashrc
    zsh:   eval "$(fsm-stack completion zsh)"           in ~/.zshrc
    fish:  fsm-stack completion fish > ~/.config/fish/completions/fsm-stack.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:  # pragma: no cover  # click has the three
        raise click.UsageError(f"{shell}: no completion for this shell")
    script = kind(ctx.find_root().command, {}, "fsm-stack", "_FSM_STACK_COMPLETE").source()
    emit({"shell": shell, "script": script}, (script,))
