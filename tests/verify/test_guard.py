"""Checks of the guard, each broken once."""

from __future__ import annotations

import pytest

from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Status

from .world import DEV, World, world

POLICY = "ValidatingAdmissionPolicy"
BINDING = "ValidatingAdmissionPolicyBinding"


def test_a_missing_policy_is_named() -> None:
    mesh = world()
    mesh.remove(POLICY, "fsm-guard-pods")
    (finding,) = mesh.outcome("cluster-guard").findings
    assert (str(finding.place), finding.message) == (
        f"{POLICY} fsm-guard-pods",
        "it is not there: what it should refuse is kept",
    )
    assert finding.fix == "Run `pulumi up --refresh` for the stack."


def test_a_binding_that_was_softened_says_what_it_does_and_who_wrote_it() -> None:
    mesh = world()
    item = mesh.the(BINDING, "fsm-guard-mesh-config")
    item["spec"]["validationActions"] = ["Audit"]
    item["metadata"]["managedFields"] = [
        {
            "manager": "kubectl-edit",
            "time": "2026-06-30T09:00:00Z",
            "fieldsV1": {"f:spec": {"f:validationActions": {}}},
        }
    ]
    (finding,) = mesh.outcome("cluster-guard").findings
    assert finding.message == (
        "spec.validationActions differs from what is declared, written by kubectl-edit at "
        "2026-06-30T09:00:00Z"
    )
    assert finding.value == "actions Audit"


def test_a_policy_with_other_rules_says_which() -> None:
    mesh = world()
    rules = mesh.the(POLICY, "fsm-guard-mesh-config")["spec"]["validations"]
    for rule in rules[:4]:
        rule["expression"] = "true"
    assert mesh.messages("cluster-guard") == [
        "spec.validations[0].expression, spec.validations[1].expression, "
        "spec.validations[2].expression and 1 more differ from what is declared"
    ]


def test_what_the_api_server_doubts_is_said() -> None:
    mesh = world()
    mesh.the(POLICY, "fsm-guard-pods")["status"] = {
        "typeChecking": {
            "expressionWarnings": [
                {"fieldRef": "spec.validations[0].expression", "warning": "undeclared reference"}
            ]
        }
    }
    (finding,) = mesh.outcome("cluster-guard").findings
    assert finding.message == (
        "the API server doubts spec.validations[0].expression: what it cannot evaluate it decides "
        "by failurePolicy"
    )
    assert finding.value == "undeclared reference"


REFUSAL = (
    "pods \"web-x\" is forbidden: ValidatingAdmissionPolicy 'fsm-guard-pods' with binding "
    "'fsm-guard-pods' denied request: outbound ports of the init script: expected at most 15 "
    "ports, got 16 [too-many-ports]"
)


def told(mesh: World, message: str) -> None:
    mesh.objects.append(
        {
            "kind": "Event",
            "metadata": {"name": f"web.{len(mesh.objects)}", "namespace": "shop"},
            "involvedObject": {"kind": "ReplicaSet", "namespace": "shop", "name": "web-7f9c5d"},
            "type": "Warning",
            "reason": "FailedCreate",
            "message": message,
        }
    )


def test_a_refusal_in_an_event_is_told_in_the_policys_own_words() -> None:
    mesh = world()
    told(mesh, f"Error creating: {REFUSAL}")
    told(mesh, REFUSAL.replace("fsm-guard-pods", "another-policy"))
    (finding,) = mesh.outcome("cluster-guard-refused").findings
    assert (str(finding.place), finding.value) == ("ReplicaSet shop/web-7f9c5d", "fsm-guard-pods")
    assert finding.message == (
        "outbound ports of the init script: expected at most 15 ports, got 16 [too-many-ports]"
    )


def test_a_refusal_in_a_deployments_status_is_told_and_is_why_its_pods_lack() -> None:
    mesh = world()
    failed = {"type": "ReplicaFailure", "status": "True", "message": REFUSAL}
    mesh.the("Deployment", "web")["status"] = {"replicas": 0, "conditions": [failed]}
    (finding,) = mesh.outcome("cluster-guard-refused").findings
    assert str(finding.place) == "Deployment shop/web"
    (lacking,) = mesh.outcome("owner-pods").findings
    assert "admission policy fsm-guard-pods refuses its pods" in lacking.message


@pytest.mark.parametrize("check_id", ["cluster-guard", "cluster-guard-refused"])
def test_a_stack_without_a_guard_is_no_business_of_the_checks(check_id: str) -> None:
    mesh = world(DEV.replace("meshConfig: deny, pods: deny, bypasses: warn", ""))
    assert mesh.outcome(check_id).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("check_id", ["cluster-guard", "cluster-guard-refused"])
def test_policies_that_were_not_read_are_no_answer(check_id: str) -> None:
    mesh = world()
    mesh.not_read = {Part.POLICIES: "not read: forbidden"}
    assert mesh.outcome(check_id).status is Status.NOT_RUN


def test_others_policies_are_nobodys_business() -> None:
    mesh = world()
    name = {"name": "acme-no-latest-tag"}
    mesh.objects.append({"kind": POLICY, "metadata": name, "spec": {"validations": []}})
    assert len(mesh.snapshot().policies) == 10
    assert mesh.outcome("cluster-guard").status is Status.PASSED
