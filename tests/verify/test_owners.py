"""Owners whose pods nobody sees, because they were never made."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.findings.finding import Severity
from fsm_stack.snapshot.anonymize import anonymous
from fsm_stack.verify.check import Status

from .world import World, world

CHECK = "owner-pods"
PORTS = "flomesh.io/outbound-port-exclusion-list"
REFUSED = (
    'Internal error occurred: failed calling webhook "fsm-inject.k8s.io": tls: failed to verify'
)

CAUSE = "webhook fsm-inject.k8s.io does not answer, and without it no pod is made"


def owner(mesh: World) -> dict[str, Any]:
    found: dict[str, Any] = mesh.the("Deployment", "web")
    return found


def failing(mesh: World, *, exist: int = 0) -> None:
    owner(mesh)["spec"]["replicas"] = 2
    owner(mesh)["status"] = {
        "replicas": exist,
        "conditions": [
            {"type": "Progressing", "status": "True", "reason": "canary"},
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
             "message": REFUSED},
        ],
    }  # fmt: skip


def test_pods_that_could_not_be_made_are_an_error_of_the_whole_mesh() -> None:
    mesh = world()
    mesh.asked = ""
    mesh.remove("Pod")
    failing(mesh)
    (finding,) = mesh.outcome(CHECK).findings
    assert finding.severity is Severity.ERROR
    assert finding.message == f"0 of 2 pods exist: {CAUSE}"
    assert finding.value == REFUSED
    assert finding.place.path == "Deployment shop/web"
    assert finding.fix == (
        "kubectl rollout restart deployment/fsm-injector -n fsm-system, then: kubectl rollout "
        "restart deployment/web -n shop"
    )


def test_a_deployment_without_pods_says_how_many_it_should_have() -> None:
    mesh = world()
    mesh.asked = "deployment/web -n shop"
    mesh.remove("Pod")
    failing(mesh)
    assert mesh.messages(CHECK) == [f"0 of 2 pods exist: {CAUSE}"]
    owner(mesh)["status"] = {"observedGeneration": 1}  # an API server leaves zeros out
    assert mesh.messages(CHECK) == ["0 of 2 pods exist"]
    assert mesh.outcome("pod-ready").why == (
        "deployment/web -n shop has no pod to look at: 0 of 2 pods exist"
    )
    owner(mesh)["spec"]["replicas"] = 0
    owner(mesh)["status"] = {"observedGeneration": 1}
    assert mesh.messages(CHECK) == []
    assert mesh.outcome("pod-ready").why == "deployment/web -n shop has no pod to look at"


def test_a_rollout_that_makes_no_new_pod_is_an_error_beside_enough_old_ones() -> None:
    mesh = world()
    failing(mesh, exist=2)
    assert mesh.messages(CHECK) == [f"no new pod can be made: {CAUSE}"]


def test_some_pods_of_many_are_a_warning_until_their_controller_is_refused() -> None:
    mesh = world()
    owner(mesh)["spec"]["replicas"] = 3
    (finding,) = mesh.outcome(CHECK).findings
    assert (finding.message, finding.severity) == ("1 of 3 pods exist", Severity.WARNING)


def test_a_daemonset_counts_its_nodes() -> None:
    mesh = world()
    mesh.asked = ""
    item = owner(mesh)
    item["kind"] = "DaemonSet"
    del item["spec"]["replicas"]
    item["status"] = {"desiredNumberScheduled": 3, "currentNumberScheduled": 3}
    assert mesh.outcome(CHECK).status is Status.PASSED
    item["status"]["currentNumberScheduled"] = 0
    assert mesh.messages(CHECK) == ["0 of 3 pods exist"]


def test_an_owner_that_no_controller_has_looked_at_is_no_shortfall() -> None:
    mesh = world()
    del owner(mesh)["status"]
    assert mesh.messages(CHECK) == []


def test_an_owner_that_is_being_deleted_lacks_no_pod() -> None:
    mesh = world()
    failing(mesh)
    owner(mesh)["metadata"]["deletionTimestamp"] = "2026-07-01T11:00:00Z"
    assert mesh.messages(CHECK) == []


@pytest.mark.parametrize(
    ("annotations", "message", "path"),
    [
        (
            {PORTS: "abc"},
            f"Invalid port value 'abc' specified for annotation '{PORTS}'",
            f"spec.template.metadata.annotations.{PORTS}",
        ),
        (
            {"flomesh.io/sidecar-injection": "maybe"},
            'invalid annotation value for key "flomesh.io/sidecar-injection": maybe',
            "spec.template.metadata.annotations.flomesh.io/sidecar-injection",
        ),
    ],
)
def test_a_template_that_the_injector_refuses_is_an_error(
    annotations: dict[str, str], message: str, path: str
) -> None:
    mesh = world()
    owner(mesh)["spec"]["template"]["metadata"]["annotations"] = annotations
    (finding,) = mesh.outcome(CHECK).findings
    assert finding.message == f"the injector refuses its next pods: {message}"
    assert finding.fix == f"Correct {path}."


def test_a_namespace_that_refuses_every_pod_is_told_once() -> None:
    mesh = world()
    annotations = mesh.the("Namespace", "shop")["metadata"]["annotations"]
    annotations["flomesh.io/sidecar-injection"] = "maybe"
    assert mesh.messages(CHECK) == []
    assert len(mesh.messages("namespace-enrolled")) == 2


def test_owners_outside_the_mesh_are_nobodys_business_here() -> None:
    """A template that declines the sidecar, or shares the node's network, is never refused."""
    mesh = world()
    template = owner(mesh)["spec"]["template"]
    failing(mesh)
    template["metadata"]["annotations"] = {"flomesh.io/sidecar-injection": "no", PORTS: "abc"}
    outcome = mesh.outcome(CHECK)
    assert outcome.status is Status.NOT_APPLICABLE
    assert outcome.why == "no owner here makes pods of the mesh"
    template["metadata"]["annotations"] = {PORTS: "abc"}
    template["spec"] = {"hostNetwork": True}
    assert mesh.outcome(CHECK).status is Status.NOT_APPLICABLE


