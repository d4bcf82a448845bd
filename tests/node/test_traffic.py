"""`trace` and `coverage` against the counters of the kernel, inside injected pods.

The judge is the nat table of the pod: what a connection's first packet met is counted there, rule
by rule. Probes have no pods of their own here: nobody else connects while one is counted.
"""

from __future__ import annotations

import json
import os
import random
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import (
    Packet,
    Pod,
    Rewritten,
    ToListener,
    Untouched,
    protocol_number,
    redirected_to,
    sent_to,
)
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.sets.coverage import coverage
from fsm_stack.iptables.sets.diagram import child_at
from fsm_stack.iptables.sets.ranges import address_number

from .machine import ADDRESS, HERE
from .workloads import container, pod, wait_ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.iptables.packet import Verdict
    from fsm_stack.iptables.rule import Ruleset

    from .stack import Stack

pytestmark = pytest.mark.node

MODES = ("Localhost", "PodIP")
# Of the stack's own lists, and of the pods' annotations.
ANNOTATIONS = {
    "flomesh.io/outbound-port-exclusion-list": "9092",
    "flomesh.io/inbound-port-exclusion-list": "9093",
    "flomesh.io/outbound-ip-range-exclusion-list": "10.96.0.1/32,172.16.0.0/12",
}
EDGES = ("1.1.1.1", "1.1.1.2", "2.2.2.0", "2.2.2.255", "2.2.3.0", "10.96.0.1", "10.96.0.2",
         "172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0", "127.0.0.1", "127.0.0.2",
         "8.8.8.8", "10.244.0.77")  # fmt: skip
PORTS = (80, 443, 6378, 6379, 7070, 8080, 8081, 9000, 9092, 9093, 15000, 15010, 15901, 15904)
UIDS = (0, 1000, 1500)
RANDOM_PROBES = 150  # of each mode
SEED = 20


