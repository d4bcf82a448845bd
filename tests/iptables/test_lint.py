"""Each check has one clean rule set and one with its fault."""

from __future__ import annotations

from time import process_time

import pytest

from fsm_stack.findings.finding import Severity
from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.judge.lint import lint, lint_reading
from fsm_stack.iptables.judge.loadable import refusals
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.write import write_restore
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import FSM, OSM_EDGE, SYSTEMS, System

CLEAN = InterceptLists(
    local_proxy_mode="PodIP",
    interfaces=("eth1",),
    excluded_ranges=("10.1.0.0/16",),
    included_ranges=("10.0.0.0/8",),
    outbound_ports=(6379, 7070),
    inbound_ports=(9090,),
    dns_proxy=True,
)
REDIRECT = "-A OUTPUT -p tcp -m owner ! --uid-owner 1500 -j REDIRECT --to-ports 15001"


def test_without_dead_rules_no_error_is_missed() -> None:
    text = write_restore(intercept(CLEAN, FSM)).replace("10.1.0.0/16", "10.0.0.0/8")
    reading = read(text.replace("-p tcp", "-p tcp -s 1.2.3.4/24", 1))
    every, some = lint_reading(reading), lint_reading(reading, dead=False)
    missed = [item for item in every if item not in some]
    assert {item.id for item in missed} == {"dead-admin-rule", "dead-inclusion"}
    assert not [item for item in missed if item.severity is Severity.ERROR]
    assert "host-bits" in {item.id for item in some}


@pytest.mark.requirement("C3")
@pytest.mark.parametrize("system", SYSTEMS.values(), ids=lambda one: one.name)
def test_todays_scripts_are_clean_but_for_the_dead_admin_rule(system: System) -> None:
    reading = read(write_restore(intercept(CLEAN, system)))
    assert [found.id for found in lint_reading(reading)] == ["dead-admin-rule"]


BROKEN_LISTS = {
    "too-many-ports": (
        InterceptLists(outbound_ports=tuple(range(1, 17))),
        "multiport: expected at most 15 ports, got 16",
    ),
    "invalid-port": (
        InterceptLists(outbound_ports=(70000,)),
        "port 70000: expected 1 to 65535",
    ),
    "ipv6-cidr": (
        InterceptLists(excluded_ranges=("fd00::/8",)),
        "range 'fd00::/8': IPv6 in an IPv4 table",
    ),
    "invalid-cidr": (
        InterceptLists(included_ranges=("garbage",)),
        "range 'garbage': expected an IPv4 CIDR such as 10.0.0.0/8",
    ),
    "invalid-interface": (
        InterceptLists(interfaces=("$(id -u)",)),
        "interface '$(id -u)': expected 1 to 15 characters without blanks or shell syntax",
    ),
    "host-bits": (
        InterceptLists(excluded_ranges=("2.2.2.2/24",)),
        "range 2.2.2.2/24 has host bits set: the kernel matches 2.2.2.0/24",
    ),
    "reserved-port-excluded": (
        InterceptLists(inbound_ports=(15001,)),
        "port 15001 is reserved: the sidecar's outbound listener",
    ),
    "duplicate-entry": (
        InterceptLists(outbound_ports=(80, 80)),
        "port 80: 2 times in one list",
    ),
    "duplicate-rule": (
        InterceptLists(excluded_ranges=("10.0.0.0/8", "10.0.0.0/8")),
        "FSM_PROXY_OUTBOUND: 2 times -d 10.0.0.0/8 -j RETURN",
    ),
    "shadowed-rule": (
        InterceptLists(excluded_ranges=("10.0.0.0/8", "10.1.0.0/16")),
        "FSM_PROXY_OUTBOUND rule 6, -d 10.1.0.0/16 -j RETURN, is never reached: taken by "
        "-d 10.0.0.0/8 -j RETURN",
    ),
    "dead-inclusion": (
        InterceptLists(
            excluded_ranges=("10.0.0.0/8",),
            included_ranges=("10.1.0.0/16", "11.0.0.0/8"),
        ),
        "FSM_PROXY_OUTBOUND rule 6, -d 10.1.0.0/16 -j FSM_PROXY_OUT_REDIRECT, is never reached: "
        "taken by -d 10.0.0.0/8 -j RETURN",
    ),
    "dead-rule": (
        InterceptLists(excluded_ranges=("0.0.0.0/1", "128.0.0.0/1")),
        "FSM_PROXY_OUTBOUND rule 7, -j FSM_PROXY_OUT_REDIRECT, is never reached: taken by the "
        "rules before it",
    ),
    "intercepts-nothing": (
        InterceptLists(excluded_ranges=("0.0.0.0/0",)),
        "no outbound connection is redirected",
    ),
}


