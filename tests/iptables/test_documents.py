"""The samples of the three troubleshooting pages, mistakes included."""

from __future__ import annotations

import pytest

from fsm_stack.errors import InputError
from fsm_stack.iptables.judge.expect import differences, found_lists
from fsm_stack.iptables.judge.lint import lint_reading
from fsm_stack.iptables.read.text import RuleSyntaxError, read, script_in_description
from fsm_stack.iptables.rule import kernel_order
from fsm_stack.iptables.write import document_ruleset, rule_text, write_commands
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import FSM, OSM, OSM_EDGE, SYSTEMS, System

from .scripts import description, document

every_system = pytest.mark.parametrize("system", SYSTEMS.values(), ids=lambda one: one.name)
MERGED_PORTS = InterceptLists(outbound_ports=(6379, 7070, 8080))


@pytest.mark.requirement("C27")
def test_the_fsm_sample_lacks_the_rule_that_its_text_promises() -> None:
    """Mesh ports 6379 and 7070 and the pod's 8080: one missing rule; net1, net2 undeclared."""
    found = [(item.id, item.message) for item in differences(document(FSM, "ports"), MERGED_PORTS)]
    assert found == [
        ("missing-rule", "outbound ports 6379, 7070, 8080: the script has no rule for them"),
        ("undeclared-entry", "interface net1: not declared"),
        ("undeclared-entry", "interface net2: not declared"),
    ]


@pytest.mark.requirement("C39")
@pytest.mark.parametrize("system", [OSM, OSM_EDGE], ids=lambda one: one.name)
def test_the_osm_samples_hold_the_rule_and_are_old(system: System) -> None:
    """The twin of the FSM sample: the port check passes, the generation check says old."""
    reading = document(system, "ports")
    assert list(differences(reading, MERGED_PORTS)) == []
    assert reading.generation is not None
    assert reading.generation.name == "PROXY_*"
    assert not reading.generation.current
    assert "old-generation" in [item.id for item in lint_reading(reading)]


@pytest.mark.requirement("C29")
@pytest.mark.parametrize("system", [OSM, OSM_EDGE], ids=lambda one: one.name)
def test_mesh_ports_and_pod_ports_stand_merged_in_one_rule(system: System) -> None:
    assert found_lists(document(system, "ports")).lists.outbound_ports == (
        6379,
        7070,
        8080,
    )


@pytest.mark.requirement("C26", "C40")
@every_system
def test_two_ands_in_a_row_are_reported_and_recovered(system: System) -> None:
    """The sample's exit code 0 is impossible: a shell refuses the script before it starts."""
    reading = document(system, "ranges")
    assert not reading.loads
    assert [item.as_text() for item in reading.findings] == [
        "16:1055: error: '&& &&': a shell refuses the whole script [shell-syntax] "
        "Fix: Write one && between two commands, and none at the ends."
    ]
    assert found_lists(reading).lists.excluded_ranges == ("1.1.1.1/32", "2.2.2.2/24")


@pytest.mark.requirement("C32")
def test_host_bits_of_a_sample_are_told_to_its_author() -> None:
    told = [item for item in lint_reading(document(FSM, "ranges")) if item.id == "host-bits"]
    assert [item.as_text() for item in told] == [
        "16:1090 PROXY_OUTPUT: warning: range 2.2.2.2/24 has host bits set: the kernel matches "
        "2.2.2.0/24 [host-bits] Fix: Write 2.2.2.0/24 for the range, or 2.2.2.2/32."
    ]


@pytest.mark.requirement("C33")
@every_system
def test_the_generation_of_a_sample_is_named_with_what_it_lacks(system: System) -> None:
    reading = document(system, "default")
    assert reading.generation is not None
    assert reading.generation.describe() == (
        "PROXY_*: names of 2021, of OSM's early releases and the documents; lacks the health-check helper's port "
        "15904, the loopback rules (-o lo)"
    )


@pytest.mark.requirement("C5", "C28", "C33")
def test_lower_case_chains_are_a_generation_of_their_own() -> None:
    """Chain names are case-sensitive; the program writes FSM_."""
    reading = document(FSM, "ports")
    assert reading.generation is not None
    assert reading.generation.describe() == (
        "fsm_PROXY_*: shown by a page of FSM; the program writes FSM_, and names are "
        "case-sensitive"
    )
    assert reading.dialect == "restore"


