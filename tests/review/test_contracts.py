"""Contracts are proved for every connection; a broken one names the entry and has a witness."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.errors import FindingsError
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import Packet, ToListener, Untouched
from fsm_stack.iptables.sets.ranges import address_number
from fsm_stack.review.compare import Comparison
from fsm_stack.review.contracts import contracts_of, gone, prover_of
from fsm_stack.review.model import Level
from fsm_stack.review.restarting.classes import mesh_of_side
from fsm_stack.review.restarting.pods import Pods
from fsm_stack.review.risk import risk

from .sides import CLUSTER, review, side, traffic

if TYPE_CHECKING:
    from fsm_stack.review.reports.outcome import Broken
    from fsm_stack.review.side import Side


def contract(text: str, verdict: str = "always", *spared: str) -> dict[str, Any]:
    one = {"traffic": text, "verdict": verdict, "reason": "agreed", "owner": "platform-team"}
    return one | ({"exceptProfiles": list(spared)} if spared else {})


def broken(*contracts: dict[str, Any], **sections: Any) -> tuple[Broken, ...]:
    known = side(contracts=list(contracts), **sections)
    return prover_of(known).broken(contracts_of(known))


def test_a_contract_that_is_kept_says_nothing() -> None:
    assert (
        broken(contract("tcp 5432 to 10.0.0.0/8"), contract("tcp to 203.0.113.0/24", "never"))
        == ()
    )


def test_the_entry_that_breaks_a_contract_is_named_with_a_witness() -> None:
    (only,) = broken(contract("tcp 6379 to services"))
    assert only.contract == "tcp 6379 to services: always"
    assert only.said == "TCP 6379 to any address bypasses the mesh on every pod"
    assert [line.path for line in only.entries] == ["traffic.outboundPortExclusionList[0]"]
    assert only.witness.packet == "tcp 172.30.0.2:6379 over eth0, uid 1000"
    assert only.witness.after.verdict == "untouched"
    assert (only.reason, only.owner, only.before) == ("agreed", "platform-team", False)


def test_a_connection_that_should_never_go_through_the_mesh() -> None:
    (only,) = broken(contract("tcp to metadata", "never"))
    assert only.said == "TCP to 169.254.169.254/32 goes through the mesh on every pod"
    assert only.entries == ()


def test_a_contract_is_not_kept_where_nothing_says_what_is_redirected() -> None:
    """A mode without scripts would keep every contract, as far as anybody looked."""
    one = side(contracts=[contract("tcp 443")], traffic={"interceptionMode": "NodeLevel"})
    assert prover_of(one).broken(contracts_of(one)) == ()
    assert prover_of(one).unproved(contracts_of(one)) == (
        "traffic.interceptionMode NodeLevel: pods get no init container, and no script says what is "
        "redirected",
    )
    assert prover_of(one).unproved(()) == ()
    kept = side(contracts=[contract("tcp 443")])
    assert prover_of(kept).unproved(contracts_of(kept)) == ()


def _with(known: Side, *carried: str) -> Pods:
    pods = Pods(mesh_of_side(known))  # type: ignore[arg-type]  # a stack has one
    for number, ports in enumerate(carried):
        template = {
            "metadata": {"annotations": {"flomesh.io/outbound-port-exclusion-list": ports}},
            "spec": {"containers": []},
        }
        pods.add({"kind": "Deployment", "metadata": {"name": f"web{number}", "namespace": "shop"},
                  "spec": {"replicas": 1, "template": template}})  # fmt: skip
    return pods


def test_a_workload_whose_pods_do_not_start_proves_nothing() -> None:
    one = side(contracts=[contract("tcp 443")])
    found = prover_of(one, _with(one, "70000", "x")).unproved(contracts_of(one))
    assert found == (
        "pods of shop/Deployment/web0: iptables refuses port 70000: expected 1 to 65535",
        "shop/Deployment/web1: the injector refuses it: Invalid port value 'x' specified for "
        "annotation 'flomesh.io/outbound-port-exclusion-list'",
    )


def test_a_workload_is_compared_with_itself_and_not_with_the_mesh() -> None:
    """A profile that had its script on one side is no reason to look it up elsewhere."""
    rule = contract("tcp 443 to pods")
    profile = {"old": {"outboundPortExclusionList": [443]}}
    one = side(contracts=[rule], annotationProfiles=profile)
    two = side(contracts=[rule])
    found = Comparison(one, two).review(pods=_with(two, "443")).broken
    assert [(item.scopes, item.before) for item in found] == [(("shop/Deployment/web0",), True)]


@pytest.mark.parametrize(
    ("version", "kind", "path"),
    [
        ("batch/v1", "CronJob", ("jobTemplate", "spec", "template")),
        ("batch/v1", "Job", ("template",)),
        ("apps/v1", "ReplicaSet", ("template",)),
        ("argoproj.io/v1alpha1", "Rollout", ("template",)),
    ],
)
def test_whatever_makes_pods_is_held_to_contracts(
    version: str, kind: str, path: tuple[str, ...]
) -> None:
    """What need not be restarted, and what is no kind of Kubernetes' own, connects all the same."""
    inner: Any = {
        "metadata": {"annotations": {"flomesh.io/outbound-port-exclusion-list": "443"}},
        "spec": {"containers": [{"name": "app", "image": "x"}]},
    }
    for step in reversed(path):
        inner = {step: inner}
    item = {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": "shop"}}
    one = side(contracts=[contract("tcp 443 to pods")])
    pods = Pods(mesh_of_side(one))  # type: ignore[arg-type]  # a stack has one
    pods.add(item | {"spec": inner})
    owned = {"ownerReferences": [{"kind": "CronJob", "name": "y", "controller": True}]}
    pods.add(item | {"metadata": item["metadata"] | owned, "spec": inner})  # type: ignore[operator]
    outside = json.dumps(inner).replace(
        '"443"', '"443", "flomesh.io/sidecar-injection": "disabled"'
    )
    pods.add(item | {"metadata": {"name": "z", "namespace": "shop"}, "spec": json.loads(outside)})
    (only,) = prover_of(one, pods).broken(contracts_of(one))
    assert only.scopes == (f"shop/{kind}/x",)


def test_pods_of_one_owner_with_other_annotations_are_proved_each() -> None:
    """Whose template was not read is known by its pods: two of them, two scripts."""
    one = side(contracts=[contract("tcp 443 to pods")])
    pods = Pods(mesh_of_side(one))  # type: ignore[arg-type]  # a stack has one
    for number, ports in enumerate(("443", "8443")):
        own = {"kind": "StatefulSet", "name": "db", "controller": True}
        metadata = {"name": f"db-{number}", "namespace": "shop", "ownerReferences": [own],
                    "annotations": {"flomesh.io/outbound-port-exclusion-list": ports}}  # fmt: skip
        pods.add({"kind": "Pod", "metadata": metadata, "status": {"phase": "Running"},
                  "spec": {"initContainers": [{"name": "fsm-init"}]}})  # fmt: skip
    (only,) = prover_of(one, pods).broken(contracts_of(one))
    assert only.scopes == ("shop/StatefulSet/db",)


@pytest.mark.parametrize(
    ("before", "after", "level"),
    [
        (("always", "a"), ("always", "a", "b"), Level.MEDIUM),
        (("always", "a", "b"), ("always", "a"), Level.NONE),
        (("always",), ("never",), Level.MEDIUM),
    ],
)
def test_a_contract_that_binds_less_is_a_risk(
    before: tuple[str, ...], after: tuple[str, ...], level: Level
) -> None:
    profiles = {name: {"outboundPortExclusionList": [443]} for name in ("a", "b")}
    lists = traffic(outboundIPRangeExclusionList=[])
    one, two = (
        side(annotationProfiles=profiles, contracts=[contract("udp 1 to pods", *words)], **lists)
        for words in (before, after)
    )
    found = review(one, two)
    assert found.settings[0].risk == (None if level is Level.NONE else risk("contract-dropped"))
    assert found.nothing is (level is Level.NONE)


def test_another_owner_or_reason_leaves_a_contract_what_it_was() -> None:
    one = side(contracts=[contract("tcp 443 to pods")])
    two = side(contracts=[contract("tcp 443 to pods") | {"owner": "other", "reason": "other"}])
    found = review(one, two)
    assert (found.risk, found.nothing) == (Level.NONE, True)
    assert gone(contracts_of(one), contracts_of(two)) == ()


def _at(known: Side) -> Side:
    return replace(known, name=replace(known.name, commit="c0ffee"))


def test_who_breaks_a_stack_s_own_contract_cannot_take_it_out_in_the_same_change() -> None:
    one = _at(side(contracts=[contract("tcp 443 to pods")]))
    found = review(one, side(**traffic(outboundPortExclusionList=[443])))
    assert [(item.contract, item.before) for item in found.broken] == [
        ("tcp 443 to pods: always", False)
    ]


def test_other_cluster_ranges_do_not_free_the_old_ones() -> None:
    """Else who names another range first may exclude the cluster's own in the same change."""
    rule = contract("tcp 443 to pods")
    cluster = CLUSTER | {"podRanges": ["10.60.0.0/16"]}
    excluded = traffic(outboundIPRangeExclusionList=["10.128.0.0/14"])
    one = _at(side(contracts=[rule]))
    found = review(one, side(contracts=[rule], cluster=cluster, **excluded))
    assert [(item.contract, item.before) for item in found.broken] == [
        ("tcp 443 to pods: always", False)
    ]
    assert found.traffic[0].risk.id == "mesh-ranges-bypass"
    alone = review(one, side(contracts=[rule], cluster=cluster))
    assert [item.risk.id for item in alone.settings if item.risk is not None] == [
        "contract-narrowed"
    ]
    more = CLUSTER | {"podRanges": [*CLUSTER["podRanges"], "10.60.0.0/16"]}
    assert review(one, side(contracts=[rule], cluster=more)).risk is Level.NONE


def test_what_a_contract_speaks_of_anew_is_no_old_breach() -> None:
    rule = contract("tcp 443 to pods")
    more = CLUSTER | {"podRanges": [*CLUSTER["podRanges"], "203.0.112.0/22"]}
    found = review(_at(side(contracts=[rule])), side(contracts=[rule], cluster=more))
    assert [item.before for item in found.broken] == [False]


def test_nobody_but_a_profile_may_bypass_a_port() -> None:
    profiles = {
        "legacy": {"outboundPortExclusionList": [443]},
        "other": {"outboundPortExclusionList": [443]},
    }
    rule = contract("tcp 443", "always", "legacy")
    one = side(
        annotationProfiles=profiles, contracts=[rule], **traffic(outboundIPRangeExclusionList=[])
    )
    (only,) = prover_of(one).broken(contracts_of(one))
    assert only.scopes == ("other",)
    assert [line.path for line in only.entries] == [
        "annotationProfiles.other.outboundPortExclusionList[0]"
    ]


def test_an_inclusion_is_named_where_no_exclusion_explains_the_breach() -> None:
    """203.0.113.0/24 bypasses, too, and is no reason that all the rest does."""
    profile = {"batch": {"outboundIPRangeInclusionList": ["10.128.0.0/14"]}}
    rule = contract("tcp 443", "always")
    found = broken(rule, annotationProfiles=profile)
    assert [(one.scopes, [line.path for line in one.entries]) for one in found] == [
        (("mesh",), ["traffic.outboundIPRangeExclusionList[0]"]),
        (
            ("batch",),
            [
                "annotationProfiles.batch.outboundIPRangeInclusionList[0]",
                "traffic.outboundIPRangeExclusionList[0]",
            ],
        ),
    ]


def test_what_no_list_decides_is_not_bound() -> None:
    """The sidecar's own connections, loopback and the helpers' ports bypass in every mesh."""
    assert broken(contract("tcp to any"), **traffic(
        outboundPortExclusionList=[], outboundIPRangeExclusionList=[])) == ()  # fmt: skip
    assert broken(contract("inbound tcp")) == ()


def test_an_inclusion_breaks_what_it_leaves_out() -> None:
    lists = {"outboundPortExclusionList": [], "outboundIPRangeExclusionList": [],
             "outboundIPRangeInclusionList": ["10.128.0.0/14"]}  # fmt: skip
    (only,) = broken(contract("tcp 5432 to 172.30.0.0/16"), **traffic(**lists))
    assert [line.value for line in only.entries] == ["10.128.0.0/14"]


def test_workloads_with_lists_of_their_own_are_proved_too() -> None:
    known = side(contracts=[contract("tcp 5432 to 10.0.0.0/8")])
    mesh = mesh_of_side(known)
    assert mesh is not None
    pods = Pods(mesh)
    key = "flomesh.io/outbound-port-exclusion-list"
    pods.add(
        {"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
         "spec": {"template": {"metadata": {"annotations": {key: "5432"}}, "spec": {}}}}
    )  # fmt: skip
    (only,) = prover_of(known, pods).broken(contracts_of(known))
    assert only.scopes == ("shop/Deployment/web",)
    assert only.said == "TCP 5432 to any address bypasses the mesh on pods of shop/Deployment/web"


class TestInAReview:
    RULE = contract("tcp 443 to services")
    PORT = traffic(outboundPortExclusionList=[6379, 443])

    def test_a_contract_that_a_change_breaks_comes_first_and_stops(self) -> None:
        found = review(
            side(contracts=[self.RULE]), side(contracts=[self.RULE], **self.PORT), "bypass tcp 443"
        )
        assert found.headline == (
            "Breaks the contract tcp 443 to services: always: TCP 443 to any address bypasses the "
            "mesh on every pod"
        )
        assert found.stops(Level.HIGH)

    def test_what_was_broken_before_is_told_and_does_not_stop(self) -> None:
        one = side(contracts=[self.RULE], **self.PORT)
        found = review(one, one)
        assert [item.before for item in found.broken] == [True]
        assert not found.stops(Level.LOW)

    def test_more_of_the_same_is_new(self) -> None:
        rule = contract("tcp to services")
        before = side(contracts=[rule], **self.PORT)
        after = side(contracts=[rule], **traffic(outboundPortExclusionList=[6379, 443, 80]))
        found = review(before, after)
        assert [item.before for item in found.broken] == [False]

    def test_a_contract_that_goes_away_is_a_risk_of_its_own(self) -> None:
        found = review(side(contracts=[self.RULE]), side())
        assert found.risk is Level.MEDIUM
        assert found.headline.startswith(
            "Nothing holds the mesh to this contract any more (contracts"
        )


def test_a_contract_that_cannot_be_read_is_refused_with_its_place() -> None:
    with pytest.raises(FindingsError) as error:
        side(contracts=[contract("tcp 5432 at home")])
    found = next(
        item for item in error.value.findings if item.place.path == "contracts[0].traffic"
    )
    assert found.id == "invalid-value"
    assert "got 'at'" in found.message


addresses = st.sampled_from(["10.1.2.3", "10.200.0.1", "203.0.113.9", "9.9.9.9"])


@given(
    st.lists(st.sampled_from([80, 443, 5432]), max_size=2, unique=True),
    st.lists(st.sampled_from(["10.0.0.0/9", "9.0.0.0/8"]), max_size=2, unique=True),
    st.sampled_from(
        ["tcp 443", "tcp 5432 to 10.0.0.0/8", "tcp to 10.128.0.0/9", "inbound tcp 443"]
    ),
    st.sampled_from(["always", "never"]),
    st.sampled_from([80, 443, 5432]),
    addresses,
    st.booleans(),
)
def test_a_packet_breaks_a_contract_exactly_where_its_regions_say_so(  # noqa: PLR0917  # drawn
    ports: list[int], ranges: list[str], text: str, verdict: str, port: int, address: str,
    inbound: bool,  # noqa: FBT001  # drawn
) -> None:  # fmt: skip
    known = side(
        contracts=[contract(text, verdict)],
        **traffic(
            outboundPortExclusionList=ports,
            outboundIPRangeExclusionList=ranges,
            inboundPortExclusionList=ports[:1],
        ),
    )
    found = prover_of(known).broken(contracts_of(known))
    direction = "inbound" if inbound else "outbound"
    packet = Packet(
        direction=direction, destination=address, port=port, uid=0 if inbound else 1000
    )
    actual = trace(known.reading("mesh").ruleset, packet).verdict
    number = address_number(address) or 0
    bound = {
        "tcp 443": not inbound and port == 443,
        "tcp 5432 to 10.0.0.0/8": not inbound and port == 5432 and address.startswith("10."),
        "tcp to 10.128.0.0/9": not inbound and address == "10.200.0.1",
        "inbound tcp 443": inbound and port == 443,
    }[text]
    breaks = bound and isinstance(actual, Untouched if verdict == "always" else ToListener)
    told = any(
        one.region.direction == direction
        and any(start <= number < stop for start, stop in one.region.destinations)
        and any(start <= port < stop for start, stop in one.region.ports)
        for one in found
    )
    assert told == breaks
