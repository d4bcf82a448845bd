"""What stands beside workloads in the input: quotas, limit ranges, Services, AccessControls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.project.workload_files import documents, learn_from
from fsm_stack.systems import FSM
from fsm_stack.workloads.documents import split
from fsm_stack.workloads.lint.beside import Peers, service_ports
from fsm_stack.workloads.stream import Context, run
from fsm_stack.yaml.write import dump
from tests.given import ID, container, mesh, namespace, pod

if TYPE_CHECKING:
    from pathlib import Path

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
# Of the application: what a quota refuses of it, too, is none of the mesh's doing.
FITTING = {
    "limits": {"cpu": "100m", "memory": "700Mi"},
    "requests": {"cpu": "100m", "memory": "700Mi"},
}
RESOURCES = {
    "limits": {"cpu": "1", "memory": "512Mi"},
    "requests": {"cpu": "100m", "memory": "512Mi"},
}


def bounded_pod(annotations: dict[str, str] | None = None) -> dict[str, Any]:
    return pod(annotations, containers=[container(resources=FITTING)])


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
        if item.id in {"quota-refuses", "excludes-mesh-port", "trusts-any-address"}
    ]
    return found, sum(one.looked for one in outcomes), sum(len(one.passed) for one in outcomes)


def test_a_quota_asks_the_meshs_containers_for_resources_too() -> None:
    """H30: the API server refuses the pod, and the Deployment has none."""
    assert linted(QUOTA, bounded_pod()) == (
        [
            (
                "quota-refuses",
                "ResourceQuota compute refuses the mesh's containers: failed quota: compute: must "
                "specify limits.cpu for: fsm-init,sidecar; requests.memory for: fsm-init,sidecar: "
                "no pod is created",
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
    assert linted(quota, bounded_pod())[0] == []


def test_the_fixes_of_a_quota() -> None:
    """Resources in the stack, or a limit range with defaults; a limit is a request, too."""
    sidecar = {
        "resources": RESOURCES,
        "initResources": RESOURCES,
        "healthcheckResources": RESOURCES,
    }
    assert linted(QUOTA, bounded_pod(), sidecar=sidecar)[0] == []
    assert linted(QUOTA, RANGE, bounded_pod())[0] == []
    other = {**QUOTA, "metadata": {"name": "compute", "namespace": "other"}}
    assert linted(other, bounded_pod())[0] == []
    assert linted(QUOTA, pod())[0] == []
    assert linted(QUOTA, bounded_pod({"flomesh.io/sidecar-injection": "disabled"}))[0] == []


def test_a_limit_range_refuses_what_is_too_large_or_too_small() -> None:
    item = {"type": "Container", "max": {"cpu": "500m"}, "min": {"memory": "600Mi"}}
    narrow = {**RANGE, "spec": {"limits": [item, {"type": "Pod", "max": {"cpu": "1m"}}]}}
    sidecar = {"resources": RESOURCES, "initResources": FITTING}
    found, *_ = linted(narrow, bounded_pod(), sidecar=sidecar)
    assert found == [
        (
            "quota-refuses",
            "LimitRange sizes refuses the mesh's containers: maximum cpu usage per Container is "
            "500m, but limit is 1 (container sidecar): no pod is created",
        ),
        (
            "quota-refuses",
            "LimitRange sizes refuses the mesh's containers: minimum memory usage per Container is "
            "600Mi, but request is 512Mi (container sidecar): no pod is created",
        ),
    ]
    fitting = {"limits": {"cpu": "500m", "memory": "600Mi"}, "requests": {"cpu": "100m"}}
    both = {"resources": fitting, "initResources": fitting}
    assert linted(narrow, bounded_pod(), sidecar=both)[0] == []


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
    ("port", "told"),
    [
        ({}, False),
        ({"name": "redis"}, False),
        ({"name": "http"}, False),
        ({"name": "tcp-redis"}, True),
        ({"name": "tcp-server-first-db"}, True),
        ({"appProtocol": "tcp"}, True),
    ],
)
def test_a_port_taken_for_http_may_stay_in_the_mesh(port: dict[str, str], *, told: bool) -> None:
    """It is the most frequent reason for an exclusion, and there is a better way."""
    service = {**SERVICE, "spec": {"ports": [{"port": 6379, **port}]}}
    known = mesh(traffic={"outboundPortExclusionList": [6379]})
    (found,) = service_ports(service, known)
    assert found.fix.startswith("If it is excluded because it speaks no HTTP") is not told


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


OUT = "flomesh.io/outbound-port-exclusion-list"
IN = "flomesh.io/inbound-port-exclusion-list"


def named(name: str, annotations: dict[str, str], *ports: int) -> dict[str, Any]:
    listening = container(ports=[{"containerPort": port} for port in ports])
    given = pod(annotations, containers=[listening])
    return {**given, "metadata": {**given["metadata"], "name": name}}


def one_way(*objects: dict[str, Any], **spec: Any) -> list[str]:
    known = mesh(**spec)
    context = Context(
        mesh=known,
        proxy_id=lambda *_: ID,
        dump=dump,
        namespaces={"shop": namespace(of=known)},
        default_namespace="shop",
    )
    peers = Peers(FSM, "shop")
    text = "---\n".join(map(dump, objects))
    for outcome in run(split(text.splitlines(keepends=True), file="f"), context):
        peers.add(outcome)
    return [item.as_text() for item in peers.findings()]


def test_a_port_that_only_the_caller_excludes_is_told() -> None:
    """Its plain text meets the other's sidecar."""
    web, redis = named("web", {OUT: "6379,80"}, 8080), named("redis", {}, 6379)
    (only,) = one_way(web, redis)
    assert only == (
        f"f:8:5 Pod/shop/web metadata.annotations.{OUT}: info: port 6379 leaves this pod in plain "
        "text, and Pod/shop/redis, listening on it in the mesh, does not exclude it inbound "
        "[excluded-one-way] Fix: Exclude 6379 inbound there, or not here."
    )
    assert one_way(redis, web) == [only.replace("f:8", "f:22")]
    assert one_way(web, named("redis", {IN: "6379"}, 6379)) == []
    assert one_way(web, redis, traffic={"inboundPortExclusionList": [6379]}) == []
    outside = named("redis", {"flomesh.io/sidecar-injection": "disabled"}, 6379)
    assert one_way(web, outside) == []
    many = [named(f"r{number}", {}, 6379) for number in range(5)]
    (told,) = one_way(web, *many)
    assert "Pod/shop/r0, Pod/shop/r1, Pod/shop/r2 and 2 more, listening" in told


