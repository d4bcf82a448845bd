"""A change of traffic is told in words, with its risk, its entries and a witness."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import given

from fsm_stack.iptables.sets.reach import changed
from fsm_stack.review.fates import Fates, pairs, traffic_of
from fsm_stack.review.model import Level, SideName
from fsm_stack.review.patch import patched_spec
from fsm_stack.review.risk import RISKS
from fsm_stack.review.side import of_script, of_settings, of_spec
from fsm_stack.settings.stack_file import load_mapping
from tests.property.strategies import stacks

from .sides import TODAY, review, side, traffic

EVERY_PORT = [6379, 443]


def test_the_sentence_of_a_port() -> None:
    """The issue's own words."""
    found = review(side(), side(**traffic(outboundPortExclusionList=EVERY_PORT)))
    assert found.headline == (
        "TCP 443 to any address leaves the mesh on every pod, the cluster's own ranges included: "
        "no mTLS, no policy"
    )
    assert found.risk is Level.HIGH
    assert found.stops(Level.MEDIUM)


@pytest.mark.parametrize(
    ("lists", "sentence", "risk"),
    [
        pytest.param(
            {"outboundIPRangeExclusionList": ["203.0.113.0/24", "198.51.100.0/24"]},
            "TCP to 198.51.100.0/24 leaves the mesh on every pod: no mTLS, no policy",
            "range-bypasses",
            id="a range outside",
        ),
        pytest.param(
            {"outboundIPRangeExclusionList": ["203.0.113.0/24", "172.30.5.0/24"]},
            "TCP to 172.30.5.0/24 leaves the mesh on every pod, the cluster's own ranges included: "
            "no mTLS, no policy",
            "mesh-ranges-bypass",
            id="a range of services",
        ),
        pytest.param(
            {"outboundIPRangeExclusionList": ["203.0.113.0/24", "172.30.0.1/32"]},
            "TCP to 172.30.0.1/32 leaves the mesh on every pod: no mTLS, no policy",
            "range-bypasses",
            id="the API server is a service and no part of the mesh",
        ),
        pytest.param(
            {"inboundPortExclusionList": [9091]},
            "Inbound TCP 9091 reaches applications past the sidecar on every pod: no mTLS, no policy",
            "inbound-port-bypasses",
            id="an inbound port",
        ),
        pytest.param(
            {"outboundPortExclusionList": []},
            "TCP 6379 to any address goes through the sidecar on every pod, apart from what still "
            "bypasses it",
            "comes-back",
            id="a port that comes back",
        ),
        pytest.param(
            {"outboundPortExclusionList": [], "enableEgress": False},
            "TCP 6379 to any address goes through the sidecar on every pod, apart from what still "
            "bypasses it",
            "egress-refused",
            id="a port that comes back to a mesh without egress",
        ),
        pytest.param(
            {"outboundIPRangeInclusionList": ["10.128.0.0/14", "172.30.0.0/16"]},
            "TCP to any but 10.128.0.0/14, 172.30.0.0/16 leaves the mesh on every pod: "
            "no mTLS, no policy",
            "outside-bypasses",
            id="an inclusion",
        ),
    ],
)
def test_each_change_has_its_sentence_and_its_risk(
    lists: dict[str, Any], sentence: str, risk: str
) -> None:
    (only,) = review(side(), side(**traffic(**lists))).traffic
    assert only.sentence == sentence
    assert only.risk.id == risk


def test_an_interface_is_told_in_both_directions() -> None:
    found = review(side(), side(**traffic(networkInterfaceExclusionList=["net1"])))
    assert [one.sentence for one in found.traffic] == [
        "TCP to any address over net1 leaves the mesh on every pod, the cluster's own ranges "
        "included: no mTLS, no policy",
        "Inbound TCP over net1 reaches applications past the sidecar on every pod: no mTLS, "
        "no policy",
    ]
    assert {one.risk.id for one in found.traffic} == {"interface-bypasses"}


def test_the_entry_behind_a_change_is_named_with_its_place_reason_owner_and_end() -> None:
    entry = {"value": 443, "reason": "legacy", "owner": "shop-team", "until": "2027-01-31"}
    after = side(**traffic(outboundPortExclusionList=[6379, entry]))
    (only,) = review(side(), after).traffic
    (line,) = only.entries
    assert (line.path, line.value) == ("traffic.outboundPortExclusionList[1]", "443")
    assert (line.reason, line.owner, str(line.until)) == ("legacy", "shop-team", "2027-01-31")
    assert line.place.startswith("Pulumi.dev.yaml:")
    assert line.side == "after"


