"""Settings that every layer of the mesh accepts: shown to break, and shown to be caught before."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from judged import DIALECTS, Dialect
from network import BACKENDS, Arrival, Backend, Network, interface_to

from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.judge.lint import lint, lint_reading
from fsm_stack.iptables.packet import Packet
from fsm_stack.iptables.read.text import RuleSyntaxError, read
from fsm_stack.iptables.write import write_commands, write_restore
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import FSM

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel
every_way = pytest.mark.parametrize(
    ("backend", "dialect"), [(backend, dialect) for backend in BACKENDS for dialect in DIALECTS]
)


def script(lists: InterceptLists, dialect: Dialect) -> str:
    ruleset = intercept(lists, FSM)
    return write_restore(ruleset) if dialect == "restore" else write_commands(ruleset)


def outbound(destination: str, port: int, uid: int = 1000) -> Packet:
    return Packet(
        direction="outbound",
        destination=destination,
        port=port,
        uid=uid,
        interface=interface_to(destination),
    )


def caught(lists: InterceptLists) -> set[str]:
    return {found.id for found in lint(intercept(lists, FSM))}


REFUSED = {
    "H1 sixteen outbound ports": (
        InterceptLists(outbound_ports=tuple(range(8000, 8016))),
        "too many ports specified",
        "too-many-ports",
    ),
    "H1 sixteen inbound ports": (
        InterceptLists(inbound_ports=tuple(range(8000, 8016))),
        "too many ports specified",
        "too-many-ports",
    ),
    "H2 IPv6 excluded": (
        InterceptLists(excluded_ranges=("fd00::/8",)),
        "host/network `fd00::' not found",
        "ipv6-cidr",
    ),
    "H2 IPv6 included": (
        InterceptLists(included_ranges=("fd00::1/128",)),
        "invalid mask `128'",
        "ipv6-cidr",
    ),
    "H3 interface of sixteen characters": (
        InterceptLists(interfaces=("abcdefghijklmnop",)),
        "must be shorter than IFNAMSIZ",
        "invalid-interface",
    ),
    "H3 interface with a blank": (
        InterceptLists(interfaces=("eth 0",)),
        "Bad argument `0'",
        "invalid-interface",
    ),
    "H4 port above the last": (
        InterceptLists(outbound_ports=(70000,)),
        "invalid port/service `70000'",
        "invalid-port",
    ),
    "H4 negative port": (
        InterceptLists(inbound_ports=(-1,)),
        "invalid port/service `-1'",
        "invalid-port",
    ),
    "H5 no address": (
        InterceptLists(excluded_ranges=("999.1.1.1/99",)),
        "invalid mask `99'",
        "invalid-cidr",
    ),
    "a prefix length that Go reads and iptables does not": (
        InterceptLists(excluded_ranges=("10.0.0.0/08",)),
        "invalid mask `08'",
        "invalid-cidr",
    ),
}


@every_way
@pytest.mark.parametrize("name", REFUSED)
def test_the_script_fails_in_the_kernel_and_is_caught_before(
    pod: Network, name: str, backend: Backend, dialect: Dialect
) -> None:
    """The init container would fail, and the pod would not start."""
    lists, message, finding_id = REFUSED[name]
    loaded = pod.load(script(lists, dialect), backend)
    assert loaded.returncode != 0
    assert message in loaded.stderr
    assert finding_id in caught(lists)


@every_way
def test_an_empty_interface_name_fails_and_is_caught_before(
    pod: Network, backend: Backend, dialect: Dialect
) -> None:
    """H3: the option then swallows the next word, and the rule makes no sense."""
    lists = InterceptLists(interfaces=("",))
    assert pod.load(script(lists, dialect), backend).returncode != 0
    assert "invalid-interface" in caught(lists)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_the_charts_pattern_lets_through_fails_and_is_caught_before(
    pod: Network, backend: Backend
) -> None:
    """H5: the pattern is not anchored; as one command a rule the shell would even run it."""
    lists = InterceptLists(excluded_ranges=("foo; true 10.0.0.0/8",))
    loaded = pod.load(script(lists, "restore"), backend)
    assert loaded.returncode != 0
    assert "Bad argument `true'" in loaded.stderr
    assert "invalid-cidr" in caught(lists)


@every_way
def test_port_zero_loads_and_never_matters(
    pod: Network, backend: Backend, dialect: Dialect
) -> None:
    """Only other ports outside 1 to 65535 stop iptables; zero is refused in settings alone."""
    lists = InterceptLists(outbound_ports=(0,))
    assert pod.load(script(lists, dialect), backend).returncode == 0
    assert "invalid-port" not in caught(lists)


@pytest.mark.requirement("C32")
@every_way
def test_host_bits_match_the_whole_range(pod: Network, backend: Backend, dialect: Dialect) -> None:
    """H7: 198.18.2.2/24 lets 198.18.2.200 bypass the sidecar too."""
    lists = InterceptLists(excluded_ranges=("198.18.2.2/24",))
    assert pod.load(script(lists, dialect), backend).returncode == 0
    assert pod.connect([outbound("198.18.2.200", 80), outbound("198.18.3.200", 80)]) == [
        Arrival(where="world", address="198.18.2.200", port=80),
        Arrival(where="pod", address="127.0.0.1", port=15001),
    ]
    assert "host-bits" in caught(lists)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_leading_zero_is_octal_for_iptables(pod: Network, backend: Backend) -> None:
    """Go reads /020 as 20, iptables as 16: 198.18.200.1 bypasses the sidecar unasked."""
    lists = InterceptLists(excluded_ranges=("198.18.0.0/020",))
    assert pod.load(script(lists, "restore"), backend).returncode == 0
    assert pod.connect([outbound("198.18.200.1", 80)]) == [
        Arrival(where="world", address="198.18.200.1", port=80)
    ]
    assert "invalid-cidr" in caught(lists)


@every_way
def test_excluding_everything_intercepts_nothing(
    pod: Network, backend: Backend, dialect: Dialect
) -> None:
    """H8: mTLS and policy are silently off."""
    lists = InterceptLists(excluded_ranges=("0.0.0.0/0",))
    assert pod.load(script(lists, dialect), backend).returncode == 0
    assert pod.connect([outbound("198.18.7.7", 80)]) == [
        Arrival(where="world", address="198.18.7.7", port=80)
    ]
    assert "intercepts-nothing" in caught(lists)


@every_way
def test_the_ipv6_default_route_excludes_all_of_ipv4(
    pod: Network, backend: Backend, dialect: Dialect
) -> None:
    """H2's exception: iptables ignores what stands before /0, so that ::/0 loads."""
    lists = InterceptLists(excluded_ranges=("::/0",))
    assert pod.load(script(lists, dialect), backend).returncode == 0
    assert pod.connect([outbound("198.18.7.7", 80)]) == [
        Arrival(where="world", address="198.18.7.7", port=80)
    ]
    assert {"ipv6-cidr", "intercepts-nothing"} <= caught(lists)


