"""Injected pods of FSM on a real node: READY and probes as the preview says, of every kind.

All pods of the table are made at once; a probe that is predicted to fail has failed when the
kubelet says so, not when time has passed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from .stack import STACK
from .workloads import container, pod, ready_count, wait, wait_failing

if TYPE_CHECKING:
    from pathlib import Path

    from .stack import Stack

pytestmark = pytest.mark.node

NAMESPACE = "demo"
HEALTHY = "/tmp/healthy"  # noqa: S108  # in a container of its own
LISTEN = ("http:8080", "https:8443", "tcp:9000", "grpc:9001")
PORTS = [{"name": "web", "containerPort": 8080}, {"name": "secure", "containerPort": 8443}]


def probe(**handler: Any) -> dict[str, Any]:
    """A probe that decides within seconds."""
    return {**handler, "periodSeconds": 1, "timeoutSeconds": 5}


def http(path: str = "/ok", port: Any = 8080, **more: Any) -> dict[str, Any]:
    return probe(httpGet={"path": path, "port": port, **more})


HTTPS = http(port="secure", scheme="HTTPS")
TCP = probe(tcpSocket={"port": 9000})
GRPC = probe(grpc={"port": 9001})
EXEC = probe(exec={"command": ["test", "-e", HEALTHY]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A pod, and what the kubelet makes of it.

    Attributes:
        containers: the workload's.
        ready: the READY column.
        told: the preview's findings about probes.
        failing: the containers that are not ready.
        annotations: the pod's.
        spec: more of its specification.
    """

    containers: tuple[dict[str, Any], ...]
    ready: tuple[int, int]
    told: tuple[str, ...] = ()
    failing: tuple[str, ...] = ("app",)
    annotations: dict[str, str] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)


def app(name: str = "app", listen: tuple[str, ...] = LISTEN, **probes: Any) -> dict[str, Any]:
    return container(*listen, name=name, ports=PORTS if name == "app" else [], **probes)


CASES = {
    "none": Case(containers=(app(),), ready=(2, 2)),
    "http": Case(
        containers=(
            app(startupProbe=http(port="web"), livenessProbe=http(), readinessProbe=http()),
        ),
        ready=(2, 2),
    ),
    "http-not-well": Case(containers=(app(readinessProbe=http("/broken")),), ready=(1, 2)),
    "tcp": Case(containers=(app(readinessProbe=TCP, livenessProbe=TCP),), ready=(3, 3)),
    "tcp-nobody": Case(
        containers=(app(readinessProbe=probe(tcpSocket={"port": 9999})),), ready=(2, 3)
    ),
    "https": Case(containers=(app(readinessProbe=HTTPS),), ready=(3, 3)),
    "https-and-tcp": Case(
        containers=(app(readinessProbe=HTTPS, livenessProbe=TCP),), ready=(3, 3)
    ),
    "helper-lost": Case(
        # The second container's probe hides the first one's, which needs the helper.
        containers=(
            app(readinessProbe=TCP),
            app("second", ("http:8081",), readinessProbe=http(port=8081)),
        ),
        ready=(1, 3),
        told=("probe-lost", "probe-lost"),
        failing=("app", "second"),
    ),
    "exec": Case(containers=(app(startupProbe=EXEC, readinessProbe=EXEC),), ready=(2, 2)),
    "grpc": Case(
        containers=(app(readinessProbe=GRPC),), ready=(1, 2), told=("probe-intercepted",)
    ),
    "grpc-excluded": Case(
        containers=(app(readinessProbe=GRPC),),
        ready=(2, 2),
        annotations={"flomesh.io/inbound-port-exclusion-list": "9001"},
    ),
    "two-containers": Case(
        containers=(
            app(readinessProbe=http()),
            # The sidecar answers it as the first container's.
            app("second", ("http:8081",), readinessProbe=http("/broken", 8081)),
        ),
        ready=(3, 3),
        told=("probe-lost",),
    ),
    "native-sidecar": Case(
        containers=(app(),),
        ready=(3, 3),
        spec={
            "initContainers": [
                container("tcp:9100", name="native", restartPolicy="Always"),
            ]
        },
    ),
    "held-off": Case(
        containers=(app(readinessProbe=http()),),
        ready=(1, 1),
        annotations={"flomesh.io/sidecar-injection": "disabled"},
    ),
    "lists-of-its-own": Case(
        containers=(app(readinessProbe=http(port="web")),),
        ready=(2, 2),
        annotations={
            "flomesh.io/outbound-port-exclusion-list": "9092",
            "flomesh.io/outbound-ip-range-exclusion-list": "10.96.0.1/32",
        },
    ),
}


