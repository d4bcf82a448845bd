"""Dumps with rules of other programs: what is decided the kernel does; a named rule does decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from judged import arrival, possible
from network import BACKENDS, CABLES, POD_IP, Backend, interface_to

from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import May, Packet, Pod
from fsm_stack.iptables.read.text import read

if TYPE_CHECKING:
    from network import Network

    from fsm_stack.iptables.packet import Trace

pytestmark = pytest.mark.kernel

MESH = """\
-A PREROUTING -p tcp -j MESH_IN
-A MESH_IN -p tcp -m multiport --dports 8080 -j RETURN
-A MESH_IN -p tcp -j REDIRECT --to-port 15003
-A OUTPUT -p tcp -j MESH_OUT
-A MESH_OUT -o lo -j RETURN
-A MESH_OUT -m owner --uid-owner 1500 -j RETURN
-A MESH_OUT -p tcp --dport 6379 -j RETURN
-A MESH_OUT -p tcp -j REDIRECT --to-port 15001
"""
ENGINE = """\
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
"""
SERVICES = """\
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE_SERVICES
-A KUBE_SERVICES -d 198.18.0.10/32 -p tcp -m comment --comment "a/b:http cluster IP" \
--dport 6379 -j KUBE_SVC
-A KUBE_SVC ! -s 10.244.0.0/16 -d 198.18.0.10/32 -p tcp --dport 6379 -j KUBE_MARK
-A KUBE_MARK -j MARK --set-xmark 0x4000/0x4000
-A KUBE_SVC -m comment --comment "a/b:http -> 198.19.0.7:8080" -j KUBE_SEP
-A KUBE_SEP -p tcp -m tcp -j DNAT --to-destination 198.19.0.7:8080
-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE
"""


def script(rules: str, *chains: str) -> str:
    declared = "".join(f":{name} - [0:0]\n" for name in chains)
    lines = rules.replace("\\\n", "")
    return f"iptables-restore --noflush <<EOF\n*nat\n{declared}{lines}COMMIT\nEOF\n"


def out(destination: str, port: int = 80, uid: int = 1000) -> Packet:
    return Packet(
        direction="outbound", destination=destination, port=port, uid=uid, source=POD_IP,
        interface=interface_to(destination),
    )  # fmt: skip


def into(port: int, interface: str = "eth0") -> Packet:
    own, other, _ = CABLES[interface]
    return Packet(
        direction="inbound", destination=own, port=port, interface=interface, source=other
    )


PACKETS = (out("198.18.7.7"), out("198.18.7.7", 6379), out("198.18.0.10", 6379),
           out("198.18.7.7", uid=1500), out(POD_IP), out("127.0.0.1"), into(80), into(8080),
           into(8080, "eth1"))  # fmt: skip
# Rules and chains beside the mesh's, and which of the packets they leave undecided.
DUMPS: dict[str, tuple[str, tuple[str, ...], tuple[int, ...]]] = {
    "a docker engine": (MESH + ENGINE, ("DOCKER",), ()),
    "a docker engine that publishes a port": (
        MESH + ENGINE + f"-A DOCKER -p tcp --dport 8080 -j DNAT --to-destination {POD_IP}:9999\n",
        ("DOCKER",),
        (7, 8),
    ),
    "the services of kube-proxy": (
        SERVICES + MESH,
        ("KUBE_SERVICES", "KUBE_SVC", "KUBE_SEP", "KUBE_MARK"),
        (),
    ),
    "connections that are new": (
        f"-A OUTPUT -p tcp -m conntrack --ctstate NEW -j RETURN\n{MESH}",
        (),
        (0,),
    ),
    "a mark that nobody sets": (f"-A OUTPUT -m mark --mark 0x1 -j ACCEPT\n{MESH}", (), (0,)),
    "a group": (f"-A OUTPUT -p tcp -m owner --gid-owner 0 -j RETURN\n{MESH}", (), (0,)),
    "source ports that are not used": (f"-A OUTPUT -p tcp --sport 1:99 -j ACCEPT\n{MESH}", (), (0,)),
    "a choice that leads to the same": (
        f"-A OUTPUT -m conntrack --ctstate NEW -j OTHER\n-A OTHER -p tcp -j MESH_OUT\n{MESH}",
        ("OTHER",),
        (),
    ),
}  # fmt: skip
LOOKED_AT = range(len(PACKETS))


def asked(text: str, packet: Packet) -> Trace:
    return trace(read(text).ruleset, packet, pod=Pod(address=POD_IP))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", DUMPS)
def test_what_is_decided_beside_foreign_rules_the_kernel_does(
    pod: Network, name: str, backend: Backend
) -> None:
    rules, chains, undecided = DUMPS[name]
    text = script(rules, "MESH_IN", "MESH_OUT", *chains)
    loaded = pod.load(text, backend)
    assert loaded.returncode == 0, loaded.stderr
    dump = pod.save(backend)
    arrived = pod.connect(PACKETS)
    for number, packet in enumerate(PACKETS):
        for rules_of in (text, dump):
            told = possible(packet, rules_of)
            assert (len(told) > 1) == (number in undecided), (packet, told)
            assert arrived[number] in told


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [name for name, (_, _, left) in DUMPS.items() if left])
def test_a_named_rule_decides(pod: Network, name: str, backend: Backend) -> None:
    """Whether its match holds or not, the kernel does one or the other of what is told."""
    rules, chains, undecided = DUMPS[name]
    text = script(rules, "MESH_IN", "MESH_OUT", *chains)
    packet = PACKETS[undecided[0]]
    told = asked(text, packet)
    assert isinstance(told.verdict, May)
    (hop,) = told.undecided
    assert hop.undecided is not None
    assert hop.rule.line is not None
    lines = text.split("\n")
    line = lines[hop.rule.line - 1]
    assert hop.undecided.text in line
    ends = set()
    for chosen in (line.replace(hop.undecided.text, ""), "# it does not match"):
        lines[hop.rule.line - 1] = chosen
        decided = "\n".join(lines)
        pod.flush()
        assert pod.load(decided, backend).returncode == 0
        (end,) = pod.connect([packet])
        assert [end] == possible(packet, decided)
        ends.add(end)
    assert ends == {arrival(packet, one) for one in told.verdict.among}


MATCHES = ("", "-m mark --mark 0x1 ", "-m conntrack --ctstate NEW ", "-m addrtype --dst-type LOCAL ",
           "-m addrtype --dst-type UNICAST ", '-m comment --comment "a b" ',
           "-m conntrack ! --ctstate NEW ")  # fmt: skip
TARGETS = ("-j RETURN", "-j ACCEPT", "-p tcp -j REDIRECT --to-port 15001",
           "-p tcp -j REDIRECT --to-port 15003", "-p tcp -j DNAT --to-destination 198.19.0.7:8080",
           "-j MARK --set-mark 1")  # fmt: skip
LIMITS = ("", "-p tcp --dport 80 ", "-d 198.18.0.0/16 ", "-m owner --uid-owner 1000 ", "-o lo ")


def rules_of(chain: str, *more: str) -> st.SearchStrategy[list[str]]:
    one = st.builds(
        "-A {} {}{}{}".format,
        st.just(chain),
        st.sampled_from(LIMITS),
        st.sampled_from(MATCHES),
        st.sampled_from((*TARGETS, *more)),
    )
    return st.lists(one.filter(lambda rule: rule.count("-p tcp") < 2), max_size=4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_kernel_does_one_of_what_is_told(pod: Network, backend: Backend) -> None:
    # None to 127.0.0.1: rewritten to another host it keeps its source, and nobody can answer it.
    packets = (*PACKETS[:5], out("198.18.7.7", 443), out("198.19.9.9", uid=0))

    @settings(max_examples=40, deadline=None, derandomize=True, database=None,
              phases=(Phase.generate, Phase.shrink),
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.tuples(rules_of("OUTPUT", "-j A", "-j B"), rules_of("A", "-j B"), rules_of("B")))
    def agree(chains: tuple[list[str], ...]) -> None:
        pod.flush()
        text = script("".join(f"{rule}\n" for rules in chains for rule in rules), "A", "B")
        loaded = pod.load(text, backend)
        assert loaded.returncode == 0, f"{loaded.stderr}\n{text}"
        for packet, arrived in zip(packets, pod.connect(packets), strict=True):
            assert arrived in possible(packet, text), f"{packet}\n{text}"

    agree()
