"""Single connections, explained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm_stack.errors import InputError
from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.judge.loadable import NotLoadableError
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import (
    Packet,
    Pod,
    Rewritten,
    ToListener,
    Trace,
    Untouched,
    verdict_text,
)
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.sets.reach import reach
from fsm_stack.iptables.write import rule_text
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import FSM, OSM_EDGE

OUTBOUND = ToListener("outbound", 15001)
INBOUND = ToListener("inbound", 15003)
POD = Pod(address="10.244.1.7")


def out(destination: str, port: int = 443, uid: int = 1000, protocol: str = "tcp") -> Packet:
    return Packet(
        direction="outbound", destination=destination, port=port, uid=uid, protocol=protocol
    )


def walk(packet: Packet, to: str = "", **lists: object) -> Trace:
    policy = InterceptLists(**lists)  # type: ignore[arg-type]  # written out by each test
    return trace(intercept(policy, OSM_EDGE), packet, pod=POD, resolves_to=to)


def story(found: Trace) -> list[tuple[str, str]]:
    return [(one.title, verdict_text(one.verdict)) for one in found.passes]


def test_an_applications_connection_goes_through_the_sidecar() -> None:
    found = walk(out("10.1.2.3"))
    assert found.verdict == OUTBOUND
    assert found.why == "intercepted outbound traffic goes to the sidecar's outbound listener"
    assert found.decided_by is not None
    assert rule_text(found.decided_by.rule) == "-p tcp -j REDIRECT --to-port 15001"
    assert [
        (hop.chain, hop.number, rule_text(hop.rule)) for hop in found.passes[0].hops if hop.matched
    ] == [
        ("OUTPUT", 1, "-p tcp -j OSM_PROXY_OUTBOUND"),
        ("OSM_PROXY_OUTBOUND", 5, "-j OSM_PROXY_OUT_REDIRECT"),
        ("OSM_PROXY_OUT_REDIRECT", 1, "-p tcp -j REDIRECT --to-port 15001"),
    ]
    assert story(found) == [
        ("a process of the pod connects to 10.1.2.3:443", "to the outbound listener (15001)"),
        ("the sidecar connects on to 10.1.2.3:443", "untouched"),
    ]


@pytest.mark.requirement("C3")
def test_the_sidecars_own_connection_is_not_captured() -> None:
    found = walk(out("10.1.2.3", uid=1500))
    assert found.verdict == Untouched()
    assert found.why == "the sidecar's own traffic must not loop back into it"
    assert len(found.passes) == 1


def test_a_call_of_the_pod_to_itself_through_a_service_ends_at_the_inbound_listener() -> None:
    """App to sidecar, sidecar to the pod's own address, inbound listener to the app."""
    assert story(walk(out("10.96.0.1"), to="10.244.1.7")) == [
        ("a process of the pod connects to 10.96.0.1:443", "to the outbound listener (15001)"),
        ("the sidecar connects on to 10.244.1.7:443", "to the inbound listener (15003)"),
        ("the sidecar hands over to the application's port 443", "untouched"),
    ]


@pytest.mark.requirement("C20")
def test_in_pod_ip_mode_the_sidecar_hands_over_at_the_pods_address() -> None:
    packet = Packet(direction="inbound", destination="10.244.1.7", port=8080)
    found = walk(packet, local_proxy_mode="PodIP")
    assert [one.verdict for one in found.passes] == [INBOUND, Rewritten("10.244.1.7", None)]
    assert found.passes[1].why == (
        "the sidecar reaches the application at the pod's address, not at localhost"
    )
    unknown = trace(intercept(InterceptLists(local_proxy_mode="PodIP"), FSM), packet)
    assert unknown.passes[1].verdict == Rewritten("$POD_IP", None)


def test_loopback_between_processes_of_the_pod_is_left_alone() -> None:
    for destination in ("127.0.0.1", "10.244.1.7"):
        found = walk(out(destination))
        assert found.verdict == Untouched()
        assert found.why == "processes of the pod that talk over loopback are not intercepted"


