"""What a stack's lists come to, for all checks at once."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from fsm_stack.lists import Lists, merged
from fsm_stack.settings import effective
from fsm_stack.settings.effective import (
    EVERYWHERE,
    Bypass,
    Effective,
    bypasses,
    places_of,
    register,
)

from .loading import TODAY, found, settings

if TYPE_CHECKING:
    import pytest

STACK = {
    "traffic": {
        "outboundPortExclusionList": [6379],
        "outboundIPRangeExclusionList": ["10.0.0.0/8"],
        "networkInterfaceExclusionList": ["eth1"],
    },
    "cluster": {"apiServer": {"address": "10.96.0.1"}},
    "annotationProfiles": {
        "api": {"presets": ["kubernetes-api"], "outboundPortExclusionList": [6379, 443]},
        "web": {"inboundPortExclusionList": [8080]},
    },
}


def test_the_lists_of_the_mesh_and_of_each_profile_alone_and_together() -> None:
    mesh = Lists(outbound_ports=(6379,), excluded_ranges=("10.0.0.0/8",), interfaces=("eth1",))
    assert effective.effective(settings(STACK)) == Effective(
        mesh=mesh,
        own={
            "api": Lists(outbound_ports=(6379, 443), excluded_ranges=("10.96.0.1/32",)),
            "web": Lists(inbound_ports=(8080,)),
        },
        both={
            "api": Lists(
                outbound_ports=(6379, 443),
                excluded_ranges=("10.96.0.1/32", "10.0.0.0/8"),
                interfaces=("eth1",),
            ),
            "web": Lists(
                outbound_ports=(6379,),
                inbound_ports=(8080,),
                excluded_ranges=("10.0.0.0/8",),
                interfaces=("eth1",),
            ),
        },
    )


def test_all_checks_together_merge_each_profile_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five checks compare merged lists; each used to merge them for itself."""
    merges: list[Lists] = []

    def counted(mesh: Lists, pod: Lists) -> Lists:
        merges.append(merged(mesh, pod))
        return merges[-1]

    monkeypatch.setattr(effective, "merged", counted)
    assert found(STACK)
    assert len(merges) == 2


def test_bypasses_are_the_meshs_then_each_profiles_presets_before_its_lists() -> None:
    entry = {"value": 6379, "reason": "old Redis", "owner": "data-team", "until": "2026-06-30"}
    data = {
        "traffic": {
            "networkInterfaceExclusionList": ["eth1"],
            "outboundPortExclusionList": [entry],
        },
        "cluster": {"apiServer": {"address": "10.96.0.1"}},
        "annotationProfiles": {
            "api": {
                "presets": ["kubernetes-api", "cloud-metadata"],
                "inboundPortExclusionList": [{"value": 8080, "until": "2026-07-01"}],
            },
        },
    }
    known = bypasses(settings(data), TODAY)
    assert [(item.scope, item.kind, item.value, item.reason) for item in known] == [
        ("mesh", "outboundPortExclusionList", "6379", "old Redis"),
        ("mesh", "networkInterfaceExclusionList", "eth1", ""),
        ("api", "inboundPortExclusionList", "8080", ""),
        ("api", "outboundIPRangeExclusionList", "10.96.0.1/32", "the Kubernetes API server"),
        ("api", "outboundIPRangeExclusionList", "169.254.169.254/32", "cloud instance metadata"),
    ]
    assert known[0] == Bypass(
        scope="mesh",
        kind="outboundPortExclusionList",
        value="6379",
        reason="old Redis",
        owner="data-team",
        until=date(2026, 6, 30),
        expired=True,
        path="traffic.outboundPortExclusionList[0]",
    )
    assert [item.expired for item in known[1:]] == [False] * 4
    assert known[2].path == "annotationProfiles.api.inboundPortExclusionList[0]"
    assert {item.path for item in known[3:]} == {"annotationProfiles.api.presets"}


def test_the_control_planes_preset_is_its_ports() -> None:
    stack = settings({"annotationProfiles": {"operator": {"presets": ["control-plane"]}}})
    known = bypasses(stack, TODAY)
    assert {item.kind for item in known} == {"outboundPortExclusionList"}
    assert {item.reason for item in known} == {"FSM's control plane"}
    own = effective.profile_lists(stack, "operator").outbound_ports
    assert [item.value for item in known] == [str(port) for port in own]


def test_a_guarded_stack_has_a_register_of_what_pods_may_carry() -> None:
    """Everywhere what profiles and the mesh have; in a namespace what is allowed there, together."""
    data = STACK | {
        "guard": {
            "bypasses": "warn",
            "allow": [
                {"namespace": "shop", "outboundPortExclusionList": [5432, 6379]},
                {"namespace": "shop", "outboundPortExclusionList": [6379, 27017]},
                {"namespace": "bank", "outboundIPRangeInclusionList": ["10.0.0.0/9"]},
            ],
        }
    }
    assert register(settings(data)) == {
        EVERYWHERE: Lists(
            outbound_ports=(6379, 443),
            inbound_ports=(8080,),
            excluded_ranges=("10.0.0.0/8", "10.96.0.1/32"),
        ),
        "shop": Lists(outbound_ports=(5432, 6379, 27017)),
        "bank": Lists(included_ranges=("10.0.0.0/9",)),
    }
    assert register(settings(STACK)) is None


def test_a_place_that_people_name_is_its_ranges() -> None:
    data = {
        "cluster": {
            "podRanges": ["10.244.0.0/16"],
            "serviceRanges": ["10.96.0.0/16"],
            "apiServer": {"address": "10.96.0.1"},
        }
    }
    metadata = {"metadata": ("169.254.169.254/32",)}
    assert places_of(None) == metadata
    assert places_of(settings()) == metadata | {"pods": (), "services": ()}
    assert places_of(settings(data)) == metadata | {
        "pods": ("10.244.0.0/16",),
        "services": ("10.96.0.0/16",),
        "api-server": ("10.96.0.1/32",),
    }
