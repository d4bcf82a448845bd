"""Whose an address is, and what a pod may have asked for when a log has it as a destination.

Pods and Services are a snapshot's. Kube-proxy, or a sidecar, chooses an endpoint after iptables
saw the Service's address. What was asked for is then a set: everything that could have become the
endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.flows.row import OUTBOUND, End, Original
from fsm_stack.flows.rulebook import EVERY, Asked
from fsm_stack.injector.annotations import pod_lists
from fsm_stack.injector.profile import Refusal
from fsm_stack.iptables.sets.ranges import Span, address_number, complement, ipv4_range, merged
from fsm_stack.lists import MESH, Lists
from fsm_stack.snapshot.shape import mapping, mappings, text, texts
from fsm_stack.snapshot.snapshot import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fsm_stack.flows.rulebook import Rules
    from fsm_stack.settings.models.control_plane import Cluster
    from fsm_stack.snapshot.objects import Pod
    from fsm_stack.snapshot.snapshot import Snapshot
    from fsm_stack.systems import System


_SERVICE_NAME = "kubernetes.io/service-name"

# An address, or any of some ranges, and a port that a client may have asked for; None: the
# endpoint's own address.
Front = tuple["int | tuple[Span, ...] | None", int]
PRIVATE: Final = tuple(
    sorted(
        bounds
        for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
        if (bounds := ipv4_range(cidr))
    )
)
_LOOPBACK: Final[Span] = ipv4_range("127.0.0.0/8") or EVERY
_CACHED_MAX: Final = 50_000
_FRONTS_MAX: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workload:
    """What a pod is of.

    Attributes:
        name: ``Deployment/shop/web``.
        lists: of its annotations.
        meshed: it has a sidecar.
    """

    name: str
    lists: Lists
    meshed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What is known of a cluster's addresses.

    Attributes:
        pods: by address.
        named: by ``Pod/shop/web-7f9c`` and by owner.
        endpoints: what clients may have asked for when an endpoint's address and port are seen.
        ports: the same by the endpoint's port alone: of a pod that came or went since then.
        services: each Service's address and ports, by ``shop/redis``.
        service_names: a Service's name by its address.
        has_pods: pods were read, so that who is not among them is no pod.
        has_services: Services and EndpointSlices were read.
    """

    pods: Mapping[int, Workload] = field(default_factory=dict)
    named: Mapping[str, Workload] = field(default_factory=dict)
    endpoints: Mapping[tuple[int, int], tuple[Front, ...]] = field(default_factory=dict)
    ports: Mapping[int, tuple[Front, ...]] = field(default_factory=dict)
    services: Mapping[str, tuple[int | None, tuple[int, ...]]] = field(default_factory=dict)
    service_names: Mapping[int, str] = field(default_factory=dict)
    has_pods: bool = False
    has_services: bool = False

    def service(self, name: str) -> tuple[int | None, tuple[int, ...]] | None:
        """A Service by the name that a log has for it: ``shop/redis`` or ``redis.shop``."""
        if name not in self.services:
            first, _, rest = name.partition(".")
            name = f"{rest.partition('.')[0]}/{first}"
        return self.services.get(name)


def objects_of(snapshot: Snapshot, system: System) -> Objects:
    """The addresses of a snapshot.

    Args:
        snapshot: of a cluster, or of ``kubectl get pods,services,endpointslices -A -o json``.
        system: whose sidecars and annotations.
    """
    pods, named = _pods(snapshot.pods, system)
    services = {f"{place}/{name}": item for (place, name), item in snapshot.services.items()}
    known = {name: (_address(item), tuple(_ports(item))) for name, item in services.items()}
    endpoints = _endpoints(snapshot.endpoints, services, _nodes(snapshot.pods))
    by_port: dict[int, dict[Front, None]] = {}
    for (_, port), fronts in endpoints.items():
        by_port.setdefault(port, {}).update(dict.fromkeys(fronts))
    return Objects(
        pods=pods,
        named=named,
        endpoints=endpoints,
        ports={port: _few([*fronts]) for port, fronts in by_port.items()},
        services=known,
        service_names={at: name for name, (at, _) in known.items() if at is not None},
        has_pods=Part.PODS in snapshot.read,
        has_services={Part.SERVICES, Part.ENDPOINTS} <= snapshot.read,
    )


