"""A report as text, as plain values and as SARIF.

Objects of a cluster have no file: results carry logical locations.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import counted
from fsm_stack.findings import finding as writer
from fsm_stack.findings.catalogue import rule
from fsm_stack.findings.finding import Severity, harmless
from fsm_stack.snapshot.snapshot import FILES, NOT_IN_FILES, Part
from fsm_stack.verify.check import Status
from fsm_stack.verify.problems import commands, problems, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.verify.check import Check, Context, Outcome, Report
    from fsm_stack.verify.problems import Problem
    from fsm_stack.verify.restarting.restarts import RestartList
    from fsm_stack.verify.why import Why

_SHOWN: Final = 10
_PARTS: Final = frozenset(part.value for part in Part)
_COMMAND_MAX: Final = 1200
_WORDS: Final = {
    Status.PASSED: "ok",
    Status.FAILED: "FAILED",
    Status.WARNED: "warned",
    Status.NOT_RUN: "NOT RUN",
    Status.NOT_APPLICABLE: "-",
}
_WIDTH: Final = 8
_SEVERE: Final = {
    Severity.ERROR: "FAILED",
    Severity.WARNING: "warned",
    Severity.INFO: "noted",
}


def safe(item: Finding) -> Finding:
    """A finding whose texts can be shown: they come from objects that anyone may have made."""
    return replace(
        item,
        message=harmless(item.message),
        value=None if item.value is None else harmless(item.value, limit=_COMMAND_MAX),
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


def lines(report: Report, *, took: float | None = None) -> Iterator[str]:
    """The report for people: the verdict, each problem once, what to run; the rest is counted.

    Args:
        report: the answers.
        took: seconds.
    """
    known = problems(report)
    yield harmless(verdict(report, known), limit=_COMMAND_MAX)
    yield from head(report.context)
    for problem in known:
        yield ""
        yield from _problem(problem)
    if partly := [*_by_reason(report), *_passed_over(report)]:
        yield ""
        yield from partly
    yield ""
    yield _summed(report, took)
    if todo := commands(report, known):
        yield ""
        yield "run, in order:"
        yield from (f"  {harmless(one, limit=_COMMAND_MAX)}" for one in todo[:_SHOWN])
        if (more := len(todo) - _SHOWN) > 0:
            yield f"  # and {more} more: fsm-stack restart-list prints restarts in batches"


def _problem(problem: Problem) -> Iterator[str]:
    word = _SEVERE[problem.severity].ljust(_WIDTH)
    yield f"{word}{problem.title} [{problem.check.id}]"
    for root in problem.roots[:_SHOWN]:
        yield from _finding(root.finding, "    ")
        for check_id, titles in groupby(root.hence, key=lambda pair: pair[0]):
            messages = [harmless(item.message) for _, item in titles]
            others = f"; and {len(messages) - 1} more" if len(messages) > 1 else ""
            yield f"      hence {check_id}: {messages[0]}{others}"
    if (more := len(problem.roots) - _SHOWN) > 0:
        yield f"    and {more} more; --output json has all"


def _by_reason(report: Report) -> list[str]:
    """Checks that did not run, or looked at a part only: those with one reason in one line."""
    reasons: dict[tuple[str, str], list[Check]] = {}
    lacking: dict[str, None] = {}
    count = 0
    for one in report.outcomes:
        if one.complete:
            continue
        parts = [part.removesuffix(NOT_IN_FILES) for part in one.why.split("; ")]
        if one.status is Status.NOT_RUN and _PARTS.issuperset(parts):
            count += 1
            lacking.update(dict.fromkeys(parts))
            continue
        word = "NOT RUN" if one.status is Status.NOT_RUN else "in part"
        reasons.setdefault((word, one.why), []).append(one.check)
    shown = []
    if count:
        shown.append(
            f"{'NOT RUN'.ljust(_WIDTH)}{counted(count, 'check')}: the files hold no "
            f"{', '.join(lacking)}; --all names the checks"
        )
    for (word, reason), checks in reasons.items():
        why = harmless(reason, limit=_COMMAND_MAX)
        alone = f"{checks[0].title} [{checks[0].id}]: {why}"
        several = f"{why}: {', '.join(check.id for check in checks)}"
        shown.append(f"{word.ljust(_WIDTH)}{alone if len(checks) == 1 else several}")
    return shown


def _passed_over(report: Report) -> Iterator[str]:
    """What was given and no check reads."""
    for one in _unused(report.context):
        yield f"{'unused'.ljust(_WIDTH)}{harmless(one, limit=_COMMAND_MAX)}"


def _unused(context: Context) -> tuple[str, ...]:
    """What no check reads, with manifests of workloads: without a mesh nothing is said of them."""
    snapshot = context.snapshot
    if context.expected.declared or snapshot.mesh_configs or snapshot.pods:
        return snapshot.passed_over
    kinds = Counter(kind for kind, _, _ in snapshot.owners)
    manifests = (
        f"{counted(count, kind)}: fsm-stack lint STACK -f FILE checks manifests of workloads"
        for kind, count in sorted(kinds.items())
    )
    return (*manifests, *snapshot.passed_over)


def _summed(report: Report, took: float | None) -> str:
    return summary(report) + ("" if took is None else f"; took {took:.1f} s")


def all_lines(report: Report, *, shown: int = _SHOWN, took: float | None = None) -> Iterator[str]:
    """The report for people, every check with all that it found.

    Args:
        report: the answers.
        shown: findings of one check; the others are counted.
        took: seconds.
    """
    yield harmless(verdict(report, problems(report)), limit=_COMMAND_MAX)
    yield from head(report.context)
    for group, outcomes in groupby(report.outcomes, key=lambda outcome: outcome.check.group):
        yield ""
        yield group
        for outcome in outcomes:
            yield from _outcome(outcome, shown)
    yield ""
    yield from _passed_over(report)
    yield _summed(report, took)


def _outcome(outcome: Outcome, shown: int) -> Iterator[str]:
    why = f": {harmless(outcome.why, limit=_COMMAND_MAX)}" if outcome.why else ""
    word = _WORDS[outcome.status].ljust(_WIDTH)
    wrong = outcome.status in {Status.FAILED, Status.WARNED}
    title = rule(outcome.check.id).title if wrong else outcome.check.title
    yield f"  {word}{title} [{outcome.check.id}]{why}"
    for item in outcome.findings[:shown]:
        yield from _finding(item, "      ")
    if (more := len(outcome.findings) - shown) > 0:
        yield f"      and {more} more; --output json has all"


def _finding(given: Finding, before: str) -> Iterator[str]:
    item = safe(given)
    yield f"{before}{item.severity}: {item.place.path}: {item.message} [{item.id}]"
    if item.value:
        yield f"{before}  seen: {item.value}"
    if item.fix:
        yield f"{before}  fix:  {item.fix}"


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
        "verdict": harmless(verdict(report, problems(report)), limit=_COMMAND_MAX),
        "pods": len(report.context.pods),
        "complete": report.complete,
        "passedOver": [harmless(one) for one in _unused(report.context)],
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
        "taken": harmless(source.taken) or _now(context),
        "stack": harmless(context.expected.title),
        "system": context.system.name,
        "asked": harmless(context.asked) or None,
    }


def _now(context: Context) -> str | None:
    """When a cluster was read that answers now; of files that do not say it nobody knows."""
    live = context.snapshot.source.context != FILES
    return context.now.strftime("%Y-%m-%dT%H:%M:%SZ") if live else None


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
