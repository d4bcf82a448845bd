"""What a stack's lists come to, for all checks at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.lists import Lists, merged
from fsm_stack.settings import effective
from fsm_stack.settings.effective import Effective

from .loading import found, settings

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
