"""What can be tried on one namespace, and the proof that promotion restarts no pod of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm_stack.errors import InputError
from fsm_stack.injector.annotations import interception
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.sets.reach import reach
from fsm_stack.lists import LISTS, POD_LISTS, Lists, merged
from fsm_stack.manifests.canary import BETA, STABLE, tried
from fsm_stack.redirection.origins import pod_annotations
from fsm_stack.review.canary import Carrier, change, proof, unregistered, way
from fsm_stack.systems import SYSTEMS
from fsm_stack.verify.canary import other_fate
from tests.given import mesh
from tests.manifests.stacks import settings_of
from tests.property.strategies import cidrs, interfaces, ports

OUT = "outboundPortExclusionList"
PORTS = "flomesh.io/outbound-port-exclusion-list"


def refused(before: dict[str, Any], after: dict[str, Any], **sidecar: Any) -> list[str]:
    _, found = change(mesh(traffic=before), mesh(traffic=after, sidecar=sidecar))
    assert {item.id for item in found} <= {"canary-refused"}
    return [f"{item.place.path}: {item.message}" for item in found]


def test_added_entries_are_what_is_tried() -> None:
    """In the order of the new lists, and without those that mean the same."""
    lists, found = change(
        mesh(traffic={OUT: [1], "outboundIPRangeExclusionList": ["10.1.2.3/8"]}),
        mesh(traffic={
            OUT: [3, 1, 2],
            "inboundPortExclusionList": [9],
            "outboundIPRangeExclusionList": ["10.0.0.0/8", "1.1.1.1/32"],
            "outboundIPRangeInclusionList": ["192.0.2.0/24"],
        }),
    )  # fmt: skip
    assert found == ()
    assert lists == Lists(
        outbound_ports=(3, 2),
        inbound_ports=(9,),
        excluded_ranges=("1.1.1.1/32",),
        included_ranges=("192.0.2.0/24",),
    )


def test_a_removed_entry_is_refused_in_every_list() -> None:
    was = {known.key: (["eth1"] if known.holds == "interfaces" else [7] if known.holds == "ports"
                       else ["10.0.0.0/8"]) for known in LISTS}  # fmt: skip
    for known in LISTS:
        now = {**was, known.key: []}
        value = was[known.key][0]
        assert refused(was, now) == [
            f"spec.traffic.{known.key}: {known.key} loses {value}: an annotation adds to the "
            "mesh's list, and takes nothing away from it"
        ]


def test_a_new_interface_is_refused() -> None:
    assert refused({}, {"networkInterfaceExclusionList": ["eth1"]}) == [
        "spec.traffic.networkInterfaceExclusionList: networkInterfaceExclusionList gains eth1: "
        "pods have no annotation for interfaces"
    ]


def test_a_mode_is_refused() -> None:
    assert refused({OUT: [1]}, {OUT: [1, 2]}, localProxyMode="PodIP") == [
        "spec.sidecar.localProxyMode: it changes from '' to 'PodIP': no annotation of a pod does "
        "that"
    ]
    assert refused({OUT: [1]}, {OUT: [1, 2]}, localProxyMode="Localhost") == []
    assert refused({}, {OUT: [1], "interceptionMode": "PodLevel"}) == []
    level = {"interceptionMode": "NodeLevel"}
    assert refused(level, {**level, OUT: [1]}) == [
        "spec.traffic.interceptionMode: interceptionMode is 'NodeLevel': no list counts, pods' "
        "neither"
    ]


def test_pods_that_would_have_too_many_ports_stop_the_canary() -> None:
    """So they would after promotion: better seen here than on the whole mesh."""
    before, after = mesh(traffic={OUT: [1, 2]}), mesh(traffic={OUT: [1, 2, 3]})
    lists, _ = change(before, after)
    adds = pod_annotations(lists, before.system)
    own = ",".join(map(str, range(100, 113)))
    fits = Carrier(title="Deployment fits", annotations={PORTS: own[4:]})
    full = Carrier(title="Deployment full", annotations={PORTS: own})
    odd = Carrier(title="Deployment odd", annotations={PORTS: "x"})
    shares = Carrier(title="Deployment shares", annotations={PORTS: f"3,{own[4:]}"})
    found = list(proof([fits, full, odd, shares], adds, before, after))
    assert [(item.id, item.severity.value) for item in found] == [
        ("canary-stops", "error"),
        ("canary-stops", "warning"),  # no canary makes it worse
    ]
    assert found[0].message.startswith(
        f"Deployment full: with the new entries beside their own {own} the next pods would not "
        "start: iptables refuses "
    )
    assert found[1].message.startswith("Deployment odd: already now the injector refuses it")


def test_a_guard_that_refuses_the_canarys_pods_is_said_before() -> None:
    """The register in the cluster is of the lists before; a profile's entry is in it."""
    guard = {"bypasses": "deny", "allow": [{"namespace": "shop", OUT: [5432]}]}
    profiles = {"redis": {OUT: [6379]}}
    adds = Lists(outbound_ports=(443, 5432, 6379))
    after = {OUT: [443, 5432, 6379]}

    def said(place: str, **guard: Any) -> list[str]:
        stack = settings_of({"guard": guard, "annotationProfiles": profiles, "traffic": after})
        return [item.message for item in unregistered(stack, adds, place)]

    assert said("shop", **guard) == ["the guard refuses pods with 443 in their annotations"]
    assert said("cart", **guard) == ["the guard refuses pods with 443, 5432 in their annotations"]
    assert said("shop", bypasses="warn") == []


