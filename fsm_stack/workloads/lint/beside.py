"""Checks with what stands beside workloads: quotas, limit ranges, Services, AccessControls."""

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

_QUOTA, _RANGE, SERVICE = "ResourceQuota", "LimitRange", "Service"
BOUNDS: Final = (_QUOTA, _RANGE)
# Of the nodes' engine; the policy of the same name is another kind, of policy.flomesh.io.
ACCESS_CONTROL: Final = "AccessControl"
_ACCESS_CONTROL_API: Final = "xnetwork.flomesh.io/v1alpha1"


def kind_of(manifest: Mapping[str, object]) -> str:
    """A kind that is looked at here; "" for any other object."""
    kind, api = manifest.get("kind"), manifest.get("apiVersion")
    known = api == "v1" and kind in (*BOUNDS, SERVICE)
    controls = api == _ACCESS_CONTROL_API and kind == ACCESS_CONTROL
    return str(kind) if known or controls else ""


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


def access_control(
    manifest: Json, services: Mapping[tuple[str, str], Json], namespace: str
) -> Iterator[Finding]:
    """H25: addresses that the controller cannot read, and writes as 0.0.0.0, trusted.

    Source: flomesh-io/fsm pkg/sidecar/v2/acl.go, which ignores the error of IPv4ToInt.

    Args:
        manifest: the AccessControl.
        services: the Services that are known, by namespace and name.
        namespace: the AccessControl's.
    """
    named = object_at(manifest, ("spec",)).get("services")
    for index, one in enumerate(named if isinstance(named, list) else ()):
        given = one if isinstance(one, dict) else {}
        place, name = given.get("namespace") or namespace, given.get("name")
        service = services.get((str(place), str(name)))
        why = "" if service is None else "; ".join(_unreadable(service, given))
        if why:
            yield finding(
                "trusts-any-address",
                f"Service {place}/{name}: {why}: FSM writes 0.0.0.0 as a trusted address",
                path=f"spec.services[{index}].name",
                value=name,
            )


def _unreadable(service: Json, asked: Json) -> Iterator[str]:
    """What of a Service an AccessControl asks for and is no IPv4 address."""
    spec = object_at(service, ("spec",))
    if asked.get("withClusterIPs", True):
        given = spec.get("clusterIPs")
        addresses = [spec.get("clusterIP"), *(given if isinstance(given, list) else ())]
        families = spec.get("ipFamilies")
        dual = isinstance(families, list) and "IPv6" in families
        if spec.get("type") == "ExternalName":
            yield "of type ExternalName, it has no address of its own"
        elif "None" in addresses:
            yield "headless, it has no address of its own"
        elif dual or any(":" in str(one) for one in addresses):
            yield "it has an IPv6 address"
    if asked.get("withExternalIPs"):
        ingress = object_at(service, ("status", "loadBalancer")).get("ingress")
        listed = ingress if isinstance(ingress, list) else []
        points = [one for one in listed if isinstance(one, dict)]
        names = [one.get("hostname") for one in points if not one.get("ip")]
        if names:
            yield f"its load balancer is known by the name {names[0]}, and by no address"
