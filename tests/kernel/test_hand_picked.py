"""Cases that are easy to get wrong, chosen by hand: the simulator against the kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from judged import DIALECTS, Case, Dialect, expected, judge, text_of
from network import BACKENDS, CABLES, POD_IP, Backend, interface_to

from fsm_stack.iptables.packet import Packet
from fsm_stack.iptables.sets.ranges import on_the_wire
from fsm_stack.lists import InterceptLists

if TYPE_CHECKING:
    from network import Network

pytestmark = pytest.mark.kernel
COMBINATIONS = [(backend, dialect) for backend in BACKENDS for dialect in DIALECTS]
SIDECAR = 1500


def out(destination: str, port: int = 80, uid: int = 1000, protocol: str = "tcp") -> Packet:
    return Packet(
        direction="outbound",
        protocol=protocol,
        destination=destination,
        port=port,
        uid=uid,
        interface=interface_to(destination),
    )


def into(interface: str, port: int) -> Packet:
    return Packet(
        direction="inbound", destination=CABLES[interface][0], port=port, interface=interface
    )


# System, lists, connections.
PICKED: dict[str, tuple[str, InterceptLists, tuple[Packet, ...]]] = {
    "an exclusion inside an inclusion, an inclusion inside an exclusion, and their edges": (
        "fsm",
        InterceptLists(
            excluded_ranges=("198.18.4.0/22", "198.18.32.0/19"),
            included_ranges=("198.18.0.0/20", "198.18.40.0/24"),
        ),
        (out("198.18.3.255"), out("198.18.4.0"), out("198.18.7.255"), out("198.18.8.0"),
         out("198.18.15.255"), out("198.18.16.0"), out("198.18.40.1"), out("198.18.64.0")),
    ),
    "the whole address space included, but for a half": (
        "osm",
        InterceptLists(
            excluded_ranges=("128.0.0.0/1",),
            included_ranges=("0.0.0.0/0",),
        ),
        (out("198.18.7.7"), out("127.0.0.2"), out("127.0.0.1", uid=SIDECAR)),
    ),
    "an interface pattern takes eth0 and eth1, both ways, and not lo": (
        "fsm",
        InterceptLists(interfaces=("eth+",)),
        (out("198.18.7.7"), out("198.19.7.7"), into("eth0", 80), into("eth1", 8080),
         out(POD_IP, uid=SIDECAR), out(POD_IP)),
    ),
    "an exact interface is no prefix": (
        "fsm",
        InterceptLists(interfaces=("eth", "eth1")),
        (out("198.18.7.7"), out("198.19.7.7"), into("eth0", 80), into("eth1", 80)),
    ),
    "loopback excluded, the sidecar's call of its own pod is decided before": (
        "fsm",
        InterceptLists(interfaces=("lo",)),
        (out(POD_IP, uid=SIDECAR), out("127.0.0.1", uid=SIDECAR), out(POD_IP), out("198.18.7.7")),
    ),
    "a call of the pod to itself: the sidecar's second connection enters again": (
        "fsm",
        InterceptLists(),
        (out(POD_IP, uid=SIDECAR), out("198.51.100.2", uid=SIDECAR), out(POD_IP), out("127.0.0.2"),
         out("127.0.0.2", uid=SIDECAR), out("127.0.0.1", uid=SIDECAR)),
    ),
    "PodIP: the hand-over goes to the pod's address, to nobody else's, and only the sidecar's": (
        "osm",
        InterceptLists(local_proxy_mode="PodIP"),
        (out("127.0.0.1", 8080, SIDECAR), out("127.0.0.1", 8080), out("127.0.0.2", 8080, SIDECAR),
         out(POD_IP, 8080, SIDECAR), out("198.18.7.7", 8080, SIDECAR)),
    ),
    "podip, in another spelling, is no mode": (
        "osm",
        InterceptLists(local_proxy_mode="podip"),
        (out("127.0.0.1", 8080, SIDECAR),),
    ),
    "the DNS rule of osm-edge takes UDP to one address and port, of any user": (
        "osm-edge",
        InterceptLists(dns_proxy=True),
        (out("127.0.0.153", 53, protocol="udp"), out("127.0.0.153", 53, SIDECAR, "udp"),
         out("127.0.0.153", 9999, protocol="udp"), out("198.18.7.7", 53, protocol="udp"),
         out("198.18.7.7", 9999, protocol="udp")),
    ),
    "every interface excluded: UDP of the DNS rule is still rewritten, TCP is left alone": (
        "osm-edge",
        InterceptLists(dns_proxy=True, interfaces=("+",)),
        (out("127.0.0.153", 53, protocol="udp"), out("198.18.7.7"), into("eth0", 80)),
    ),
    "ports of the mesh in the lists, and beside them": (
        "fsm",
        InterceptLists(
            outbound_ports=(15000, 443), inbound_ports=(15010, 8080)
        ),
        (out("198.18.7.7", 15000), out("198.18.7.7", 443), out("198.18.7.7", 80),
         into("eth0", 15010), into("eth0", 15901), into("eth0", 15904), into("eth0", 15000),
         into("eth0", 8080), into("eth1", 8080), into("eth0", 9999)),
    ),
    "users beside the sidecar's": (
        "fsm",
        InterceptLists(),
        (out("198.18.7.7", uid=0), out("198.18.7.7", uid=1499), out("198.18.7.7", uid=1500),
         out("198.18.7.7", uid=1501), out("198.18.7.7", uid=4294967294)),
    ),
}  # fmt: skip


@pytest.mark.requirement("C3", "C4", "C18", "C20", "C37")
@pytest.mark.parametrize(("backend", "dialect"), COMBINATIONS)
@pytest.mark.parametrize("name", PICKED)
def test_a_picked_case_agrees(pod: Network, name: str, backend: Backend, dialect: Dialect) -> None:
    system, lists, packets = PICKED[name]
    case = Case(system=system, backend=backend, dialect=dialect, lists=lists, packets=packets)
    assert judge(case, pod) == len(packets)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "asked",
    ["::ffff:198.18.7.7", "::ffff:198.18.9.9", "::ffff:127.0.0.1", "0.0.0.0"],  # noqa: S104  # connected to
)
def test_the_address_in_the_packets_decides(pod: Network, asked: str, backend: Backend) -> None:
    """An IPv6 socket that connects to ::ffff:198.18.7.7 sends IPv4; nobody's address is ours."""
    lists = InterceptLists(excluded_ranges=("198.18.9.0/24",))
    case = Case(system="fsm", backend=backend, dialect="restore", lists=lists, packets=())
    assert pod.load(text_of(case), backend).returncode == 0
    real = on_the_wire(asked)
    told = expected(out(real), text_of(case))
    assert pod.connect([replace(out(real), destination=asked)]) == [told]
