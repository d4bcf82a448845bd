"""Situations that users reported, in a small form, each with its right answer."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from fsm_stack.iptables.judge.expect import found_lists
from fsm_stack.iptables.judge.lint import lint_reading
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import (
    May,
    Packet,
    Pod,
    Rewritten,
    ToListener,
    Untouched,
)
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.sets.coverage import coverage
from fsm_stack.iptables.sets.diagram import values

if TYPE_CHECKING:
    from fsm_stack.iptables.packet import Verdict
    from fsm_stack.iptables.read.text import Reading

OUTBOUND, INBOUND = ToListener("outbound", 15001), ToListener("inbound", 15003)
MESH = """\
-A PREROUTING -p tcp -j FSM_PROXY_INBOUND
-A OUTPUT -p tcp -j FSM_PROXY_OUTBOUND
-A FSM_PROXY_INBOUND -p tcp -m multiport --dports 8081 -j RETURN
-A FSM_PROXY_INBOUND -p tcp -m tcp --dport 15904 -j RETURN
-A FSM_PROXY_INBOUND -p tcp -j FSM_PROXY_IN_REDIRECT
-A FSM_PROXY_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15003
-A FSM_PROXY_OUTBOUND ! -d 127.0.0.1/32 -o lo -m owner --uid-owner 1500 -j FSM_PROXY_IN_REDIRECT
-A FSM_PROXY_OUTBOUND -o lo -m owner ! --uid-owner 1500 -j RETURN
-A FSM_PROXY_OUTBOUND -m owner --uid-owner 1500 -j RETURN
-A FSM_PROXY_OUTBOUND -d 127.0.0.1/32 -j RETURN
-A FSM_PROXY_OUTBOUND -d 2.2.2.0/24 -j RETURN
-A FSM_PROXY_OUTBOUND -p tcp -m multiport --dports 6379,7070 -j RETURN
-A FSM_PROXY_OUTBOUND -j FSM_PROXY_OUT_REDIRECT
-A FSM_PROXY_OUT_REDIRECT -p tcp -j REDIRECT --to-ports 15001
"""
CHAINS = ("FSM_PROXY_INBOUND", "FSM_PROXY_IN_REDIRECT", "FSM_PROXY_OUTBOUND",
          "FSM_PROXY_OUT_REDIRECT")  # fmt: skip


def table(rules: str, *more: str) -> str:
    """A nat table as iptables-save prints it."""
    hooks = "".join(f":{name} ACCEPT [1:60]\n" for name in
                    ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"))  # fmt: skip
    chains = "".join(f":{name} - [0:0]\n" for name in (*more, *CHAINS))
    return f"*nat\n{hooks}{chains}{rules}COMMIT\n"


def verdict(reading: Reading, to: str, port: int = 80, *, uid: int = 1000, **part: str) -> Verdict:
    packet = Packet(direction="outbound", destination=to, port=port, uid=uid, **part)
    return trace(reading.ruleset, packet, pod=Pod(address="10.244.0.7")).verdict


def entered(reading: Reading, port: int = 80, interface: str = "eth0") -> Verdict:
    packet = Packet(direction="inbound", destination="10.244.0.7", port=port, interface=interface)
    return trace(reading.ruleset, packet).verdict


def ids(reading: Reading) -> list[str]:
    return [item.id for item in reading.findings]


RESOLVER = """\
-A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT
-A DOCKER_OUTPUT -d 127.0.0.11/32 -p tcp -m tcp --dport 53 -j DNAT --to-destination 127.0.0.11:395
-A DOCKER_OUTPUT -d 127.0.0.11/32 -p udp -m udp --dport 53 -j DNAT --to-destination 127.0.0.11:552
"""
RESOLVER_BEYOND = """\
-A POSTROUTING -d 127.0.0.11/32 -j DOCKER_POSTROUTING
-A DOCKER_POSTROUTING -s 127.0.0.11/32 -p tcp -m tcp --sport 395 -j SNAT --to-source :53
-A DOCKER_POSTROUTING -s 127.0.0.11/32 -p udp -m udp --sport 552 -j SNAT --to-source :53
"""


@pytest.mark.parametrize(("beyond", "said"), [("", []), (RESOLVER_BEYOND, ["passed-over"])])
def test_dockers_resolver_beside_the_mesh_is_decided(beyond: str, said: list[str]) -> None:
    """Its chains in OUTPUT count; those of POSTROUTING are passed over, and said."""
    chains = ("DOCKER_OUTPUT", "DOCKER_POSTROUTING") if beyond else ("DOCKER_OUTPUT",)
    reading = read(table(RESOLVER + beyond + MESH, *chains))
    assert ids(reading) == said
    assert verdict(reading, "127.0.0.11", 53) == Rewritten("127.0.0.11", 395)
    assert verdict(reading, "127.0.0.11", 53, protocol="udp") == Rewritten("127.0.0.11", 552)
    assert verdict(reading, "10.0.0.1") == OUTBOUND
    assert verdict(reading, "10.0.0.1", 6379) == Untouched()
    assert entered(reading) == INBOUND
    assert found_lists(reading).lists.outbound_ports == (6379, 7070)
    assert not [item for item in lint_reading(reading) if item.id == "unused-chain"]


ENGINE = """\
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
"""


def test_a_docker_engine_in_a_pod_changes_nothing_until_it_publishes_a_port() -> None:
    """Whether an address is local is not decided here, and makes no difference."""
    reading = read(table(MESH + ENGINE, "DOCKER"))
    assert ids(reading) == ["passed-over", "undecided-rule"]
    assert set(values(coverage(reading.ruleset).outbound)) == {OUTBOUND, Untouched(), INBOUND}
    assert entered(reading) == INBOUND
    assert entered(reading, interface="docker0") == INBOUND
    assert entered(reading, 8081) == Untouched()
    published = (
        "-A DOCKER ! -i docker0 -p tcp --dport 8081 -j DNAT --to-destination 172.17.0.2:80\n"
    )
    reading = read(table(MESH + ENGINE + published, "DOCKER"))
    local = ("-m addrtype --dst-type LOCAL",)
    assert entered(reading, 8081) == May((Rewritten("172.17.0.2", 80), Untouched()), local)
    assert entered(reading, 8081, "docker0") == Untouched()
    assert entered(reading, 80) == INBOUND
    assert verdict(reading, "10.0.0.1") == OUTBOUND


START = """\
#!/bin/sh
# joins a virtual machine to the mesh
self=$(hostname -I | cut -d' ' -f1)
if ! iptables-restore <<EOF
*filter
:INPUT ACCEPT [0:0]
-A INPUT -m state --state ESTABLISHED -j ACCEPT
COMMIT
{nat}EOF
then
  exit 1
