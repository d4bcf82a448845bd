"""A report as metrics of Prometheus, in its text format.

Everything that is alerted on or drawn is one of ``METRICS``. A state is a set of series, one for
each value, of which one is 1: an alert then names the state that it means.

Source: Prometheus' exposition formats, text format 0.0.4; OpenMetrics, state sets.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from fsm_stack import __version__
from fsm_stack.findings.finding import Severity, harmless
from fsm_stack.verify.check import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.verify.check import Report

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

INFO: Final = "fsm_stack_verify_info"
TIMESTAMP: Final = "fsm_stack_verify_timestamp_seconds"
DURATION: Final = "fsm_stack_verify_duration_seconds"
COMPLETE: Final = "fsm_stack_verify_complete"
PODS: Final = "fsm_stack_verify_pods"
CHECK: Final = "fsm_stack_verify_check_status"
FINDINGS: Final = "fsm_stack_verify_findings"

# Every metric: its labels, and what it says. All are gauges.
METRICS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    INFO: (
        ("version", "system", "mesh", "context"),
        "Which mesh was looked at, by which version; always 1.",
    ),
    TIMESTAMP: ((), "When the checks were made."),
    DURATION: ((), "How long reading it and all checks took."),
    COMPLETE: ((), "1 where every check looked at everything, else 0."),
    PODS: ((), "How many pods were looked at."),
    CHECK: (("check", "group", "status"), "1 for the status that a check has, 0 for the others."),
    FINDINGS: (("check", "severity"), "How many findings a check has."),
}


def metrics(report: Report, *, took: float) -> str:
    """The whole text, ending in a line feed.

    Args:
        report: the answers.
        took: seconds.
    """
    context = report.context
    about = (__version__, context.system.name, context.expected.mesh.name, _source(report))
    samples: dict[str, Iterator[str]] = {
        INFO: _one(INFO, 1, *about),
        TIMESTAMP: _one(TIMESTAMP, int(context.now.timestamp())),
        DURATION: _one(DURATION, round(took, 3)),
        COMPLETE: _one(COMPLETE, int(report.complete)),
        PODS: _one(PODS, len(context.pods)),
        CHECK: _statuses(report),
        FINDINGS: _findings(report),
    }
    return "".join(f"{line}\n" for name in METRICS for line in (*_head(name), *samples[name]))


def _source(report: Report) -> str:
    return harmless(report.context.snapshot.source.context)


def _statuses(report: Report) -> Iterator[str]:
    for outcome in report.outcomes:
        for status in Status:
            check = outcome.check
            yield from _one(CHECK, int(outcome.status is status), check.id, check.group, status)


def _findings(report: Report) -> Iterator[str]:
    for outcome in report.outcomes:
        counts = Counter(item.severity for item in outcome.findings)
        for severity in Severity:
            yield from _one(FINDINGS, counts[severity], outcome.check.id, severity)


def _head(name: str) -> Iterator[str]:
    yield f"# HELP {name} {METRICS[name][1]}"
    yield f"# TYPE {name} gauge"


def _one(name: str, value: float, *labels: str) -> Iterator[str]:
    pairs = zip(METRICS[name][0], labels, strict=True)
    written = ",".join(f'{label}="{_escaped(text)}"' for label, text in pairs)
    yield f"{name}{{{written}}} {value}" if written else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
