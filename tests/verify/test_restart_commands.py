"""What makes a pod anew, and with which command."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fsm_stack.snapshot.objects import Owner, owner_of
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.report import restart_json
from fsm_stack.verify.restarting.restarts import lines, restarts

from .world import DEV, World, expected, pod_json, world

HASH = "pod-template-hash"


def owner(name: str, *, kind: str = "ReplicaSet", **labels: str) -> Owner | None:
    given = {key.replace("_", "-"): value for key, value in labels.items()}
    references = [{"kind": kind, "name": name, "controller": True}]
    return owner_of({"uid": "u", "labels": given, "ownerReferences": references})


def test_a_replica_set_of_a_deployment_has_its_hash() -> None:
    web = Owner(kind="Deployment", name="web")
    assert owner("web-abc", pod_template_hash="abc") == web
    assert owner("web-58d4f8ff58") == web  # a description may leave the labels out


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("lone", {}),
        ("lone-web", {}),
        ("lone-v2", {}),
        ("roll-58d4f8ff58", {"rollouts_pod_template_hash": "58d4f8ff58"}),
    ],
)
def test_a_replica_set_of_its_own_is_no_deployment(name: str, labels: dict[str, str]) -> None:
    assert owner(name, **labels) == Owner(kind="ReplicaSet", name=name)


def stale(**spec: Any) -> World:
    """A pod of before the settings, whose owner has these fields."""
    mesh = world()
    mesh.remove("Pod")
    mesh.objects.append(pod_json(expected(DEV.replace("7070", "7171"))))
    mesh.the("Deployment", "web")["spec"] |= spec
    return mesh


def test_a_paused_deployment_is_resumed_first() -> None:
    (one,) = restarts(stale(paused=True).context()).owners
    assert one.command == (
        "kubectl rollout resume deployment/web -n shop --context test && "
        "kubectl rollout restart deployment/web -n shop --context test"
    )
    (one,) = restarts(stale(paused=False).context()).owners
    assert one.command == "kubectl rollout restart deployment/web -n shop --context test"


def test_a_pod_whose_script_does_not_load_is_made_anew_once_the_lists_are_mended() -> None:
    """It carries the script that it was made with, so it never recovers by itself."""
    mesh = world()
    sixteen = ",".join(map(str, range(21000, 21016)))
    pod = mesh.the("Pod", "web-7f9c5d-x2x")
    assert "6379,7070" in json.dumps(pod)
    broken = json.loads(json.dumps(pod).replace("6379,7070", sixteen))
    broken["status"]["initContainerStatuses"][0]["state"] = {
        "waiting": {"reason": "CrashLoopBackOff"}
    }
    mesh.objects[mesh.objects.index(pod)] = broken
    (one,) = restarts(mesh.context()).owners
    assert one.command == "kubectl rollout restart deployment/web -n shop --context test"
    mesh.the("MeshConfig")["spec"]["traffic"]["outboundPortExclusionList"] = list(range(1, 17))
    listed = restarts(mesh.context())
    assert (len(listed.owners), len(listed.refused)) == (0, 1)


@pytest.mark.parametrize("strategy", ["OnDelete", "RollingUpdate"])
def test_an_owner_that_waits_for_deletions_gets_them(strategy: str) -> None:
    mesh = stale(updateStrategy={"type": strategy})
    owner_item = mesh.the("Deployment", "web")
    owner_item |= {"kind": "DaemonSet"}
    for item in mesh.objects:
        if item["kind"] == "Pod":
            item["metadata"]["ownerReferences"] = [
                {"kind": "DaemonSet", "name": "web", "controller": True}
            ]
    listed = restarts(mesh.context())
    (one,) = listed.owners
    if strategy == "OnDelete":
        assert one.command == "kubectl delete pod web-7f9c5d-x2x -n shop --context test"
        assert one.wait == ""
    else:
        assert one.command == "kubectl rollout restart daemonset/web -n shop --context test"
        assert one.wait.startswith("kubectl rollout status daemonset/web")
    assert one.command in list(lines(mesh.context(), listed, batch=10))


def test_nothing_restarts_without_a_warning_while_no_injector_takes_new_pods() -> None:
    """A StatefulSet ends its pods before it makes the next: refused, they are lost."""
    mesh = stale()
    assert restarts(mesh.context()).broken == ()
    mesh.the("EndpointSlice")["endpoints"] = []
    listed = restarts(mesh.context())
    why = (
        "Service fsm-system/fsm-injector has no ready endpoint: with failurePolicy Fail new pods "
        "of the mesh wait or are refused"
    )
    assert listed.broken == (why,)
    assert listed.owners == ()
    (refused,) = listed.refused
    assert refused.why.endswith(f"; and new pods are lost: {why}")
    assert refused.first.startswith("kubectl rollout restart deployment/fsm-injector")
    shown = list(lines(mesh.context(), listed, batch=10))
    assert not [line for line in shown if line.startswith("kubectl")]
    first = "# first: mend the injection, or restarted pods are lost: "
    assert f"{first}{why}" in list(lines(mesh.context(), listed, batch=10))
    assert restart_json(mesh.context(), listed)["first"] == [why]
    mesh.remove("Pod")
    mesh.objects.append(pod_json(mesh.known))
    assert restarts(mesh.context()).broken == ()  # there is nothing to restart


def test_a_webhook_that_passes_new_pods_by_is_mended_before_a_restart() -> None:
    """Else restarted pods come back without a sidecar."""
    mesh = stale()
    (entry,) = mesh.the("MutatingWebhookConfiguration", "fsm-webhook-fsm")["webhooks"]
    entry["rules"][0]["operations"] = ["UPDATE"]
    assert restarts(mesh.context()).broken == (
        "no rule of it is about new pods (CREATE of v1 pods): they get no sidecar",
    )


def test_an_authority_that_nobody_trusts_is_told_once() -> None:
    mesh = stale()
    (entry,) = mesh.the("MutatingWebhookConfiguration", "fsm-webhook-fsm")["webhooks"]
    entry["clientConfig"]["caBundle"] = ""
    (why,) = restarts(mesh.context()).broken
    assert why.startswith("caBundle is empty: the API server cannot trust the injector")


def test_the_controllers_own_webhook_keeps_no_pod_away() -> None:
    mesh = stale()
    item = mesh.the("ValidatingWebhookConfiguration", "fsm-validator-mesh-fsm")
    item["webhooks"][0]["clientConfig"]["caBundle"] = ""
    assert restarts(mesh.context()).broken == ()


def test_whether_a_pod_should_have_a_sidecar_is_unknown_without_its_namespace() -> None:
    """A dump of pods alone has no stale pod, and no answer either."""
    mesh = world()
    pod = mesh.the("Pod")
    pod["spec"]["initContainers"] = []
    pod["spec"]["containers"].pop()
    assert [one.why for one in restarts(mesh.context()).owners] == ["it has no sidecar"]
    mesh.remove("Namespace", "shop")
    mesh.not_read = {Part.NAMESPACES: "namespaces: not in files"}
    listed = restarts(mesh.context())
    assert listed.owners == ()
    assert listed.unknown == (
        "whether a pod without a sidecar should have one is unknown: namespaces: not in files",
    )
