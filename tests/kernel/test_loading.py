"""What loads: this package's answer and that of both back ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from network import BACKENDS

from fsm_stack.iptables.judge.loadable import refusals
from fsm_stack.iptables.read.text import read

if TYPE_CHECKING:
    from network import Backend, Network

pytestmark = pytest.mark.kernel


def chains(count: int) -> str:
    return "".join(f":C{n} - [0:0]\n" for n in range(count))


def jumps(count: int) -> str:
    return "".join(f"-A C{n} -j C{n + 1}\n" for n in range(count))


C = chains(1)
# Rules to the back ends that refuse them.
RULES: dict[str, tuple[str, ...]] = {
    ":ACCEPT - [0:0]\n": ("legacy", "nft"),
    ":RETURN - [0:0]\n": ("legacy", "nft"),
    ":LOG - [0:0]\n": (),
    f"{chains(15)}-A OUTPUT -p tcp -j C0\n{jumps(14)}": (),
    f"{chains(16)}-A OUTPUT -p tcp -j C0\n{jumps(15)}": ("nft",),
    f"{chains(21)}{jumps(20)}": (),
    f"{C}-A C0 -p tcp -j C0\n": (),
    f"{chains(2)}{jumps(1)}-A C1 -j C0\n": (),
    f"{C}-A OUTPUT -p tcp -j C0\n-A C0 -p tcp -j C0\n": ("legacy", "nft"),
    f"{C}-A C0 -p tcp -j REDIRECT --to-port 0\n": (),
    "-A OUTPUT ! -d 0.0.0.0/0 -p tcp -j RETURN\n": ("nft",),
    "-A OUTPUT -i eth0 -p tcp -j RETURN\n": ("legacy", "nft"),
    f"{C}-A OUTPUT -p tcp -j C0\n-A C0 -i eth0 -p tcp -j RETURN\n": (),
    f"{C}-A PREROUTING -p tcp -j C0\n-A C0 ! -o eth0 -p tcp -j RETURN\n": (),
    "-A OUTPUT -p ipv6-icmp -j RETURN\n": (),
    "-A OUTPUT -p tcp --dport 5 -m multiport --dports 5,6 -j RETURN\n": (),
    f"{C}-A C0 -p tcp -j SNAT --to-source 192.0.2.1\n": (),
    f"{C}-A C0 -p tcp -j SNAT --to-source 192.0.2.1\n-A OUTPUT -j C0\n": ("legacy", "nft"),
    f"{C}-A C0 -p tcp -j SNAT --to-source 192.0.2.1\n-A INPUT -j C0\n": (),
    "-A INPUT -p tcp -j MASQUERADE\n": ("legacy", "nft"),
    "-A POSTROUTING -p tcp -j MASQUERADE\n": (),
    "-A POSTROUTING -p tcp -j REDIRECT --to-ports 1\n": ("legacy", "nft"),
    "-A INPUT -p tcp -j DNAT --to-destination 192.0.2.1\n": ("legacy", "nft"),
    "-A OUTPUT -p tcp -j NETMAP --to 192.0.2.0/24\n": (),
    "-A OUTPUT -p tcp -j NFQUEUE --queue-num 1\n": (),
    "-A OUTPUT -p tcp -j QUEUE\n": ("nft",),
    "-A OUTPUT -p tcp -j DROP\n": ("legacy", "nft"),
    **{
        f"{C}-A C0 -p tcp -j {target}\n": ("legacy", "nft")
        for target in ("CHECKSUM --checksum-fill", "CT --notrack", "DSCP --set-dscp 1",
                       "ECN --ecn-tcp-remove", "NOTRACK", "REJECT",
                       "TCPOPTSTRIP --strip-options sack", "TOS --set-tos 16",
                       "TPROXY --on-port 1", "TTL --ttl-set 3", "CONNSECMARK --save")
    },
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rules", RULES)
def test_rules_load_where_this_package_says_so(pod: Network, backend: Backend, rules: str) -> None:
    """What one back end refuses is refused here: nobody knows which one a node has."""
    text = f"iptables-restore --noflush <<EOF\n*nat\n{rules}COMMIT\nEOF\n"
    loaded = pod.load(text, backend).returncode == 0
    assert loaded is (backend not in RULES[rules])
    reading = read(text)
    refused = [*refusals(reading.ruleset), *(i for i in reading.findings if i.id == "wrong-hook")]
    assert bool(refused) is bool(RULES[rules])
