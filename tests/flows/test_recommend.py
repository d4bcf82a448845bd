from __future__ import annotations

import random
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fsm_stack.errors import InputError
from fsm_stack.flows.counting import Counted, Log, count, framing, sample
from fsm_stack.flows.evidence import Observed
from fsm_stack.flows.formats import recognised
from fsm_stack.flows.judge import Judge
from fsm_stack.flows.objects import Assumed
from fsm_stack.flows.recommend import Recommended, recommend
from fsm_stack.flows.rulebook import Rulebook
from fsm_stack.iptables.sets.ranges import cidr_text, intersection, ipv4_range, merged, smallest
from fsm_stack.project.stack_edit import edited
from tests.flows import given
from tests.flows.given import Flow
from tests.flows.test_judge import known, verdicts

if TYPE_CHECKING:
    from pathlib import Path

    from fsm_stack.flows.objects import Objects

UNIVERSE = [(at, at + size) for size in (1, 2, 4, 8, 16) for at in range(0, 16, size)]


def exhaustive(wanted: set[int], allowed: set[int], most: int) -> int | None:
    """The fewest addresses of all covers with at most so many CIDRs, by trying every one."""
    usable = [span for span in UNIVERSE if set(range(*span)) <= allowed]
    best: int | None = None
    for number in range(most + 1):
        for chosen in combinations(usable, number):
            held = {address for span in chosen for address in range(*span)}
            if wanted <= held and (best is None or len(held) < best):
                best = len(held)
    return best


@hypothesis_settings(max_examples=60, deadline=None)
@drawn(
    wanted=st.sets(st.integers(0, 15), max_size=8),
    spare=st.sets(st.integers(0, 15), max_size=16),
    most=st.integers(1, 3),
)
def test_the_smallest_cover_is_that_of_exhaustive_search(
    wanted: set[int], spare: set[int], most: int
) -> None:
    allowed = wanted | spare
    found = smallest(
        [(at, at + 1) for at in wanted], merged([(at, at + 1) for at in allowed]), most
    )
    best = exhaustive(wanted, allowed, most)
    if best is None:
        assert found is None
        return
    assert found is not None
    assert len(found) <= most
    held = {address for span in found for address in range(*span)}
    assert wanted <= held <= allowed
    assert len(held) == best


@hypothesis_settings(max_examples=60, deadline=None)
@drawn(
    seen=st.sets(
        st.tuples(st.integers(0, 15), st.sampled_from([1, 2, 3])), min_size=1, max_size=8
    ),
    most=st.integers(1, 3),
)
def test_the_smallest_lists_are_those_of_exhaustive_search(
    seen: set[tuple[int, int]], most: int
) -> None:
    """Of all subsets of the ports and covers inside of the range: fewest ports, then addresses."""
    stack = """\
config:
  fsm-stack:traffic:
    outboundIPRangeExclusionList: [203.0.113.0/29]
    outboundPortExclusionList: [1, 2]
"""
    inside = set(range(8))
    bypassed = {(host, port) for host, port in seen if host in inside or port in (1, 2)}
    best = None
    for ports in ((), (1,), (2,), (1, 2)):
        wanted = {host for host, port in bypassed if port not in ports}
        held = exhaustive(wanted, inside, most) if wanted <= inside else None
        if held is not None and (best is None or (len(ports), held) < best):
            best = (len(ports), held)
    assert best is not None
    found = lists(
        advised([Flow(target=f"203.0.113.{host}", port=port) for host, port in sorted(seen)],
                stack=stack, entries=most)
    )  # fmt: skip
    spans = [ipv4_range(str(text)) or (0, 0) for text in found["ranges"]]
    assert (len(found["out"]), sum(end - start for start, end in spans)) == best


def test_a_wide_range_used_by_three_hosts_is_three_hosts() -> None:
    hosts = [0x0A000001, 0x0A800001, 0x0AFF0001]
    found = smallest([(at, at + 1) for at in hosts], [(0x0A000000, 0x0B000000)], 3)
    assert found is not None
    assert [cidr_text(*span) for span in found] == [
        "10.0.0.1/32",
        "10.128.0.1/32",
        "10.255.0.1/32",
    ]


