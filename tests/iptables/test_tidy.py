"""Smaller lists with the same meaning, written out."""

from __future__ import annotations

import pytest

from fsm_stack.errors import InputError
from fsm_stack.iptables.sets.tidy import tidy
from fsm_stack.lists import InterceptLists


def changes(lists: InterceptLists) -> list[str]:
    return [str(change) for change in tidy(lists).changes]


@pytest.mark.parametrize(
    ("lists", "told"),
    [
        (InterceptLists(excluded_ranges=("10.0.0.0/9", "10.128.0.0/9")),
         ["outboundIPRangeExclusionList: 2 entries become 1: 10.0.0.0/8"]),
        (InterceptLists(excluded_ranges=("2.2.2.2/24",)),
         ["outboundIPRangeExclusionList: 1 entry becomes 1: 2.2.2.0/24"]),
        (InterceptLists(excluded_ranges=("127.0.0.1/32",)),
         ["outboundIPRangeExclusionList: 1 entry becomes 0"]),
        (InterceptLists(excluded_ranges=("10.0.0.0/8", "11.1.1.1/32"),
                        included_ranges=("11.0.0.0/8",)),
         ["outboundIPRangeExclusionList: 2 entries become 1: 11.1.1.1/32"]),
        (InterceptLists(excluded_ranges=("10.0.0.0/9",),
                        included_ranges=("10.0.0.0/8",)),
         ["outboundIPRangeExclusionList: 1 entry becomes 0",
          "outboundIPRangeInclusionList: 1 entry becomes 1: 10.128.0.0/9"]),
        (InterceptLists(outbound_ports=(7070, 6379, 7070)),
         ["outboundPortExclusionList: 3 entries become 2: 7070, 6379"]),
        (InterceptLists(inbound_ports=(15010, 8080)),
         ["inboundPortExclusionList: 2 entries become 1: 8080"]),
        (InterceptLists(inbound_ports=(15904, 15903, 8080, 15902, 15901, 15010)),
         ["inboundPortExclusionList: 6 entries become 1: 8080"]),
        (InterceptLists(interfaces=("veth0", "veth+", "veth0")),
         ["networkInterfaceExclusionList: 3 entries become 1: veth+"]),
        (InterceptLists(excluded_ranges=("0.0.0.0/0",), outbound_ports=(80,),
                        included_ranges=("10.0.0.0/8",)),
         ["outboundPortExclusionList: 1 entry becomes 0",
          "outboundIPRangeInclusionList: 1 entry becomes 0"]),
        (InterceptLists(interfaces=("eth0", "+"), inbound_ports=(80,),
                        included_ranges=("10.0.0.0/8",)),
         ["inboundPortExclusionList: 1 entry becomes 0",
          "outboundIPRangeInclusionList: 1 entry becomes 0",
          "networkInterfaceExclusionList: 2 entries become 1: +"]),
    ],
)  # fmt: skip
def test_what_adds_nothing_goes(lists: InterceptLists, told: list[str]) -> None:
    assert changes(lists) == told


def test_tidy_lists_stay_as_they_are() -> None:
    """Order and all: no needless restart of a pod."""
    lists = InterceptLists(
        local_proxy_mode="PodIP",
        excluded_ranges=("11.0.0.0/8", "2.2.2.0/24"),
        outbound_ports=(7070, 6379),
        interfaces=("net1", "eth1"),
        dns_proxy=True,
    )
    assert tidy(lists).lists == lists
    assert tidy(lists).changes == ()


def test_lists_that_iptables_refuses_mean_nothing() -> None:
    with pytest.raises(InputError) as caught:
        tidy(InterceptLists(excluded_ranges=("fd00::/8",)))
    assert str(caught.value) == (
        "these lists cannot be tidied: range 'fd00::/8': IPv6 in an IPv4 table"
    )
