"""What must hold for every policy, every packet and every text."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.judge.classify import Flows, classify
from fsm_stack.iptables.judge.lint import lint
from fsm_stack.iptables.judge.loadable import refusals
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import (
    Packet,  # hypothesis reads the annotations
    ToListener,
    Untouched,
    protocol_number,
)
from fsm_stack.iptables.read.text import RuleSyntaxError, read
from fsm_stack.iptables.rule import Insert, Reason, kernel_order
from fsm_stack.iptables.sets.coverage import coverage
from fsm_stack.iptables.sets.ranges import address_number, complement, ipv4_range, merged
from fsm_stack.iptables.sets.reach import changed, reach
from fsm_stack.iptables.sets.tidy import cover, tidy
from fsm_stack.iptables.write import (
    document_ruleset,
    entry_lines,
    rule_text,
    script,
    static_lines,
    write_commands,
    write_restore,
)
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import FSM, OSM_EDGE, System

from .strategies import lists, nonsense_lists, packets, policies_and_packets, systems


def is_redirected(packet: Packet, policy: InterceptLists) -> bool:
    return isinstance(trace(intercept(policy, FSM), packet).verdict, ToListener)


@pytest.mark.requirement("C5", "C25")
@given(lists, systems)
def test_reading_what_was_written_gives_the_rules_back(
    policy: InterceptLists, system: System
) -> None:
    """In both dialects; every rule's reason is recognised too."""
    ruleset = intercept(policy, system)
    restored, commanded = read(write_restore(ruleset)), read(write_commands(ruleset))
    assert restored.ruleset == ruleset
    assert commanded.ruleset == ruleset
    assert write_restore(restored.ruleset) == write_restore(ruleset)
    reasons = [step.rule.why for step in ruleset.steps]
    for reading in (restored, commanded):
        recognised = [step.rule.why for step in reading.ruleset.steps]
        assert len(recognised) == len(reasons)
        assert Reason.UNKNOWN not in recognised


@given(st.one_of(lists, nonsense_lists), systems)
def test_the_quick_way_writes_the_same_text(policy: InterceptLists, system: System) -> None:
    """Nonsense values too: they come out as they went in."""
    assert script(policy, system) == write_restore(intercept(policy, system))


@given(lists, systems)
def test_entries_are_told_by_their_lines(policy: InterceptLists, system: System) -> None:
    """So the guard reads them out of a pod's script; other lines look alike and hold none."""
    own = [
        line for line in script(policy, system).splitlines() if line not in static_lines(system)
    ]
    for name, before, after in entry_lines(system):
        held = [
            line[len(before) : -len(after)]
            for line in own
            if line.startswith(before) and line.endswith(after)
        ]
        entries = [str(entry) for entry in policy.entries(name)]
        joined = [",".join(entries)] if entries else []
        assert held == (joined if name.holds == "ports" else entries)


def test_the_lines_that_hold_entries() -> None:
    found = [(name.field, before, after) for name, before, after in entry_lines(FSM)]
    assert found == [
        ("interfaces", "-I FSM_PROXY_INBOUND -i ", " -j RETURN"),
        ("inbound_ports", "-I FSM_PROXY_INBOUND -p tcp --match multiport --dports ", " -j RETURN"),
        ("interfaces", "-A FSM_PROXY_OUTBOUND -o ", " -j RETURN"),
        ("excluded_ranges", "-A FSM_PROXY_OUTBOUND -d ", " -j RETURN"),
        (
            "outbound_ports",
            "-A FSM_PROXY_OUTBOUND -p tcp --match multiport --dports ",
            " -j RETURN",
        ),
        ("included_ranges", "-A FSM_PROXY_OUTBOUND -d ", " -j FSM_PROXY_OUT_REDIRECT"),
    ]


