"""What stands beside workloads in the input: quotas, limit ranges, Services."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.workloads.documents import split
from fsm_stack.workloads.stream import Context, run
from fsm_stack.yaml.write import dump
from tests.given import ID, mesh, namespace, pod

QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "compute", "namespace": "shop"},
    "spec": {"hard": {"limits.cpu": "8", "requests.memory": "4Gi", "pods": "10"}},
}
RANGE = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "sizes", "namespace": "shop"},
    "spec": {"limits": [{"type": "Container", "default": {"cpu": "1", "memory": "1Gi"}}]},
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "redis", "namespace": "shop"},
    "spec": {"ports": [{"port": 80, "targetPort": 8080}, {"port": 6379}]},
}
RESOURCES = {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "100m"}}


def linted(*objects: dict[str, Any], **spec: Any) -> tuple[list[tuple[str, str]], int, int]:
    """Id and message of every finding of the mesh's; how many objects are looked at, passed."""
    known = mesh(**spec)
    context = Context(
        mesh=known,
        proxy_id=lambda *_: ID,
        dump=dump,
        namespaces={"shop": namespace(of=known)},
        default_namespace="shop",
    )
    text = "---\n".join(map(dump, objects))
    outcomes = list(run(split(text.splitlines(keepends=True), file="f"), context))
    found = [
        (item.id, item.message)
        for one in outcomes
        for item in one.findings()
        if item.id in {"quota-unmet", "limit-range", "excludes-mesh-port"}
    ]
    return found, sum(one.looked for one in outcomes), sum(len(one.passed) for one in outcomes)


def test_a_quota_asks_the_meshs_containers_for_resources_too() -> None:
    """H30: the API server refuses the pod, and the Deployment has none."""
    assert linted(QUOTA, pod()) == (
        [
            (
                "quota-unmet",
                "ResourceQuota compute asks them of every container, and sidecar has no "
                "limits.cpu, requests.memory; fsm-init has no limits.cpu, requests.memory: no pod "
                "is created",
            )
        ],
        2,
        0,
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"scopes": ["BestEffort"]},
        {"scopes": ["Terminating"]},
        {"scopeSelector": {"matchExpressions": []}},
        {"hard": {"pods": "3", "services": "1"}},
    ],
)
def test_a_quota_that_asks_no_container_is_met(fields: dict[str, Any]) -> None:
    quota = {**QUOTA, "spec": {**QUOTA["spec"], **fields}}  # type: ignore[dict-item]
    assert linted(quota, pod())[0] == []


def test_the_fixes_of_a_quota() -> None:
    """Resources in the stack, or a limit range with defaults; a limit is a request, too."""
    sidecar = {
        "resources": RESOURCES,
        "initResources": RESOURCES,
        "healthcheckResources": RESOURCES,
    }
    assert linted(QUOTA, pod(), sidecar=sidecar)[0] == []
    assert linted(QUOTA, RANGE, pod())[0] == []
    other = {**QUOTA, "metadata": {"name": "compute", "namespace": "other"}}
    assert linted(other, pod())[0] == []
    assert linted(QUOTA, pod({"flomesh.io/sidecar-injection": "disabled"}))[0] == []


def test_a_limit_range_refuses_what_is_too_large_or_too_small() -> None:
    item = {"type": "Container", "max": {"cpu": "500m"}, "min": {"memory": "600Mi"}}
    narrow = {**RANGE, "spec": {"limits": [item, {"type": "Pod", "max": {"cpu": "1m"}}]}}
    sidecar = {"resources": RESOURCES}
    found, *_ = linted(narrow, pod(), sidecar=sidecar)
    assert found == [
        (
            "limit-range",
            "LimitRange sizes takes at most 500m of cpu as a container's limit, and sidecar has "
            "1: no pod is created",
        ),
        (
            "limit-range",
            "LimitRange sizes takes at least 600Mi of memory as a container's request, and sidecar "
            "has 512Mi: no pod is created",
        ),
    ]
    fitting = {"limits": {"cpu": "500m", "memory": "600Mi"}, "requests": {"cpu": "100m"}}
    assert linted(narrow, pod(), sidecar={"resources": fitting})[0] == []


def test_a_services_port_that_every_pod_excludes_is_told() -> None:
    """H31: its callers leave the mesh, whatever its own pods do."""
    traffic = {"outboundPortExclusionList": [6379]}
    message = (
        "port 6379 is in the mesh's outboundPortExclusionList: requests of the mesh's pods to this "
        "Service bypass it"
    )
    assert linted(SERVICE, traffic=traffic) == ([("excludes-mesh-port", message)], 1, 0)
    listed = {"apiVersion": "v1", "kind": "List", "items": [SERVICE]}
    assert linted(listed, traffic=traffic)[0] == [("excludes-mesh-port", message)]
    headless = {"clusterIP": "None", "ports": [{"port": 80, "targetPort": 6379}]}
    assert linted({**SERVICE, "spec": headless}, traffic=traffic)[0] == [
        ("excludes-mesh-port", message)
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"spec": {"ports": [{"port": 6379, "protocol": "UDP"}]}},
        {"spec": {"type": "ExternalName", "ports": [{"port": 6379}]}},
        {"spec": {"clusterIP": "None", "ports": [{"port": 6379, "targetPort": 80}]}},
        {"spec": {"ports": "none"}},
        {"spec": None},
        {"apiVersion": "serving.knative.dev/v1"},
    ],
)
def test_other_services_are_left_alone(fields: dict[str, Any]) -> None:
    assert linted({**SERVICE, **fields}, traffic={"outboundPortExclusionList": [6379]})[0] == []


def test_without_exclusions_services_are_passed_over_unread() -> None:
    assert linted(SERVICE) == ([], 0, 1)
