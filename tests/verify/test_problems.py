"""Causes before symptoms, one problem once, and the commands in order."""

from __future__ import annotations

import json

import pytest

from fsm_stack.findings.catalogue import rule
from fsm_stack.findings.finding import Severity, finding
from fsm_stack.verify.check import Check, Outcome, Report, Status, run_checks
from fsm_stack.verify.every import CHECKS
from fsm_stack.verify.problems import commands, problems, verdict
from fsm_stack.verify.report import all_lines, as_json, lines

from .world import DEV, World, check, expected, pod_json, world

SIXTEEN = list(range(21000, 21016))


def report(mesh: World, *only: str) -> Report:
    context = mesh.context()
    chosen = [check(name) for name in only] or CHECKS
    return Report(context=context, outcomes=run_checks(context, chosen))


def stale() -> World:
    mesh = world()
    mesh.remove("Pod")
    mesh.objects.append(pod_json(expected(DEV.replace(", 7070", ""))))
    return mesh


def failing() -> World:
    """An init container that fails again and again, and a pod that waits for it."""
    mesh = world()
    status = mesh.the("Pod")["status"]
    status["phase"] = "Pending"
    status["initContainerStatuses"][0] |= {
        "ready": False, "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}},
    }  # fmt: skip
    for one in status["containerStatuses"]:
        one |= {"ready": False, "state": {"waiting": {"reason": "PodInitializing"}}}
    return mesh


def folded(known: Report) -> dict[str, list[str]]:
    return {
        problem.check.id: [check_id for root in problem.roots for check_id, _ in root.hence]
        for problem in problems(known)
    }


def test_a_pod_that_waits_for_its_init_container_is_one_problem() -> None:
    assert folded(report(failing())) == {"pod-init": ["pod-ready", "pod-ready"]}


def test_a_symptom_whose_cause_was_not_looked_for_stays() -> None:
    assert list(folded(report(failing(), "pod-ready"))) == ["pod-ready"]


def test_another_pods_cause_takes_no_symptom() -> None:
    mesh = failing()
    other = pod_json(mesh.known, "cart-5b8d6c-k4d")
    other["status"]["containerStatuses"][1]["ready"] = False
    mesh.objects.append(other)
    assert folded(report(mesh)) == {"pod-ready": [], "pod-init": ["pod-ready", "pod-ready"]}


def test_missing_rules_of_a_stale_pod_are_told_with_it() -> None:
    known = report(stale())
    assert folded(known) == {"pod-stale": ["pod-rules"]}
    assert verdict(known, problems(known)) == (
        "1 problem: a pod runs with rules older than the settings (pod shop/web-7f9c5d-x2x); 0 of "
        "1 pod fine"
    )


def test_what_stops_the_next_pods_is_said_first_and_once() -> None:
    mesh = stale()
    mesh.the("MeshConfig")["spec"]["traffic"]["outboundPortExclusionList"] = SIXTEEN
    known = report(mesh)
    assert folded(known) == {
        "next-pod": ["cluster-lists", "cluster-mesh-config-content", "pod-rules", "pod-stale"]
    }
    assert next(lines(known)) == (
        "1 problem: every pod that restarts now will not start: spec.traffic."
        "outboundPortExclusionList: expected at most 15 ports, got 16; 0 of 1 pod fine"
    )
    assert list(lines(known))[-3:] == [
        "run, in order:",
        "  pulumi up --refresh",
        "  kubectl --context test rollout restart deployment/web -n shop",
    ]


def test_two_differences_that_one_command_mends_are_two_problems() -> None:
    """Else a missing right would hide below a list."""
    mesh = world()
    mesh.the("MeshConfig")["spec"]["traffic"]["outboundPortExclusionList"] = [6379]
    mesh.the("MeshConfig")["spec"]["sidecar"]["logLevel"] = "debug"
    assert folded(report(mesh)) == {"cluster-lists": [], "cluster-mesh-config-drift": []}


def test_json_keeps_every_finding_and_has_the_verdict() -> None:
    known = as_json(report(failing()))
    by_id = {one["id"]: one for one in known["checks"]}
    assert len(by_id["pod-ready"]["findings"]) == 2
    assert known["verdict"].startswith("1 problem: the init container has not loaded the rules")
    assert json.dumps(known)


def test_a_check_that_failed_is_not_called_by_what_is_right() -> None:
    shown = [line for line in all_lines(report(failing())) if "[pod-init]" in line]
    assert shown[0] == "  FAILED  the init container has not loaded the rules [pod-init]"


def fixed(*fixes: str) -> Report:
    """A report whose findings have these fixes."""
    known = report(world(), "pod-init")
    items = tuple(
        finding("pod-init", "m", path=f"pod shop/p{number}", fix=fix)
        for number, fix in enumerate(fixes)
    )
    own = Check(id="pod-init", title="t", run=lambda _: iter(()), group="pod")
    outcome = Outcome(check=own, status=Status.FAILED, findings=items)
    return Report(context=known.context, outcomes=(outcome,))