def test_a_port_that_only_the_called_excludes_is_told() -> None:
    web, api = named("web", {}, 8080), named("api", {IN: "9091,7"}, 9091)
    (only,) = one_way(web, api)
    assert only.partition("info: ")[2] == (
        "port 9091 takes plain text, and no other workload of the input excludes it outbound: what "
        "the mesh's pods send is the mesh's TLS [excluded-one-way] Fix: Exclude 9091 outbound where "
        "it is called from inside the mesh."
    )
    assert one_way(named("web", {OUT: "9091"}, 8080), api) == []
    assert one_way(web, api, traffic={"outboundPortExclusionList": [9091]}) == []
    assert one_way(api) == []
    assert one_way(web, named("api", {IN: "9091,x"}, 9091)) == []


NODE_LEVEL = {"interceptionMode": "NodeLevel"}


def control(**asked: Any) -> dict[str, Any]:
    return {
        "apiVersion": "xnetwork.flomesh.io/v1alpha1",
        "kind": "AccessControl",
        "metadata": {"name": "trusted", "namespace": "shop"},
        "spec": {"services": [{"name": "redis", **asked}]},
    }


def service(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {**SERVICE, "spec": {**SERVICE["spec"], **spec}, "status": status or {}}


def trusted(*objects: dict[str, Any], **traffic: Any) -> list[str]:
    found, _, _ = linted(*objects, traffic=traffic or NODE_LEVEL)
    assert {rule for rule, _ in found} <= {"trusts-any-address"}
    return [message for _, message in found]


BY_NAME = {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}
BY_ADDRESS = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}


@pytest.mark.parametrize(
    ("known", "asked", "why"),
    [
        (service(clusterIP="None"), {}, "headless, it has no address of its own"),
        (service(type="ExternalName"), {}, "of type ExternalName, it has no address of its own"),
        (service(clusterIP="fd00::1"), {}, "it has an IPv6 address"),
        (service(ipFamilies=["IPv4", "IPv6"]), {}, "it has an IPv6 address"),
        (
            service(status=BY_NAME),
            {"withExternalIPs": True},
            "its load balancer is known by the name lb.example.com, and by no address",
        ),
    ],
)
def test_an_access_control_of_a_service_without_an_address_trusts_every_one(
    known: dict[str, Any], asked: dict[str, Any], why: str
) -> None:
    """H25: the controller ignores that it cannot read the address, and writes 0.0.0.0."""
    message = f"Service shop/redis: {why}: FSM writes 0.0.0.0 as a trusted address"
    assert trusted(known, control(**asked)) == [message]


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        (service(clusterIP="10.96.0.7"), {}),
        (service(clusterIP="None"), {"withClusterIPs": False, "withEndpointIPs": True}),
        (service(status=BY_NAME), {}),
        (service(status=BY_ADDRESS), {"withExternalIPs": True}),
        ({**SERVICE, "metadata": {"name": "other", "namespace": "shop"}}, {}),
    ],
)
def test_an_access_control_of_a_service_with_its_address_is_good(
    known: dict[str, Any], asked: dict[str, Any]
) -> None:
    assert trusted(known, control(**asked)) == []


def test_an_access_control_counts_where_nodes_redirect_only() -> None:
    """In PodLevel nobody writes its addresses anywhere."""
    headless = service(clusterIP="None")
    assert trusted(headless, control(), interceptionMode="PodLevel") == []
    policy = {**control(), "apiVersion": "policy.flomesh.io/v1alpha1"}
    assert trusted(headless, policy) == []


def test_a_service_that_comes_after_its_access_control_is_known(tmp_path: Path) -> None:
    """Files are read for Services before their AccessControls are looked at."""
    file = tmp_path / "trusted.yaml"
    headless = service(clusterIP="None")
    file.write_text(f"{dump(control())}---\n{dump(headless)}", encoding="utf-8")
    known = mesh(traffic=NODE_LEVEL)
    context = Context(mesh=known, proxy_id=lambda *_: ID, dump=dump)
    learn_from(file, context)
    outcomes = run(documents(file), context)
    assert [item.id for one in outcomes for item in one.findings()] == ["trusts-any-address"]
