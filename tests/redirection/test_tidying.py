"""Smaller lists of a whole stack: proved for every pod, notes kept."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from fsm_stack.redirection.tidying import Tidying, tidying
from fsm_stack.settings.stack_file import load_mapping


def tidied(**keys: Any) -> Tidying:
    data = {"releaseAssets": {"source": "existingConfigMap"}} | keys
    settings = load_mapping(data, name="test", today=datetime.now(UTC).date()).settings
    assert settings is not None
    return tidying(settings)


def told(**keys: Any) -> list[str]:
    found = tidied(**keys)
    return [*map(str, found.edits), *map(str, found.left)]


@pytest.mark.parametrize(
    ("traffic", "expected"),
    [
        ({"outboundIPRangeExclusionList": ["10.0.0.0/9", "10.128.0.0/9"]},
         ["traffic.outboundIPRangeExclusionList: 2 entries become 1: 10.0.0.0/8"]),
        ({"outboundIPRangeExclusionList": ["2.2.2.2/24"]},
         ["traffic.outboundIPRangeExclusionList: 1 entry becomes 1: 2.2.2.0/24"]),
        ({"outboundIPRangeExclusionList": ["10.1.0.0/16", "10.0.0.0/8"]},
         ["traffic.outboundIPRangeExclusionList: 2 entries become 1: 10.0.0.0/8"]),
        ({"outboundPortExclusionList": [7070, 6379, 7070]},
         ["traffic.outboundPortExclusionList: 3 entries become 2: 7070, 6379"]),
        ({"inboundPortExclusionList": [15010]},
         ["traffic.inboundPortExclusionList: 1 entry becomes 0"]),
        ({"networkInterfaceExclusionList": ["veth0", "veth+"]},
         ["traffic.networkInterfaceExclusionList: 2 entries become 1: veth+"]),
        ({"outboundIPRangeExclusionList": ["10.0.0.0/8"],
          "outboundIPRangeInclusionList": ["10.1.0.0/16", "11.0.0.0/8"]},
         ["traffic.outboundIPRangeInclusionList: 2 entries become 1: 11.0.0.0/8"]),
    ],
)  # fmt: skip
def test_each_list_gets_smaller_by_itself(traffic: dict[str, Any], expected: list[str]) -> None:
    assert told(traffic=traffic) == expected


@pytest.mark.parametrize(
    "traffic",
    [
        {"outboundIPRangeExclusionList": ["11.0.0.0/8", "2.2.2.0/24"]},
        {"outboundPortExclusionList": [7070, 6379]},
        # Redundant in this mesh; not for a pod whose annotations include 99.0.0.0/8.
        {"outboundIPRangeExclusionList": ["99.0.0.0/8"],
         "outboundIPRangeInclusionList": ["10.0.0.0/8"]},
        # The last inclusion stays: an empty list would include every address.
        {"outboundIPRangeExclusionList": ["10.0.0.0/8"],
         "outboundIPRangeInclusionList": ["10.1.0.0/16"]},
    ],
)  # fmt: skip
def test_what_counts_for_some_pod_stays(traffic: dict[str, Any]) -> None:
    assert told(traffic=traffic) == []


def test_a_profile_keeps_what_the_mesh_has_too() -> None:
    """Its pods would lose the exclusion on the day the mesh drops it."""
    profiles = {"redis": {"outboundPortExclusionList": [6379]}}
    traffic = {"outboundPortExclusionList": [6379]}
    assert told(traffic=traffic, annotationProfiles=profiles) == []


def test_a_profile_is_tidied_by_itself() -> None:
    profiles = {"redis": {"outboundIPRangeInclusionList": ["10.0.0.0/9", "10.128.0.0/9"]}}
    assert told(annotationProfiles=profiles) == [
        "annotationProfiles.redis.outboundIPRangeInclusionList: 2 entries become 1: 10.0.0.0/8"
    ]


def test_a_merged_entry_carries_all_notes() -> None:
    """Reasons and owners once each, and the earliest end."""
    entries = [
        {"value": "10.0.0.0/9", "reason": "old", "owner": "a", "until": "2099-06-01"},
        {"value": "10.128.0.0/9", "reason": "new", "owner": "a", "until": "2099-01-01"},
        {"value": "10.1.0.0/16", "reason": "old", "owner": "b"},
    ]
    (edit,) = tidied(traffic={"outboundIPRangeExclusionList": entries}).edits
    (entry,) = edit.after
    assert (entry.home, entry.merged, entry.value) == (0, (0, 1, 2), "10.0.0.0/8")
    assert (entry.reason, entry.owner, entry.until) == ("old; new", "a, b", date(2099, 1, 1))


def test_a_list_whose_entries_are_named_by_number_is_left_alone() -> None:
    accept = {
        "id": "host-bits",
        "path": "traffic.outboundIPRangeExclusionList[0]",
        "reason": "on purpose",
        "owner": "a",
    }
    traffic = {"outboundIPRangeExclusionList": ["2.2.2.2/24"]}
    assert told(traffic=traffic, accept=[accept]) == [
        "traffic.outboundIPRangeExclusionList: left alone: accept names an entry of it by its "
        "number"
    ]


def test_what_iptables_refuses_cannot_be_proved() -> None:
    """Sixteen ports do not load, so that nothing can be compared with them."""
    traffic = {
        "outboundPortExclusionList": [*range(1000, 1016)],
        "outboundIPRangeExclusionList": ["2.2.2.2/24"],
    }
    (line,) = told(traffic=traffic)
    assert line == (
        "traffic.outboundIPRangeExclusionList: left alone: the mesh: iptables refuses to load these "
        "rules: multiport: expected at most 15 ports, got 16"
    )