# The chain, and the value that the message quotes.
PLACES_IN_LISTS = {
    "too-many-ports": ("FSM_PROXY_OUTBOUND", "16"),
    "invalid-port": ("FSM_PROXY_OUTBOUND", "70000"),
    "ipv6-cidr": ("FSM_PROXY_OUTBOUND", "fd00::/8"),
    "invalid-cidr": ("FSM_PROXY_OUTBOUND", "garbage"),
    "invalid-interface": ("FSM_PROXY_OUTBOUND", "$(id -u)"),
    "host-bits": ("FSM_PROXY_OUTBOUND", "2.2.2.2/24"),
    "reserved-port-excluded": ("FSM_PROXY_INBOUND", "15001"),
    "duplicate-entry": ("FSM_PROXY_OUTBOUND", "80"),
    "duplicate-rule": ("FSM_PROXY_OUTBOUND", "-d 10.0.0.0/8 -j RETURN"),
    "shadowed-rule": ("FSM_PROXY_OUTBOUND", "-d 10.1.0.0/16 -j RETURN"),
    "dead-inclusion": ("FSM_PROXY_OUTBOUND", "-d 10.1.0.0/16 -j FSM_PROXY_OUT_REDIRECT"),
    "dead-rule": ("FSM_PROXY_OUTBOUND", "-j FSM_PROXY_OUT_REDIRECT"),
    "intercepts-nothing": ("OUTPUT", None),
}


@pytest.mark.parametrize("finding_id", BROKEN_LISTS)
def test_lists_that_make_faulty_rules_are_found(finding_id: str) -> None:
    lists, message = BROKEN_LISTS[finding_id]
    place, value = PLACES_IN_LISTS[finding_id]
    found = [item for item in lint(intercept(lists, FSM)) if item.id == finding_id]
    assert (message, place, value) in [(one.message, str(one.place), one.value) for one in found]


def test_what_the_kernel_makes_of_host_bits_is_the_fix() -> None:
    found = lint(intercept(BROKEN_LISTS["host-bits"][0], FSM))
    fixes = [item.fix for item in found if item.id == "host-bits"]
    assert fixes == ["Write 2.2.2.0/24 for the range, or 2.2.2.2/32."]


