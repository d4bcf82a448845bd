"""A report as SARIF: its findings, and what could not be checked.

Objects of a cluster have no file: results carry logical locations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fsm_stack import sarif as writer
from fsm_stack.verify.check import Status
from fsm_stack.verify.report import safe

if TYPE_CHECKING:
    from fsm_stack.findings import Finding
    from fsm_stack.verify.check import Report


def sarif(report: Report) -> dict[str, Any]:
    """The whole document; a check that did not run is a notification, and the run no success."""
    not_run = [
        {
            "level": "error",
            "message": {"text": writer.plain(f"{one.check.title}: {one.why}")},
            "descriptor": {"id": one.check.id},
        }
        for one in report.outcomes
        if one.status is Status.NOT_RUN or (one.why and not one.complete)
    ]
    return writer.sarif(
        map(_with_what_was_seen, report.findings),
        invocation={
            "executionSuccessful": report.complete,
            "toolExecutionNotifications": not_run,
        },
    )


def _with_what_was_seen(item: Finding) -> Finding:
    shown = safe(item)
    return replace(shown, message=f"{shown.message} Seen: {shown.value}") if shown.value else shown