@pytest.fixture(scope="module", params=MODES)
def target(stack: Stack, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """A ready pod that was injected in one of the proxy modes; the MeshConfig is put back."""
    mesh_config = stack.object("MeshConfig", "fsm-mesh-config")
    given = pod(
        "demo", f"traffic-{request.param.lower()}", container("http:8080", "tcp:9000", "tcp:9093"),
        annotations=ANNOTATIONS,
    )  # fmt: skip
    stack.api.patch(mesh_config, {"spec": {"sidecar": {"localProxyMode": request.param}}})
    try:
        stack.api.create(given)
    finally:
        mode = mesh_config["spec"]["sidecar"]["localProxyMode"]
        stack.api.patch(mesh_config, {"spec": {"sidecar": {"localProxyMode": mode}}})
    (live,) = wait_ready(stack.api, given)
    assert ("DNAT" in script(live)) == (request.param == "PodIP")
    yield live
    stack.api.delete(given)


def script(live: dict[str, Any]) -> str:
    """What the init container was told to load."""
    (init,) = (one for one in live["spec"]["initContainers"] if one["name"] == "fsm-init")
    return str(init["args"][1])


def rules_of(live: dict[str, Any]) -> Ruleset:
    return read(script(live)).ruleset


def outbound(destination: str, port: int, uid: int = 1000) -> Packet:
    return Packet(direction="outbound", destination=destination, port=port, uid=uid)


def inbound(live: dict[str, Any], port: int) -> Packet:
    own = live["status"]["podIP"]
    # A kubelet's probe or a peer arrives through the pod's only cable.
    return Packet(direction="inbound", destination=own, port=port, source=ADDRESS,
                  interface="eth0")  # fmt: skip


def probed(
    stack: Stack, live: dict[str, Any], packets: list[Packet], *, listen: bool = False
) -> list[dict[str, Any]]:
    """What the kernel counted for each."""
    pid = str(stack.node.process(live, "app"))
    given = json.dumps([asdict(one) | {"listen": listen} for one in packets])
    command = (sys.executable, "-I", str(HERE / "prober.py"), pid)
    answers: list[dict[str, Any]] = json.loads(stack.node.machine.run(*command, given=given))
    return answers


def edge_packets(live: dict[str, Any]) -> list[Packet]:
    """Both sides of every entry of the lists, in both directions, of every kind of user."""
    own = live["status"]["podIP"]
    packets = [inbound(live, port) for port in (*PORTS, 1, 65535)]
    packets += [outbound(address, 80, uid) for address in (*EDGES, own) for uid in UIDS]
    packets += [outbound("10.1.2.3", port, uid) for port in PORTS for uid in (1000, 1500)]
    return packets


def random_packets(live: dict[str, Any]) -> list[Packet]:
    chosen = random.Random(SEED)  # noqa: S311  # the same every time
    packets = []
    for _ in range(RANDOM_PROBES):
        port = chosen.choice((*PORTS, chosen.randint(1, 14999), chosen.randint(16000, 65535)))
        if chosen.random() < 0.3:
            packets.append(inbound(live, port))
            continue
        number = chosen.randint(1 << 24, (224 << 24) - 1)
        spread = ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
        address = chosen.choice((spread, *EDGES))
        packets.append(outbound(address, port, chosen.choice(UIDS)))
    return packets


def test_trace_names_the_rules_that_the_kernel_counts(stack: Stack, target: Any) -> None:
    """Not only the verdict: every rule that applied, in every chain, and no other."""
    packets = edge_packets(target)
    place = Pod(address=target["status"]["podIP"])
    for packet, counted in zip(packets, probed(stack, target, packets), strict=True):
        told = trace(rules_of(target), packet, pod=place).passes[0]
        expected = {(hop.chain, hop.number) for hop in told.hops if hop.matched}
        assert {(chain, number) for chain, number, _ in counted["rules"]} == expected, packet


def test_coverage_holds_what_the_kernel_decides(stack: Stack, target: Any) -> None:
    """Over random connections, boundary ports and addresses among them."""
    packets = random_packets(target)
    place = Pod(address=target["status"]["podIP"])
    fates = coverage(rules_of(target))
    seen = set()
    for packet, counted in zip(packets, probed(stack, target, packets), strict=True):
        node: Any = fates.outbound if packet.direction == "outbound" else fates.inbound
        interface = packet.interface or ("lo" if place.owns(packet.destination) else "eth0")
        for point in (
            protocol_number("tcp"), interface, packet.uid, packet.port,
            address_number(packet.source or place.address), address_number(packet.destination),
        ):  # fmt: skip
            node = child_at(node, point)
        happened = verdict(counted["rules"])
        if isinstance(node, Rewritten) and node.address == "$POD_IP":
            node = Rewritten(place.address, node.port)
        assert happened == node, packet
        seen.add(type(happened))
    assert {ToListener, Untouched} <= seen


def verdict(rules: list[Any]) -> Verdict:
    """What the counted rules did, read from their text."""
    for _, _, text in rules:
        words = text.split()
        if "REDIRECT" in words:
            return redirected_to(int(words[-1]))
        if "DNAT" in words:
            return sent_to(words[-1])
    return Untouched()


@pytest.mark.skipif(
    "FSM_STACK_FSM_IMAGES" in os.environ, reason="Pipy itself does not say who took a connection"
)
def test_the_listener_that_takes_a_connection_knows_where_it_was_going(
    stack: Stack, target: Any
) -> None:
    """The counters say what a rule did; this says who was reached."""
    own = target["status"]["podIP"]
    local = own if "DNAT" in script(target) else "127.0.0.1"
    expected = {
        outbound("10.1.2.3", 80): "15001 10.1.2.3 80",
        outbound("10.1.2.3", 6379): "",  # excluded: it leaves, and nobody is there
        outbound("1.1.1.1", 80): "",
        outbound("10.1.2.3", 80, 1500): "",  # the sidecar's own
        outbound("127.0.0.1", 9000): "app 127.0.0.1 9000",
        outbound("127.0.0.1", 9000, 1500): f"app {local} 9000",
        outbound(own, 9000): f"app {own} 9000",
        outbound(own, 9000, 1500): f"15003 {own} 9000",
        inbound(target, 8080): f"15003 {own} 8080",
        inbound(target, 9093): f"app {own} 9093",
        inbound(target, 15010): f"15010 {own} 15010",
    }
    answers = probed(stack, target, list(expected), listen=True)
    heard = {packet: one["heard"] for packet, one in zip(expected, answers, strict=True)}
    assert heard == expected


def test_the_command_line_says_the_same(stack: Stack, target: Any) -> None:
    """`trace --script` of the live pod, as a user asks."""
    file = stack.project / "init.sh"
    file.write_text(script(target))
    words = ("--script", str(file), "--to", "10.1.2.3:9092", "-o", "json")
    answer = json.loads(stack.fsm_stack("trace", *words, cluster=False).stdout)
    (counted,) = probed(stack, target, [outbound("10.1.2.3", 9092)])
    chain, number, _ = counted["rules"][-1]
    assert (answer["rule"]["chain"], answer["rule"]["number"]) == (chain, number)