def test_an_annotation_on_an_owner_without_pods_is_seen_too() -> None:
    mesh = world()
    mesh.asked = ""
    mesh.remove("Pod")
    owner(mesh)["metadata"]["annotations"] = {PORTS: "80"}
    assert mesh.messages("owner-annotations") == [
        f"annotation {PORTS} stands on the Deployment, not in its pod template: nobody reads it"
    ]


def test_only_the_failure_of_an_owners_conditions_is_kept_and_its_text_not_anonymously() -> None:
    mesh = world()
    failing(mesh)
    kept = mesh.snapshot().owners["Deployment", "shop", "web"]
    assert "canary" not in str(kept)
    assert REFUSED in str(kept)
    (hidden,) = anonymous([kept], salt="s")
    assert REFUSED not in str(hidden)
    assert "FailedCreate" in str(hidden)


def test_an_injector_that_is_down_is_mended_before_an_owner_is_restarted() -> None:
    mesh = world()
    failing(mesh)
    mesh.the("Deployment", "fsm-injector")["spec"]["replicas"] = 0
    (finding,) = mesh.outcome(CHECK).findings
    assert finding.fix == (
        "kubectl scale deployment/fsm-injector --replicas=1 -n fsm-system, then: kubectl rollout "
        "restart deployment/web -n shop"
    )


@pytest.mark.parametrize(
    ("said", "cause", "fix"),
    [
        (
            'pods "web-x" is forbidden: violates PodSecurity "baseline:latest": non-default '
            'capabilities (container "fsm-init" must not include "NET_ADMIN")',
            "pod security baseline:latest of namespace shop refuses its pods",
            "kubectl label namespace shop pod-security.kubernetes.io/enforce=privileged "
            "--overwrite, then: ",
        ),
        (
            'pods "web-x" is forbidden: exceeded quota: few, requested: pods=1',
            "ResourceQuota few of namespace shop leaves no room for its pods",
            "Raise ResourceQuota few in namespace shop, or lower the pods' requests, then: ",
        ),
        (
            'admission webhook "fsm-inject.k8s.io" denied the request: Invalid port',
            "webhook fsm-inject.k8s.io refuses its pods",
            "Correct what the injector names in its pod template, then: ",
        ),
    ],
)
def test_a_refusal_ends_in_its_cause(said: str, cause: str, fix: str) -> None:
    mesh = world()
    failing(mesh)
    owner(mesh)["status"]["conditions"][1]["message"] = said
    (finding,) = mesh.outcome(CHECK).findings
    assert (finding.message, finding.value) == (f"0 of 2 pods exist: {cause}", said)
    assert finding.fix == f"{fix}kubectl rollout restart deployment/web -n shop"


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_an_event_tells_the_cause_where_a_status_does_not(kind: str) -> None:
    """Only a Deployment has a condition for it."""
    mesh = world()
    mesh.asked = ""
    item = owner(mesh)
    item["kind"] = kind
    item["status"] = {"desiredNumberScheduled": 1, "observedGeneration": 1}
    assert mesh.messages(CHECK) == ["0 of 1 pods exist"]
    mesh.objects.append({
        "kind": "Event", "type": "Warning", "reason": "FailedCreate",
        "metadata": {"name": "e", "namespace": "shop"},
        "involvedObject": {"kind": kind, "namespace": "shop", "name": "web"},
        "message": "pods is forbidden: exceeded quota: few, requested: pods=1",
    })  # fmt: skip
    assert mesh.messages(CHECK) == [
        "0 of 1 pods exist: ResourceQuota few of namespace shop leaves no room for its pods"
    ]
