"""Checks with what stands beside workloads in the input: quotas, limit ranges, Services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import Finding, finding
from fsm_stack.lists import OUTBOUND_PORTS
from fsm_stack.workloads.objects import object_at
from fsm_stack.workloads.quota import Limited, refusals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.injector.pod import Mutation
    from fsm_stack.workloads.lint.subject import Json

_QUOTA, _RANGE, _SERVICE = "ResourceQuota", "LimitRange", "Service"
BOUNDS: Final = (_QUOTA, _RANGE)


def kind_of(manifest: Mapping[str, object]) -> str:
    """``ResourceQuota``, ``LimitRange`` or ``Service``; "" for any other object."""
    kind = manifest.get("kind")
    known = manifest.get("apiVersion") == "v1" and kind in (*BOUNDS, _SERVICE)
    return str(kind) if known else ""


def bounded(mutation: Mutation, bounds: Iterable[Json]) -> Iterator[Finding]:
    """H30: what the namespace's quotas and limit ranges refuse of the mesh's containers alone.

    Args:
        mutation: the injected pod.
        bounds: the namespace's ResourceQuotas and LimitRanges.
    """
    first = () if mutation.first is None else (mutation.first,)
    added = [_limited(one) for one in (*first, *mutation.last)]
    added += [] if mutation.init is None else [_limited(mutation.init, init=True)]
    if mutation.reinjected or not added:
        return
    own = [_limited(one) for one in mutation.containers or ()]
    own += [_limited(one, init=True) for one in mutation.init_containers or ()]
    known = tuple(bounds)
    ranges = [one for one in known if one.get("kind") == _RANGE]
    quotas = [one for one in known if one.get("kind") == _QUOTA]
    alone = {one[:2] for one in refusals(own, ranges, quotas)}
    for kind, name, said in refusals([*own, *added], ranges, quotas):
        if (kind, name) not in alone:
            yield finding(
                "quota-refuses",
                f"{kind} {name} refuses the mesh's containers: {said}: no pod is created",
                path="spec",
            )


def _limited(container: Json, *, init: bool = False) -> Limited:
    resources = object_at(container, ("resources",))
    return Limited(
        name=str(container.get("name")),
        init=init,
        resources={kind: object_at(resources, (kind,)) for kind in ("requests", "limits")},
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