@every_way
def test_an_inclusion_inside_an_exclusion_is_dead(
    pod: Network, backend: Backend, dialect: Dialect
) -> None:
    """H10: exclusion beats inclusion."""
    lists = InterceptLists(
        excluded_ranges=("198.18.0.0/16",),
        included_ranges=("198.18.7.0/24", "198.19.0.0/16"),
    )
    assert pod.load(script(lists, dialect), backend).returncode == 0
    assert pod.connect([outbound("198.18.7.7", 80), outbound("198.19.7.7", 80)]) == [
        Arrival(where="world", address="198.18.7.7", port=80),
        Arrival(where="pod", address="127.0.0.1", port=15001),
    ]
    assert "dead-inclusion" in caught(lists)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_second_run_doubles_the_jumps(pod: Network, backend: Backend) -> None:
    """H18: the here-document empties its own chains again, but not the hooks."""
    text = script(InterceptLists(), "restore")
    assert pod.load(text, backend).returncode == 0
    assert pod.load(text, backend).returncode == 0
    reading = read(pod.save(backend))
    doubled = [found.message for found in lint_reading(reading) if found.id == "doubled-jump"]
    assert doubled == [
        "PREROUTING jumps to FSM_PROXY_INBOUND twice",
        "OUTPUT jumps to FSM_PROXY_OUTBOUND twice",
    ]


@every_way
def test_the_rule_for_the_admin_port_is_dead(
    pod: Network, backend: Backend, dialect: Dialect
) -> None:
    """H19: it follows an unconditional REDIRECT."""
    assert pod.load(script(InterceptLists(), dialect), backend).returncode == 0
    assert pod.connect([outbound("198.18.7.7", 15000)]) == [
        Arrival(where="pod", address="127.0.0.1", port=15001)
    ]
    assert "dead-admin-rule" in caught(InterceptLists())


@pytest.mark.requirement("C3")
@every_way
def test_an_application_with_the_sidecars_uid_bypasses_it(
    pod: Network, backend: Backend, dialect: Dialect
) -> None:
    """H12: the rule that prevents loops looks at the uid alone."""
    assert pod.load(script(InterceptLists(), dialect), backend).returncode == 0
    assert pod.connect([outbound("198.18.7.7", 80, uid=1500)]) == [
        Arrival(where="world", address="198.18.7.7", port=80)
    ]


@pytest.mark.requirement("C26", "C40")
def test_two_ands_in_a_row_stop_a_shell_before_its_first_command(pod: Network) -> None:
    """So the documents' 'exit code 0' is impossible, and no rule exists."""
    text = script(InterceptLists(), "commands").replace(" && ", " && && ", 1)
    loaded = pod.load(text, "nft")
    assert loaded.returncode != 0
    assert "-A" not in pod.listing("nft")
    assert not read(text).loads


def test_a_dollar_in_an_interface_name_runs_as_a_command(tmp_path: Path) -> None:
    """H6: the here-document is unquoted. A folder, a fake iptables-restore and nothing else."""
    fake = tmp_path / "iptables-restore"
    fake.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    fake.chmod(0o755)
    lists = InterceptLists(interfaces=("$(echo ran >witness)",))
    text = script(lists, "restore")
    subprocess.run(
        ["/bin/sh", "-c", text],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=tmp_path,
        check=True,
        timeout=10,
    )
    assert (tmp_path / "witness").read_text() == "ran\n"
    assert "invalid-interface" in caught(lists)
    with pytest.raises(RuleSyntaxError, match="shell syntax"):
        read(text)
