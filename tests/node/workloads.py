"""Pods of the suite, and what it waits for."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.apiserver.client import ApiError, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.apiserver.client import Api

Json = dict[str, Any]
APP_IMAGE = "test/app:1"
PATIENCE_SECONDS = 90
FAILURES = 3  # in a row, and the kubelet acts: Kubernetes' default, which the pods here have


def container(*listen: str, name: str = "app", **more: Any) -> Json:
    """The workload's container: what it listens on, and probes or what else."""
    return {
        "name": name,
        "image": APP_IMAGE,
        "imagePullPolicy": "Never",
        "command": ["app", *(listen or ("http:8080",))],
        **more,
    }


def pod(
    namespace: str, name: str, *containers: Json, annotations: Any = None, **spec: Any
) -> Json:
    """A pod that ends as soon as it is asked to."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app": name},
            "annotations": annotations or {},
        },
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": list(containers or (container(),)),
            **spec,
        },
    }


def deployment(pod: Json, *, replicas: int = 1) -> Json:
    """A Deployment of such pods."""
    metadata = {key: pod["metadata"][key] for key in ("name", "namespace")}
    template = {
        "metadata": {key: pod["metadata"][key] for key in ("labels", "annotations")},
        "spec": pod["spec"],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": pod["metadata"]["labels"]},
            "template": template,
        },
    }


def ready_count(pod: Json) -> tuple[int, int]:
    """The READY column that kubectl shows, as two numbers: native sidecars count."""
    status = pod.get("status", {})
    spec = pod["spec"]
    native = {
        one["name"]
        for one in spec.get("initContainers", ())
        if one.get("restartPolicy") == "Always"
    }
    counted = [
        *status.get("containerStatuses", ()),
        *(one for one in status.get("initContainerStatuses", ()) if one["name"] in native),
    ]
    return sum(one["ready"] for one in counted), len(spec["containers"]) + len(native)


def is_ready(pod: Json) -> bool:
    """Whether the kubelet calls the pod ready."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def wait(
    api: Api, which: Json, what: str, probe: Callable[[Json], Any], *, seconds: float | None = None
) -> Json:
    """An object once `probe` holds; otherwise the error shows it."""
    seen: Json = {}

    def there() -> bool:
        try:
            seen.update(api.get(which))
        except ApiError as error:
            if error.code != 404:
                raise
            return False
        return bool(probe(seen))

    try:
        eventually(what, there, seconds=seconds or PATIENCE_SECONDS)
    except TimeoutError as error:
        state = json.dumps(seen.get("status"), indent=1)
        raise AssertionError(f"{error}\n{which['metadata']['name']}: {state}") from None
    return seen


def wait_ready(api: Api, *pods: Json) -> list[Json]:
    """The pods, each ready."""
    return [wait(api, one, f"{one['metadata']['name']} is ready", is_ready) for one in pods]


def wait_deployment(api: Api, which: Json, *, seconds: float | None = None) -> Json:
    """A Deployment whose newest pods are all available, and no others are left."""

    def settled(live: Json) -> bool:
        status, wanted = live.get("status", {}), live["spec"]["replicas"]
        numbers = [
            status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")
        ]
        current = status.get("observedGeneration") == live["metadata"]["generation"]
        return current and numbers == [wanted] * 3

    name = which["metadata"]["name"]
    return wait(api, which, f"Deployment {name} is available", settled, seconds=seconds)


def wait_injection(api: Api, namespace: str) -> None:
    """Wait until a pod that were made now would be injected.

    An injector that is ready is not reached at once: the rules that lead to it come a moment later.
    """

    def injected() -> bool:
        try:
            made = api.create(pod(namespace, "next"), dry_run=True)
        except ApiError as error:
            if "failed calling webhook" in error.message or "serviceaccount" in error.message:
                return False
            raise
        return len(made["spec"]["containers"]) > 1

    eventually(f"pods of {namespace} are injected", injected, seconds=PATIENCE_SECONDS)


def wait_failing(api: Api, pod: Json, kind: str, containers: tuple[str, ...]) -> None:
    """Wait until the kubelet has called these containers' probes failed as often as they allow.

    Args:
        api: the cluster.
        pod: a live pod.
        kind: of the probes, in the kubelet's words: `Readiness`.
        containers: their names.
    """

    def failing() -> bool:
        counted: Counter[str] = Counter()
        for one in api.list("v1", "Event", namespace=pod["metadata"]["namespace"]):
            about = one["involvedObject"]
            unhealthy = one["reason"] == "Unhealthy" and one["message"].startswith(kind)
            if unhealthy and about.get("uid") == pod["metadata"]["uid"]:
                counted[about["fieldPath"].partition("{")[2].rstrip("}")] += one.get("count") or 1
        return all(counted[name] >= FAILURES for name in containers)

    name = pod["metadata"]["name"]
    eventually(f"{kind} of {name} fails", failing, seconds=PATIENCE_SECONDS)


def gone(api: Api, *which: Json) -> None:
    """Wait until none of them is there."""
    for one in which:
        eventually(
            f"{one['kind']} {one['metadata']['name']} is gone",
            lambda one=one: not api.exists(one),
            seconds=PATIENCE_SECONDS,
        )
