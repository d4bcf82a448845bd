"""Checks with what stands beside workloads in the input: quotas, limit ranges, Services.

What a quota and a limit range refuse is :mod:`fsm_stack.workloads.quota`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, assert_never

from fsm_stack.findings.finding import Finding, finding
from fsm_stack.lists import OUTBOUND_PORTS
from fsm_stack.workloads.objects import object_at
from fsm_stack.workloads.quota import QUOTA, RANGE, Exceeded, Limited, Outside, Unset, refusals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.injector.pod import Mutation
    from fsm_stack.workloads.lint.subject import Json

_SERVICE: Final = "Service"
BOUNDS: Final = (QUOTA, RANGE)
_FIX: Final = (
    "Set sidecar.resources, sidecar.initResources and sidecar.healthcheckResources in the stack"
)


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
    containers = [
        Limited(name=str(one.get("name")), resources=object_at(one, ("resources",)))
        for one in added
    ]
    of_kind = {kind: [one for one in known if one.get("kind") == kind] for kind in BOUNDS}
    for refused in refusals(containers, of_kind[RANGE], of_kind[QUOTA]):
        match refused:
            case Unset():
                yield _unset(refused)
            case Outside():
                yield _outside(refused)
            case Exceeded():  # of a live object: what is used now is no fault of a manifest
                pass
            case _ as never:
                assert_never(never)


def _unset(refused: Unset) -> Finding:
    told = (f"{name} has no {', '.join(keys)}" for name, keys in refused.lacking.items())
    return finding(
        "quota-unmet",
        f"ResourceQuota {refused.name} asks them of every container, and {'; '.join(told)}: "
        "no pod is created",
        path="spec",
        fix=f"{_FIX}, or give the namespace a LimitRange with defaults.",
    )


def _outside(refused: Outside) -> Finding:
    word = "most" if refused.of == "limits" else "least"
    return finding(
        "limit-range",
        f"LimitRange {refused.name} takes at {word} {refused.edge} of {refused.resource} as a "
        f"container's {refused.of.removesuffix('s')}, and {refused.container} has "
        f"{refused.given}: no pod is created",
        path="spec",
        value=refused.given,
        fix=f"{_FIX}, or change the LimitRange.",
    )


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
