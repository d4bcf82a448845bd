"""What ``fsm-stack render`` says: what it wrote, what is redirected, warnings, what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from fsm_stack.cli.verb import finding_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_stack.edges.gitops import Written
    from fsm_stack.edges.project import Stack
    from fsm_stack.edges.rendering import Rendering
    from fsm_stack.edges.stale import Stale

_DIFFS: Final = 10
_COLORS: Final = {"+": "green", "-": "red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One stack, rendered or compared.

    Attributes:
        stack: the stack as read.
        made: its files.
        directory: ``rendered/<stack>`` as messages name it.
        written: what writing changed; None after ``--check``.
        stale: what ``--check`` found.
    """

    stack: Stack
    made: Rendering
    directory: str
    written: Written | None = None
    stale: tuple[Stale, ...] = ()


def plain(done: Outcome) -> dict[str, Any]:
    """An outcome for ``--output json``."""
    written = done.written
    if written is None:
        said: dict[str, Any] = {
            "current": not done.stale,
            "stale": [
                {"path": item.path, "state": item.state, "diff": list(item.diff)}
                for item in done.stale
            ],
        }
    else:
        said = {
            "created": list(written.created),
            "changed": list(written.changed),
            "removed": list(written.removed),
            "unchanged": len(written.unchanged),
        }
    return {
        "stack": done.stack.name,
        "directory": done.directory,
        **said,
        "leftOut": done.made.left_out,
        "redirected": list(done.made.redirected),
        "findings": [item.as_json() for item in done.stack.findings],
        "accepted": [item.as_json() for item in done.stack.accepted],
    }


def lines(outcomes: Iterable[Outcome]) -> list[str]:
    """Outcomes for people."""
    return [line for done in outcomes for line in (_head(done), *_body(done))]


def _head(done: Outcome) -> str:
    name = click.style(done.stack.name, bold=True)
    if done.written is None:
        return f"{name}: {done.directory} is {'stale' if done.stale else 'current'}"
    counts = {
        "new": len(done.written.created),
        "changed": len(done.written.changed),
        "removed": len(done.written.removed),
    }
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{name}: {done.directory}: {done.written.total} files, {said or 'nothing changed'}"


def _body(done: Outcome) -> list[str]:
    said = _stale(done.stale) if done.written is None else list(done.made.redirected)
    said += finding_lines(done.stack.findings)
    said += [f"accepted: {line}" for line in finding_lines(done.stack.accepted)]
    if done.made.left_out:
        said.append(_left_out(done))
    return [f"  {line}" for line in said]


def _left_out(done: Outcome) -> str:
    path, settings = done.made.left_out, done.stack.settings
    version = settings.fsm_version if settings else ""
    if done.made.listed:
        return f"not compared: {path}, the Pipy scripts of FSM {version}"
    return (
        f"left out: {path}; this tree is for review, the controller does not start with it alone. "
        f"Mend: fsm-stack vendor fsm-{version}.tgz"
    )


def _stale(stale: tuple[Stale, ...]) -> list[str]:
    said: list[str] = []
    for count, item in enumerate(stale):
        said.append(f"{item.state + ':':8} {item.path}")
        if count < _DIFFS:
            said += [f"  {click.style(line, fg=_COLORS.get(line[:1]))}" for line in item.diff]
    return said


def orphan_lines(directories: Iterable[str]) -> list[str]:
    """Rendered directories whose stack is gone."""
    return [
        f"{directory}: no stack has this name any more; remove it: git rm -r {directory}"
        for directory in directories
    ]


def _look_only(done: Outcome) -> bool:
    settings = done.stack.settings
    return settings is not None and settings.deployment.look_only


def next_step(outcomes: list[Outcome], orphans: tuple[str, ...] = ()) -> str:
    """What to do now."""
    stale = [done for done in outcomes if done.stale]
    if stale:
        flag = " --without-release-assets" if any(done.made.left_out for done in stale) else ""
        return f"Next: fsm-stack render {' '.join(done.stack.name for done in stale)}{flag}"
    if all(done.written is None for done in outcomes):
        if orphans:
            return f"Next: git rm -r {' '.join(orphans)}"
        return "Next: nothing, these directories are what the stacks say"
    compare = f"Next: git diff {' '.join(done.directory for done in outcomes)}; commit it for"
    if any(done.made.left_out or _look_only(done) for done in outcomes):
        return f"{compare} the review"
    name = outcomes[0].stack.name
    return f"{compare} Argo CD or Flux, or run: pulumi up --stack {name}"