@pytest.mark.requirement("C18")
def test_old_exclusions_stand_reversed_before_the_uid_rule() -> None:
    chain = kernel_order(document(FSM, "ranges").ruleset)["PROXY_OUTPUT"]
    assert [rule_text(rule) for rule in chain] == [
        "-d 2.2.2.2/24 -j RETURN",
        "-d 1.1.1.1/32 -j RETURN",
        "-m owner --uid-owner 1500 -j RETURN",
        "-d 127.0.0.1/32 -j RETURN",
        "-j PROXY_REDIRECT",
    ]


@pytest.mark.requirement("C5", "C25")
@every_system
def test_the_documents_script_is_written_byte_for_byte(system: System) -> None:
    """Old chain names when asked; the doubled && of the samples is never produced."""
    ranges = InterceptLists(excluded_ranges=("1.1.1.1/32", "2.2.2.2/24"))
    samples = {"default": InterceptLists(), "ranges": ranges}
    if system is not FSM:
        samples["ports"] = MERGED_PORTS
    for sample, lists in samples.items():
        shown = script_in_description(description(system, sample), system.init_container)
        assert write_commands(document_ruleset(lists, system)) == (
            shown.strip().replace("&& &&", "&&") + "\n"
        )


def test_what_the_old_generation_cannot_say_is_an_error() -> None:
    lists = InterceptLists(
        interfaces=("eth1",),
        included_ranges=("10.0.0.0/8",),
        local_proxy_mode="PodIP",
        dns_proxy=True,
    )
    with pytest.raises(InputError) as caught:
        document_ruleset(lists, OSM_EDGE)
    assert str(caught.value) == (
        "the documents' generation of scripts has no networkInterfaceExclusionList, "
        "outboundIPRangeInclusionList, localProxyMode PodIP ($POD_IP), localDNSProxy"
    )


@pytest.mark.requirement("C41")
def test_another_systems_init_container_is_not_found() -> None:
    """A container's name is part of the profile, never guessed from prose."""
    with pytest.raises(RuleSyntaxError) as caught:
        script_in_description(description(OSM, "default"), FSM.init_container)
    assert caught.value.problem == "no 'fsm-init:' in this description"


def test_a_script_is_compared_with_every_list() -> None:
    declared = InterceptLists(
        local_proxy_mode="PodIP",
        interfaces=("net1",),
        excluded_ranges=("1.1.1.1/32", "2.2.2.0/24"),
        included_ranges=("10.0.0.0/8",),
        inbound_ports=(80,),
    )
    reading = document(FSM, "ranges")
    assert [item.message for item in differences(reading, declared)] == [
        "inbound ports 80: the script has no rule for them",
        "included range 10.0.0.0/8: the script has no rule for it",
        "interface net1: the script has no rule for it",
        "the script lacks the PodIP rule",
    ]
    reading = document(OSM, "ports")
    assert [item.message for item in differences(reading, InterceptLists())] == [
        "outbound ports 6379, 7070, 8080: not declared"
    ]


def test_ports_are_listed_as_often_as_written_and_ranges_once_each() -> None:
    """Many ranges, and ends that are no ports, must not cost time or memory."""
    rules = "-A FSM_PROXY_INBOUND -p tcp --dport {} -j RETURN\n"
    written = ("80", "80", "8080:8082", "8081:8083", "65534:9999999999", "-5:1", "7:3", "70000")
    text = "".join(rules.format(ports) for ports in (*written, *("1:3",) * 20_000))
    found = found_lists(read(f"-N FSM_PROXY_INBOUND\n{text}")).lists
    assert found.inbound_ports == (
        80, 80, 8080, 8081, 8082, 8083, 65534, 65535, 0, 1, 70000, 2, 3
    )  # fmt: skip


def test_an_interface_that_is_excluded_one_way_only_is_told() -> None:
    text = "-N FSM_PROXY_INBOUND\n-A FSM_PROXY_INBOUND -i net9 -j RETURN\n"
    told = [item.message for item in differences(read(text), InterceptLists())]
    assert told == ["interface net9: not declared"]
