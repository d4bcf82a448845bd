"""The answers as metrics of Prometheus."""

from __future__ import annotations

import re
from dataclasses import replace

from fsm_stack import __version__
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Report, run_checks
from fsm_stack.verify.every import CHECKS
from fsm_stack.verify.metrics import METRICS, metrics

from .world import World, check, world

# Source: Prometheus' exposition formats, a sample of the text format.
SAMPLE = re.compile(
    r'(?P<name>[a-z_]+)(\{(?P<labels>([a-z]+="([^"\\]|\\.)*",?)*)\})? (?P<value>[0-9.]+)'
)


def report(mesh: World, *only: str) -> Report:
    context = mesh.context()
    chosen = [check(name) for name in only] or CHECKS
    return Report(context=context, outcomes=run_checks(context, chosen))


def samples(text: str) -> dict[str, float]:
    """Every series and its value."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in lines), text
    return {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines)}


def test_a_check_has_one_status_of_five_and_counts_its_findings() -> None:
    mesh = world()
    mesh.the("Pod")["status"]["containerStatuses"][1]["ready"] = False

    text = metrics(report(mesh, "pod-ready"), took=1.23456)

    now = int(mesh.context().now.timestamp())
    assert text.splitlines() == [
        "# HELP fsm_stack_verify_info Which mesh was looked at, by which version; always 1.",
        "# TYPE fsm_stack_verify_info gauge",
        f'fsm_stack_verify_info{{version="{__version__}",system="fsm",mesh="fsm",context="test"}} 1',
        "# HELP fsm_stack_verify_timestamp_seconds When the checks were made.",
        "# TYPE fsm_stack_verify_timestamp_seconds gauge",
        f"fsm_stack_verify_timestamp_seconds {now}",
        "# HELP fsm_stack_verify_duration_seconds How long reading it and all checks took.",
        "# TYPE fsm_stack_verify_duration_seconds gauge",
        "fsm_stack_verify_duration_seconds 1.235",
        "# HELP fsm_stack_verify_complete 1 where every check looked at everything, else 0.",
        "# TYPE fsm_stack_verify_complete gauge",
        "fsm_stack_verify_complete 1",
        "# HELP fsm_stack_verify_pods How many pods were looked at.",
        "# TYPE fsm_stack_verify_pods gauge",
        "fsm_stack_verify_pods 1",
        "# HELP fsm_stack_verify_check_status 1 for the status that a check has, 0 for the others.",
        "# TYPE fsm_stack_verify_check_status gauge",
        'fsm_stack_verify_check_status{check="pod-ready",group="pod",status="passed"} 0',
        'fsm_stack_verify_check_status{check="pod-ready",group="pod",status="failed"} 1',
        'fsm_stack_verify_check_status{check="pod-ready",group="pod",status="warned"} 0',
        'fsm_stack_verify_check_status{check="pod-ready",group="pod",status="not run"} 0',
        'fsm_stack_verify_check_status{check="pod-ready",group="pod",status="not applicable"} 0',
        "# HELP fsm_stack_verify_findings How many findings a check has.",
        "# TYPE fsm_stack_verify_findings gauge",
        'fsm_stack_verify_findings{check="pod-ready",severity="error"} 1',
        'fsm_stack_verify_findings{check="pod-ready",severity="warning"} 0',
        'fsm_stack_verify_findings{check="pod-ready",severity="info"} 0',
    ]


def test_every_check_and_every_metric_is_there() -> None:
    found = samples(metrics(report(world()), took=1))

    assert {series.partition("{")[0] for series in found} == set(METRICS)
    states = [value for series, value in found.items() if "check_status" in series]
    assert len(states) == 5 * len(CHECKS)
    assert sum(states) == len(CHECKS)


def test_what_could_not_be_read_is_no_success() -> None:
    mesh = world()
    context = mesh.context()
    snapshot = replace(context.snapshot, not_read={Part.PODS: "forbidden"})
    context = replace(context, snapshot=snapshot)

    found = samples(metrics(Report(context=context, outcomes=run_checks(context, CHECKS)), took=1))

    assert found["fsm_stack_verify_complete"] == 0
    assert any(value and 'status="not run"' in series for series, value in found.items())


def test_a_context_of_any_name_is_one_label() -> None:
    """Quotes and line ends would make series of a kubeconfig's words."""
    context = world().context()
    source = replace(context.snapshot.source, context='a"b\\c\n')
    context = replace(context, snapshot=replace(context.snapshot, source=source))

    text = metrics(Report(context=context, outcomes=()), took=1)

    assert r'context="a\"b\\c\\n"' in text
    assert samples(text)
