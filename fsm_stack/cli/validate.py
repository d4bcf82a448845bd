"""``fsm-stack validate`` and ``schema``: every problem of stack files; their schema."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
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
    report_option,
    stacks_argument,
    stops,
    stream,
    suppress_option,
    without_assets_option,
)

if TYPE_CHECKING:
    from fsm_stack.findings.suppress import Suppressions
    from fsm_stack.project.project import Stack


@click.command(cls=Verb, short_help="Check stack files; report every problem with its place.")
@stacks_argument
@click.option("--all", "everything", is_flag=True, help="Every stack; the same as naming none.")
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Stack files wherever they are, instead of the project's. May be given several times.",
)
@without_assets_option
@suppress_option
@fail_on_option
@report_option
@project_option
def validate(
    stacks: tuple[str, ...],
    *,
    everything: bool,
    files: tuple[Path, ...],
    without_release_assets: bool,
    suppress: tuple[str, ...],
    fail_on: str,
    output: str,
    project_dir: Path,
) -> None:
    """Check stack files: types, spelling, and settings that would break pods.

    Every problem has a place, a reason and an id; fsm-stack explain ID says more. Without STACK,
    every stack of the project is checked. Nothing is written, nothing is contacted. What a stack
    takes on purpose stands in its file (accept); --suppress is for one run.
    """
    from fsm_stack.findings.finding import sarif
    from fsm_stack.findings.suppress import Suppressions
    from fsm_stack.project.project import stack_files

    suppressions = Suppressions(suppress)
    if files and (stacks or everything):
        raise click.UsageError("--filename: expected neither STACK nor --all with it")
    if files:
        homes = tuple(stack_files(files))
    else:
        project, known = load(project_dir, stacks, everything=everything)
        homes = tuple((stack, project.directory) for stack in known)
    loaded = tuple(
        _without(
            stack if without_release_assets or home is None else _with_assets(stack, home),
            suppressions,
        )
        for stack, home in homes
    )
    if output == "sarif":
        findings, accepted = (
            [item for stack in loaded for item in getattr(stack, name)]
            for name in ("findings", "accepted")
        )
        report = sarif(findings, suppressed=accepted)
        stream((json.dumps(report, indent=2, ensure_ascii=False) + "\n",))
    else:
        emit({"stacks": [_plain(stack) for stack in loaded]}, _lines(loaded))
    for text in suppressions.unused():
        click.echo(f"note: --suppress {text}: no such finding", err=True)
    leave(failed=any(stops(stack.findings, fail_on) for stack in loaded))


def _with_assets(stack: Stack, directory: Path) -> Stack:
    """The stack with what it lacks beside its file; render and pulumi up stop at the same."""
    from fsm_stack.project.release_asset import missing_assets

    if stack.settings is None:
        return stack
    missing = missing_assets(directory, stack.settings)
    return replace(
        stack, findings=(*stack.findings, *(item.at(file=stack.file) for item in missing))
    )


def _without(stack: Stack, suppressions: Suppressions) -> Stack:
    """The stack with what this run leaves out among what it takes on purpose."""
    kept, out = suppressions.split(stack.findings)
    return replace(stack, findings=tuple(kept), accepted=(*stack.accepted, *out))


def _plain(stack: Stack) -> dict[str, Any]:
    findings = [item.as_json() for item in stack.findings]
    accepted = [item.as_json() for item in stack.accepted]
    return {"stack": stack.name, "file": stack.file, "findings": findings, "accepted": accepted}


def _lines(stacks: tuple[Stack, ...]) -> list[str]:
    lines = [line for stack in stacks for line in finding_lines(stack.findings)]
    return [*lines, *(f"{stack.name}: {_count(stack)}" for stack in stacks)]


def _count(stack: Stack) -> str:
    from fsm_stack.findings.settings import MORE

    by_severity = Counter[str]()
    for item in stack.findings:
        by_severity[item.severity.value] += int(item.value or 1) if item.id == MORE else 1
    counts = [
        f"{by_severity[name]} {name}{'s' if by_severity[name] > 1 and name != 'info' else ''}"
        for name in ("error", "warning", "info")
        if by_severity[name]
    ]
    accepted = f" ({len(stack.accepted)} accepted)" if stack.accepted else ""
    return (", ".join(counts) or "no findings") + accepted


_FILE: Final = Path("schemas", "stack.schema.json")
_MAX: Final = 4 * 1024 * 1024


@click.command(cls=Verb, short_help="Print the JSON Schema of stack files, for editors.")
@click.option("--write", is_flag=True, help=f"Write the project's {_FILE.as_posix()}.")
@click.option("--check", is_flag=True, help="Exit with 1 when that file is stale.")
@output_option
@project_option
def schema(*, write: bool, check: bool, project_dir: Path) -> None:
    """Print the JSON Schema of Pulumi.<stack>.yaml, made from the settings' models.

    An editor with a YAML language server completes and checks stack files that name it in their
    first line.
    """
    if write and check:
        raise click.UsageError("--write and --check: expected one of the two")
    text = _text()
    if not (write or check):
        emit(json.loads(text), (text.rstrip("\n"),))
        return
    shown, current = _compared(project_dir, text, write=write)
    state = "current" if current else "written" if write else "stale"
    mend = "; run: fsm-stack schema --write" if state == "stale" else ""
    emit({"file": shown, "state": state}, (f"{shown}: {state}{mend}",))
    leave(failed=state == "stale")


def schema_file() -> tuple[str, str]:
    """The path of a project's schema for editors, and its text."""
    return _FILE.as_posix(), _text()


def _text() -> str:
    from fsm_stack.settings.stack_file import stack_schema

    return json.dumps(stack_schema(), indent=2, ensure_ascii=False) + "\n"


def _compared(project_dir: Path, text: str, *, write: bool) -> tuple[str, bool]:
    """The file as messages name it, and whether it was current; then it is, if asked."""
    from fsm_stack.project.files import read_file, write_file
    from fsm_stack.project.project import find_project

    project = find_project(project_dir)
    path = project.directory / _FILE
    shown = project.shown(path)
    current = read_file(path, limit=_MAX, shown=shown) == text.encode()
    if write and not current:
        write_file(path, text.encode(), shown=shown)
    return shown, current
