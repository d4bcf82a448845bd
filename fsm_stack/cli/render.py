"""``fsm-stack render``: a stack's objects and scripts as files for Git."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsm_stack.cli.render_report import Outcome, lines, next_step, orphan_lines, plain
from fsm_stack.cli.verb import (
    Verb,
    emit,
    fail_on_option,
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
    from fsm_stack.edges.project import Project, Stack
    from fsm_stack.edges.rendering import Rendering
    from fsm_stack.findings import Finding


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
    or above --fail-on in any of the stacks nothing is written.
    """
    project, loaded = load(project_dir, stacks, everything=everything)
    _refuse([item for stack in loaded for item in stack.findings], fail_on)
    root = project_dir / output_dir if output_dir else project.directory / "rendered"
    planned = _plan(project, loaded, root if check else None, without=without_release_assets)
    outcomes = [_do(project, stack, made, root, check=check) for stack, made in planned]
    orphans = () if stacks else _orphans(project, root)
    emit(
        {"stacks": [plain(done) for done in outcomes], "orphans": orphans},
        [*lines(outcomes), *orphan_lines(orphans), next_step(outcomes, orphans)],
    )
    leave(failed=check and (bool(orphans) or any(done.stale for done in outcomes)))


def _orphans(project: Project, root: Path) -> tuple[str, ...]:
    from fsm_stack.edges.gitops import orphans

    found = orphans(root, project.stacks())
    return tuple(project.shown(root.resolve() / name) for name in found)


def _refuse(findings: list[Finding], fail_on: str) -> None:
    if stops(findings, fail_on):
        raise FindingsError(tuple(findings))


def _plan(
    project: Project, stacks: tuple[Stack, ...], compared: Path | None, *, without: bool
) -> list[tuple[Stack, Rendering]]:
    """Every stack's files, before the first of them is written; all problems at once."""
    from fsm_stack.edges.rendering import rendering

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
    target = root.resolve() / stack.name
    shown = project.shown(target)
    if not check:
        from fsm_stack.edges.gitops import write

        written = write(target, made.files, shown=shown)
        return Outcome(stack=stack, made=made, directory=shown, written=written)
    from fsm_stack.edges.stale import check as compare

    unknown = (made.left_out,) if made.left_out and made.listed else ()
    stale = compare(target, made.files, shown=shown, unknown=unknown)
    return Outcome(stack=stack, made=made, directory=shown, stale=stale)
