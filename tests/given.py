"""Pods, meshes and namespaces that the tests start from."""

from __future__ import annotations

from typing import Any

from fsm_stack.injector.decision import NamespaceView
from fsm_stack.injector.mesh import MeshView, mesh_view
from fsm_stack.systems import system
from fsm_stack.workloads.lint import ClusterRanges
from fsm_stack.workloads.preview import preview

ID = "11111111-2222-4333-8444-555555555555"
IMAGES = {
    f"{prefix}_DEFAULT_{name}_IMAGE": f"example.com/{name.lower()}:1"
    for prefix in ("FSM", "OSM")
    for name in (
        "SIDECAR",
        "SIDECAR_WINDOWS",
        "ENVOY",
        "ENVOY_WINDOWS",
        "INIT_CONTAINER",
        "HEALTHCHECK_CONTAINER",
    )
}


def mesh(
    name: str = "fsm",
    *,
    traffic: dict[str, Any] | None = None,
    sidecar: dict[str, Any] | None = None,
    environment: dict[str, str] | None = None,
) -> MeshView:
    """A mesh whose images are known."""
    mode = {"interceptionMode": "iptables"} if name == "osm-edge" else {}
    spec = {"traffic": mode | (traffic or {}), "sidecar": sidecar or {}}
    return mesh_view(system(name), spec, environment=IMAGES | (environment or {}))


def namespace(
    name: str = "shop",
    *,
    of: MeshView | None = None,
    labels: dict[str, str] | None = None,
    **annotations: str,
) -> NamespaceView:
    """An enrolled namespace; annotations by their short names, with underscores."""
    known = of or mesh()
    given = {"sidecar_injection": "enabled"} | annotations
    return NamespaceView(
        name=name,
        labels={known.system.monitored_by_label: known.name} | (labels or {}),
        annotations={
            known.system.annotation(key.replace("_", "-")): value for key, value in given.items()
        },
    )


def pod(
    annotations: dict[str, Any] | None = None,
    *,
    containers: list[dict[str, Any]] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A pod with one container, ``web``, that has the named port 8080."""
    metadata: dict[str, Any] = {"name": "web", "labels": {"app": "web"}}
    if annotations is not None:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": containers or [container()], **spec},
    }


def container(name: str = "web", **fields: Any) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": 8080}]
    return {"name": name, "image": "example.com/web:1", "ports": ports, **fields}


def found(given: dict[str, Any], name: str = "fsm", **options: Any) -> dict[str, str]:
    """Findings of a pod: id to message."""
    known = mesh(name, **options)
    ranges = ClusterRanges(pods=("10.244.0.0/16",), services=("10.96.0.0/16",))
    result = preview(given, mesh=known, namespace=namespace(of=known), proxy_id=ID, ranges=ranges)
    return {item.id: item.message for item in result.findings}


def probe(kind: str = "readiness", **handler: Any) -> dict[str, Any]:
    return {f"{kind}Probe": handler}