def observed(
    flows: list[Flow], *, stack: str = given.STACK, kind: str = "csv",
    objects: Objects | None = None, original: Any = "yes", profile: str = "mesh",
) -> Observed:  # fmt: skip
    data = given.log(kind, flows)
    judge = Judge(
        Rulebook(given.settings(stack), given.TODAY),
        None,
        objects,
        Assumed(original=original, profile=profile),
    )
    form, reader = recognised(sample(data), "log")
    done: Counted = count(framing(data)([data]), reader, judge.take)
    done.format = form.name
    return Observed(judge=judge, tally=judge.finish(), logs=(Log(name="log", counted=done),))


def advised(flows: list[Flow], *, entries: int = 16, new: int = 0, **how: Any) -> Recommended:
    return recommend(observed(flows, **how), given.TODAY, entries=entries, new=new)


def lists(found: Recommended) -> dict[str, list[object]]:
    traffic = found.settings.traffic
    return {
        "ranges": [entry.value for entry in traffic.outbound_ip_range_exclusion_list],
        "out": [entry.value for entry in traffic.outbound_port_exclusion_list],
        "in": [entry.value for entry in traffic.inbound_port_exclusion_list],
    }


EVERYTHING = [
    Flow(target="169.254.169.254", port=80),
    Flow(target="203.0.113.7", port=443),
    Flow(target="172.30.7.7", port=6390),
    Flow(target="52.1.2.3", port=6379),
    Flow(target="52.1.2.3", port=9092),
    Flow(source="52.9.9.9", target="10.128.0.1", port=9091, way="inbound"),
]


def test_used_entries_stay_and_a_wide_one_becomes_what_is_used() -> None:
    found = advised(EVERYTHING)
    assert lists(found) == {
        "ranges": ["169.254.169.254/32", "203.0.113.7/32", "172.30.7.7/32"],
        "out": [6379, 9092],
        "in": [9091],
    }
    assert found.back == (
        "traffic.outboundIPRangeExclusionList: 255 addresses, to none of which a connection was "
        "seen",
    )
    (edit,) = found.edits
    assert [item.reason for item in edit.after] == [
        "",
        "card processor; 1 connection, 100 B seen 2026-11-16 to 2026-11-16",
        "",
    ]


def test_unused_entries_go() -> None:
    found = advised([EVERYTHING[1], EVERYTHING[3], EVERYTHING[5]])
    assert lists(found) == {"ranges": ["203.0.113.7/32"], "out": [6379], "in": [9091]}
    assert found.back[0] == (
        "traffic.outboundPortExclusionList: connections to port 9092, of which none needs it"
    )


def test_a_port_goes_where_ranges_take_all_of_its_connections() -> None:
    """A port takes every address of the world."""
    found = advised([Flow(target="203.0.113.7", port=9092), Flow(target="52.1.2.3", port=6379)])
    assert lists(found) == {"ranges": ["203.0.113.7/32"], "out": [6379], "in": [9091]}


def test_a_range_goes_where_a_port_that_stays_takes_all_of_its_connections() -> None:
    found = advised([Flow(target="203.0.113.7", port=6379), Flow(target="52.1.2.3", port=6379)])
    assert lists(found)["ranges"] == []
    assert lists(found)["out"] == [6379]


def test_entries_bound_the_list_and_too_few_are_told() -> None:
    flows = [Flow(target=f"203.0.113.{host}", port=443) for host in (1, 9, 200)]
    assert lists(advised(flows, entries=3))["ranges"] == [
        "203.0.113.1/32", "203.0.113.9/32", "203.0.113.200/32"
    ]  # fmt: skip
    assert lists(advised(flows, entries=2))["ranges"] == ["203.0.113.0/28", "203.0.113.200/32"]
    both = [*flows, Flow(target="169.254.169.254", port=80)]
    found = advised(both, entries=1)
    assert found.left[1].why == "what was seen needs at least 2 ranges; --entries allows 1"
    assert len(lists(found)["ranges"]) == 3


def test_evidence_is_written_once_however_often_it_is_asked_for() -> None:
    first = advised([Flow(target="203.0.113.6", port=443), Flow(target="203.0.113.7", port=443)])
    text = edited(
        given.STACK, given.settings(), first.edits, file="Pulumi.prod.yaml", today=given.TODAY
    ).text
    assert "card processor; 2 connections, 200 B seen 2026-11-16 to 2026-11-16" in text
    second = advised([Flow(target="203.0.113.7", port=443, size=7)], stack=text)
    assert [item.reason for item in second.edits[0].after] == [
        "card processor; 1 connection, 7 B seen 2026-11-16 to 2026-11-16"
    ]