def manifest(name: str) -> dict[str, Any]:
    case = CASES[name]
    return pod(NAMESPACE, name, *case.containers, annotations=case.annotations, **case.spec)


@pytest.fixture(scope="module")
def made(stack: Stack) -> Any:
    """Every pod of the table, running side by side."""
    manifests = [manifest(name) for name in CASES]
    for one in manifests:
        stack.api.create(one)
    yield
    for one in manifests:
        stack.api.delete(one)


@pytest.fixture(scope="module")
def previews(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `fsm-stack inject --explain` says of each, before anything runs."""
    return preview_of(stack, tmp_path_factory.mktemp("pods"), [manifest(name) for name in CASES])


def preview_of(stack: Stack, folder: Path, manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """By name, what the command line says of these pods."""
    file = folder / "pods.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))
    words = ("inject", STACK, "-f", str(file), "--explain", "-o", "json")
    result = stack.fsm_stack(*words, cluster=False)
    assert result.exit_code == 0, result.output
    return {one["name"]: one for one in json.loads(result.stdout)["workloads"]}


def not_ready(live: dict[str, Any]) -> tuple[str, ...]:
    """The containers that are not."""
    return tuple(one["name"] for one in live["status"]["containerStatuses"] if not one["ready"])


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("name", CASES)
def test_a_pod_becomes_ready_exactly_as_the_preview_says(
    stack: Stack, previews: dict[str, Any], name: str
) -> None:
    case, preview = CASES[name], previews[name]
    told = [one["id"] for one in preview["findings"] if one["id"].startswith("probe-")]
    assert (preview["expectedReady"], tuple(told)) == (case.ready[1], case.told)
    live = wait(
        stack.api, manifest(name), f"{name} is {case.ready}",
        lambda one: ready_count(one) == case.ready,
    )  # fmt: skip
    if case.ready[0] < case.ready[1]:
        wait_failing(stack.api, live, "Readiness", case.failing)
        live = stack.api.get(live)
        assert ready_count(live) == case.ready
        assert not_ready(live) == case.failing


@pytest.mark.usefixtures("made")
def test_the_live_pod_has_what_the_preview_shows(stack: Stack, previews: dict[str, Any]) -> None:
    """Field by field; the API server adds defaults, and each pod has an identity of its own."""
    live = stack.api.get(manifest("lists-of-its-own"))
    shown = previews["lists-of-its-own"]["manifest"]
    label = "fsm-proxy-uuid"
    identity = live["metadata"]["labels"][label]
    text = json.dumps(shown["spec"]).replace(shown["metadata"]["labels"][label], identity)
    assert missing(json.loads(text), live["spec"]) == []


def missing(sent: Any, stored: Any, path: str = "") -> list[str]:
    """What of one is not in the other; the server adds volumes and mounts of its own."""
    if isinstance(sent, dict):
        stored = stored or {}  # an empty one is not stored
        return [p for key in sent for p in missing(sent[key], stored.get(key), f"{path}.{key}")]
    if isinstance(sent, list) and sent and isinstance(sent[0], dict):
        named = {one.get("name", one.get("containerPort")): one for one in stored or ()}
        found = []
        for one in sent:
            name = one.get("name", one.get("containerPort"))
            found += missing(one, named.get(name), f"{path}[{name}]")
        return found
    return [] if sent == stored else [f"{path}: {sent} != {stored}"]


def test_a_job_stays_active_because_its_sidecar_does_not_end(stack: Stack) -> None:
    """The known truth of a mesh with ordinary sidecars; the pod itself has done its work."""
    template = pod(NAMESPACE, "batch", container(name="work") | {"command": ["app", "exit", "0"]})
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "batch", "namespace": NAMESPACE},
        "spec": {
            "template": {"spec": {**template["spec"], "restartPolicy": "Never"}},
        },
    }
    stack.api.create(job)
    try:

        def done(_: Any) -> bool:
            pods = stack.api.list("v1", "Pod", namespace=NAMESPACE, labels="job-name=batch")
            return [states(one) for one in pods] == [{"work": "Completed", "sidecar": "running"}]

        live = wait(stack.api, job, "the work is done", done)
        assert live["status"]["active"] == 1
        assert "completionTime" not in live["status"]
    finally:
        stack.api.delete(job)


def states(pod: dict[str, Any]) -> dict[str, str]:
    """Each container's state, or why it ended."""
    found = {}
    for one in pod["status"].get("containerStatuses", ()):
        ended = one["state"].get("terminated")
        found[one["name"]] = ended["reason"] if ended else next(iter(one["state"]))
    return found
