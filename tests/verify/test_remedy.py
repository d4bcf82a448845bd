"""A restart is advised where it helps, and not where the injector would write the same again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm_stack.verify.restarting.restarts import lines, restarts
from fsm_stack.verify.why import explain

from .world import DEV, World, expected, pod_json, world

RESTART = "kubectl rollout restart deployment/web -n shop"
APPLY = "Run `pulumi up --refresh` for the stack"
KEY = "flomesh.io/outbound-port-exclusion-list"
NEWER = DEV.replace("[6379, 7070]", "[5432, 6379, 7070]")


def ahead() -> World:
    """The stack declares a port more, and nobody has run `pulumi up` yet."""
    mesh = world()
    return replace(mesh, known=expected(NEWER))


def by_hand(value: str = "8080,9092") -> World:
    """Somebody annotated the running pod, as the guides say, and not its owner's template."""
    mesh = world()
    mesh.the("Pod")["metadata"]["annotations"][KEY] = value
    mesh.the("MeshConfig")["metadata"]["managedFields"] = [
        {
            "manager": "pulumi",
            "time": "2026-06-01T00:00:00Z",
            "fieldsV1": {"f:spec": {"f:traffic": {"f:outboundPortExclusionList": {}}}},
        }
    ]
    return mesh


def test_a_pod_older_than_the_settings_is_restarted() -> None:
    mesh = world(NEWER)
    mesh.remove("Pod")
    mesh.objects.append(pod_json(expected(DEV)))
    (stale,) = mesh.outcome("pod-stale").findings
    assert stale.message == "its rules are older than the settings: it lacks 5432"
    assert stale.value == "1 difference, made 2026-07-01T10:00:00Z"
    assert stale.fix == RESTART
    listed = restarts(mesh.context())
    assert [one.command for one in listed.owners] == [f"{RESTART} --context test"]
    assert listed.later == ()


@pytest.mark.requirement("C17")
def test_a_stack_ahead_of_the_cluster_is_applied_before_a_restart() -> None:
    mesh = ahead()
    (stale,) = mesh.outcome("pod-stale").findings
    assert stale.message == (
        "its rules are not those declared, and neither is the cluster's MeshConfig: it lacks 5432"
    )
    (rule,) = mesh.outcome("pod-rules").findings
    assert stale.fix == rule.fix == f"{APPLY}, then: {RESTART}"
    context = mesh.context()
    listed = restarts(context)
    assert listed.owners == ()
    assert (
        f"# first: {APPLY}: 1 pod waits for that, a restart alone does not give the declared rules"
        in lines(context, listed, batch=10)
    )


def test_without_the_mesh_config_a_restart_is_in_vain() -> None:
    mesh = ahead()
    mesh.remove("MeshConfig")
    (stale,) = mesh.outcome("pod-stale").findings
    assert stale.fix == f"{APPLY}, then: {RESTART}"
    assert restarts(mesh.context()).owners == ()
    answer = explain(mesh.context(), "10.0.0.8:5432")
    assert answer.cause == "config-absent"
    assert answer.why == (
        "the cluster has no MeshConfig fsm-mesh-config: the injector reads none of the declared "
        "lists"
    )
    assert answer.fix == f"{APPLY}, then: {RESTART}"


@pytest.mark.requirement("C16")
def test_an_annotation_of_the_running_pod_is_put_into_the_template_before_a_restart() -> None:
    mesh = by_hand()
    fix = f"Put the annotation into the owner's pod template, then: {RESTART}"
    (stale,) = mesh.outcome("pod-stale").findings
    assert stale.message == (
        "an annotation was put on the running pod, and its rules are older: it lacks 8080, 9092"
    )
    (rule,) = mesh.outcome("pod-rules").findings
    assert stale.fix == rule.fix == fix
    assert restarts(mesh.context()).owners == ()


@pytest.mark.requirement("C16", "C35")
def test_the_injector_is_not_blamed_for_an_annotation_of_the_running_pod() -> None:
    """The pod is younger than the MeshConfig, and older than its annotation."""
    answer = explain(by_hand().context(), "10.0.0.8:9092")
    assert answer.cause == "pod-not-restarted"
    assert answer.why.startswith("only an annotation of the running pod excludes it")
    assert answer.fix == f"Put the annotation into the owner's pod template, then: {RESTART}"


def test_an_annotation_of_the_template_too_is_one_for_a_restart() -> None:
    mesh = by_hand()
    template = mesh.the("Deployment", "web")["spec"]["template"]
    template["metadata"]["annotations"][KEY] = "8080,9092"
    (stale,) = mesh.outcome("pod-stale").findings
    assert stale.fix == RESTART