def test_the_files_comments_and_everything_else_stay() -> None:
    flows = [EVERYTHING[0], *(Flow(target=f"203.0.113.{host}", port=443) for host in (7, 99))]
    found = advised(flows)
    done = edited(
        given.STACK, given.settings(), found.edits, file="Pulumi.prod.yaml", today=given.TODAY
    )
    assert done.left == ()
    seen = "1 connection, 100 B seen 2026-11-16 to 2026-11-16"
    old = """\
      - {value: 203.0.113.0/24, reason: card processor, owner: payments}
      - 172.30.7.7/32
    outboundPortExclusionList: [6379, 9092]
"""
    assert old in given.STACK
    assert done.text == given.STACK.replace(
        old,
        f"""\
      - {{value: 203.0.113.7/32, reason: "card processor; {seen}", owner: payments}}
      - {{value: 203.0.113.99/32, reason: "card processor; {seen}", owner: payments}}
    outboundPortExclusionList: []
""",
    )


@pytest.mark.parametrize("form", ["[203.0.113.0/24]  # all", "\n      - 203.0.113.0/24  # all"])
def test_several_entries_for_one_in_every_style(form: str) -> None:
    stack = f"config:\n  fsm-stack:traffic:\n    outboundIPRangeExclusionList: {form}\n"
    found = advised([Flow(target=f"203.0.113.{host}", port=443) for host in (7, 99)], stack=stack)
    done = edited(
        stack, given.settings(stack), found.edits, file="Pulumi.prod.yaml", today=given.TODAY
    )
    assert done.left == ()
    assert "# all" in done.text
    assert lists(found)["ranges"] == ["203.0.113.7/32", "203.0.113.99/32"]
    assert given.settings(done.text) == found.settings


def test_a_translated_address_that_may_be_anything_pins_its_entry() -> None:
    """172.30.7.7 stays: any pod may be behind it."""
    flows = [Flow(target="10.130.0.5", port=8080), Flow(target="203.0.113.7", port=443)]
    found = advised(flows, kind="vpc", original=None)
    assert lists(found)["ranges"] == ["203.0.113.7/32", "172.30.7.7/32"]


def test_both_services_of_an_endpoint_are_kept(tmp_path: Path) -> None:
    objects = known(
        tmp_path,
        *given.behind_redis_and("other", 6390),
    )
    found = advised(
        [Flow(target="10.130.0.5", port=8080)], kind="vpc", original=None, objects=objects
    )
    assert lists(found)["ranges"] == ["172.30.7.7/32"]


def test_profiles_are_narrowed_only_where_their_pods_are_known(tmp_path: Path) -> None:
    flows = [Flow(target="203.0.113.7", port=443)]
    unknown = advised(flows)
    assert unknown.settings.annotation_profiles == given.settings().annotation_profiles
    assert any("name --objects" in item.why for item in unknown.left)
    other = known(tmp_path, given.pod("web", "10.128.0.1"))
    assert any(
        item.why == "no pod is known to have this profile"
        for item in advised(flows, objects=other).left
    )
    own = {"flomesh.io/outbound-port-exclusion-list": "6380"}
    sure = advised(flows, objects=known(tmp_path, given.pod("web", "10.128.0.1", own)))
    assert sure.settings.annotation_profiles["redis"].outbound_port_exclusion_list == ()


def test_a_pod_that_is_gone_may_have_had_any_profile(tmp_path: Path) -> None:
    """Else a profile's entry that only jobs use would be dropped between two of them."""
    own = {"flomesh.io/outbound-port-exclusion-list": "6380"}
    objects = known(tmp_path, given.pod("web", "10.128.0.1", own))
    seen = observed([Flow(source="10.128.0.99", target="52.1.2.3", port=6380)], objects=objects)
    assert verdicts(seen.tally) == {"52.1.2.3:6380": "may"}
    found = recommend(seen, given.TODAY, entries=16)
    profile = found.settings.annotation_profiles["redis"]
    assert [entry.value for entry in profile.outbound_port_exclusion_list] == [6380]


