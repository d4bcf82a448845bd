"""Sets of traffic: exact, printed in one way, and as large as they are."""

from __future__ import annotations

import pytest

from fsm_stack.errors import InputError
from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.judge.classify import Flows, classify
from fsm_stack.iptables.packet import (
    May,
    Rewritten,
    ToListener,
    Untouched,
    may_bypass,
    may_reach_sidecar,
)
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.sets.coverage import coverage
from fsm_stack.iptables.sets.ranges import address_number
from fsm_stack.iptables.sets.reach import changed, interfaces_text, reach, region_text
from fsm_stack.iptables.sets.written import written
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


APPLICATIONS = "via any but lo uid any but 1500"
PLACES = {"metadata": ("169.254.169.254/32",), "pods": ("10.244.0.0/16", "10.245.0.0/16")}


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("tcp 5432 to 10.0.0.0/8", f"outbound tcp {APPLICATIONS} to 10.0.0.0/8 port 5432"),
        ("443", f"outbound tcp {APPLICATIONS} to any but 127.0.0.0/8 port 443"),
        ("outbound tcp any", f"outbound tcp {APPLICATIONS} to any but 127.0.0.0/8"),
        ("udp 53 to metadata", f"outbound udp {APPLICATIONS} to 169.254.169.254/32 port 53"),
        ("all to pods", f"outbound {APPLICATIONS} to 10.244.0.0/15"),
        ("tcp 90-92,80,443 to 1.1.1.1", f"outbound tcp {APPLICATIONS} to 1.1.1.1/32 port 80,90-92,443"),
        ("tcp 0-65535 to 1.1.1.1", f"outbound tcp {APPLICATIONS} to 1.1.1.1/32"),
        ("tcp 443 to 10.0.0.0/9, 10.128.0.0/9", f"outbound tcp {APPLICATIONS} to 10.0.0.0/8 port 443"),
        ("tcp to any over eth+", "outbound tcp via eth+ uid any but 1500 to any but 127.0.0.0/8"),
        ("tcp to 1.1.1.1 over net1,eth0", "outbound tcp via eth0,net1 uid any but 1500 to 1.1.1.1/32"),
        ("tcp to 1.1.1.1 over any", f"outbound tcp {APPLICATIONS} to 1.1.1.1/32"),
        ("tcp over lo", None),
        ("tcp 443 to 127.0.0.1", None),
        ("inbound tcp 8080", "inbound tcp via any but lo port 8080"),
        ("inbound tcp 15009-15011", "inbound tcp via any but lo port 15009,15011"),
        ("inbound tcp 15010", None),
        ("inbound tcp 15901-15904", None),
        ("inbound", "inbound tcp via any but lo port any but 15010,15901-15904"),
    ],
)  # fmt: skip
def test_words_mean_what_applications_send_and_receive(text: str, region: str | None) -> None:
    """Neither the sidecar's own traffic, nor what stays in the pod, nor its helpers' ports."""
    found = [region_text(one) for one in written(text).regions(PLACES)]
    assert found == ([] if region is None else [region])


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("tcp 443", "outbound tcp port 443"),
        ("tcp to 127.0.0.1 over lo", "outbound tcp via lo to 127.0.0.1/32"),
        ("inbound tcp 15010", "inbound tcp port 15010"),
    ],
)
def test_words_can_mean_every_connection(text: str, region: str) -> None:
    assert [region_text(one) for one in written(text).regions({}, everywhere=True)] == [region]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" ", "expected traffic such as 'tcp 5432 to 10.0.0.0/8', got nothing"),
        ("443,", "'443,': expected ports such as 443 or 443,8000-8999, got ''"),
        ("tcp 70000", "'tcp 70000': expected ports such as 443 or 443,8000-8999, got '70000'"),
        ("tcp 9-8", "'tcp 9-8': expected ports such as 443 or 443,8000-8999, got '9-8'"),
        ("tcp 9-", "'tcp 9-': expected ports such as 443 or 443,8000-8999, got '9-'"),
        ("tcp to", "'tcp to': expected something behind 'to'"),
        ("tcp over", "'tcp over': expected something behind 'over'"),
        ("tcp to x.io", "'tcp to x.io': expected an IPv4 range, any, pods, services, api-server, "
         "metadata, got 'x.io'"),
        ("tcp 1 at 1.1.1.1", "'tcp 1 at 1.1.1.1': expected [inbound] PROTOCOL PORTS [to PLACES] "
         "[over INTERFACES], got 'at'"),
        ("tcp over eth0123456789012", "'tcp over eth0123456789012': expected an interface's name, "
         "got 'eth0123456789012'"),
        ("tcp to services", "'tcp to services': the stack does not say where 'services' is: "
         "expected cluster.podRanges, cluster.serviceRanges or cluster.apiServer in its file"),
    ],
)  # fmt: skip
def test_words_that_say_no_traffic_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        written(text).regions(PLACES)
    assert str(refused.value) == message


def test_what_an_undecided_rule_leaves_open_may_go_either_way() -> None:
    left, taken, sent = Untouched(), ToListener("outbound", 15001), Rewritten("1.1.1.1", 53)
    both = May((left, taken), ("-m mark --mark 1",))
    assert [may_bypass(one) for one in (left, taken, sent, both)] == [True, False, False, True]
    assert [may_reach_sidecar(one) for one in (left, taken, sent, both)] == [
        *(False, True, False, True)
    ]