BROKEN_RULES = {
    "dangling-jump": (
        ["-A OUTPUT -j NOWHERE"],
        "chain OUTPUT: jumps to NOWHERE, which is not declared",
    ),
    "jump-loop": (["-N X", "-A OUTPUT -j X", "-A X -j X"], "chain X: reaches itself by jumps"),
    "jump-depth": (
        [f"-N C{n}" for n in range(16)]
        + ["-A OUTPUT -j C0"]
        + [f"-A C{n} -j C{n + 1}" for n in range(15)],
        "jumps are nested 16 deep: the nft back end takes at most 15, the legacy one any number",
    ),
    "unused-chain": (["-N X", REDIRECT], "chain X: nothing jumps to it"),
    "duplicate-chain": (["-N X", "-N X"], "chain X: declared twice"),
    "invalid-chain-name": (
        [f"-N {'X' * 29}"],
        f"chain {'X' * 29}: expected at most 28 characters",
    ),
    "insert-position": (
        ["-N X", "-I X 2 -j RETURN"],
        "chain X: position 2 is past its end",
    ),
    "invalid-uid": (
        ["-A OUTPUT -m owner --uid-owner 4294967295 -j RETURN"],
        "uid 4294967295: expected 0 to 4294967294",
    ),
    "wrong-hook": (
        ["-A PREROUTING -m owner --uid-owner 1 -j RETURN"],
        "chain PREROUTING: matches an owner, which entering packets do not have",
    ),
    "invalid-port": (
        ["-A OUTPUT -p tcp -j REDIRECT --to-ports 70000"],
        "REDIRECT to port 70000: expected 0 to 65535",
    ),
    "invalid-cidr": (
        ["-A OUTPUT ! -d 0.0.0.0/0 -p tcp -j RETURN"],
        "range '! 0.0.0.0/0': the nft back end refuses what matches nothing",
    ),
    "doubled-jump": (
        ["-N X", "-A OUTPUT -p tcp -j X", "-A OUTPUT -p tcp -j X", "-A X -j RETURN"],
        "OUTPUT jumps to X twice",
    ),
    "sidecar-loop": (
        ["-A OUTPUT -p tcp -j REDIRECT --to-ports 15001"],
        "connections of uid 1500 to other hosts go back to the sidecar",
    ),
}


# Line and column where the text has the rule, the chain, and the value.
PLACES_IN_RULES = {
    "dangling-jump": ("1:11 OUTPUT", "NOWHERE"),
    "jump-loop": ("X", None),
    "jump-depth": ("", None),
    "unused-chain": ("X", None),
    "duplicate-chain": ("X", None),
    "invalid-chain-name": ("X" * 29, None),
    "insert-position": ("2:8 X", None),
    "invalid-uid": ("1:11 OUTPUT", "4294967295"),
    "wrong-hook": ("1:15 PREROUTING", None),
    "invalid-port": ("1:11 OUTPUT", None),
    "invalid-cidr": ("1:11 OUTPUT", "0.0.0.0/0"),
    "doubled-jump": ("3:11 OUTPUT", "X"),
    "sidecar-loop": ("OUTPUT", None),
}


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("-A OUTPUT -j REJECT", "-j REJECT: it is of table filter, and table nat has no such"),
        ("-A X -j TPROXY --on-port 1", "-j TPROXY: it is of table mangle, and table nat has no such"),
        ("-A OUTPUT -j X\n-A X -p tcp -j SNAT --to-source 192.0.2.1",
         "-j SNAT: reached from OUTPUT, expected INPUT or POSTROUTING only"),
        ("-A INPUT -j MASQUERADE", "-j MASQUERADE: reached from INPUT, expected POSTROUTING only"),
        ("-A POSTROUTING -p tcp -j REDIRECT --to-ports 1",
         "-j REDIRECT: reached from POSTROUTING, expected PREROUTING or OUTPUT only"),
        ("-A OUTPUT -j QUEUE", "-j QUEUE: the nft back end has no such target, the legacy one has"),
        ("-A X -p tcp -j SNAT --to-source 192.0.2.1\n-A POSTROUTING -j X", None),
        ("-A X -p tcp -j DNAT --to-destination 192.0.2.1", None),
        ("-A OUTPUT -j NFQUEUE --queue-num 1", None),
    ],
)  # fmt: skip
def test_targets_that_this_table_or_hook_has_not_are_found(
    rules: str, message: str | None
) -> None:
    """As both back ends refuse them: tests/kernel/test_loading.py."""
    found = [item.message for item in lint(read(f"-N X\n{rules}").ruleset)
             if item.id == "wrong-hook"]  # fmt: skip
    assert [one.partition(": ")[2] for one in found] == ([message] if message else [])