def test_what_a_profile_alone_excludes_stays_in_the_profile(tmp_path: Path) -> None:
    objects = known(
        tmp_path,
        given.pod("web", "10.128.0.1", {"flomesh.io/outbound-port-exclusion-list": "6380"}),
    )
    found = advised([Flow(target="52.1.2.3", port=6380)], objects=objects)
    profile = found.settings.annotation_profiles["redis"]
    assert [entry.value for entry in profile.outbound_port_exclusion_list] == [6380]
    assert lists(found)["out"] == []


def test_new_bypasses_come_only_on_request_and_with_evidence() -> None:
    flows = [
        *EVERYTHING,
        Flow(target="52.7.7.7", port=443, size=9_000_000),
        Flow(target="52.8.8.8", port=443),
        Flow(target="10.128.0.77", port=443, size=99_000_000),
    ]
    assert "52.7.7.7/32" not in lists(advised(flows))["ranges"]
    found = advised(flows, new=1)
    assert lists(found)["ranges"][-1] == "52.7.7.7/32"
    assert found.settings.traffic.outbound_ip_range_exclusion_list[-1].reason == (
        "1 connection, 9.0 MB seen 2026-11-16 to 2026-11-16"
    )
    done = edited(
        given.STACK, given.settings(), found.edits, file="Pulumi.prod.yaml", today=given.TODAY
    )
    assert given.settings(done.text) == found.settings


@pytest.mark.parametrize("kind", ["fsm", "istio"])
def test_logs_of_intercepted_connections_tell_no_bypass(kind: str) -> None:
    with pytest.raises(InputError, match=r"^these logs hold only what a sidecar took"):
        advised([Flow(target="52.1.2.3", port=443)], kind=kind)


HOSTS = st.one_of(
    st.integers(0, 255).map(lambda host: f"203.0.113.{host}"),
    st.sampled_from(["169.254.169.254", "172.30.7.7", "52.1.2.3", "10.130.0.5", "10.128.0.3"]),
)
FLOWS = st.lists(
    st.builds(
        lambda target, port, way: Flow(
            source="10.128.0.1" if way == "outbound" else "52.9.9.9",
            target=target if way == "outbound" else "10.128.0.1", port=port, way=way,
        ),
        HOSTS, st.sampled_from([443, 6379, 9092, 9091, 6380, 8080]),
        st.sampled_from(["outbound", "outbound", "inbound"]),
    ),
    min_size=1, max_size=30,
)  # fmt: skip


@hypothesis_settings(max_examples=80, deadline=None)
@drawn(
    flows=FLOWS,
    entries=st.integers(1, 6),
    kind=st.sampled_from(["vpc", "csv", "hubble"]),
    original=st.sampled_from([None, "yes", "unknown"]),
    new=st.integers(0, 2),
)
def test_no_seen_flow_is_lost_and_none_is_added(
    flows: list[Flow], entries: int, kind: str, original: str | None, new: int
) -> None:
    """Whatever was seen, in whatever format, however few entries there may be."""
    before = observed(flows, kind=kind, original=original)
    found = recommend(before, given.TODAY, entries=entries, new=new)
    done = edited(
        given.STACK, given.settings(), found.edits, file="Pulumi.prod.yaml", today=given.TODAY
    )
    assert done.left == ()
    after = observed(flows, kind=kind, original=original, stack=done.text)
    old, now = verdicts(before.tally), verdicts(after.tally)
    for peer, verdict in old.items():
        if verdict == "bypass":
            assert now[peer] == "bypass"
        elif verdict == "may":
            assert now[peer] != "through"
        elif not new:
            assert now[peer] == "through"
    ranges = [entry.value for entry in found.settings.traffic.outbound_ip_range_exclusion_list]
    assert len(ranges) - new <= max(entries, 3)


def test_many_addresses_are_narrowed_in_little_time() -> None:
    source = random.Random(1)  # noqa: S311  # reproducible, not secret
    wanted = merged([(at, at + 1) for at in source.sample(range(1 << 24), 20_000)])
    found = smallest(wanted, [(0, 1 << 24)], 16)
    assert found is not None
    assert len(found) <= 16
    assert intersection(wanted, merged(found)) == wanted
