"""A report as text, as plain values and as SARIF.

Objects of a cluster have no file: results carry logical locations.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings import finding as writer
from fsm_stack.verify.check import Status
from fsm_stack.verify.commands import counted, harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.verify.check import Context, Outcome, Report
    from fsm_stack.verify.restarts import RestartList
    from fsm_stack.verify.why import Why

_SHOWN: Final = 10
_COMMAND_MAX: Final = 1200
_WORDS: Final = {
    Status.PASSED: "ok",
    Status.FAILED: "FAILED",
    Status.WARNED: "warned",
    Status.NOT_RUN: "NOT RUN",
    Status.NOT_APPLICABLE: "-",
}
_WIDTH: Final = 8


def safe(item: Finding) -> Finding:
    """A finding whose texts can be shown: they come from objects that anyone may have made."""
    return replace(
        item,
        message=harmless(item.message),
        value=None if item.value is None else harmless(item.value),
        fix=harmless(item.fix, limit=_COMMAND_MAX),
        place=replace(item.place, path=harmless(item.place.path)),
    )


def head(context: Context) -> list[str]:
    """Which cluster, which server, which stack: the first lines of every report."""
    source = context.snapshot.source
    lines = [
        f"context {harmless(source.context)}",
        f"server  {harmless(source.server) or 'none asked'}",
        f"stack   {harmless(context.expected.title)} ({context.system.name})",
    ]
    if source.taken:
        lines.append(f"taken   {harmless(source.taken)}")
    if context.asked:
        lines.append(f"asked   {harmless(context.asked)}: {counted(len(context.pods), 'pod')}")
    return lines


def lines(report: Report, *, shown: int = _SHOWN) -> Iterator[str]:
    """The report for people.

    Args:
        report: the answers.
        shown: findings of one check; the others are counted.
    """
    yield from head(report.context)
    for group, outcomes in groupby(report.outcomes, key=lambda outcome: outcome.check.group):
        yield ""
        yield group
        for outcome in outcomes:
            yield from _outcome(outcome, shown)
    yield ""
    yield summary(report)


def _outcome(outcome: Outcome, shown: int) -> Iterator[str]:
    why = f": {harmless(outcome.why, limit=_COMMAND_MAX)}" if outcome.why else ""
    word = _WORDS[outcome.status].ljust(_WIDTH)
    yield f"  {word}{outcome.check.title} [{outcome.check.id}]{why}"
    for item in map(safe, outcome.findings[:shown]):
        yield f"      {item.severity}: {item.place.path}: {item.message} [{item.id}]"
        if item.value:
            yield f"        seen: {item.value}"
        if item.fix:
            yield f"        fix:  {item.fix}"
    if (more := len(outcome.findings) - shown) > 0:
        yield f"      and {more} more; --output json has all"


def summary(report: Report) -> str:
    """How many checks passed, failed, and did not run."""
    counts = Counter(outcome.status for outcome in report.outcomes)
    parts = [
        f"{counts[status]} {status.value}"
        for status in Status
        if counts[status] or status is Status.PASSED
    ]
    partly = sum(
        not outcome.complete and outcome.status is not Status.NOT_RUN
        for outcome in report.outcomes
    )
    if partly:
        parts.append(f"{partly} looked at a part only")
    return f"{counted(len(report.outcomes), 'check')}: {', '.join(parts)}"


def as_json(report: Report) -> dict[str, Any]:
    """Plain values, all findings."""
    return _source(report.context) | {
        "pods": len(report.context.pods),
        "complete": report.complete,
        "checks": [
            replace(
                outcome,
                findings=tuple(map(safe, outcome.findings)),
                why=harmless(outcome.why, limit=_COMMAND_MAX),
            ).as_json()
            for outcome in report.outcomes
        ],
    }


def why_lines(context: Context, answer: Why) -> Iterator[str]:
    """The walk to the cause, for people."""
    yield from head(context)
    yield ""
    yield f"{harmless(answer.destination)}"
    for step in answer.steps:
        yield f"  {harmless(step)}"
    yield f"cause: {answer.cause}: {harmless(answer.why)}"
    if answer.fix:
        yield f"fix:   {harmless(answer.fix, limit=_COMMAND_MAX)}"


def why_json(context: Context, answer: Why) -> dict[str, Any]:
    """The same for programs."""
    return _source(context) | {
        key: [harmless(one) for one in value]
        if isinstance(value, list)
        else value and harmless(value, limit=_COMMAND_MAX)
        for key, value in answer.as_json().items()
    }


def _source(context: Context) -> dict[str, Any]:
    source = context.snapshot.source
    return {
        "context": harmless(source.context),
        "server": harmless(source.server),
        "clusterUid": harmless(source.uid) or None,
        "taken": harmless(source.taken) or None,
        "stack": harmless(context.expected.title),
        "system": context.system.name,
        "asked": harmless(context.asked) or None,
    }


def restart_json(context: Context, listed: RestartList) -> dict[str, Any]:
    """The restart list for programs."""
    not_read = {part.value: harmless(why) for part, why in context.snapshot.not_read.items()}
    return _source(context) | {
        "pods": sum(len(one.pods) for one in listed.owners),
        "owners": [one.as_json() for one in listed.owners],
        "refused": [one.as_json() for one in listed.refused],
        "first": [harmless(what) for what in (*listed.stopped, *listed.broken, *listed.later)],
        "notCompared": [harmless(why) for why in listed.unknown],
        "notRead": not_read,
    }


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