@pytest.mark.requirement("C3")
@pytest.mark.parametrize("finding_id", BROKEN_RULES)
def test_faults_of_a_dump_are_found(finding_id: str) -> None:
    lines, message = BROKEN_RULES[finding_id]
    place, value = PLACES_IN_RULES[finding_id]
    found = [item for item in lint_reading(read("\n".join(lines))) if item.id == finding_id]
    assert (message, place, value) in [(one.message, str(one.place), one.value) for one in found]


def test_a_hook_as_a_target_and_other_wrong_hooks_are_found() -> None:
    text = (
        "-N X\n-A OUTPUT -j X\n-A OUTPUT -i lo -j RETURN\n-A X -j OUTPUT\n"
        "-A PREROUTING -o lo -j RETURN"
    )
    messages = {item.message for item in lint(read(text).ruleset)}
    assert {
        "chain OUTPUT: matches an incoming interface, which leaving packets do not have",
        "chain PREROUTING: matches an outgoing interface, which entering packets do not have",
        "chain X: jumps to OUTPUT, which is a hook",
    } <= messages


def test_rules_for_some_users_intercept_something() -> None:
    """That root is left alone says nothing about the others, whichever neighbours they are."""
    redirected = (
        "-N X\n-A OUTPUT -p tcp -j X\n-A X -p tcp -m owner {} -j REDIRECT --to-ports 15001\n"
    )
    for owner in ("--uid-owner 1000", "! --uid-owner 0-1500", "--uid-owner 1501"):
        assert [item.id for item in lint(read(redirected.format(owner)).ruleset)] == []
    looping = [item.id for item in lint(read(redirected.format("--uid-owner 1500")).ruleset)]
    assert looping == ["sidecar-loop", "intercepts-nothing"]


def test_ten_thousand_rules_are_checked_in_time() -> None:
    """A walk over all earlier rules for each would take minutes."""
    ranges = "".join(
        f"-A X -d {10 + n % 200}.{n // 200 % 256}.{n % 251}.{n % 256} -j RETURN\n"
        for n in range(10_000)
    )
    text = f"-N X\n-A OUTPUT -p tcp -j X\n{ranges}{REDIRECT.replace('OUTPUT', 'X')}\n"
    ruleset = read(text).ruleset
    start = process_time()
    assert all(item.id == "duplicate-rule" for item in lint(ruleset))
    assert process_time() - start < 30  # seconds; 4 on the machine it is from


@pytest.mark.parametrize("name", ["ACCEPT", "DROP", "RETURN", "QUEUE"])
def test_no_chain_has_the_name_of_a_target(name: str) -> None:
    """Seen with both back ends; iptables-restore makes chains of the other targets' names."""
    text = f"*nat\n:{name} - [0:0]\n-A OUTPUT -p tcp --dport 1 -j RETURN\nCOMMIT\n"
    found = [item.message for item in lint(read(text).ruleset) if item.severity is Severity.ERROR]
    assert found == [f"chain {name}: it is the name of a target"]
    assert not any(refusals(read(text.replace(f":{name}", ":LOG")).ruleset))


@pytest.mark.parametrize(
    "text",
    [
        ":C - [0:0]\n-A C -p tcp -j C\n",
        ":A - [0:0]\n:B - [0:0]\n-A A -j B\n-A B -j A\n",
        "".join(f":C{n} - [0:0]\n" for n in range(400))
        + "".join(f"-A C{n} -j C{n + 1}\n" for n in range(399)),
        "".join(f":C{n} - [0:0]\n" for n in range(15))
        + "-A OUTPUT -p tcp -j C0\n"
        + "".join(f"-A C{n} -j C{n + 1}\n" for n in range(14)),
        ":C - [0:0]\n-A C -p tcp -j REDIRECT --to-port 0\n",
        ":C - [0:0]\n-A OUTPUT -p tcp -j C\n-A C -i eth0 -p tcp -j RETURN\n",
        ":C - [0:0]\n-A PREROUTING -p tcp -j C\n-A C ! -o eth0 -p tcp -j RETURN\n",
        "-A OUTPUT -p ipv6-icmp -j RETURN\n",
        "-A OUTPUT -p tcp --dport 5 -m multiport --dports 5,6 -j RETURN\n",
    ],
    ids=["loop", "two", "deep", "fifteen", "port 0", "in", "out", "ipv6-icmp", "two ports"],
)
def test_what_both_back_ends_take_loads(text: str) -> None:
    """Only what packets can enter is followed; each was loaded with both back ends."""
    ruleset = read(f"*nat\n{text}COMMIT\n").ruleset
    assert not any(refusals(ruleset))
    assert {item.id for item in lint(ruleset)} <= {
        "unused-chain", "intercepts-nothing", "dead-rule"
    }  # fmt: skip