def test_a_range_is_no_reason_for_a_port_that_bypasses_to_any_address() -> None:
    lists = {
        "outboundPortExclusionList": EVERY_PORT,
        "outboundIPRangeExclusionList": ["203.0.113.0/24", "198.51.100.0/24"],
    }
    found = review(side(), side(**traffic(**lists)))
    assert {one.subject: [line.value for line in one.entries] for one in found.traffic} == {
        "TCP 443 to any address": ["443"],
        "TCP to 198.51.100.0/24": ["198.51.100.0/24"],
    }


def test_the_witness_is_walked_through_both_rule_sets() -> None:
    (only,) = review(side(), side(**traffic(outboundPortExclusionList=EVERY_PORT))).traffic
    witness = only.witness
    assert witness.packet == "tcp 10.128.0.1:443 over eth0, uid 1000"
    assert witness.question == "--to 10.128.0.1:443"
    assert witness.before.verdict == only.before == "to the outbound listener (15001)"
    assert witness.after.verdict == only.after == "untouched"
    assert witness.after.rule.endswith("--dports 6379,443 -j RETURN")
    assert witness.after.why == "these outbound ports are excluded"


def test_what_is_known_of_addresses_and_ports_is_told() -> None:
    (only,) = review(side(), side(**traffic(outboundPortExclusionList=EVERY_PORT))).traffic
    assert only.names == (
        "10.128.0.0/14: the cluster's pods",
        "172.30.0.0/16: its services",
        "port 443: HTTPS",
    )


class TestProfiles:
    BATCH: ClassVar[dict[str, Any]] = {
        "batch": {"outboundIPRangeInclusionList": ["10.128.0.0/14"]}
    }

    def test_a_change_that_a_profile_does_not_see_names_the_others(self) -> None:
        before = side(annotationProfiles=self.BATCH)
        after = side(
            annotationProfiles=self.BATCH,
            **traffic(outboundIPRangeExclusionList=["203.0.113.0/24", "198.51.100.0/24"]),
        )
        (only,) = review(before, after).traffic
        assert "on pods without a profile:" in only.sentence
        assert only.scopes == ("mesh",)

    def test_pods_that_bypass_differently_share_one_sentence_and_keep_their_regions(self) -> None:
        operator = {"operator": {"presets": ["kubernetes-api"]}}
        before = side(annotationProfiles=operator)
        after = side(annotationProfiles=operator, **traffic(outboundPortExclusionList=EVERY_PORT))
        (only,) = review(before, after).traffic
        assert only.scopes == ("mesh", "operator")
        assert [part.scopes for part in only.regions] == [("mesh",), ("operator",)]

    def test_a_renamed_profile_changes_no_pod(self) -> None:
        after = {"nightly": self.BATCH["batch"]}
        found = review(side(annotationProfiles=self.BATCH), side(annotationProfiles=after))
        assert found.traffic == ()
        assert found.risk is Level.NONE
        assert found.notes == (
            "profile batch is called nightly now: the same annotations, no pod changes",
        )

    def test_a_new_profile_is_compared_with_the_mesh_and_counts_less(self) -> None:
        """Nobody has it yet: pods choose it by their annotations."""
        wide = {"wide": {"outboundPortExclusionList": [443]}}
        (only,) = review(side(), side(annotationProfiles=wide)).traffic
        assert only.risk.id == "profile-offers-all"
        assert " on pods that choose the new profile wide" in only.sentence


def test_a_mode_without_scripts_is_said_to_be_undecided() -> None:
    own = side()
    spec = patched_spec(
        own.spec or {}, {"spec": {"traffic": {"interceptionMode": "NodeLevel"}}}, ""
    )
    node = of_spec(spec, SideName(title="patched", kind="patch"), like=own)
    found = review(own, node)
    assert found.risk is Level.HIGH
    assert found.headline.startswith("What happens to traffic cannot be told: patched: ")
    assert "traffic" not in found.layers


def test_a_script_that_does_not_load_is_said_to_be_undecided() -> None:
    good = side().scripts["mesh"]
    bad = good.replace("--dports 6379", "--dports " + ",".join(map(str, range(1, 17))))
    one, two = (
        of_script(text, SideName(title=title, kind="script"))
        for text, title in ((good, "old.sh"), (bad, "new.sh"))
    )
    found = review(one, two)
    assert found.risk is Level.HIGH
    assert "iptables refuses" in found.undecided[0]
    assert found.rules[0].refused