def _pods(pods: Iterable[Pod], system: System) -> tuple[dict[int, Workload], dict[str, Workload]]:
    by_address: dict[int, Workload] = {}
    named: dict[str, Workload] = {}
    made: dict[tuple[str, Lists, bool], Workload] = {}
    for pod in pods:
        owner = pod.owner
        name = f"{owner.kind}/{pod.namespace}/{owner.name}" if owner else f"Pod/{pod.key}"
        meshed = pod.container(system.sidecar_container) is not None and not pod.host_network
        lists = _lists(pod, system)
        known = made.setdefault(
            (name, lists, meshed), Workload(name=name, lists=lists, meshed=meshed)
        )
        named[f"Pod/{pod.key}"] = named[name] = known
        address = address_number(pod.address)
        if address is not None and not pod.host_network and not pod.over:
            by_address[address] = known
    return by_address, named


def _lists(pod: Pod, system: System) -> Lists:
    try:
        return pod_lists(pod.annotations, system)
    except Refusal:  # the injector would have refused the pod
        return Lists()


def _address(service: Mapping[str, Any]) -> int | None:
    """A Service's address; None: it is headless, or has none yet."""
    return address_number(text(mapping(service.get("spec")).get("clusterIP")))


def _ports(service: Mapping[str, Any]) -> Iterator[int]:
    for port in mappings(mapping(service.get("spec")).get("ports")):
        if port.get("protocol", "TCP") == "TCP" and isinstance(port.get("port"), int):
            yield port["port"]


def _nodes(pods: Iterable[Pod]) -> tuple[Span, ...]:
    """The nodes' addresses, as far as some pod has its node's."""
    found = (address_number(one.address) for one in pods if one.host_network)
    return tuple(merged([(at, at + 1) for at in found if at is not None]))


def _fronts(
    service: Mapping[str, Any], port: Mapping[str, Any], nodes: tuple[Span, ...]
) -> Iterator[Front]:
    """What leads to a Service's port: kube-proxy translates all of it where the client is.

    Source: kubernetes pkg/proxy, servicePort: cluster address, external ones, a load balancer's,
    and the node port of every node.
    """
    spec, status = mapping(service.get("spec")), mapping(service.get("status"))
    external = spec.get("externalIPs")
    entrances = mappings(mapping(status.get("loadBalancer")).get("ingress"))
    outside = [
        *(external if isinstance(external, list) else ()),
        *(one.get("ip") for one in entrances),
    ]
    number, node_port = port.get("port"), port.get("nodePort")
    if not isinstance(number, int):
        return
    yield _address(service), number
    for at in outside:
        if (where := address_number(text(at))) is not None:
            yield where, number
    if nodes and isinstance(node_port, int) and node_port:
        yield nodes, node_port


def _few(fronts: list[Front]) -> tuple[Front, ...]:
    """Of more than a few addresses their ranges: each is asked for every pod that is gone."""
    if len(fronts) <= _FRONTS_MAX:
        return tuple(fronts)
    spans: dict[int, list[Span]] = {}
    for at, port in fronts:
        if at is not None:
            spans.setdefault(port, []).extend([(at, at + 1)] if isinstance(at, int) else at)
    return tuple((tuple(merged(found)), port) for port, found in spans.items())