@given(policies_and_packets())
def test_reach_and_columns_agree_with_the_walk(
    drawn: tuple[InterceptLists, list[Packet]],
) -> None:
    """Three ways to the same verdict: one packet, all packets, a column."""
    policy, some = drawn
    ruleset = intercept(policy, OSM_EDGE)
    fates, redirected = coverage(ruleset), reach(ruleset)
    for packet in some:
        verdict = trace(ruleset, packet).verdict
        number = address_number(packet.destination)
        assert number is not None
        flows = Flows(
            direction=packet.direction,
            protocols=[protocol_number(packet.protocol)],
            interfaces=[packet.interface],
            uids=[packet.uid],
            ports=[packet.port],
            destinations=[number],
        )
        assert classify(fates, flows)[0] == verdict
        held = redirected.holds(
            packet.direction,
            protocol=protocol_number(packet.protocol),
            interface=packet.interface,
            uid=packet.uid,
            port=packet.port,
            destination=number,
        )
        assert held == isinstance(verdict, ToListener)


@pytest.mark.requirement("C3")
@given(policies_and_packets(), systems)
def test_the_sidecars_own_traffic_to_another_host_is_never_captured(
    drawn: tuple[InterceptLists, list[Packet]], system: System
) -> None:
    """Else it would loop, whatever the lists say."""
    policy, some = drawn
    for packet in some:
        own = replace(packet, direction="outbound", uid=1500, interface="eth0", protocol="tcp")
        assert trace(intercept(policy, system), own).verdict == Untouched()


@pytest.mark.requirement("C4")
@given(policies_and_packets(), systems)
def test_nothing_but_tcp_is_captured(
    drawn: tuple[InterceptLists, list[Packet]], system: System
) -> None:
    """osm-edge's DNS rule is the exception; it rewrites, and never reaches a TCP listener."""
    policy, some = drawn
    for packet in some:
        for protocol in ("udp", "icmp"):
            other = replace(packet, protocol=protocol)
            verdict = trace(intercept(policy, system), other).verdict
            dns = protocol == "udp" and packet.destination == "127.0.0.153" and packet.port == 53
            assert verdict == Untouched() or (dns and system is OSM_EDGE)


@settings(deadline=None)
@given(policies_and_packets(), systems)
def test_tidying_changes_no_verdict_and_no_list_grows(
    drawn: tuple[InterceptLists, list[Packet]], system: System
) -> None:
    """Equality is exact: the sets of all packets are the same."""
    policy, some = drawn
    tidied = tidy(policy).lists
    assert coverage(intercept(tidied, system)) == coverage(intercept(policy, system))
    for packet in some:
        assert is_redirected(packet, tidied) == is_redirected(packet, policy)
    assert total(tidied) <= total(policy)
    assert tidy(tidied).lists == tidied


def total(policy: InterceptLists) -> int:
    return sum(
        len(entries)
        for entries in (
            policy.interfaces,
            policy.excluded_ranges,
            policy.included_ranges,
            policy.outbound_ports,
            policy.inbound_ports,
        )
    )


@given(lists, lists)
def test_sets_of_traffic_obey_the_algebra(one: InterceptLists, two: InterceptLists) -> None:
    """Union, intersection and difference fit together, and equal sets print the same."""
    a, b = reach(intercept(one, FSM)), reach(intercept(two, FSM))
    assert (a - b) | (a & b) == a
    assert a | b == b | a
    assert not (a - a)
    assert str((a - b) | (a & b)) == str(a)
    assert (a | b) - (b - a) == a
    assert (a | b).size <= a.size + b.size
    other = changed(coverage(intercept(one, FSM)), coverage(intercept(two, FSM)))
    assert not ((a - b) | (b - a)) - other


@given(lists, st.randoms())
def test_the_same_set_prints_the_same_however_its_rules_are_ordered(
    policy: InterceptLists, shuffled: object
) -> None:
    """Review compares sets, not texts of rules."""
    other = list(policy.excluded_ranges)
    shuffled.shuffle(other)  # type: ignore[attr-defined]  # a Random of hypothesis
    same = replace(policy, excluded_ranges=tuple(other))
    assert str(reach(intercept(same, FSM))) == str(reach(intercept(policy, FSM)))


@given(st.data())
def test_dead_rules_are_dead_and_the_rest_is_reached_by_some_packet(data: st.DataObject) -> None:
    """A rule that the walk applies to a packet is never reported as dead."""
    policy = data.draw(lists)
    ruleset = intercept(policy, FSM)
    dead = {
        (found.place.path, found.value)
        for found in lint(ruleset)
        if found.id in {"dead-rule", "shadowed-rule", "dead-inclusion", "dead-admin-rule"}
    }
    for packet in data.draw(st.lists(packets(policy), max_size=8)):
        for hop in trace(ruleset, packet).passes[0].hops:
            if hop.matched:
                assert (hop.chain, rule_text(hop.rule)) not in dead


