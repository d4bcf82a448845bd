"""Sets of traffic: exact, printed in one way, and as large as they are."""

from __future__ import annotations

import pytest

from fsm_stack.errors import InputError
from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.judge.classify import Flows, classify
from fsm_stack.iptables.packet import ToListener, Untouched
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.sets.coverage import coverage
from fsm_stack.iptables.sets.ranges import address_number
from fsm_stack.iptables.sets.reach import changed, interfaces_text, reach
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import FSM

BEFORE = InterceptLists(
    interfaces=("eth1", "veth+"),
    excluded_ranges=("1.1.1.1/32", "2.2.2.2/24"),
    outbound_ports=(6379, 7070),
    inbound_ports=(9,),
)
AFTER = InterceptLists(
    interfaces=("eth1", "veth+"),
    included_ranges=("10.0.0.0/8",),
    outbound_ports=(7070, 6379),
    inbound_ports=(9,),
)


def test_what_is_redirected_is_printed_in_one_way() -> None:
    assert str(reach(intercept(BEFORE, FSM))) == (
        "outbound tcp via any but eth1,lo,veth+ uid any but 1500 "
        "to any but 1.1.1.1/32,2.2.2.0/24,127.0.0.1/32 port any but 6379,7070\n"
        "outbound tcp via lo uid 1500 to any but 127.0.0.1/32\n"
        "inbound tcp via any but eth1,veth+ port any but 9,15010,15901-15904"
    )


def test_a_difference_of_two_policies_is_what_changes() -> None:
    lost = reach(intercept(BEFORE, FSM)) - reach(intercept(AFTER, FSM))
    assert str(lost) == (
        "outbound tcp via any but eth1,lo,veth+ uid any but 1500 "
        "to any but 1.1.1.1/32,2.2.2.0/24,10.0.0.0/8,127.0.0.1/32 port any but 6379,7070"
    )
    assert str(reach(intercept(AFTER, FSM)) - reach(intercept(BEFORE, FSM))) == "nothing"
    assert changed(coverage(intercept(BEFORE, FSM)), coverage(intercept(AFTER, FSM))) == lost


def test_sizes_count_addresses_and_ports() -> None:
    lists = InterceptLists(interfaces=("+",), included_ranges=("10.0.0.0/30",))
    only_self_calls = reach(intercept(lists, FSM))
    assert str(only_self_calls) == "outbound tcp via lo uid 1500 to any but 127.0.0.1/32"
    assert only_self_calls.size == (2**32 - 1) * 2**16
    assert [region.size for region in only_self_calls.regions()] == [(2**32 - 1) * 2**16]


def test_regions_hold_what_matches_of_every_kind_say() -> None:
    """Sources, negations, ranges of ports and of users, numbers of protocols."""
    reading = read(
        "-A OUTPUT -s 10.0.0.0/8 ! -o lo -p udp ! --dport 53:54 -m owner --uid-owner 10-20 "
        "-j REDIRECT --to-ports 15001\n"
    )
    assert str(reach(reading.ruleset)) == (
        "outbound udp via any but lo uid 10-20 from 10.0.0.0/8 port any but 53-54"
    )


@pytest.mark.parametrize(
    ("intervals", "text"),
    [
        ((("lo", "lo\0"),), "lo"),
        ((("veth", "veti"),), "veth+"),
        ((("", "lo"), ("lo\0", None)), "any but lo"),
        ((("veth", "veth0"), ("veth0\0", "veti")), "veth+ but veth0"),
        ((("", None),), "any"),
        (
            (("a", "c"), ("x", "x\0")),
            "names from 'a' to before 'c',names from 'x' to before 'x\\x00'",
        ),
    ],
)
def test_interfaces_are_printed_as_patterns(
    intervals: tuple[tuple[str, str | None], ...], text: str
) -> None:
    assert interfaces_text(intervals) == text


def test_columns_are_classified() -> None:
    addresses = [address_number(text) or 0 for text in ("1.1.1.1", "3.3.3.3", "3.3.3.3")]
    found = classify(
        coverage(intercept(BEFORE, FSM)),
        Flows(
            direction="outbound",
            protocols=[6, 6, 17],
            interfaces=["eth0", "eth0", "eth0"],
            uids=[0, 0, 0],
            ports=[80, 80, 80],
            destinations=addresses,
            sources=[0, 0, 0],
        ),
    )
    assert [found[n] for n in range(3)] == [
        Untouched(),
        ToListener("outbound", 15001),
        Untouched(),
    ]
    assert found.counts()[Untouched()] == 2


def test_columns_of_different_lengths_are_an_error() -> None:
    flows = Flows(
        direction="inbound", protocols=[6], interfaces=[], uids=[0], ports=[1], destinations=[1]
    )
    with pytest.raises(InputError, match="columns of different lengths: 0, 1"):
        classify(coverage(intercept(BEFORE, FSM)), flows)


def test_traffic_is_compared_with_traffic_only() -> None:
    assert reach(intercept(BEFORE, FSM)) != "nothing"
    assert coverage(intercept(BEFORE, FSM)) != "nothing"