def _endpoints(
    slices: Iterable[Mapping[str, Any]],
    services: Mapping[str, Mapping[str, Any]],
    nodes: tuple[Span, ...],
) -> dict[tuple[int, int], tuple[Front, ...]]:
    """A slice's port has the name of the Service's port that leads to it."""
    found: dict[tuple[int, int], dict[Front, None]] = {}
    for item in slices:
        about = mapping(item.get("metadata"))
        name = f"{text(about.get('namespace'))}/{texts(about.get('labels')).get(_SERVICE_NAME)}"
        service = services.get(name)
        if service is None:
            continue
        fronts = {
            text(port.get("name")): [*_fronts(service, port, nodes)]
            for port in mappings(mapping(service.get("spec")).get("ports"))
        }
        for port in mappings(item.get("ports")):
            number = port.get("port")
            if not isinstance(number, int):
                continue
            asked: list[Front] = [
                (None, number) if at is None else (at, front)
                for at, front in fronts.get(text(port.get("name")), ())
            ]
            if not asked:
                continue
            for endpoint in mappings(item.get("endpoints")):
                for at in endpoint.get("addresses") or ():
                    if (where := address_number(str(at))) is not None:
                        found.setdefault((where, number), {}).update(dict.fromkeys(asked))
    return {at: tuple(asked) for at, asked in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """How logs are to be understood.

    Attributes:
        profile: of the pods that no object tells about; ``mesh``: without annotations.
        original: whether destinations are those that iptables saw, instead of what formats say.
    """

    profile: str = MESH
    original: Original | None = None


class Addresses:
    """The addresses of one cluster.

    Args:
        cluster: its ranges, as the stack has them.
        objects: its pods and Services.
        original: whether destinations are those that iptables saw; None: as each row says.
    """

    def __init__(self, cluster: Cluster, objects: Objects, original: Original | None) -> None:
        self._objects = objects
        self._original = original
        self._pods = _spans(cluster.pod_ranges)
        self._services = tuple(_spans(cluster.service_ranges)) or PRIVATE
        self._of_pods: dict[int, bool] = {}

    def is_pod(self, address: int | str | None) -> bool:
        """Whether a pod of the cluster has an address."""
        if not isinstance(address, int):
            return address is None
        known = self._of_pods.get(address)
        if known is None:
            if len(self._of_pods) >= _CACHED_MAX:
                self._of_pods.clear()
            known = self._of_pods[address] = address in self._objects.pods or _inside(
                address, self._pods or PRIVATE
            )
        return known

    def asked(
        self, target: int | str, port: int, end: End, rules: Sequence[Rules]
    ) -> tuple[Asked, ...]:
        """Everything that a pod may have asked for when a log has this destination."""
        service = self._objects.service(end.service) if end.service else None
        if isinstance(target, str):
            if service is not None and service[0] is not None:
                return ((service[0], port),)
            return ((self._region(target.partition(" ")[0]), port),)
        original = self._original or end.original
        if original == "yes":
            return ((target, port),)
        itself: tuple[Asked, ...] = ((target, port),)
        if self._objects.has_services:
            fronts = self._objects.endpoints.get((target, port), ())
            gone = not fronts and self._came_or_went(target)
            if gone:
                fronts = self._objects.ports.get(port, ((self._services, port),))
            if service is not None and service[0] is not None:
                named = tuple(one for one in fronts if one[0] == service[0])
                fronts = named or (
                    tuple((service[0], one) for one in service[1]) if gone else fronts
                )
            found = tuple(
                (target if address is None else address, front) for address, front in fronts
            )
            # An endpoint that is excluded itself may have been asked for without its Service.
            direct = any(one.entries.taking(OUTBOUND, itself[0]) for one in rules)
            sure = found and not direct and not gone and original != "unknown"
            both = found if sure else (*itself, *found)
            return tuple(dict.fromkeys(both))
        if _inside(target, self._pods or PRIVATE):
            return (*itself, (self._services, port))
        return itself

    def _came_or_went(self, target: int) -> bool:
        """Whether an address may have been an endpoint when it was logged, and is none now."""
        return target not in self._objects.pods and _inside(target, self._pods or PRIVATE)

    def _region(self, kind: str) -> tuple[Span, ...]:
        """The addresses that a kind of endpoint may have."""
        if kind == "wep":
            return tuple(merged([*(self._pods or PRIVATE), *self._services]))
        if kind == "pvt":
            return PRIVATE
        if kind == "pub":
            return tuple(complement(merged([*PRIVATE, _LOOPBACK]), *EVERY))
        return tuple(complement([_LOOPBACK], *EVERY))


def _spans(texts: Sequence[str]) -> list[Span]:
    return merged([bounds for text in texts if (bounds := ipv4_range(text))])


def _inside(address: int, spans: Sequence[Span]) -> bool:
    return any(start <= address < end for start, end in spans)