def test_a_match_of_the_other_hooks_interface_is_dead() -> None:
    rules = (
        "-N A\n-A OUTPUT -p tcp -j A\n-A A -i eth0 -p tcp -j RETURN\n"
        "-A A ! -i eth0 -p tcp --dport 1 -j RETURN\n"
    )
    found = [item for item in lint(read(rules).ruleset) if item.id == "dead-rule"]
    assert [item.message for item in found] == [
        "A rule 1, -i eth0 -p tcp -j RETURN, is never reached: no packet that enters A matches it"
    ]


def unlike(count: int) -> str:
    """Rules that each limit four things: what is left after each has more and more corners."""
    rules = "".join(
        f"-A X -p tcp -d 11.0.{n}.0/24 ! --dport {100 + 7 * n}:{103 + 7 * n} -m owner "
        f"! --uid-owner {n} -j {'REDIRECT --to-port 15001' if n % 2 else 'RETURN'}\n"
        for n in range(count)
    )
    return f"-N X\n-A OUTPUT -p tcp -j X\n{rules}"


@pytest.mark.parametrize("count", [100, 200])
def test_rules_that_differ_in_everything_are_given_up_in_time(count: int) -> None:
    """A pod may bring any script; the kernel loads these."""
    ruleset = read(unlike(count)).ruleset
    start = process_time()
    found = lint(ruleset)
    assert process_time() - start < 10  # seconds; 1 on the machine it is from, 20 and more without
    assert [(item.id, item.message) for item in found] == [
        ("too-complex", f"{count + 1} rules differ too much from one another")
    ]


def test_a_few_rules_that_differ_in_everything_are_compared() -> None:
    assert [item.id for item in lint(read(unlike(5)).ruleset)] == ["sidecar-loop"]


def test_a_clean_dump_has_no_findings() -> None:
    assert lint(read(REDIRECT).ruleset) == ()


def test_the_ipv6_default_route_is_told_to_mean_all_of_ipv4() -> None:
    lists = InterceptLists(included_ranges=("::/0",))
    found = [item.message for item in lint(intercept(lists, OSM_EDGE)) if item.id == "ipv6-cidr"]
    assert found == ["range '::/0': in an IPv4 table it matches every address"]


def test_a_finding_names_the_line_of_the_script() -> None:
    lists = InterceptLists(excluded_ranges=("2.2.2.2/24",))
    reading = read(write_restore(intercept(lists, FSM)))
    place = next(item.place for item in lint_reading(reading) if item.id == "host-bits")
    assert (place.line, place.column, place.path) == (23, 23, "FSM_PROXY_OUTBOUND")


def test_a_range_takes_two_of_the_fifteen_ports_of_a_list() -> None:
    """Seen with 1.8.9, both back ends: xt_multiport has a slot for each end."""
    rule = "-N X\n-A OUTPUT -p tcp -j X\n-A X -p tcp -m multiport --dports {} -j RETURN\n"
    seven = ",".join(f"{first}:{first + 1}" for first in range(100, 170, 10))
    for ports, refused in ((f"{seven},80", []), (f"{seven},80,81", ["too-many-ports"])):
        found = lint(read(rule.format(ports)).ruleset)
        assert [item.id for item in found if item.id == "too-many-ports"] == refused
