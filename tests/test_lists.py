"""The five lists: one vocabulary, and the injector's merge."""

from __future__ import annotations

from dataclasses import fields

import pytest

from fsm_stack.iptables.rule import Reason
from fsm_stack.lists import (
    EXCLUDED_RANGES,
    INBOUND_PORTS,
    INCLUDED_RANGES,
    INTERFACES,
    LISTS,
    OUTBOUND_PORTS,
    POD_LISTS,
    InterceptLists,
    ListName,
    Lists,
    merged,
)
from fsm_stack.settings.models.policy import AllowedBypass
from fsm_stack.settings.models.stack import AnnotationProfile
from fsm_stack.settings.models.traffic import Traffic


def test_every_list_has_a_name_and_every_name_a_list() -> None:
    """A list without a name would be merged, written and checked by nobody."""
    assert [name.field for name in LISTS] == [field.name for field in fields(Lists)]


@pytest.mark.parametrize("name", LISTS, ids=lambda name: name.field)
def test_the_settings_of_the_mesh_have_the_list_under_its_names(name: ListName) -> None:
    """A misspelt key would be a list that no stack file can fill."""
    field = Traffic.model_fields[name.setting]
    assert field.alias == name.key


@pytest.mark.parametrize("name", LISTS, ids=lambda name: name.field)
def test_profiles_have_exactly_the_lists_that_pods_have(name: ListName) -> None:
    """A profile stands for annotations: a list without one would be lost."""
    field = AnnotationProfile.model_fields.get(name.setting)
    assert (field is not None) == bool(name.annotation) == bool(name.option)
    assert field is None or field.alias == name.key


@pytest.mark.parametrize("name", LISTS, ids=lambda name: name.field)
def test_the_guard_allows_entries_of_exactly_the_lists_that_pods_have(name: ListName) -> None:
    """What pods may carry and no stack may allow would be refused for ever."""
    field = AllowedBypass.model_fields.get(name.setting)
    assert (field is not None) == (name in POD_LISTS)
    assert field is None or field.alias == name.key


def test_pods_have_every_list_but_the_interfaces_in_the_injectors_order() -> None:
    """The injector names the first bad annotation in this order."""
    assert POD_LISTS == (OUTBOUND_PORTS, INBOUND_PORTS, EXCLUDED_RANGES, INCLUDED_RANGES)


def test_every_list_is_the_reason_of_some_rule() -> None:
    """A list whose rules nobody recognises would always be reported as missing."""
    assert {reason.entries_of for reason in Reason} - {None} == set(LISTS)


def test_ports_of_the_mesh_and_ranges_of_the_pod_come_first_each_once() -> None:
    """The order of the script's rules, as recorded from the injectors."""
    mesh = Lists(
        outbound_ports=(80, 80, 443),
        inbound_ports=(1,),
        excluded_ranges=("10.0.0.0/8", "11.0.0.0/8"),
        included_ranges=("12.0.0.0/8",),
    )
    pod = Lists(
        outbound_ports=(22, 443),
        inbound_ports=(2,),
        excluded_ranges=("11.0.0.0/8", "13.0.0.0/8"),
        included_ranges=("14.0.0.0/8", "14.0.0.0/8"),
    )
    assert merged(mesh, pod) == Lists(
        outbound_ports=(80, 443, 22),
        inbound_ports=(1, 2),
        excluded_ranges=("11.0.0.0/8", "13.0.0.0/8", "10.0.0.0/8"),
        included_ranges=("14.0.0.0/8", "12.0.0.0/8"),
    )


def test_interfaces_are_the_meshs_as_written() -> None:
    """Pods have no such annotation, and the injector writes a rule for each repetition."""
    mesh = Lists(interfaces=("eth1", "eth1"))
    assert merged(mesh, Lists(interfaces=("eth2",))).interfaces == ("eth1", "eth1")


def test_the_generators_arguments_hold_the_lists_and_the_two_settings() -> None:
    """Nothing is checked on the way: upstream's generator takes nonsense too."""
    lists = Lists(outbound_ports=(70000,), interfaces=("eth 0",))
    assert InterceptLists.of(lists, local_proxy_mode="PodIP", dns_proxy=True) == InterceptLists(
        outbound_ports=(70000,), interfaces=("eth 0",), local_proxy_mode="PodIP", dns_proxy=True
    )


def test_one_list_is_asked_for_by_its_name() -> None:
    """Loops over the lists ask by name; each answers with its own entries."""
    lists = Lists(
        outbound_ports=(1,),
        inbound_ports=(2,),
        excluded_ranges=("3.0.0.0/8",),
        included_ranges=("4.0.0.0/8",),
        interfaces=("five",),
    )
    asked = [lists.entries(name) for name in (OUTBOUND_PORTS, INBOUND_PORTS, EXCLUDED_RANGES)]
    assert asked == [(1,), (2,), ("3.0.0.0/8",)]
    assert [lists.entries(name) for name in (INCLUDED_RANGES, INTERFACES)] == [
        ("4.0.0.0/8",),
        ("five",),
    ]