def test_another_fate_is_found() -> None:
    """The proof is no formality: entries that are not those of the change differ."""
    before, after = mesh(traffic={OUT: [1]}), mesh(traffic={OUT: [1, 2]})
    plain = Carrier(title="pods without annotations", annotations={})
    assert list(proof([plain], {PORTS: "2"}, before, after)) == []
    (item,) = proof([plain], {PORTS: "3"}, before, after)
    assert item.id == "canary-differs"
    assert "another fate has outbound" in item.message


def pod_lists(most: int) -> st.SearchStrategy[Lists]:
    few = {
        known.field: st.lists(ports if known.holds == "ports" else cidrs, max_size=most).map(tuple)
        for known in POD_LISTS
    }
    return st.builds(Lists, **few)


@settings(max_examples=150, deadline=None)
@given(
    given_lists=st.tuples(pod_lists(4), pod_lists(3), pod_lists(4)),
    names=st.lists(interfaces, max_size=2, unique=True).map(tuple),
    system=st.sampled_from(sorted(SYSTEMS)),
    mode=st.sampled_from(["", "PodIP"]),
)
def test_entries_in_annotations_mean_what_they_mean_in_the_mesh(
    given_lists: tuple[Lists, Lists, Lists], names: tuple[str, ...], system: str, mode: str
) -> None:
    """script(global and change) is script(global, change), whatever the pod has by itself."""
    base, more, own = given_lists
    plain = mesh(system, sidecar={"localProxyMode": mode, "localDNSProxy": {"enable": True}})
    known = replace(base, interfaces=names)
    before = replace(plain, lists=known)
    after = replace(plain, lists=merged(known, more))
    lists, found = change(before, after)
    assert found == ()
    adds = pod_annotations(lists, before.system)
    annotations = pod_annotations(own, before.system)
    canary = interception(tried(annotations, adds), before).script
    promoted = interception(annotations, after).script
    assert other_fate(canary, promoted) == ""
    assert reach(read(canary).ruleset) == reach(read(promoted).ruleset)
    kept = interception(tried(annotations, adds), after).script  # what verify holds it against
    assert other_fate(canary, kept) == ""


@pytest.mark.parametrize(
    ("minor", "served", "by", "expected"),
    [
        (37, None, None, ("policy", STABLE)),
        (36, None, None, ("policy", STABLE)),
        (35, None, None, ("templates", "")),
        (35, None, "policy", ("policy", BETA)),
        (34, BETA, None, ("policy", BETA)),
        (34, "", None, ("templates", "")),
        (37, "", None, ("templates", "")),
        (37, STABLE, "templates", ("templates", "")),
        (33, STABLE, None, ("policy", STABLE)),
    ],
)
def test_the_cluster_decides_what_gives_pods_the_entries(
    minor: int, served: str | None, by: Any, expected: tuple[str, str]
) -> None:
    """What it serves counts more than what the stack says of its version."""
    assert way(minor, served, by) == expected


@pytest.mark.parametrize(("minor", "served"), [(33, None), (37, "")])
def test_a_policy_that_the_cluster_lacks_is_bad_input(minor: int, served: str | None) -> None:
    with pytest.raises(InputError) as caught:
        way(minor, served, "policy")
    where = "the cluster serves" if served is not None else "Kubernetes 1.33 has"
    assert str(caught.value) == (
        f"--by policy: {where} no MutatingAdmissionPolicy: expected 1.36, or 1.34 with the feature "
        "gate MutatingAdmissionPolicy and "
        "--runtime-config=admissionregistration.k8s.io/v1beta1=true"
    )