@given(nonsense_lists, systems)
def test_nonsense_is_refused_by_name_and_never_crashes(
    policy: InterceptLists, system: System
) -> None:
    """Lint answers for whatever the injector would print."""
    ruleset = intercept(policy, system)
    found = lint(ruleset)
    assert all(item.message for item in found)
    if not any(refusals(ruleset)):
        reach(ruleset)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 2**20)), max_size=6))
def test_a_cover_holds_what_is_wanted_and_nothing_forbidden(spans: list[tuple[int, int]]) -> None:
    """With everything else forbidden the cover is exact."""
    wanted = merged([(start, min(start + size, 2**32)) for start, size in spans])
    found = [ipv4_range(text) for text in cover(wanted, complement(wanted, 0, 2**32))]
    assert merged([bounds for bounds in found if bounds]) == wanted


@pytest.mark.requirement("C18", "C28")
@given(lists)
def test_in_the_old_dialect_exclusions_stand_reversed_before_the_uid_rule(
    policy: InterceptLists,
) -> None:
    """They are inserted, so the kernel tries the last one first."""
    old = replace(
        policy,
        interfaces=(),
        included_ranges=(),
        local_proxy_mode="",
        dns_proxy=False,
    )
    ruleset = document_ruleset(old, FSM)
    assert read(write_commands(ruleset)).ruleset == ruleset
    inserted = [
        step.rule
        for step in ruleset.steps
        if isinstance(step, Insert) and step.chain == "PROXY_OUTPUT"
    ]
    chain = kernel_order(ruleset)["PROXY_OUTPUT"]
    assert list(chain[: len(inserted)]) == inserted[::-1]


words = st.sampled_from(
    (
        "iptables", "iptables-restore", "--noflush", "<<EOF", "EOF", "-t", "nat", "*nat", "COMMIT",
        "&&", "-A", "-I", "-N", "-P", ":X", "X", "PREROUTING", "OUTPUT", "-p", "tcp", "udp", "-d",
        "10.0.0.0/8", "!", "-m", "--match", "multiport", "owner", "--dports", "1,2", "--dport",
        "80", "--uid-owner", "1500", "-j", "RETURN", "REDIRECT", "--to-port", "15001", "DNAT",
        "--to-destination", "$POD_IP", "-", "[0:0]", "\n", "\n", " ", "#", "1", "ACCEPT", "-i", "lo",
    )
)  # fmt: skip


@settings(max_examples=400)
@example("\r")
@example("*nat\r\nnobody\r\n")
@given(st.one_of(st.text(), st.lists(words).map(" ".join), st.lists(words).map("\n".join)))
def test_no_text_makes_the_reader_crash(text: str) -> None:
    """It answers, or says which line and column it does not understand."""
    try:
        reading = read(text)
    except RuleSyntaxError as caught:
        error = caught
    else:
        lint(reading.ruleset)
        return
    assert str(error).startswith(f"line {error.line_no}, column {error.column}: ")
    assert error.line in {part for line in text.split("\n") for part in (line, line.rstrip("\r"))}
    assert 1 <= error.column <= len(error.line) + 1


@given(lists, st.data())
def test_a_script_with_one_character_changed_is_read_or_refused(
    policy: InterceptLists, data: st.DataObject
) -> None:
    """Damage never passes unseen as something that does not load: it crashes nothing."""
    text = write_restore(intercept(policy, FSM))
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.sampled_from(" -!&$\n\t0a:,/")) + text[at + 1 :]
    try:
        reading = read(damaged)
    except RuleSyntaxError:
        return
    assert write_restore(reading.ruleset)


def test_reading_takes_memory_and_time_in_proportion() -> None:
    """Ten times the text must not cost a hundred times the memory."""
    peaks = []
    for count in (200, 2000):
        text = write_restore(
            intercept(InterceptLists(excluded_ranges=("10.0.0.0/8",) * count), FSM)
        )
        tracemalloc.start()
        read(text)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 15 * peaks[0]