@pytest.mark.parametrize(
    ("fix", "wanted"),
    [
        ("kubectl delete pod a -n b # its Job makes it anew",
         ["kubectl --context test delete pod a -n b # its Job makes it anew"]),
        ("kubectl rollout resume d/w && kubectl rollout restart d/w",
         ["kubectl --context test rollout resume d/w && kubectl --context test rollout restart "
          "d/w"]),
        ("Correct it: kubectl edit d/w, then: kubectl rollout restart d/w",
         ["# Correct it", "kubectl --context test edit d/w",
          "kubectl --context test rollout restart d/w"]),
        ("Put the annotation there, then: kubectl rollout restart d/w",
         ["# Put the annotation there", "kubectl --context test rollout restart d/w"]),
        ("Run `pulumi up --refresh` for the stack with x: true: a conflict",
         ["# Run `pulumi up --refresh` for the stack with x: true: a conflict",
          "pulumi up --refresh"]),
        ("kubectl rollout restart d/w ; until then: kubectl delete mwc x",
         ["kubectl --context test rollout restart d/w"]),
        ("Correct its template's annotations: kubectl edit d/w",
         ["# Correct its template's annotations", "kubectl --context test edit d/w"]),
        ("Run `pulumi up` for the stack with x: true, or declare what it has.",
         ["# Run `pulumi up` for the stack with x: true", "pulumi up"]),
        ("Correct the entry.", []),
        ("Raise ResourceQuota 'a: kubectl delete ns shop' there", []),
    ],
)  # fmt: skip
def test_commands_are_for_the_context_that_was_read(fix: str, wanted: list[str]) -> None:
    """A text of the cluster's that only looks like a command is none."""
    known = fixed(fix, fix)
    assert list(commands(known, problems(known))) == wanted


def test_a_report_that_could_not_look_is_not_all_well() -> None:
    known = report(world(), "pod-init")
    outcome = Outcome(check=known.outcomes[0].check, status=Status.NOT_RUN, why="forbidden")
    blind = Report(context=known.context, outcomes=(outcome,))
    assert verdict(blind, ()) == "no problem found; 1 check could not look at everything"


def test_warnings_alone_are_called_so() -> None:
    known = report(world(), "pod-init")
    item = finding("pod-init", "m", path="pod shop/p", severity=Severity.WARNING)
    outcome = Outcome(check=known.outcomes[0].check, status=Status.WARNED, findings=(item,))
    warned = Report(context=known.context, outcomes=(outcome,))
    assert verdict(warned, problems(warned)).startswith("1 warning: ")


def test_what_no_command_does_stands_in_the_order_too_with_whom_it_helps() -> None:
    """Else who runs the list from the top never mends what no command mends."""
    modules, restart = "Load xt_owner on the node.", "kubectl rollout restart d/w"
    known = fixed(modules, modules, restart)
    assert list(commands(known, problems(known))) == [
        f"# pod shop/p0 and 1 more: {modules}",
        "kubectl --context test rollout restart d/w",
    ]
    alone = fixed(modules)
    assert list(commands(alone, problems(alone))) == []


def test_an_edit_says_what_to_write() -> None:
    edit = "kubectl edit meshconfig m"
    known = fixed(f"spec.a: Write 1: {edit}", f"spec.b: Write 2: {edit}", "kubectl delete pod a")
    assert list(commands(known, problems(known))) == [
        "# spec.a: Write 1",
        "# spec.b: Write 2",
        "kubectl --context test edit meshconfig m",
        "kubectl --context test delete pod a",
    ]


def test_pods_of_a_namespace_that_is_wrong_are_not_fine() -> None:
    mesh = world()
    assert "1 of 1 pod fine" in verdict(report(mesh), problems(report(mesh)))
    mesh.the("Namespace", "shop")["metadata"]["annotations"] = {
        "openservicemesh.io/sidecar-injection": "enabled"
    }
    known = report(mesh)
    assert verdict(known, problems(known)).endswith("; 0 of 1 pod fine")


def test_an_owner_without_pods_follows_from_the_authority_that_nobody_trusts() -> None:
    restart = "kubectl rollout restart deployment/fsm-injector -n fsm-system"
    ours = finding("cluster-webhook-ca", "expired", path="MutatingWebhookConfiguration m",
                   fix=f"{restart} ; for new pods until then: kubectl delete mwc m")  # fmt: skip
    theirs = finding("owner-pods", "0 of 1 pods exist", path="Deployment shop/web",
                     fix=f"{restart}, then: kubectl rollout restart d/w")  # fmt: skip
    context = report(world(), "pod-init").context
    outcomes = tuple(
        Outcome(check=check(item.id), status=Status.FAILED, findings=(item,))
        for item in (ours, theirs)
    )
    known = Report(context=context, outcomes=outcomes)
    assert folded(known) == {"cluster-webhook-ca": ["owner-pods"]}
    assert list(commands(known, problems(known))) == [
        restart.replace("kubectl", "kubectl --context test"),
        "kubectl --context test rollout restart d/w",
    ]


def test_what_is_worst_gives_the_problem_its_title() -> None:
    port = finding("excludes-mesh-port", "443", path="MeshConfig a/b spec")
    whole = finding("excludes-mesh-traffic", "10.96.0.0/16", path="MeshConfig a/b spec")
    own = check("cluster-mesh-config-content")
    outcome = Outcome(check=own, status=Status.FAILED, findings=(port, whole))
    (one,) = problems(Report(context=report(world(), "pod-init").context, outcomes=(outcome,)))
    assert one.words.startswith(rule("excludes-mesh-traffic").title)
