"""``fsm-stack render``: a stack's objects and scripts as files for Git."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fsm_stack.cli.verb import (
    Verb,
    emit,
    fail_on_option,
    finding_lines,
    leave,
    load,
    output_option,
    project_option,
    stacks_argument,
    stops,
    without_assets_option,
)
from fsm_stack.errors import FindingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_stack.findings.finding import Finding
    from fsm_stack.gitops.directory import Written
    from fsm_stack.gitops.rendering import Rendering, Stale
    from fsm_stack.project.project import Project, Stack

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
        "others": list(done.made.others),
        "leftOut": list(done.made.left_out),
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
    if done.written is not None and done.made.others:
        said.append(f"not applied: {', '.join(done.made.others)}; for the owners to merge")
    if done.made.left_out:
        said.append(_left_out(done))
    return [f"  {line}" for line in said]


def _left_out(done: Outcome) -> str:
    made, settings = done.made, done.stack.settings
    version = settings.fsm_version if settings else ""
    if made.listed:
        one = len(made.listed) == 1
        what = f"{'the Pipy scripts' if one else 'files'} of FSM {version}"
        return f"not compared: {', '.join(made.listed)}, {what}"
    return (
        f"left out: {', '.join(made.left_out)}; this tree is for review, the "
        "controller does not start with it alone. "
        f"Mend: fsm-stack vendor --version {version}"
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
    # Git's diff leaves out what it does not know yet.
    new = [done.directory for done in outcomes if done.written and done.written.is_new]
    known = [done.directory for done in outcomes if done.directory not in new]
    steps = [
        f"git {verb} {' '.join(some)}" for verb, some in (("add", new), ("diff", known)) if some
    ]
    compare = f"Next: {'; '.join(steps)}; commit it for"
    if any(done.made.left_out or _look_only(done) for done in outcomes):
        return f"{compare} the review"
    name = outcomes[0].stack.name
    return f"{compare} Argo CD or Flux, or run: pulumi up --stack {name}"


@click.command(cls=Verb, short_help="Write a stack's objects and scripts as files for Git.")
@stacks_argument
@click.option("--all", "everything", is_flag=True, help="Every stack; the same as naming none.")
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write DIR/<stack>; the project's rendered if absent.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 and name what is stale.")
@without_assets_option
@fail_on_option
@output_option
@project_option
def render(
    stacks: tuple[str, ...],
    *,
    everything: bool,
    output_dir: Path | None,
    check: bool,
    without_release_assets: bool,
    fail_on: str,
    project_dir: Path,
) -> None:
    """Write a stack's Kubernetes objects, init scripts and annotations as files.

    One object a file, in rendered/<stack>, for Argo CD, Flux and pull requests. The same stack
    gives the same bytes. Each directory is replaced as a whole and in one step; with a finding at
    or above --fail-on in any of the stacks nothing is written. With --check the exit code is 1
    when something is stale.
    """
    project, loaded = load(project_dir, stacks, everything=everything)
    _refuse([item for stack in loaded for item in stack.findings], fail_on)
    root = _root(project, output_dir)
    planned = _plan(project, loaded, root if check else None, without=without_release_assets)
    outcomes = [_do(project, stack, made, root, check=check) for stack, made in planned]
    orphans = () if stacks else _orphans(project, root)
    emit(
        {"stacks": [plain(done) for done in outcomes], "orphans": orphans},
        [*lines(outcomes), *orphan_lines(orphans), next_step(outcomes, orphans)],
    )
    leave(failed=check and (bool(orphans) or any(done.stale for done in outcomes)))


def _root(project: Project, output_dir: Path | None) -> Path:
    """Where the stacks' directories are; nothing is written through a link."""
    from fsm_stack.project.files import require_no_link

    named = project.start / output_dir if output_dir else project.directory / "rendered"
    root = Path(os.path.abspath(named))  # noqa: PTH100  # which follows no link
    require_no_link(root, project.directory, shown=project.shown(root))
    return root


def _orphans(project: Project, root: Path) -> tuple[str, ...]:
    from fsm_stack.gitops.directory import orphans

    found = orphans(root, project.stacks())
    return tuple(project.shown(root / name) for name in found)


def _refuse(findings: list[Finding], fail_on: str) -> None:
    if stops(findings, fail_on):
        raise FindingsError(tuple(findings))


def _plan(
    project: Project, stacks: tuple[Stack, ...], compared: Path | None, *, without: bool
) -> list[tuple[Stack, Rendering]]:
    """Every stack's files, before the first of them is written; all problems at once."""
    from fsm_stack.gitops.rendering import rendering

    planned: list[tuple[Stack, Rendering]] = []
    findings: list[Finding] = []
    for stack in stacks:
        if stack.settings is None:  # an error, so refused before
            raise FindingsError(stack.findings)
        try:
            made = rendering(
                stack.settings,
                project.directory,
                without_release_assets=without,
                beside=compared / stack.name if compared else None,
            )
        except FindingsError as error:
            findings += [item.at(file=stack.file) for item in error.findings]
        else:
            planned.append((stack, made))
    if findings:
        raise FindingsError(tuple(findings))
    return planned


def _do(project: Project, stack: Stack, made: Rendering, root: Path, *, check: bool) -> Outcome:
    """Write or compare one stack's directory."""
    target = root / stack.name
    shown = project.shown(target)
    if not check:
        from fsm_stack.gitops.directory import write

        written = write(target, made.files, shown=shown)
        return Outcome(stack=stack, made=made, directory=shown, written=written)
    from fsm_stack.gitops.rendering import check as compare

    stale = compare(target, made.files, shown=shown, unknown=made.listed)
    return Outcome(stack=stack, made=made, directory=shown, stale=stale)
