"""Policies, packets and rule sets for the laws."""

from __future__ import annotations

from hypothesis import strategies as st

from fsm_stack.iptables.packet import Packet
from fsm_stack.iptables.sets.ranges import dotted
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import SYSTEMS

systems = st.sampled_from(tuple(SYSTEMS.values()))
# Small worlds meet: few octets, so that ranges overlap and packets fall on their edges.
octets = st.sampled_from((0, 1, 2, 3, 10, 127, 128, 255))
near_addresses = st.builds("{}.{}.{}.{}".format, octets, octets, octets, octets)
addresses = st.one_of(near_addresses, st.integers(0, 2**32 - 1).map(dotted))
ranges = st.builds("{}/{}".format, addresses, st.integers(0, 32))
some_ports = (0, 1, 53, 80, 443, 6379, 7070, 8080, 15000, 15001, 15003, 15010, 15901, 15904, 65535)
ports = st.one_of(st.sampled_from(some_ports), st.integers(0, 65535))
interface_names = ("lo", "eth0", "eth1", "net1", "veth7", "v")
interface_patterns = st.sampled_from((*interface_names, "eth+", "veth+", "+", "e+h"))

lists = st.builds(
    InterceptLists,
    local_proxy_mode=st.sampled_from(("", "Localhost", "PodIP", "podip")),
    interfaces=st.lists(interface_patterns, max_size=3).map(tuple),
    excluded_ranges=st.lists(ranges, max_size=6).map(tuple),
    included_ranges=st.lists(ranges, max_size=6).map(tuple),
    outbound_ports=st.lists(ports, max_size=6).map(tuple),
    inbound_ports=st.lists(ports, max_size=6).map(tuple),
    dns_proxy=st.booleans(),
)
nonsense = st.text(max_size=12)
nonsense_lists = st.builds(
    InterceptLists,
    local_proxy_mode=nonsense,
    interfaces=st.lists(nonsense, max_size=3).map(tuple),
    excluded_ranges=st.lists(nonsense, max_size=3).map(tuple),
    included_ranges=st.lists(nonsense, max_size=3).map(tuple),
    outbound_ports=st.lists(st.integers(), max_size=3).map(tuple),
    inbound_ports=st.lists(st.integers(), max_size=3).map(tuple),
    dns_proxy=st.booleans(),
)


@st.composite
def packets(draw: st.DrawFn, policy: InterceptLists) -> Packet:
    """A packet, often on the edge of one of the policy's own ranges and ports."""
    named = [text.partition("/")[0] for text in (*policy.excluded_ranges, *policy.included_ranges)]
    own = st.sampled_from(named) if named else addresses
    own_ports = (*policy.outbound_ports, *policy.inbound_ports)
    return Packet(
        direction=draw(st.sampled_from(("outbound", "inbound"))),
        protocol=draw(st.sampled_from(("tcp", "tcp", "tcp", "udp", "icmp"))),
        destination=draw(st.one_of(own, addresses, st.sampled_from(("127.0.0.1", "127.0.0.153")))),
        port=draw(st.one_of(st.sampled_from(own_ports) if own_ports else ports, ports)),
        interface=draw(st.sampled_from(interface_names)),
        uid=draw(st.sampled_from((0, 1000, 1499, 1500, 1501))),
    )


@st.composite
def policies_and_packets(draw: st.DrawFn) -> tuple[InterceptLists, list[Packet]]:
    policy = draw(lists)
    return policy, draw(st.lists(packets(policy), min_size=1, max_size=8))
