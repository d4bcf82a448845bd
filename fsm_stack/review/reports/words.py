"""Regions of traffic in words: what they hold, what is known of it, one packet of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.packet import WITH_PORTS, Packet, endpoint_text, protocol_name
from fsm_stack.iptables.sets.ranges import (
    IPV4_END,
    complement,
    dotted,
    intersection,
    ipv4_range,
    merged,
)
from fsm_stack.iptables.sets.reach import length, set_text, shortened
from fsm_stack.settings.models.stack import METADATA_RANGES
from fsm_stack.well_known import RESERVED_PORTS, SIDECAR_UID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsm_stack.iptables.sets.reach import Intervals, Region
    from fsm_stack.settings.models.stack import StackSettings

# What a port means to most readers. Source: IANA's service names, and the projects' documents.
PORTS: Final = {
    22: "SSH",
    53: "DNS",
    80: "HTTP",
    443: "HTTPS",
    2379: "etcd",
    3306: "MySQL",
    5432: "PostgreSQL",
    5672: "AMQP",
    6379: "Redis",
    6443: "the Kubernetes API server",
    8080: "HTTP",
    8443: "HTTPS",
    9042: "Cassandra",
    9090: "Prometheus",
    9092: "Kafka",
    9200: "Elasticsearch",
    11211: "memcached",
    27017: "MongoDB",
}
# Whose instance metadata the preset of a profile is.
_METADATA: Final = {
    "cloud-metadata": "instance metadata of AWS, Azure, Google Cloud and others",
    "cloud-metadata-alibaba": "instance metadata of Alibaba Cloud",
    "cloud-metadata-oracle-classic": "instance metadata of Oracle Cloud Classic",
}
# Source: RFC 1918, RFC 6598, RFC 3927, RFC 1122.
WELL_KNOWN_RANGES: Final = {
    "10.0.0.0/8": "private addresses",
    "172.16.0.0/12": "private addresses",
    "192.168.0.0/16": "private addresses",
    "100.64.0.0/10": "shared addresses of carriers and clouds",
    "169.254.0.0/16": "link-local addresses",
    "127.0.0.0/8": "loopback",
}
_NAMED_PORTS_MAX: Final = 6
_SHOWN: Final = 4
_NOT_SIDECAR: Final = ((0, SIDECAR_UID), (SIDECAR_UID + 1, IPV4_END))
_TCP: Final = ((6, 7),)
# An address that nobody has: 198.51.100.1. Source: RFC 5737.
_EXAMPLE: Final = 0xC6336401
_APPLICATION: Final = 1000
_INTERFACES: Final = ("eth0", "lo", "eth1", "net1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of addresses.

    Attributes:
        pods: ranges of pods.
        services: ranges of services.
        api: the API server's address, which is a service's and none of the mesh.
        names: other ranges, each with its name; the first that fits is told.
    """

    pods: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    api: str = ""
    names: tuple[tuple[str, str], ...] = ()

    @property
    def own(self) -> Intervals:
        """All addresses of the mesh's pods and services."""
        every = spans((*self.pods, *self.services))
        server = spans((self.api,)) if self.api else ()
        return tuple(intersection(every, complement(server, 0, IPV4_END)))


def spans(ranges: Sequence[str]) -> Intervals:
    """The addresses of some ranges."""
    return tuple(merged([bounds for text in ranges if (bounds := ipv4_range(text)) is not None]))


def known_of(settings: StackSettings | None) -> Known:
    """What a stack says of its cluster, and what everybody knows."""
    metadata = tuple((cidr, _METADATA[name]) for name, cidr in METADATA_RANGES.items())
    rest = (*metadata, *WELL_KNOWN_RANGES.items())
    if settings is None:
        return Known(names=rest)
    cluster = settings.cluster
    api = cluster.api_server
    server = ((f"{api.address}/32", "the Kubernetes API server"),) if api else ()
    return Known(
        pods=cluster.pod_ranges,
        services=cluster.service_ranges,
        api=server[0][0] if server else "",
        names=(*server, *rest),
    )


def subject(region: Region) -> str:
    """``TCP 443 to any address``, ``inbound TCP 9091``: which traffic, as short as it is exact."""
    head = "inbound " if region.direction == "inbound" else ""
    protocols = "all protocols" if set_text(region, "protocols") == "any" else _protocols(region)
    ports = set_text(region, "ports")
    parts = [f"{head}{protocols}" + ("" if ports == "any" else f" {shortened(ports, _SHOWN)}")]
    where = set_text(region, "destinations")
    if region.direction == "outbound" or where != "any":
        parts.append(f"to {'any address' if where == 'any' else shortened(where, _SHOWN)}")
    if (sources := set_text(region, "sources")) != "any":
        parts.append(f"from {shortened(sources, _SHOWN)}")
    interfaces = set_text(region, "interfaces")
    if interfaces not in {"any", "any but lo"}:
        parts.append(f"over {shortened(interfaces, _SHOWN)}")
    if region.direction == "outbound" and region.uids != _NOT_SIDECAR:
        uids = set_text(region, "uids")
        if region.uids == ((SIDECAR_UID, SIDECAR_UID + 1),):
            parts.append("by the sidecar")
        elif uids != "any":
            parts.append(f"by uid {shortened(uids, _SHOWN)}")
    return " ".join(parts)


