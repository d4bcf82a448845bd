"""Reports for people, programs and code scanning."""

from __future__ import annotations

import pytest

from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Report, Status, run_checks
from fsm_stack.verify.every import CHECKS
from fsm_stack.verify.report import all_lines, as_json, lines, sarif, summary

from .world import World, check, world


def report(mesh: World, *only: str) -> Report:
    context = mesh.context()
    chosen = [check(name) for name in only] or CHECKS
    return Report(context=context, outcomes=run_checks(context, chosen))


def test_a_clean_report_is_its_verdict_and_a_count() -> None:
    assert list(lines(report(world()), took=1.25)) == [
        "all is well; 1 of 1 pod fine",
        "context test",
        "server  https://127.0.0.1:6443",
        "stack   dev (fsm)",
        "asked   pod/web-7f9c5d-x2x -n shop: 1 pod",
        "",
        f"{len(CHECKS)} checks: {len(CHECKS) - 3} passed, 3 not applicable; took 1.2 s",
    ]


def test_every_check_is_one_line_where_all_are_asked_for() -> None:
    text = list(all_lines(report(world())))
    assert text[:6] == [
        "all is well; 1 of 1 pod fine",
        "context test",
        "server  https://127.0.0.1:6443",
        "stack   dev (fsm)",
        "asked   pod/web-7f9c5d-x2x -n shop: 1 pod",
        "",
    ]
    assert text[6:11] == [
        "texts",
        "  -       no event and no log tells of a failure [told-cause]: no event or log was pasted",
        "",
        "next pod",
        "  ok      every pod that restarts now will start [next-pod]",
    ]
    assert len([line for line in text if line.startswith("  ok ")]) == len(CHECKS) - 3
    assert text[-1] == f"{len(CHECKS)} checks: {len(CHECKS) - 3} passed, 3 not applicable"


def test_a_finding_has_its_place_its_reason_what_was_seen_and_a_fix() -> None:
    mesh = world()
    mesh.the("Pod")["status"]["containerStatuses"][1]["ready"] = False
    text = list(lines(report(mesh, "pod-ready")))
    assert text[0] == (
        "1 problem: a container of an injected pod is not ready (pod shop/web-7f9c5d-x2x); 0 of 1 "
        "pod fine"
    )
    start = next(index for index, line in enumerate(text) if line.startswith("FAILED"))
    assert text[start:] == [
        "FAILED  a container of an injected pod is not ready [pod-ready]",
        "    error: pod shop/web-7f9c5d-x2x: the sidecar is not ready: running [pod-ready]",
        "      seen: READY 1/2, status Running",
        "      fix:  kubectl logs web-7f9c5d-x2x -c sidecar -n shop",
        "",
        "1 check: 0 passed, 1 failed",
        "",
        "run, in order:",
        "  kubectl --context test logs web-7f9c5d-x2x -c sidecar -n shop",
    ]


@pytest.mark.parametrize(
    ("count", "last"), [(10, None), (11, "    and 1 more; --output json has all")]
)
def test_ten_findings_of_a_check_are_shown_and_the_eleventh_is_counted(
    count: int, last: str | None
) -> None:
    mesh = world()
    pod = mesh.the("Pod")
    pod["metadata"]["annotations"] = {f"flomesh.io/a{number}": "" for number in range(count)}
    text = list(lines(report(mesh, "pod-annotation-effect")))
    assert sum("pod shop/web-7f9c5d-x2x: " in line for line in text) == 10
    assert next((line for line in text if "more; --output" in line), None) == last


def test_many_findings_are_cut_in_text_and_whole_in_json() -> None:
    mesh = world()
    pod = mesh.the("Pod")
    pod["metadata"]["annotations"] = {f"flomesh.io/a{number}": "" for number in range(25)}
    known = report(mesh, "pod-annotation-effect")
    assert "    and 15 more; --output json has all" in list(lines(known))
    assert "      and 15 more; --output json has all" in list(all_lines(known))
    assert len(as_json(known)["checks"][0]["findings"]) == 25


def test_what_did_not_run_is_counted_apart_and_makes_the_report_incomplete() -> None:
    mesh = world()
    mesh.not_read = {Part.MUTATING: "not read: forbidden", Part.PODS: "not read: half of them"}
    known = report(mesh, "cluster-webhook", "pod-init", "cluster-lists")
    assert [one.status for one in known.outcomes] == [
        Status.NOT_RUN,
        Status.NOT_RUN,
        Status.PASSED,
    ]
    assert summary(known) == "3 checks: 1 passed, 2 not run"
    assert as_json(known)["complete"] is False


def test_findings_of_a_part_that_was_read_half_are_kept_and_told_as_half() -> None:
    mesh = world()
    mesh.not_read = {Part.PODS: "not read: half of them"}
    mesh.the("Pod")["spec"]["initContainers"] = []
    known = report(mesh, "pod-init")
    assert known.outcomes[0].status is Status.FAILED
    assert summary(known) == "1 check: 0 passed, 1 failed, 1 looked at a part only"
    assert not known.complete


def test_sarif_has_rules_results_and_what_did_not_run() -> None:
    mesh = world()
    mesh.the("Pod")["spec"]["initContainers"] = []
    mesh.not_read = {Part.MUTATING: "not read: forbidden"}
    known = sarif(report(mesh, "pod-init", "cluster-webhook"))
    (run,) = known["runs"]
    assert known["version"] == "2.1.0"
    assert [one["id"] for one in run["tool"]["driver"]["rules"]] == ["pod-init"]
    (result,) = run["results"]
    assert result["ruleId"] == "pod-init"
    assert result["level"] == "error"
    assert result["locations"] == [
        {
            "logicalLocations": [
                {"fullyQualifiedName": "pod shop/web-7f9c5d-x2x", "kind": "resource"}
            ]
        }
    ]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"][0]["message"]["text"] == (
        "the injector's webhook is there: not read: forbidden"
    )
