"""Checks with what stands beside workloads in the input: quotas, limit ranges, Services.

Source: k8s.io/kubernetes pkg/quota/v1/evaluator/core, pods.go; plugin/pkg/admission/limitranger;
pkg/apis/core/v1, defaults.go. The built-in plugins run again on what a webhook has changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import Finding, finding
from fsm_stack.lists import OUTBOUND_PORTS
from fsm_stack.units import amount
from fsm_stack.workloads.objects import object_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from fractions import Fraction

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.injector.pod import Mutation
    from fsm_stack.workloads.lint.subject import Json

_QUOTA, _RANGE, _SERVICE = "ResourceQuota", "LimitRange", "Service"
BOUNDS: Final = (_QUOTA, _RANGE)
# What a quota counts is asked of every container: its key, where, and which.
_ASKED: Final = {
    "cpu": ("requests", "cpu"),
    "memory": ("requests", "memory"),
    "requests.cpu": ("requests", "cpu"),
    "requests.memory": ("requests", "memory"),
    "limits.cpu": ("limits", "cpu"),
    "limits.memory": ("limits", "memory"),
}
# Quotas of other scopes count other pods than those of a mesh, or not all of them.
_EVERY_POD: Final = frozenset({"NotTerminating", "NotBestEffort"})
_FIX: Final = (
    "Set sidecar.resources, sidecar.initResources and sidecar.healthcheckResources in the stack"
)

Amounts = dict[str, dict[str, Any]]


def kind_of(manifest: Mapping[str, Any]) -> str:
    """``ResourceQuota``, ``LimitRange`` or ``Service``; "" for any other object."""
    kind = manifest.get("kind")
    known = manifest.get("apiVersion") == "v1" and kind in (*BOUNDS, _SERVICE)
    return str(kind) if known else ""


def bounded(mutation: Mutation, bounds: Iterable[Json]) -> Iterator[Finding]:
    """H30: a container of the mesh's that the namespace's quota or limit range refuses.

    Args:
        mutation: the injected pod.
        bounds: the namespace's ResourceQuotas and LimitRanges.
    """
    added = [one for one in (mutation.first, *mutation.last, mutation.init) if one is not None]
    if mutation.reinjected or not added:
        return
    known = tuple(bounds)
    ranges = [(_name(one), item) for one in known for item in _of_containers(one)]
    resources = {str(one.get("name")): _defaulted(one, ranges) for one in added}
    for one in known:
        if one.get("kind") == _QUOTA:
            yield from _unset(one, resources)
    for name, item in ranges:
        yield from _outside(name, item, resources)


def _name(manifest: Json) -> str:
    return str(object_at(manifest, ("metadata",)).get("name"))


def _of_containers(manifest: Json) -> Iterator[Amounts]:
    """The items of a LimitRange that are about containers, completed as Kubernetes does."""
    limits = object_at(manifest, ("spec",)).get("limits")
    for item in limits if manifest.get("kind") == _RANGE and isinstance(limits, list) else ():
        if isinstance(item, dict) and item.get("type") == "Container":
            most, least = object_at(item, ("max",)), object_at(item, ("min",))
            default = {**most, **object_at(item, ("default",))}
            wanted = {**least, **default, **object_at(item, ("defaultRequest",))}
            yield {"max": most, "min": least, "default": default, "defaultRequest": wanted}


def _defaulted(container: Json, ranges: Iterable[tuple[str, Amounts]]) -> Amounts:
    """A container's resources as admission sees them: a request is its limit where none is set."""
    given = object_at(container, ("resources",))
    limits = dict(object_at(given, ("limits",)))
    requests = {**limits, **object_at(given, ("requests",))}
    for _, item in ranges:
        limits = {**item["default"], **limits}
        requests = {**item["defaultRequest"], **requests}
    return {"limits": limits, "requests": requests}


def _unset(quota: Json, resources: Mapping[str, Amounts]) -> Iterator[Finding]:
    spec = object_at(quota, ("spec",))
    scopes = spec.get("scopes")
    if spec.get("scopeSelector") or not _EVERY_POD.issuperset(map(str, scopes or ())):
        return
    asked = {key: _ASKED[key] for key in object_at(spec, ("hard",)) if key in _ASKED}
    lacking = {
        name: [key for key, (kind, resource) in asked.items() if resource not in amounts[kind]]
        for name, amounts in resources.items()
    }
    told = [f"{name} has no {', '.join(keys)}" for name, keys in lacking.items() if keys]
    if told:
        yield finding(
            "quota-unmet",
            f"ResourceQuota {_name(quota)} asks them of every container, and {'; '.join(told)}: "
            "no pod is created",
            path="spec",
            fix=f"{_FIX}, or give the namespace a LimitRange with defaults.",
        )


def _outside(name: str, item: Amounts, resources: Mapping[str, Amounts]) -> Iterator[Finding]:
    for container, amounts in resources.items():
        for kind, bound, word in (("limits", "max", "most"), ("requests", "min", "least")):
            for resource, text in item[bound].items():
                given, edge = _amount(amounts[kind].get(resource)), _amount(text)
                if given is None or edge is None:
                    continue
                if given > edge if bound == "max" else given < edge:
                    yield finding(
                        "limit-range",
                        f"LimitRange {name} takes at {word} {text} of {resource} as a container's "
                        f"{kind.removesuffix('s')}, and {container} has "
                        f"{amounts[kind][resource]}: no pod is created",
                        path="spec",
                        value=str(amounts[kind][resource]),
                        fix=f"{_FIX}, or change the LimitRange.",
                    )


def _amount(value: object) -> Fraction | None:
    return amount(str(value)) if isinstance(value, str | int | float) else None


def service_ports(manifest: Json, mesh: MeshView) -> Iterator[Finding]:
    """H31: a Service's port that every pod of the mesh excludes.

    A Service without an address of its own is asked at its pods' port.

    Args:
        manifest: the Service.
        mesh: whose lists.
    """
    spec = object_at(manifest, ("spec",))
    ports = spec.get("ports")
    if spec.get("type") == "ExternalName" or not isinstance(ports, list):
        return
    for index, one in enumerate(ports):
        given = one if isinstance(one, dict) else {}
        port = given.get("port")
        if spec.get("clusterIP") == "None" and isinstance(given.get("targetPort"), int):
            port = given["targetPort"]
        if given.get("protocol", "TCP") == "TCP" and port in mesh.lists.outbound_ports:
            yield finding(
                "excludes-mesh-port",
                f"port {port} is in the mesh's {OUTBOUND_PORTS.key}: requests of the mesh's pods "
                "to this Service bypass it",
                path=f"spec.ports[{index}].port",
                value=port,
            )