fi
exec pipy "$repo"
"""
OWN = "-A FSM_PROXY_OUTBOUND -d {}/32 -m owner --uid-owner 1500 -j RETURN\n"
FIRST = "-A FSM_PROXY_OUTBOUND ! -d"


def start_script(own: str) -> str:
    return table(MESH.replace(FIRST, OWN.format(own) + FIRST))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            START.format(nat=start_script("$self")),
            ["passed-over", "unknown-variable", "passed-over", "undecided-rule"],
        ),
        (
            f"iptables-restore <<EOF\n{start_script('$self')}EOF\n",
            ["unknown-variable", "undecided-rule"],
        ),
        (f"iptables-restore <<EOF\n{start_script('10.0.0.9')}EOF\n", []),
    ],
    ids=["in a script", "alone", "with its value"],
)
def test_the_start_script_of_a_virtual_machine_is_read(text: str, said: list[str]) -> None:
    reading = read(text)
    assert reading.dialect == "restore"
    assert ids(reading) == said
    assert verdict(reading, "10.0.0.1") == OUTBOUND
    assert verdict(reading, "10.0.0.1", uid=1500) == Untouched()
    assert entered(reading) == INBOUND
    own = verdict(reading, "10.0.0.9", uid=1500, interface="lo")
    assert own == (May((INBOUND, Untouched()), ("-d $self/32",)) if said else Untouched())


def test_an_interface_that_is_excluded_by_its_negation_decides() -> None:
    reading = read(
        table(MESH.replace(FIRST, f"-A FSM_PROXY_OUTBOUND ! -o eth0 -j RETURN\n{FIRST}"))
    )
    assert verdict(reading, "10.0.0.1", interface="eth1") == Untouched()
    assert verdict(reading, "10.0.0.1", interface="eth0") == OUTBOUND
    assert found_lists(reading).lists.interfaces == ()


def test_doubled_jumps_of_the_other_back_end_are_told_with_it() -> None:
    hook = "-A OUTPUT -p tcp -j FSM_PROXY_OUTBOUND\n"
    text = table(MESH.replace(hook, hook * 2).replace("-A", "[0:0] -A"))
    warned = "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n"
    found = {item.id for item in lint_reading(read(warned + text))}
    assert found == {"other-backend", "doubled-jump"}


def test_many_ways_through_chains_are_walked_at_once() -> None:
    """Fifteen chains that each jump four times to the next: a billion ways."""
    names = [f"C{number}" for number in range(15)]
    jumps = [f"-A {a} -p tcp -j {b}\n" * 4 for a, b in pairwise(names)]
    rules = ("-A OUTPUT -p tcp -j C0\n", *jumps, "-A C14 -p tcp --dport 1 -j RETURN\n")
    chains = "".join(f":{name} - [0:0]\n" for name in names)
    reading = read(f"*nat\n{chains}{''.join(rules)}COMMIT\n")
    packet = Packet(direction="outbound", destination="10.0.0.1", port=80)
    (walked,) = trace(reading.ruleset, packet).passes
    assert walked.verdict == Untouched()
    assert len(walked.hops) == 1 + 14 * 4 + 1


def test_rules_that_all_differ_are_read_and_said_to_be_too_many_to_compare() -> None:
    rules = [
        f"-A C -p tcp -d 11.0.{n}.0/24 ! --dport {100 + 7 * n}:{103 + 7 * n} -m owner ! "
        f"--uid-owner {n} -j {'RETURN' if n % 2 else 'REDIRECT --to-port 15001'}\n"
        for n in range(100)
    ]
    text = f"*nat\n:C - [0:0]\n-A OUTPUT -p tcp -j C\n{''.join(rules)}COMMIT\n"
    reading = read(text)
    assert [item.id for item in lint_reading(reading)] == ["too-complex"]
    assert verdict(reading, "11.0.2.1", uid=7) == OUTBOUND