@pytest.mark.requirement("C4")
@pytest.mark.parametrize("protocol", ["udp", "icmp"])
def test_what_is_not_tcp_is_not_intercepted(protocol: str) -> None:
    found = walk(out("10.1.2.3", 53, protocol=protocol))
    assert found.verdict == Untouched()
    assert found.decided_by is None
    assert found.why == f"not intercepted: {protocol.upper()}, and only TCP is redirected"


@pytest.mark.requirement("C4")
def test_the_dns_rule_of_osm_edge_is_the_exception() -> None:
    found = walk(out("127.0.0.153", 53, protocol="udp"), dns_proxy=True)
    assert found.verdict == Rewritten("127.0.0.153", 5300)
    assert verdict_text(found.verdict) == "rewritten to 127.0.0.153:5300"


@pytest.mark.requirement("C4")
def test_ipv6_is_not_intercepted_and_the_answer_says_why() -> None:
    found = walk(out("fd00::1"))
    assert found.verdict == Untouched()
    assert found.why == "not intercepted: IPv6, and the rules are in the IPv4 table only"


@pytest.mark.parametrize(
    ("lists", "packet", "why"),
    [
        ({"excluded_ranges": ("10.0.0.0/8",)}, out("10.1.2.3"),
         "this outbound IP range is excluded"),
        ({"outbound_ports": (443,)}, out("10.1.2.3"),
         "these outbound ports are excluded"),
        ({"interfaces": ("eth+",)}, out("10.1.2.3"),
         "traffic that leaves through this interface is excluded"),
        ({"included_ranges": ("11.0.0.0/8",)}, out("10.1.2.3"),
         "only the included ranges are intercepted"),
        ({"inbound_ports": (443,)},
         Packet(direction="inbound", destination="10.244.1.7", port=443),
         "these inbound ports are excluded"),
        ({"interfaces": ("eth0",)},
         Packet(direction="inbound", destination="10.244.1.7", port=443),
         "traffic that enters through this interface is excluded"),
        ({}, Packet(direction="inbound", destination="10.244.1.7", port=15904),
         "the health-check helper answers here, bypassing the sidecar"),
    ],
)  # fmt: skip
@pytest.mark.requirement("C18", "C20")
def test_every_exclusion_says_why(lists: dict[str, object], packet: Packet, why: str) -> None:
    found = walk(packet, **lists)
    assert found.verdict == Untouched()
    assert found.why == why


@pytest.mark.requirement("C18")
def test_exclusion_beats_inclusion() -> None:
    lists = {
        "excluded_ranges": ("10.1.0.0/16",),
        "included_ranges": ("10.0.0.0/8",),
    }
    assert walk(out("10.1.2.3"), **lists).verdict == Untouched()
    assert walk(out("10.2.2.3"), **lists).verdict == OUTBOUND


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (out("10.1.2"), "destination '10.1.2': expected an IPv4 or IPv6 address"),
        (out("10.1.2.3", 65536), "port 65536: expected 0 to 65535"),
        (out("10.1.2.3", uid=-1), "uid -1: expected 0 or more"),
        (Packet(direction="inbound", destination="10.1.2.3", source="x"),
         "source 'x': expected an IPv4 or IPv6 address"),
    ],
)  # fmt: skip
def test_a_packet_that_cannot_exist_is_an_error(packet: Packet, message: str) -> None:
    with pytest.raises(InputError) as caught:
        walk(packet)
    assert str(caught.value) == message


def test_an_unknown_protocol_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="protocol 'quic': expected one of icmp, igmp, tcp, udp"):
        walk(out("10.1.2.3", protocol="quic"))


def test_rules_that_do_not_load_have_no_answer() -> None:
    """The kernel would install nothing of them, and the pod would not start."""
    with pytest.raises(NotLoadableError) as caught:
        walk(out("10.1.2.3"), outbound_ports=tuple(range(1, 17)))
    assert str(caught.value) == (
        "iptables refuses to load these rules: multiport: expected at most 15 ports, got 16"
    )


