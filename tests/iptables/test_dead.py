"""Dead rules are exactly those that no packet takes."""

from __future__ import annotations

from itertools import product
from time import process_time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fsm_stack.iptables.judge.lint import lint
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import Packet
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.rule import (
    Accept,
    Append,
    Destination,
    Jump,
    OutInterface,
    Protocol,
    Return,
    Rule,
    Ruleset,
    kernel_order,
)
from fsm_stack.iptables.sets.coverage import coverage, rule_limits
from fsm_stack.iptables.sets.dead import dead_rules

matches = st.lists(
    st.one_of(
        st.builds(
            Destination,
            cidr=st.builds("10.0.{}.0/{}".format, st.integers(0, 3), st.integers(22, 24)),
            negated=st.booleans(),
        ),
        st.builds(
            OutInterface, name=st.sampled_from(("eth0", "eth+", "+")), negated=st.booleans()
        ),
        st.just(Protocol(name="tcp")),
    ),
    max_size=2,
    unique_by=type,
).map(tuple)
targets = st.sampled_from((Return(), Return(), Accept(), Jump(chain="Y")))
rules = st.lists(st.builds(Rule, matches=matches, target=targets), max_size=9)
# One packet of every class that the rules above can tell apart.
PACKETS = [
    Packet(direction="outbound", destination=address, interface=interface, protocol=protocol)
    for address, interface, protocol in product(
        (*(f"10.0.{block}.1" for block in range(5)), "9.0.0.1"),
        ("eth0", "eth1", "lo"),
        ("tcp", "udp"),
    )
]


@given(matches, rules, rules)
def test_a_rule_is_dead_when_no_packet_takes_it(
    entry: tuple[Protocol, ...], chain: list[Rule], below: list[Rule]
) -> None:
    """Not one of them is reported without being dead, and none is missed."""
    assume(rule_limits(Rule(matches=entry, target=Return())) is not None)
    ruleset = Ruleset(
        chains=("X", "Y"),
        steps=(
            Append(chain="OUTPUT", rule=Rule(matches=entry, target=Jump(chain="X"))),
            *(Append(chain="X", rule=rule) for rule in chain),
            *(Append(chain="Y", rule=rule) for rule in below if not isinstance(rule.target, Jump)),
        ),
    )
    taken = {
        (hop.chain, hop.number)
        for packet in PACKETS
        for hop in trace(ruleset, packet).passes[0].hops
        if hop.matched
    }
    found = {(dead.chain, dead.number) for dead in dead_rules(kernel_order(ruleset))}
    assert not found & taken
    numbers = {("X", number) for number in range(1, len(chain) + 1)}
    assert numbers & found == numbers - taken


def test_what_matches_nothing_is_not_said_to_be_taken() -> None:
    text = "-N X\n-A OUTPUT -p tcp -j X\n-A X -p udp -j RETURN\n-A X ! -o + -j RETURN\n"
    dead = [item.message for item in lint(read(text).ruleset) if item.id == "dead-rule"]
    assert dead == [
        "X rule 1, -p udp -j RETURN, is never reached: no packet that enters X matches it",
        "X rule 2, ! -o + -j RETURN, is never reached: no packet that enters X matches it",
    ]


def test_a_jump_that_comes_back_takes_nothing() -> None:
    """What is behind it is taken by somebody else, or by nobody."""
    text = (
        "-N X\n-N Y\n-A OUTPUT -p tcp -j X\n-A Y -d 10.1.0.0/16 -j ACCEPT\n-A X -j Y\n"
        "-A X -d 10.0.0.0/8 -j Y\n-A X -d 10.1.2.0/24 -j Y\n-A X -d 11.0.0.0/8 -j RETURN\n"
        "-A X -d 11.1.0.0/16 -j ACCEPT\n"
    )
    told = [item.message for item in lint(read(text).ruleset) if "never" in item.message]
    assert told == [
        "X rule 3, -d 10.1.2.0/24 -j Y, is never reached: taken by the rules before it",
        "X rule 5, -d 11.1.0.0/16 -j ACCEPT, is never reached: taken by -d 11.0.0.0/8 -j RETURN",
    ]


def test_of_neighbouring_ranges_the_one_that_is_taken_is_dead() -> None:
    """That the next address is still open makes no rule reachable that ends before it."""
    text = "-A OUTPUT -d {0} -j ACCEPT\n-A OUTPUT -d {1} -j RETURN\n-A OUTPUT -d {2} -j RETURN\n"
    lower, upper = "10.0.0.0/9", "10.128.0.0/9"
    for taken, ranges, number in (
        (lower, (lower, upper), 2),
        (lower, (upper, lower), 3),
        (upper, (lower, upper), 3),
        (upper, (upper, lower), 2),
    ):
        ruleset = read(text.format(taken, *ranges)).ruleset
        dead = [(one.chain, one.number) for one in dead_rules(kernel_order(ruleset))]
        assert dead == [("OUTPUT", number)]


ADDRESSES = [f"{10 + n % 200}.{n // 200 % 256}.{n % 251}.{n % 256}" for n in range(1_000)]
LONG_CHAINS = {
    "answers in turn": [
        f"-A X -d {address} -j {'RETURN' if n % 2 else 'ACCEPT'}"
        for n, address in enumerate(ADDRESSES)
    ],
    "all dead": ["-A X -j RETURN", *(f"-A X -d {address} -j RETURN" for address in ADDRESSES)],
    "ports, each dead by two others": [
        "-A X -p tcp --dport 0:30000 -j RETURN",
        "-A X -p tcp --dport 30001:65535 -j RETURN",
        *(f"-A X -p tcp --dport {20_000 + n}:50000 -j RETURN" for n in range(1_000)),
    ],
    "inserted at the head": [f"-I X -d {address} -j RETURN" for address in ADDRESSES],
}


@pytest.mark.parametrize("name", LONG_CHAINS)
def test_time_grows_with_the_rules(name: str) -> None:
    """Four times the rules must not take sixteen times as long."""

    def seconds(count: int) -> float:
        lines = ["-N X", "-A OUTPUT -p tcp -j X", *LONG_CHAINS[name][:count], ""]
        start = process_time()
        ruleset = read("\n".join(lines)).ruleset
        coverage(ruleset)
        lint(ruleset)
        return process_time() - start

    seconds(100)  # imports and caches
    # One try of three: what else the machine does may fall on the longer run alone.
    assert any(seconds(1_000) < 9 * seconds(250) for _ in range(3))
