"""``fsm-stack bypasses``: what goes around the mesh, why, whose it is, until when."""

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
    stacks_argument,
    stops,
)
from fsm_stack.harmless import harmless

if TYPE_CHECKING:
    from pathlib import Path

    from fsm_stack.edges.project import Stack
    from fsm_stack.findings import Finding
    from fsm_stack.settings.bypasses import Bypass

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
    emit({"stacks": [_plain(report) for report in reports]}, _lines(reports))
    leave(failed=any(stops(report.findings, fail_on) for report in reports))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    stack: str
    bypasses: tuple[Bypass, ...]
    findings: tuple[Finding, ...]  # about bypasses; all of them when nothing could be listed


def _report(stack: Stack) -> _Report:
    from fsm_stack.settings.bypasses import bypasses as declared

    if stack.settings is None:
        return _Report(stack=stack.name, bypasses=(), findings=stack.findings)
    expired = tuple(item for item in stack.findings if item.id == _EXPIRED)
    known = declared(stack.settings, datetime.now(UTC).date())
    return _Report(stack=stack.name, bypasses=known, findings=expired)


def _plain(report: _Report) -> dict[str, Any]:
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


def _lines(reports: list[_Report]) -> list[str]:
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
    end = f"until {item.until}{' (past)' if item.expired else ''}" if item.until else "no end"
    line = (
        f"{item.value:18}  {item.reason or 'no reason given'}; {item.owner or 'no owner'}; {end}"
    )
    return harmless(line, limit=None)
