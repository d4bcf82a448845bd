"""Smaller lists with the same meaning, written out."""

from __future__ import annotations

import pytest

from fsm_stack.errors import InputError
from fsm_stack.iptables.lists import InterceptLists
from fsm_stack.iptables.tidy import tidy


def changes(lists: InterceptLists) -> list[str]:
    return [str(change) for change in tidy(lists).changes]


@pytest.mark.parametrize(
    ("lists", "told"),
    [
        (InterceptLists(outbound_ip_range_exclusions=("10.0.0.0/9", "10.128.0.0/9")),
         ["outbound_ip_range_exclusions: 2 entries become 1: 10.0.0.0/8"]),
        (InterceptLists(outbound_ip_range_exclusions=("2.2.2.2/24",)),
         ["outbound_ip_range_exclusions: 1 entry becomes 1: 2.2.2.0/24"]),
        (InterceptLists(outbound_ip_range_exclusions=("127.0.0.1/32",)),
         ["outbound_ip_range_exclusions: 1 entry becomes 0"]),
        (InterceptLists(outbound_ip_range_exclusions=("10.0.0.0/8", "11.1.1.1/32"),
                        outbound_ip_range_inclusions=("11.0.0.0/8",)),
         ["outbound_ip_range_exclusions: 2 entries become 1: 11.1.1.1/32"]),
        (InterceptLists(outbound_ip_range_exclusions=("10.0.0.0/9",),
                        outbound_ip_range_inclusions=("10.0.0.0/8",)),
         ["outbound_ip_range_exclusions: 1 entry becomes 0",
          "outbound_ip_range_inclusions: 1 entry becomes 1: 10.128.0.0/9"]),
        (InterceptLists(outbound_port_exclusions=(7070, 6379, 7070)),
         ["outbound_port_exclusions: 3 entries become 2: 7070, 6379"]),
        (InterceptLists(inbound_port_exclusions=(15010, 8080)),
         ["inbound_port_exclusions: 2 entries become 1: 8080"]),
        (InterceptLists(network_interface_exclusions=("veth0", "veth+", "veth0")),
         ["network_interface_exclusions: 3 entries become 1: veth+"]),
        (InterceptLists(outbound_ip_range_exclusions=("0.0.0.0/0",), outbound_port_exclusions=(80,),
                        outbound_ip_range_inclusions=("10.0.0.0/8",)),
         ["outbound_ip_range_inclusions: 1 entry becomes 0",
          "outbound_port_exclusions: 1 entry becomes 0"]),
        (InterceptLists(network_interface_exclusions=("eth0", "+"), inbound_port_exclusions=(80,),
                        outbound_ip_range_inclusions=("10.0.0.0/8",)),
         ["network_interface_exclusions: 2 entries become 1: +",
          "outbound_ip_range_inclusions: 1 entry becomes 0",
          "inbound_port_exclusions: 1 entry becomes 0"]),
    ],
)  # fmt: skip
def test_what_adds_nothing_goes(lists: InterceptLists, told: list[str]) -> None:
    assert changes(lists) == told


def test_tidy_lists_stay_as_they_are() -> None:
    """Order and all: no needless restart of a pod."""
    lists = InterceptLists(
        local_proxy_mode="PodIP",
        outbound_ip_range_exclusions=("11.0.0.0/8", "2.2.2.0/24"),
        outbound_port_exclusions=(7070, 6379),
        network_interface_exclusions=("net1", "eth1"),
        dns_proxy=True,
    )
    assert tidy(lists).lists == lists
    assert tidy(lists).changes == ()


def test_lists_that_iptables_refuses_mean_nothing() -> None:
    with pytest.raises(InputError) as caught:
        tidy(InterceptLists(outbound_ip_range_exclusions=("fd00::/8",)))
    assert str(caught.value) == (
        "these lists cannot be tidied: range 'fd00::/8': IPv6 in an IPv4 table"
    )
