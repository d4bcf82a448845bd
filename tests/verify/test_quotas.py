"""Quotas and limit ranges that do not take the mesh's containers."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Status
from fsm_stack.workloads.quota import Limited, refusals

from .world import DEV, World, world

Json = dict[str, Any]
SIZED = DEV.replace(
    "config:\n",
    "config:\n  fsm-stack:sidecar:\n"
    "    resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 1500m, memory: 512Mi}}\n"
    "    initResources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 50m, memory: 64Mi}}\n",
)
APPLICATION = {"requests": {"cpu": "200m", "memory": "64Mi"},
               "limits": {"cpu": "400m", "memory": "128Mi"}}  # fmt: skip


def quota(hard: Json, used: Json | None = None, **spec: Any) -> Json:  # JSON
    return {"apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": {"name": "team", "namespace": "shop"},
            "spec": {"hard": hard, **spec}, "status": {"used": used or {}}}  # fmt: skip


def limits(**entry: Json) -> Json:
    return {"apiVersion": "v1", "kind": "LimitRange",
            "metadata": {"name": "range", "namespace": "shop"},
            "spec": {"limits": [{"type": "Container", **entry}]}}  # fmt: skip


def mesh_of(*items: Json, text: str = SIZED) -> World:
    mesh = world(text)
    mesh.the("Deployment", "web")["spec"]["template"]["spec"] = {
        "containers": [{"name": "app", "resources": APPLICATION}]
    }
    mesh.objects += items
    return mesh


def test_a_quota_that_asks_for_what_the_meshs_containers_lack_refuses_every_pod() -> None:
    mesh = mesh_of(quota({"limits.cpu": "10", "pods": "9"}), text=DEV)
    (item,) = mesh.outcome("namespace-quota").findings
    assert (item.severity, item.place.path) == ("error", "ResourceQuota shop/team")
    assert item.message == (
        "refuses the next pods of Deployment web: ResourceQuota team of namespace shop asks for "
        "requests and limits of every container, and the mesh's have none"
    )
    assert item.value == "failed quota: team: must specify limits.cpu for: fsm-init,sidecar"
    assert item.fix == (
        "Set sidecar.resources and sidecar.initResources, or make a LimitRange with defaults in "
        "namespace shop."
    )


def test_defaults_of_a_limit_range_are_what_it_asks_for() -> None:
    """The remedy that is printed, carried out."""
    mesh = mesh_of(quota({"limits.cpu": "10"}), limits(default={"cpu": "1"}), text=DEV)
    assert mesh.outcome("namespace-quota").status is Status.PASSED


def test_resources_of_the_mesh_are_too() -> None:
    mesh = mesh_of(quota({"limits.cpu": "10", "requests.memory": "1Gi"}))
    assert mesh.outcome("namespace-quota").status is Status.PASSED


@pytest.mark.parametrize(
    ("used", "message"),
    [
        ("700m", []),  # 200m and 100m fit
        ("701m", ["has no room for another pod of Deployment web: ResourceQuota team of namespace "
                  "shop leaves no room for its pods"]),
        ("801m", []),  # the application alone does not
    ],
)  # fmt: skip
def test_the_sidecar_is_what_has_no_room_or_nothing_is_said(used: str, message: list[str]) -> None:
    mesh = mesh_of(quota({"cpu": "1"}, {"cpu": used}))
    assert mesh.messages("namespace-quota") == message
    if message:
        (item,) = mesh.outcome("namespace-quota").findings
        assert item.severity == "warning"
        assert item.value == (
            "exceeded quota: team, requested: cpu=300m, used: cpu=701m, limited: cpu=1"
        )


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"max": {"cpu": "1"}},
         "maximum cpu usage per Container is 1, but limit is 1500m (container sidecar)"),
        ({"min": {"memory": "32Mi"}},
         "minimum memory usage per Container is 32Mi, but request is 16Mi (container fsm-init)"),
    ],
)  # fmt: skip
def test_a_limit_range_that_the_sidecar_is_outside_of_refuses_every_pod(
    entry: Json, said: str
) -> None:
    mesh = mesh_of(limits(**entry))
    (item,) = mesh.outcome("namespace-quota").findings
    assert (item.severity, item.value) == ("error", said)
    assert item.place.path == "LimitRange shop/range"


def test_an_annotation_of_the_template_counts() -> None:
    mesh = mesh_of(limits(max={"cpu": "1"}))
    template = mesh.the("Deployment", "web")["spec"]["template"]["metadata"]
    template["annotations"] = {
        "flomesh.io/sidecar-resource-limits-cpu": "1",
        "flomesh.io/sidecar-resource-requests-cpu": "50m",
    }
    assert mesh.outcome("namespace-quota").status is Status.PASSED


@pytest.mark.parametrize(
    "spec", [{"scopes": ["BestEffort"]}, {"scopeSelector": {"matchExpressions": []}}]
)
def test_a_quota_of_some_pods_is_not_judged(spec: Json) -> None:
    mesh = mesh_of(quota({"limits.cpu": "10"}, **spec), text=DEV)
    assert mesh.outcome("namespace-quota").status is Status.PASSED


def test_an_owner_that_is_not_injected_is_none_of_the_meshs() -> None:
    mesh = mesh_of(quota({"limits.cpu": "10"}), text=DEV)
    template = mesh.the("Deployment", "web")["spec"]["template"]["metadata"]
    template["annotations"] = {"flomesh.io/sidecar-injection": "disabled"}
    assert mesh.outcome("namespace-quota").status is Status.PASSED


def test_what_the_account_may_not_read_is_said_and_what_nobody_gave_is_not() -> None:
    mesh = mesh_of()
    mesh.not_read = {Part.QUOTAS: "not read: forbidden"}
    outcome = mesh.outcome("namespace-quota")
    assert (outcome.status, outcome.why) == (Status.NOT_RUN, "not read: forbidden")


def test_a_pod_takes_its_containers_or_its_largest_init_container() -> None:
    pod = [
        Limited(name="a", resources={"requests": {"cpu": "100m"}}),
        Limited(name="b", resources={"limits": {"cpu": "200m"}}),  # its request, too
        Limited(name="i", init=True, resources={"requests": {"cpu": "400m"}}),
    ]
    (said,) = refusals(pod, [], [quota({"requests.cpu": "1"}, {"requests.cpu": "601m"})])
    assert said == (
        "ResourceQuota", "team",
        "exceeded quota: team, requested: requests.cpu=400m, used: requests.cpu=601m, limited: "
        "requests.cpu=1",
    )  # fmt: skip
    assert not list(refusals(pod, [], [quota({"requests.cpu": "1"}, {"requests.cpu": "600m"})]))