def _protocols(region: Region) -> str:
    if region.protocols == _TCP:
        return "TCP"
    if region.protocols == tuple(complement(_TCP, 0, 256)):
        return "all that is not TCP"
    return set_text(region, "protocols").upper()


def names(region: Region, known: Known) -> tuple[str, ...]:
    """What is known of a region's addresses and ports, each once, the cluster's own first."""
    return tuple(dict.fromkeys((*_addresses(region, known), *_ports(region))))


def _addresses(region: Region, known: Known) -> Iterator[str]:
    if region.direction == "inbound":
        return
    for ranges, name in ((known.pods, "the cluster's pods"), (known.services, "its services")):
        for text in ranges:
            yield from _of_range(region, text, name)
    if length(region.destinations) > IPV4_END // 2:
        return  # of nearly every address, no single name tells anything
    for text, name in known.names:
        bounds = ipv4_range(text)
        inside = bounds and all(
            bounds[0] <= start and stop <= bounds[1] for start, stop in region.destinations
        )
        if inside:
            yield f"{text}: {name}"
            return


def _of_range(region: Region, text: str, name: str) -> Iterator[str]:
    bounds = ipv4_range(text)
    shared = intersection([bounds] if bounds else [], region.destinations)
    if not shared or bounds is None:
        return
    whole = shared == [bounds]
    yield f"{text}: {name}" + ("" if whole else ", in part")


def _ports(region: Region) -> Iterator[str]:
    if length(region.ports) > _NAMED_PORTS_MAX:
        return
    for start, stop in region.ports:
        for port in range(start, stop):
            name = RESERVED_PORTS.get(port) or PORTS.get(port)
            if name:
                yield f"port {port}: {name}"


def own_included(region: Region, known: Known) -> bool:
    """Whether the region holds addresses of the cluster's own pods or services."""
    return region.direction == "outbound" and bool(intersection(region.destinations, known.own))


def packet_of(region: Region, known: Known) -> Packet:
    """One packet of a region: an application's over eth0, to the cluster itself where that is."""
    own = intersection(region.destinations, known.own)
    # A range rather than one address: what is left of a range without the API server starts so.
    spots = sorted(own or region.destinations, key=lambda one: one[1] - one[0] <= 2)  # noqa: PLR2004
    destination = _address(spots[0])
    if not own and length(region.destinations) > IPV4_END // 2:
        destination = _inside(region.destinations, _EXAMPLE, destination)
    protocols = [number for start, stop in region.protocols for number in range(start, stop)]
    number = 6 if 6 in protocols else 17 if 17 in protocols else protocols[0]  # noqa: PLR2004  # TCP, UDP
    outbound = region.direction == "outbound"
    return Packet(
        direction=region.direction,
        destination=dotted(destination),
        port=_port(region.ports) if protocol_name(number) in WITH_PORTS else 0,
        protocol=protocol_name(number),
        source="" if set_text(region, "sources") == "any" else dotted(region.sources[0][0]),
        interface=_interface(region.interfaces),
        uid=_inside(region.uids, _APPLICATION) if outbound else 0,
    )


def _address(interval: tuple[int, int]) -> int:
    """The first address that a host can have."""
    start, stop = interval
    return start if start & 255 or stop - start < 3 else start + 1  # noqa: PLR2004


def _port(ports: Intervals) -> int:
    for wanted in (443, 80, 8080):
        if any(start <= wanted < stop for start, stop in ports):
            return wanted
    found: int = next((max(start, 1) for start, stop in ports if stop > 1), 0)
    return found


def _inside(intervals: Intervals, wanted: int, other: int | None = None) -> int:
    held = any(start <= wanted < stop for start, stop in intervals)
    first: int = intervals[0][0]
    return wanted if held else first if other is None else other


def _interface(intervals: Intervals) -> str:
    first = str(intervals[0][0])
    for name in (*_INTERFACES, first.replace("\0", "0"), f"{first}0"):
        if name and any(
            start <= name and (stop is None or name < stop) for start, stop in intervals
        ):
            return name
    return first


def packet_text(packet: Packet) -> str:
    """``tcp 10.96.0.1:443 over eth0, uid 1000``."""
    what = f"{packet.protocol} {endpoint_text(packet)}"
    came = f" from {packet.source}" if packet.source else ""
    if packet.direction == "inbound":
        return f"inbound {what}{came} over {packet.interface}"
    return f"{what}{came} over {packet.interface}, uid {packet.uid}"


def question_text(packet: Packet) -> str:
    """The options of ``fsm-stack trace`` that ask about a packet."""
    where = endpoint_text(packet)
    parts = [f"--to {where}"]
    if packet.protocol != "tcp":
        parts.append(f"--protocol {packet.protocol}")
    if packet.source:
        parts.append(f"--from {packet.source}")
    if packet.direction == "inbound":
        parts.append("--inbound")
    elif packet.uid != _APPLICATION:
        parts.append(f"--uid {packet.uid}")
    if packet.interface != "eth0":
        parts.append(f"--interface {packet.interface}")
    return " ".join(parts)
