"""Checks with what stands beside workloads: quotas, limit ranges, Services, and each other.

Of two workloads, one may exclude a port that the other does not: the one that excludes sends, or
expects, plain text; the other one's sidecar the mesh's TLS. Which workload listens where is what
its containers declare.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import few
from fsm_stack.findings.finding import Finding, finding
from fsm_stack.injector.annotations import parse_list
from fsm_stack.injector.profile import Refusal
from fsm_stack.lists import INBOUND_PORTS, OUTBOUND_PORTS
from fsm_stack.workloads.objects import name_of, object_at
from fsm_stack.workloads.passed import below, placed
from fsm_stack.workloads.quota import Limited, refusals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.findings.finding import ObjectName
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.injector.pod import Mutation
    from fsm_stack.lists import ListName
    from fsm_stack.systems import System
    from fsm_stack.workloads.stream import Outcome, Seen
    from fsm_stack.yaml import Json


_QUOTA, _RANGE, SERVICE = "ResourceQuota", "LimitRange", "Service"
BOUNDS: Final = (_QUOTA, _RANGE)
# Of the nodes' engine; the policy of the same name is another kind, of policy.flomesh.io.
ACCESS_CONTROL: Final = "AccessControl"
_ACCESS_CONTROL_API: Final = "xnetwork.flomesh.io/v1alpha1"
_ONE_WAY: Final = "excluded-one-way"
_NAMED_MAX: Final = 3
# How the name of a Service's port begins where it says what the port speaks.
# Source: flomesh-io/fsm pkg/constants, SupportedProtocolsInMesh.
_PROTOCOLS: Final = ("tcp-server-first-", "http-", "tcp-", "grpc-")
_TELL_PROTOCOL: Final = (
    "If it is excluded because it speaks no HTTP, which the mesh takes for granted here: set this "
    "port's appProtocol to tcp, or tcp-server-first where the server speaks first, and take it "
    "off the list."
)


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
                fix="" if _told_protocol(given) else _TELL_PROTOCOL,
            )


def _told_protocol(port: Json) -> bool:
    """Whether a Service says what its port speaks; else the mesh takes it for HTTP.

    Source: flomesh-io/fsm pkg/k8s/client.go, ServiceToMeshServices; OSM's is the same.
    """
    return bool(port.get("appProtocol")) or str(port.get("name")).startswith(_PROTOCOLS)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Peer:
    """One injected workload.

    Attributes:
        name: the object's.
        listens: the TCP ports that its containers declare.
        outbound: the outbound ports that bypass its sidecar, the mesh's among them.
        inbound: the inbound ones.
        own: by list: the ports of its annotation, and a finding there, without a message.
    """

    name: ObjectName
    listens: frozenset[int]
    outbound: frozenset[int]
    inbound: frozenset[int]
    own: dict[str, tuple[tuple[int, ...], Finding]] = field(default_factory=dict)


class Peers:
    """The workloads of an input, as they go by."""

    def __init__(self, system: System, default_namespace: str) -> None:
        self._system, self._namespace = system, default_namespace
        self._known: list[_Peer] = []

    def add(self, outcome: Outcome) -> None:
        """Take the injected workloads of a document."""
        anchors: list[Finding] = []
        injected: list[tuple[_Peer, list[tuple[str, tuple[int, ...]]]]] = []
        for seen in outcome.seen:
            mutation = seen.preview.mutation
            if mutation is None or mutation.interception is None:
                continue
            lists = mutation.interception.lists
            name = name_of(seen.workload.manifest, self._namespace)
            peer = _Peer(
                name=name,
                listens=frozenset(_declared(object_at(seen.workload.pod(), ("spec",)))),
                outbound=frozenset(lists.outbound_ports),
                inbound=frozenset(lists.inbound_ports),
            )
            given = list(self._given(seen))
            bare = [
                finding(_ONE_WAY, "", path=f"metadata.annotations.{key}") for _, key, _ in given
            ]
            anchors += below(seen.workload.pod_path, name, bare)
            injected.append((peer, [(listed, ports) for listed, _, ports in given]))
        at = iter(placed(outcome.document, anchors))  # the text is looked through once
        for peer, given_ports in injected:
            own = {listed: (ports, next(at)) for listed, ports in given_ports}
            self._known.append(replace(peer, own=own))

    def _given(self, seen: Seen) -> Iterator[tuple[str, str, tuple[int, ...]]]:
        """Field, annotation and ports of the lists that a pod has itself."""
        annotations = object_at(seen.workload.pod(), ("metadata", "annotations"))
        for listed in (OUTBOUND_PORTS, INBOUND_PORTS):
            key = self._system.annotation(listed.annotation)
            value = annotations.get(key)
            try:
                ports = parse_list(listed, value, key) if isinstance(value, str) else ()
            except Refusal:  # which has a finding of its own
                ports = ()
            if ports:
                yield listed.field, key, ports

    def findings(self) -> Iterator[Finding]:
        """What only one side excludes."""
        expecting: defaultdict[int, list[_Peer]] = defaultdict(list)  # the mesh's TLS there
        sending: defaultdict[int, int] = defaultdict(int)
        for peer in self._known:
            for port in peer.listens - peer.inbound:
                expecting[port].append(peer)
            for port in peer.outbound:
                sending[port] += 1
        for peer in self._known:
            for port, anchor in _each(peer, OUTBOUND_PORTS):
                others = expecting[port]
                count = len(others) - (port in peer.listens - peer.inbound)
                if count:
                    first = [one.name for one in others[: _NAMED_MAX + 1] if one is not peer]
                    yield replace(
                        anchor,
                        value=str(port),
                        message=f"port {port} leaves this pod in plain text, and "
                        f"{few(first, _NAMED_MAX, count=count)}, "
                        "listening on it in the mesh, does not exclude it inbound",
                        fix=f"Exclude {port} inbound there, or not here.",
                    )
            for port, anchor in _each(peer, INBOUND_PORTS):
                alone = sending[port] == (port in peer.outbound)
                if port in peer.listens and alone and len(self._known) > 1:
                    yield replace(
                        anchor,
                        value=str(port),
                        message=f"port {port} takes plain text, and no other workload of the "
                        "input excludes it outbound: what the mesh's pods send is the mesh's TLS",
                        fix=f"Exclude {port} outbound where it is called from inside the mesh.",
                    )


def _each(peer: _Peer, listed: ListName) -> Iterator[tuple[int, Finding]]:
    ports, anchor = peer.own.get(listed.field, ((), None))
    for port in dict.fromkeys(ports):
        if anchor is not None:
            yield port, anchor


def _declared(spec: dict[str, Any]) -> Iterable[int]:
    containers = spec.get("containers")
    for container in containers if isinstance(containers, list) else ():
        ports = container.get("ports") if isinstance(container, dict) else None
        for one in ports if isinstance(ports, list) else ():
            port = one.get("containerPort") if isinstance(one, dict) else None
            if isinstance(port, int) and one.get("protocol", "TCP") == "TCP":
                yield port