@given(stacks, stacks)
def test_the_regions_are_exactly_what_changes_for_every_scope(
    one: dict[str, Any], two: dict[str, Any]
) -> None:
    """No packet is left out and none is added, for the mesh and each profile, whatever is set."""
    names = iter(("one", "two"))
    sides = []
    for data in (one, two):
        loaded = load_mapping(data, name="", today=TODAY)
        if loaded.settings is None:
            return
        name = SideName(title=next(names), kind="stack")
        sides.append(of_settings(loaded.settings, name, today=TODAY, objects=False))
    before, after = sides
    found = review(before, after)
    fates = Fates()
    for pair in pairs(before, after)[0]:
        own = [
            part.region
            for change in found.traffic
            if ("choose the new profile" in change.sentence) == pair.offered
            for part in change.regions
            if pair.name in part.scopes
        ]
        if any("iptables" in why or "cannot be read" in why for why in found.undecided):
            return
        assert traffic_of(own) == changed(fates.of(*pair.before), fates.of(*pair.after))
    for change in found.traffic:
        assert change.witness.before.verdict == change.before
        assert change.witness.after.verdict == change.after


def test_every_risk_is_a_level_and_a_sentence() -> None:
    assert all(isinstance(level, Level) and why for level, why in RISKS.values())


def test_swapped_sides_swap_what_leaves_and_what_comes_back() -> None:
    wide = side(**traffic(outboundPortExclusionList=EVERY_PORT))
    there, back = review(side(), wide), review(wide, side())
    assert [one.effect for one in there.traffic] == ["bypassed"]
    assert [one.effect for one in back.traffic] == ["intercepted"]
    assert [one.subject for one in there.traffic] == [one.subject for one in back.traffic]
    assert there.traffic[0].regions == back.traffic[0].regions


@pytest.mark.parametrize(
    "lists",
    [
        {"outboundPortExclusionList": [6379], "outboundIPRangeExclusionList": ["203.0.113.0/24"]},
        {"outboundIPRangeExclusionList": ["203.0.113.128/25", "203.0.113.0/25"]},
    ],
)
def test_lists_that_mean_the_same_change_nothing(lists: dict[str, Any]) -> None:
    found = review(side(), side(**traffic(**lists)))
    assert found.traffic == ()
    assert found.risk is Level.NONE


def test_a_list_in_another_order_is_nothing() -> None:
    ports = [6379, 7070, 9092]
    before = side(**traffic(outboundPortExclusionList=ports))
    after = side(**traffic(outboundPortExclusionList=ports[::-1]))
    found = review(before, after)
    assert found.nothing
    assert found.headline == "Nothing changes: it is the same, written otherwise"
    assert not found.stops(Level.LOW)


def test_equal_settings_give_nothing() -> None:
    found = review(side(), side())
    assert (found.headline, found.nothing, found.as_json()["traffic"]) == (
        "Nothing changes",
        True,
        [],
    )


def test_the_pod_ip_mode_changes_the_sidecars_own_connections_only() -> None:
    (only,) = review(side(), side(sidecar={"localProxyMode": "PodIP"})).traffic
    assert only.effect == "rewritten"
    assert only.subject == "TCP to 127.0.0.1/32 over lo by the sidecar"
    assert (only.before, only.after) == ("untouched", "rewritten to $POD_IP")
    assert only.risk.id == "sidecar-only"


def test_a_port_is_no_reason_for_what_the_pod_ip_mode_does() -> None:
    """The sidecar's own rule rewrites on every port, the new entry's among them."""
    ports = traffic(outboundPortExclusionList=[6379, 9443])
    mode = {"localProxyMode": "PodIP"}
    found = review(side(), side(sidecar=mode, **ports)).traffic
    blamed = {one.effect: [item.path for item in one.entries] for one in found}
    assert blamed == {
        "bypassed": ["traffic.outboundPortExclusionList[1]"],
        "rewritten": ["sidecar.localProxyMode"],
    }
    back = review(side(sidecar=mode), side(**ports)).traffic
    (item,) = next(one.entries for one in back if one.effect == "rewritten")
    assert (item.path, item.value, item.side) == ("sidecar.localProxyMode", "Localhost", "after")


def test_an_inclusion_is_named_before_an_exclusion_that_came_with_it() -> None:
    lists = traffic(
        outboundIPRangeInclusionList=["10.128.0.0/14", "172.30.0.0/16"],
        outboundIPRangeExclusionList=["203.0.113.0/24", "198.51.100.7/32"],
    )
    (only,) = review(side(), side(**lists)).traffic
    assert only.subject == "TCP to any but 10.128.0.0/14, 172.30.0.0/16"
    assert [line.path for line in only.entries] == [
        "traffic.outboundIPRangeInclusionList[0]",
        "traffic.outboundIPRangeInclusionList[1]",
        "traffic.outboundIPRangeExclusionList[1]",
    ]
