"""What a review says of a change, the kernel does: before and after, connection by connection."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from network import BACKENDS, TCP_PORTS, Backend, Network, interface_to
from test_agreement import lists, packets

from fsm_stack.injector.annotations import interception
from fsm_stack.injector.mesh import mesh_view
from fsm_stack.iptables.packet import Packet, protocol_number
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.sets.coverage import coverage
from fsm_stack.iptables.sets.difference import shifts
from fsm_stack.iptables.sets.ranges import address_number
from fsm_stack.iptables.write import script
from fsm_stack.lists import LISTS, Lists, merged
from fsm_stack.manifests.canary import tried
from fsm_stack.redirection.origins import pod_annotations
from fsm_stack.review.canary import change
from fsm_stack.review.contracts import contracts_of, prover_of
from fsm_stack.review.fates import traffic_of
from fsm_stack.review.model import SideName
from fsm_stack.review.side import of_settings
from fsm_stack.settings.stack_file import load_mapping
from fsm_stack.systems import FSM

if TYPE_CHECKING:
    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.lists import InterceptLists

pytestmark = pytest.mark.kernel

PAIRS = 40 if os.environ.get("CI") == "true" else 6
CONNECTIONS = 10
TODAY = date(2026, 11, 28)
done: Counter[str] = Counter()


@st.composite
def pairs(draw: st.DrawFn) -> tuple[InterceptLists, InterceptLists, list[Packet]]:
    """Two policies, and connections on the edges of both."""
    before, after = draw(lists), draw(lists)
    either = st.one_of(packets(before), packets(after))
    return before, after, draw(st.lists(either, min_size=CONNECTIONS, max_size=CONNECTIONS))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_connection_changes_in_the_kernel_where_the_review_says_so(
    pod: Network, backend: Backend
) -> None:
    @settings(
        max_examples=max(1, PAIRS // len(BACKENDS)),
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(pairs())
    def agree(drawn: tuple[InterceptLists, InterceptLists, list[Packet]]) -> None:
        before, after, tried = drawn
        texts = [script(policy, FSM) for policy in (before, after)]
        arrivals = []
        for text in texts:
            pod.flush()
            assert pod.load(text, backend).returncode == 0, text
            arrivals.append(pod.connect(tuple(tried)))
        one, two = (coverage(read(text).ruleset) for text in texts)
        said = traffic_of(shift.region for shift in shifts(one, two))
        for packet, was, now in zip(tried, *arrivals, strict=True):
            told = said.holds(
                packet.direction,
                protocol=protocol_number(packet.protocol),
                interface=packet.interface,
                uid=packet.uid,
                port=packet.port,
                destination=address_number(packet.destination) or 0,
            )
            assert told == (was != now), (packet, was, now, before, after)
            done["changed" if told else "unchanged"] += 1

    agree()


def test_connections_of_both_kinds_were_made() -> None:
    """Else everything would agree."""
    if not done:
        pytest.skip("the kernel tests did not run")
    assert done["changed"] >= PAIRS // 2
    assert done["unchanged"] >= PAIRS


ENTRIES: dict[str, dict[str, Any]] = {
    "a port": {"outboundPortExclusionList": [TCP_PORTS[0]]},
    "a range": {"outboundIPRangeExclusionList": ["198.18.0.0/16"]},
    "an inclusion": {"outboundIPRangeInclusionList": ["10.0.0.0/8"]},
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("entry", ENTRIES)
def test_the_witness_of_a_broken_contract_is_confirmed(
    pod: Network, backend: Backend, entry: str
) -> None:
    """One entry breaks it; the connection that the finding names leaves the pod, and did not."""
    terms = {"traffic": f"tcp {TCP_PORTS[0]} to 198.18.7.0/24", "verdict": "always",
             "reason": "r", "owner": "o"}  # fmt: skip
    arrivals = []
    packet = None
    for traffic in (ENTRIES[entry], {}):
        data = {"traffic": traffic, "contracts": [terms], "releaseAssets": {"source": "omit"}}
        loaded = load_mapping(data, name="", today=TODAY)
        assert loaded.settings is not None
        side = of_settings(loaded.settings, SideName(title="x", kind="stack"), today=TODAY)
        broken = prover_of(side).broken(contracts_of(side))
        assert len(broken) == (1 if traffic else 0)
        if broken:
            address, _, port = broken[0].witness.question.removeprefix("--to ").partition(":")
            packet = Packet(
                direction="outbound",
                destination=address,
                port=int(port),
                interface="eth0",
                uid=1000,
            )
        assert packet is not None
        pod.flush()
        assert pod.load(side.scripts["mesh"], backend).returncode == 0
        arrivals += pod.connect((packet,))
    assert [one.where for one in arrivals] == ["world", "pod"]


def _shorter(given_lists: InterceptLists) -> InterceptLists:
    """Three of them fit into one rule; a bare address is none that an annotation may have."""
    return replace(
        given_lists,
        outbound_ports=given_lists.outbound_ports[:4],
        inbound_ports=given_lists.inbound_ports[:4],
        excluded_ranges=tuple(map(_range, given_lists.excluded_ranges)),
        included_ranges=tuple(map(_range, given_lists.included_ranges)),
    )


def _range(text: str) -> str:
    return text if "/" in text else f"{text}/32"


@st.composite
def canaries(draw: st.DrawFn) -> tuple[MeshView, MeshView, dict[str, str], list[Packet]]:
    """A mesh, the same with more entries, a pod's own annotations, and connections."""
    base, more, own = (_shorter(draw(lists)) for _ in range(3))
    sidecar = {"localProxyMode": base.local_proxy_mode}
    plain = mesh_view(FSM, {"sidecar": sidecar, "traffic": {}}, environment={})
    known = Lists(**{name.field: base.entries(name) for name in LISTS})
    added = replace(more, interfaces=())
    before, after = replace(plain, lists=known), replace(plain, lists=merged(known, added))
    tries = draw(st.lists(packets(more), min_size=CONNECTIONS, max_size=CONNECTIONS))
    return before, after, pod_annotations(own, FSM), tries


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_canary_sends_connections_as_the_promoted_mesh_does(
    pod: Network, backend: Backend
) -> None:
    """The entries as annotations, and in the mesh's lists: the kernel makes no difference."""

    @settings(
        max_examples=max(1, PAIRS // len(BACKENDS)),
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(canaries())
    def agree(drawn: tuple[MeshView, MeshView, dict[str, str], list[Packet]]) -> None:
        before, after, own, tries = drawn
        added, refused = change(before, after)
        assert refused == ()
        texts = (
            interception(tried(own, pod_annotations(added, FSM)), before).script,
            interception(own, after).script,
        )
        arrivals = []
        for text in texts:
            pod.flush()
            assert pod.load(text, backend).returncode == 0, text
            arrivals.append(pod.connect(tuple(tries)))
        canary, promoted = arrivals
        assert canary == promoted, (before, after, own)

    agree()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("entry", ["a port", "a range"])
def test_a_canary_moves_the_connections_that_it_is_for(
    pod: Network, backend: Backend, entry: str
) -> None:
    """Else the two would be the same for want of a change."""
    plain = mesh_view(FSM, {"traffic": {}}, environment={})
    after = mesh_view(FSM, {"traffic": ENTRIES[entry]}, environment={})
    added, refused = change(plain, after)
    assert refused == ()
    packet = Packet(
        direction="outbound",
        destination="198.18.7.7",
        port=TCP_PORTS[0],
        interface=interface_to("198.18.7.7"),
        uid=1000,
    )
    arrivals = []
    for carried, mesh in (
        ({}, plain),
        (tried({}, pod_annotations(added, FSM)), plain),
        ({}, after),
    ):
        pod.flush()
        assert pod.load(interception(carried, mesh).script, backend).returncode == 0
        arrivals += pod.connect((packet,))
    was, canary, promoted = arrivals
    assert was != canary
    assert canary == promoted
