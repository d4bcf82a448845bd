"""``fsm-stack bypasses`` and ``tidy``: what goes around the mesh, and lists made smaller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

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
    stack_argument,
    stacks_argument,
    stops,
)
from fsm_stack.errors import counted
from fsm_stack.findings.finding import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fsm_stack.findings.finding import Finding
    from fsm_stack.project.project import Stack
    from fsm_stack.project.stack_edit import Edited
    from fsm_stack.redirection.tidying import Kept, Left, ListEdit
    from fsm_stack.settings.effective import Bypass

_EXPIRED = "bypass-expired"


@click.command(cls=Verb, short_help="List what bypasses the mesh: why, whose, until when.")
@stacks_argument
@click.option("--all", "everything", is_flag=True, help="Every stack; the same as naming none.")
@fail_on_option
@output_option
@project_option
def bypasses(
    stacks: tuple[str, ...], *, everything: bool, fail_on: str, project_dir: Path
) -> None:
    """List every port, range and interface that bypasses the mesh.

    Each with its reason, its owner and its last day, as the stack file gives them. One past its
    last day is a warning. Without STACK, the bypasses of every stack are listed.
    """
    _, loaded = load(project_dir, stacks, everything=everything)
    reports = [_report(stack) for stack in loaded]
    emit({"stacks": [_plain_bypass(report) for report in reports]}, _bypass_lines(reports))
    leave(failed=any(stops(report.findings, fail_on) for report in reports))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    stack: str
    bypasses: tuple[Bypass, ...]
    findings: tuple[Finding, ...]  # about bypasses; all of them when nothing could be listed


def _report(stack: Stack) -> _Report:
    from fsm_stack.settings.effective import bypasses as declared

    if stack.settings is None:
        return _Report(stack=stack.name, bypasses=(), findings=stack.findings)
    expired = tuple(item for item in stack.findings if item.id == _EXPIRED)
    known = declared(stack.settings, datetime.now(UTC).date())
    return _Report(stack=stack.name, bypasses=known, findings=expired)


def _plain_bypass(report: _Report) -> dict[str, Any]:
    return {
        "stack": report.stack,
        "bypasses": [
            {
                "scope": item.scope,
                "kind": item.kind,
                "value": item.value,
                "reason": item.reason or None,
                "owner": item.owner or None,
                "until": item.until.isoformat() if item.until else None,
                "expired": item.expired,
                "path": item.path,
            }
            for item in report.bypasses
        ],
        "findings": [item.as_json() for item in report.findings],
    }


def _bypass_lines(reports: list[_Report]) -> list[str]:
    lines = [line for report in reports for line in finding_lines(report.findings)]
    for report in reports:
        count = len(report.bypasses)
        lines.append(f"{report.stack}: {count} bypass{'' if count == 1 else 'es'}")
        scope = kind = ""
        for item in report.bypasses:
            if (item.scope, item.kind) != (scope, kind):
                scope, kind = item.scope, item.kind
                lines.append(f"  {scope}: {kind}")
            lines.append(f"    {_line(item)}")
    return lines


def _line(item: Bypass) -> str:
    from fsm_stack.redirection.origins import notes_text

    end = "" if item.until else "; no end"
    past = " (past)" if item.expired else ""
    line = f"{item.value:18}  {notes_text(item.reason, item.owner, item.until)}{past}{end}"
    return harmless(line, limit=None)


@click.command(cls=Verb, short_help="Make a stack's lists smaller without changing what they do.")
@stack_argument
@click.option("--write", is_flag=True, help="Change the stack file.")
@output_option
@project_option
def tidy(stack: str, *, write: bool, project_dir: Path) -> None:
    """Make a STACK's lists smaller without changing what they do, so that pods get fewer rules.

    Ranges are merged and lose their host bits; duplicates, and entries that others take in, go. A
    merged entry carries the reasons and owners of all, and the earliest end. Every change is
    proved for the mesh, for each profile, and for pods with lists of their own.

    Without --write the change is shown, and the exit code is 1 when there is one. With it the
    stack file is changed; comments and everything else stay as they are.
    """
    from fsm_stack.project.files import write_file

    path, shown, before, result, left = _tidied(project_dir, stack)
    changed = result.text != before
    if write and changed:
        write_file(path.resolve(), result.text.encode(), shown=shown)  # behind a link, too
    diff = [] if write else [*diff_lines(before, result.text, shown, "tidy")]
    plain = _plain(stack, result, left, written=write and changed, diff=diff)
    emit(plain, [*styled(diff), *_lines(stack, result, left, written=write)])
    leave(failed=changed and not write)


def _tidied(project_dir: Path, name: str) -> tuple[Path, str, str, Edited, tuple[Left, ...]]:
    """The stack file, its name for people, its text, what becomes of it, what stays."""
    from datetime import UTC, datetime

    from fsm_stack.errors import FindingsError
    from fsm_stack.project.project import find_project, read_text
    from fsm_stack.project.stack_edit import edited
    from fsm_stack.redirection.tidying import tidying
    from fsm_stack.settings.stack_file import load_text

    project = find_project(project_dir)
    (known,) = project.chosen((name,))
    path = project.directory / f"Pulumi.{known}.yaml"
    shown, today = project.shown(path), datetime.now(UTC).date()
    text = read_text(path, project=project.directory, shown=shown)
    loaded = load_text(text, file=shown, today=today)
    if loaded.settings is None:
        raise FindingsError(loaded.findings)
    proved = tidying(loaded.settings)
    result = edited(text, loaded.settings, proved.edits, file=shown, today=today)
    return (path, shown, text, result, (*proved.left, *result.left))


def diff_lines(before: str, after: str, shown: str, how: str) -> Iterator[str]:
    """A unified diff of a stack file and what becomes of it."""
    from difflib import unified_diff

    old, new = before.splitlines(), after.splitlines()
    return unified_diff(old, new, fromfile=shown, tofile=f"{shown} ({how})", lineterm="")


def styled(diff: list[str]) -> list[str]:
    """A diff in colours."""
    colors = {"-": "red", "+": "green", "@": "cyan"}
    return [click.style(line, fg=colors.get(line[:1])) for line in diff]


def _lines(stack: str, result: Edited, left: tuple[Left, ...], *, written: bool) -> list[str]:
    lines = [str(edit) for edit in result.made]
    lines += [str(item) for item in left]
    if not result.made:
        return [*lines, f"{stack}: nothing to tidy"]
    lists = counted(len(result.made), "list")
    done = "changed in the stack file" if written else "to tidy; --write changes the stack file"
    return [*lines, f"{stack}: {lists} {done}; no connection is treated differently"]


def _plain(
    stack: str, result: Edited, left: tuple[Left, ...], *, written: bool, diff: list[str]
) -> dict[str, Any]:
    from fsm_stack.yaml.places import path_text

    return {
        "stack": stack,
        "written": written,
        "lists": [_plain_list(edit) for edit in result.made],
        "left": [{"path": path_text(item.path), "why": item.why} for item in left],
        "diff": diff,
    }


def _plain_list(edit: ListEdit) -> dict[str, Any]:
    from fsm_stack.yaml.places import path_text

    return {
        "path": path_text(edit.path),
        "before": [entry.value for entry in edit.before],
        "after": [_plain_entry(item) for item in edit.after],
    }


def _plain_entry(item: Kept) -> dict[str, Any]:
    return {
        "value": item.value,
        "reason": item.reason or None,
        "owner": item.owner or None,
        "until": item.until.isoformat() if item.until else None,
        "merged": list(item.merged),
    }