def test_a_rule_that_asks_for_the_source_is_not_guessed() -> None:
    """Neither that it matches nor, negated, that it does not."""
    text = "-N X\n-A OUTPUT -p tcp -j X\n-A X {} -j RETURN\n-A X -j ACCEPT\n"
    for match in ("-s 10.0.0.0/8", "! -s 10.0.0.0/8"):
        with pytest.raises(InputError) as caught:
            trace(read(text.format(match)).ruleset, out("10.1.2.3"))
        assert str(caught.value) == f"a rule asks for the source, {match}: expected one, --from"
    known = replace(out("10.1.2.3"), source="10.9.9.9")
    found = trace(read(text.format("! -s 10.0.0.0/8")).ruleset, known)
    assert [hop.matched for hop in found.passes[0].hops] == [True, False, True]
    everything = trace(read(text.format("-s 0.0.0.0/0")).ruleset, out("10.1.2.3"))
    assert [hop.matched for hop in everything.passes[0].hops] == [True, True]


def test_the_sidecar_goes_on_over_the_interface_that_was_asked_about() -> None:
    """A second network has rules of its own."""
    found = walk(replace(out("10.1.2.3"), interface="net1"))
    assert [one.packet.interface for one in found.passes] == ["net1", "net1"]


def branching(depth: int, last: str) -> str:
    """Chains of which each jumps to the next one four times."""
    names = "".join(f"-N C{n}\n" for n in range(depth))
    jumps = "".join(f"-A C{n} -p tcp -j C{n + 1}\n" * 4 for n in range(depth - 1))
    return f"{names}-A OUTPUT -p tcp -j C0\n{jumps}-A C{depth - 1} -p tcp --dport 1 -j {last}\n"


def test_a_chain_is_walked_once_however_many_jumps_lead_to_it() -> None:
    """Paths would be four times as many with each chain: a thousand million of them."""
    found = trace(read(branching(15, "RETURN")).ruleset, out("10.1.2.3"))
    (only,) = found.passes
    assert found.verdict == Untouched()
    assert len(only.hops) == 1 + 14 * 4 + 1
    assert [hop.number for hop in only.hops if hop.chain == "C13"] == [1, 2, 3, 4]


def test_who_decided_is_the_rule_that_sent_the_packet_back_the_last_time_too() -> None:
    found = trace(read(branching(3, "RETURN")).ruleset, out("10.1.2.3", 1))
    assert found.decided_by is not None
    assert (found.decided_by.chain, found.decided_by.number) == ("C2", 1)


def test_a_chain_that_decides_the_first_time_ends_the_walk() -> None:
    found = trace(read(branching(3, "REDIRECT --to-ports 15003")).ruleset, out("10.1.2.3", 1))
    assert found.verdict == INBOUND
    assert [hop.chain for hop in found.passes[0].hops] == ["OUTPUT", "C0", "C1", "C2"]


@pytest.mark.parametrize(
    ("match", "redirected"),
    [
        ("-i lo", False),
        ("! -i lo", True),
        ("-i +", True),
        ("! -i e+", True),
        ("! -i +", False),
        ("-i e+", False),
    ],
)
def test_below_output_the_incoming_interface_has_no_name(match: str, redirected: bool) -> None:  # noqa: FBT001  # pytest's way
    """Seen in the kernel with both back ends."""
    rules = f"-N A\n-A OUTPUT -p tcp -j A\n-A A {match} -p tcp -j REDIRECT --to-ports 15003\n"
    ruleset = read(rules).ruleset
    assert (trace(ruleset, out("10.1.2.3")).verdict == INBOUND) is redirected
    assert bool(reach(ruleset)) is redirected


def test_a_redirection_to_port_0_says_so() -> None:
    """The kernel takes it; nothing can listen there."""
    rules = "-A OUTPUT -p tcp --dport 80 -j REDIRECT --to-ports 0\n"
    verdict = trace(read(rules).ruleset, out("10.1.2.3", 80)).verdict
    assert verdict_text(verdict) == "rewritten to 127.0.0.1:0"
