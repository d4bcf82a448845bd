from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from .conftest import document
from .traffic import BROKEN_SHELL, DOCUMENTS, TOO_MANY, fill

if TYPE_CHECKING:
    from click.testing import Result

    from .conftest import Run


@pytest.fixture
def traced(run: Run, project: Path) -> Run:
    fill(project)

    def started(*arguments: str) -> Result:
        return run("trace", "-C", str(project), *arguments)

    return started


@pytest.mark.requirement("C10", "C18")
def test_verdict_rule_reason_entry_and_way_are_told(traced: Run) -> None:
    result = traced("prod", "--to", "10.1.2.3:6379")
    assert result.exit_code == 0
    assert result.stdout == (
        "untouched: outbound tcp to 10.1.2.3:6379 bypasses the sidecar\n"
        "  rule:    FSM_PROXY_OUTBOUND 6 (line 25): -p tcp --match multiport --dports 6379 "
        "-j RETURN\n"
        "  why:     these outbound ports are excluded\n"
        '  entry:   traffic.outboundPortExclusionList[0] 6379: "Redis"; data-team\n'
        "  matched: 10.1.2.3, as iptables sees it, after whatever the CNI rewrites at the socket\n"
        "  rules:   prod; FSM_PROXY_*: written by FSM today\n"
        "\n"
        "1. a process of the pod connects to 10.1.2.3:6379 (eth0, uid 1000): untouched\n"
        "   => OUTPUT 1              -p tcp -j FSM_PROXY_OUTBOUND\n"
        "                              every TCP connection that leaves a process of the pod is "
        "examined\n"
        "   => FSM_PROXY_OUTBOUND 6  -p tcp --match multiport --dports 6379 -j RETURN\n"
        "                              these outbound ports are excluded\n"
    )


def test_a_service_address_is_called_one(traced: Run) -> None:
    """A CNI may have rewritten it before iptables looks (H22)."""
    lines = traced("prod", "--to", "10.96.7.7:443").stdout.splitlines()
    assert lines[0] == (
        "to the outbound listener (15001): outbound tcp to 10.96.7.7:443 goes through the sidecar"
    )
    assert lines[3] == (
        "  matched: 10.96.7.7, a service address (cluster.serviceRanges 10.96.0.0/16). A CNI that "
        "rewrites it at the socket, as Cilium can, shows iptables the endpoint's address instead: "
        "ask again with that one"
    )


def test_a_peer_of_the_mesh_is_said_to_meet_plain_text(traced: Run) -> None:
    """One side's exclusion alone breaks a connection between two pods of the mesh."""
    peer = (
        "  peer:    in the cluster's own range 10.96.0.0/16: where a pod of the mesh answers, its "
        "sidecar meets plain text instead of the mesh's TLS, unless that pod excludes its port "
        "inbound"
    )
    assert peer in traced("prod", "--to", "10.96.3.4:6379").stdout.splitlines()
    plain = document(traced("prod", "--to", "10.96.3.4:6379", "-o", "json"))
    assert plain["peer"] == peer.partition(": ")[2].strip()
    for words in (
        ("--to", "10.96.3.4:80"),  # through the sidecar
        ("--to", "203.0.113.1:6379"),  # not the cluster's
        ("--to", "10.96.3.4:6379", "--uid", "1500"),
        ("--to", "10.96.3.4:8081", "--inbound"),
    ):
        assert document(traced("prod", *words, "-o", "json"))["peer"] is None


def test_a_mesh_without_egress_is_said_to_refuse_what_leaves_it(
    traced: Run, project: Path
) -> None:
    """Its way through the rules is the same; the application sees a connection that fails."""
    said = "traffic.enableEgress is false: the sidecar refuses it, unless a policy allows it"
    asked = ("prod", "--to", "198.51.100.1:80")
    assert document(traced(*asked, "-o", "json"))["egress"] is None
    file = project / "Pulumi.prod.yaml"
    text = file.read_text().replace(
        "  fsm-stack:traffic:\n", "  fsm-stack:traffic:\n    enableEgress: false\n"
    )
    file.write_text(text)
    assert document(traced(*asked, "-o", "json"))["egress"] is None  # it may be a pod's
    file.write_text(text.replace("cluster:\n", "cluster:\n    podRanges: [10.244.0.0/16]\n"))
    assert f"  egress:  {said}" in traced(*asked).stdout.splitlines()
    assert document(traced(*asked, "-o", "json"))["egress"] == said
    for words in (
        ("--to", "10.96.3.4:80"),  # the cluster's own
        ("--to", "203.0.113.1:80"),  # past the sidecar
        ("--to", "198.51.100.1:80", "--uid", "1500"),
        ("--to", "198.51.100.1:80", "--inbound"),
        ("--to", "198.51.100.1:80", "--protocol", "udp"),
    ):
        assert document(traced("prod", *words, "-o", "json"))["egress"] is None


def test_a_profile_is_asked_about_by_name(traced: Run) -> None:
    asked = ("--to", "169.254.169.254:80")
    assert traced("prod", *asked).stdout.startswith("to the outbound listener (15001): ")
    assert traced("prod", "--profile", "metadata", *asked).stdout.startswith("untouched: ")


def test_an_address_that_enters_is_the_pods_own(traced: Run) -> None:
    """Whatever the service ranges are: nobody connects into a pod at a service's address."""
    lines = traced("prod", "--to", "10.96.7.7:443", "--inbound").stdout.splitlines()
    assert lines[3] == "  matched: 10.96.7.7, the pod's own, as the packet enters"


def test_only_the_entries_that_the_packet_and_the_pod_are_about_are_named(
    traced: Run, project: Path
) -> None:
    """Neither another port of the same rule, nor another profile's entry of the same port."""
    with (project / "Pulumi.prod.yaml").open("a") as file:
        file.write(
            "    one: {outboundPortExclusionList: [{value: 7070, reason: first}, 7071]}\n"
            "    two: {outboundPortExclusionList: [{value: 7070, reason: second}]}\n"
        )
    result = traced("prod", "--profile", "one", "--to", "10.1.2.3:7070")
    told = [line for line in result.stdout.splitlines() if line.startswith("  entry:")]
    path = "annotationProfiles.one.outboundPortExclusionList[0]"
    assert told == [f'  entry:   {path} 7070: "first"; no owner']


@pytest.mark.requirement("C3", "C18")
def test_a_self_call_is_followed_to_the_application(traced: Run) -> None:
    result = traced(
        "prod", "--to", "10.96.7.7:80", "--resolves-to", "10.1.1.1", "--pod-ip", "10.1.1.1"
    )
    titles = [line for line in result.stdout.splitlines() if line[:1].isdigit()]
    assert titles == [
        "1. a process of the pod connects to 10.96.7.7:80 (eth0, uid 1000): to the outbound "
        "listener (15001)",
        "2. the sidecar connects on to 10.1.1.1:80 (lo, uid 1500): to the inbound listener (15003)",
        "3. the sidecar hands over to the application's port 80 (lo, uid 1500): untouched",
    ]


@pytest.mark.requirement("C3", "C4", "C11")
@pytest.mark.parametrize(
    ("arguments", "first", "why"),
    [
        (["--to", "[fd00::1]:443"], "untouched: outbound tcp to [fd00::1]:443 bypasses",
         "not intercepted: IPv6, and the rules are in the IPv4 table only"),
        (["--to", "8.8.8.8:53", "--protocol", "udp"], "untouched: outbound udp to 8.8.8.8:53",
         "not intercepted: UDP, and only TCP is redirected"),
        (["--to", "8.8.8.8", "--protocol", "icmp"], "untouched: outbound icmp to 8.8.8.8 bypasses",
         "not intercepted: ICMP, and only TCP is redirected"),
        (["--to", "10.1.1.1:8081", "--inbound"], "untouched: inbound tcp to 10.1.1.1:8081",
         "these inbound ports are excluded"),
        (["--to", "10.1.1.1:8080", "--inbound"], "to the inbound listener (15003): inbound tcp",
         "intercepted inbound traffic goes to the sidecar's inbound listener"),
        (["--to", "8.8.8.8:443", "--uid", "1500"], "untouched: outbound tcp to 8.8.8.8:443",
         "the sidecar's own traffic must not loop back into it"),
    ],
)  # fmt: skip
def test_every_connection_has_an_answer(
    traced: Run, arguments: list[str], first: str, why: str
) -> None:
    lines = traced("prod", *arguments).stdout.splitlines()
    assert lines[0].startswith(first)
    assert f"  why:     {why}" in lines


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("[::ffff:10.1.2.3]:6379", "10.1.2.3:6379"), ("[::ffff:a01:203]:6379", "10.1.2.3:6379"),
     ("0.0.0.0:6379", "127.0.0.1:6379"), ("[::]:80", "[::1]:80")],
)  # fmt: skip
def test_the_answer_is_about_the_address_in_the_packets(
    traced: Run, asked: str, answered: str
) -> None:
    """An IPv6 socket's ::ffff:10.1.2.3 is IPv4 on the wire, and iptables sees it."""
    packet = document(traced("prod", "--to", asked, "-o", "json"))["packet"]
    assert f"outbound tcp to {answered} " in traced("prod", "--to", asked).stdout
    assert packet["interface"] == ("eth0" if answered.startswith("10.") else "lo")


@pytest.mark.requirement("C37")
@pytest.mark.parametrize("stack", ["prod", "edge", "osm"])
def test_all_three_systems_answer(traced: Run, stack: str) -> None:
    excluded = traced(stack, "--to", "10.1.2.3:6379").stdout
    assert excluded.startswith("untouched: outbound tcp to 10.1.2.3:6379 bypasses the sidecar\n")
    assert traced(stack, "--to", "10.1.2.3:80").stdout.startswith("to the outbound listener")


@pytest.mark.requirement("C4", "C37")
def test_dns_of_osm_edge_goes_to_its_listener(traced: Run) -> None:
    """The one thing besides TCP that any system redirects."""
    result = traced("edge", "--to", "127.0.0.153:53", "--protocol", "udp")
    assert result.stdout.startswith(
        "rewritten to 127.0.0.153:5300: outbound udp to 127.0.0.153:53"
    )


@pytest.mark.requirement("C25", "C37", "C41")
@pytest.mark.parametrize("system", ["fsm", "osm-edge", "osm"])
def test_a_description_of_a_pod_is_read(traced: Run, system: str) -> None:
    file = DOCUMENTS / f"{system}-default.describe.txt"
    for given in ([], ["--system", system]):
        result = traced("--script", str(file), *given, "--to", "10.1.2.3:80", "-o", "json")
        answer = document(result)
        assert answer["throughSidecar"] is True
        assert answer["rule"]["rule"] == "-p tcp -j REDIRECT --to-port 15001"
        assert answer["rule"]["line"] == 16


@pytest.mark.requirement("C25", "C26", "C40")
def test_what_a_shell_refuses_is_said_to_be_refused(traced: Run, project: Path) -> None:
    script = project / "init.sh"
    script.write_text(BROKEN_SHELL)
    result = traced("--script", str(script), "--to", "10.1.2.3:80")
    assert result.stdout.startswith("to the outbound listener (15001): ")
    assert "a shell refuses it: this is what it was meant to do" in result.stdout
    assert f"{script}:1:88: error: " in result.stdout
    assert result.stdout.endswith("the sidecar's own connections come back to it without end\n")


def test_what_iptables_refuses_has_no_answer(traced: Run, project: Path) -> None:
    script = project / "rules.txt"
    script.write_text(TOO_MANY)
    result = traced("--script", str(script), "--to", "10.1.2.3:80")
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{script}:3:")
    assert "[too-many-ports]" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "10.1.2.3:80"], "expected either a STACK or --script FILE"),
        (["prod", "--to", "10.1.2.3:80", "--script", "-"], "expected either a STACK or --script"),
        (["prod", "--to", "10.1.2.3"], "--to 10.1.2.3: expected ADDRESS:PORT, tcp has ports"),
        (["prod", "--to", "10.1.2:80"], "'10.1.2': expected an IPv4 or IPv6 address"),
        (["prod", "--to", "redis.shop:80"], "rules match addresses, so look the name up first"),
        (["prod", "--to", "10.1.2.3:80", "--protocol", "icmp"], "icmp has no ports"),
        (["prod", "--to", "10.1.2.3:80", "--inbound", "--uid", "0"], "--uid: expected a connection"),
        (["prod", "--to", "1.1.1.1:80", "--inbound", "--resolves-to", "1.1.1.2"], "--resolves-to:"),
        (["prod", "--to", "10.1.2.3:70000"], "expected a port from 0 to 65535"),
        (["prod", "--to", "10.1.2.3:0x50"], "expected a port from 0 to 65535"),
        (["prod", "--to", "[::g]:80"], "'::g': expected an IPv4 or IPv6 address"),
        (["prod", "--to", "\x1b[31m:80"], "expected an IPv4 or IPv6 address"),
        (["prod", "--to", "1.1.1.1:80", "--from", "fd00::1"], "two addresses of one IP version"),
        (["prod", "--to", "1.1.1.1:80", "--interface", "$(id)"], "interface '$(id)': expected 1"),
        (["prod", "--to", "1.1.1.1:80", "--inbound", "--interface", "lo"], "--interface lo: expec"),
        (["prod", "--to", "1.1.1.1:80", "--uid", "-1"], "-1 is not in the range"),
        (["prod", "--to", "1.1.1.1:80", "--system", "fsm"], "--system: expected --script"),
        (["prod", "--to", "1.1.1.1:80", "--profile", "meta"], "did you mean 'metadata'?"),
        (["prd", "--to", "1.1.1.1:80"], "'prd': no such stack; did you mean 'prod'?"),
        (["--script", "/nowhere", "--to", "1.1.1.1:80"], "/nowhere: no such file"),
        (["--script", "/", "--to", "1.1.1.1:80"], "cannot read /: Is a directory"),
    ],
)  # fmt: skip
def test_wrong_questions_are_refused(traced: Run, arguments: list[str], message: str) -> None:
    result = traced(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ":1:1: no rules: expected a script or a dump of the nat table"),
        (b"-A OUTPUT -p tcp --ttl 5 -j X\n", ":1:18: "),
        (b"-N X\n-A OUTPUT \xff\n", ":2:11: expected UTF-8 text, found byte 0xff"),
        (b"x" * (4 * 1024 * 1024 + 1), ": expected at most 4194304 bytes"),
        (b"Init Containers:\n  other:\n", ":1:1: no 'fsm-init:' in this description"),
        (b"Init Containers:\n  a:\nInit Containers:\n  fsm-init:\n", ":3:1: a second"),
        (b"iptables-restore <<EOF\r\n*nat\r\n", ":1:23: a carriage return at the line's end"),
        (b"\x1b[2J" * 100, ":1:1: "),
        (b"*nat\n-A OUTPUT -d $(reboot) -j X\nCOMMIT\n", ":2:14: "),
    ],
    ids=["empty", "option", "bytes", "size", "container", "pods", "windows", "escapes", "shell"],
)  # fmt: skip
def test_hostile_scripts_are_errors_with_a_place(
    traced: Run, project: Path, content: bytes, message: str
) -> None:
    file = project / "script"
    file.write_bytes(content)
    result = traced("--script", str(file), "--to", "1.1.1.1:80")
    assert result.exit_code == 2
    assert f"{file}{message}" in result.stderr
    assert "\x1b" not in result.stderr
    assert len(result.stderr) < 500


@pytest.mark.requirement("C20")
def test_node_level_pods_have_no_script(traced: Run, project: Path) -> None:
    text = "config: {fsm-stack:traffic: {interceptionMode: NodeLevel}}\n"
    (project / "Pulumi.node.yaml").write_text(text)
    result = traced("node", "--to", "1.1.1.1:80")
    assert result.exit_code in {1, 2}
    assert "interceptionMode" in result.stdout + result.stderr


@pytest.mark.requirement("C5", "C33")
def test_the_script_has_to_be_the_named_systems(traced: Run, project: Path) -> None:
    script = project / "init.sh"
    script.write_text("-N OSM_PROXY_OUTBOUND\n-A OUTPUT -p tcp -j OSM_PROXY_OUTBOUND\n")
    result = traced("--script", str(script), "--system", "fsm", "--to", "1.1.1.1:80")
    assert result.exit_code == 2
    assert "chains OSM_PROXY_* are of osm-edge and OSM, not of FSM" in result.stderr


def test_a_way_is_drawn(traced: Run, project: Path) -> None:
    svg = project / "way.svg"
    assert traced("prod", "--to", "10.1.2.3:80", "--svg", str(svg)).exit_code == 0
    assert ET.fromstring(svg.read_text()).attrib["aria-label"] == (  # noqa: S314  # made by us
        "prod: outbound tcp to 10.1.2.3:80"
    )


def test_all_rules_show_what_did_not_match(traced: Run) -> None:
    rules = document(traced("prod", "--to", "10.1.2.3:6379", "--all-rules", "-o", "json"))
    (way,) = rules["passes"]
    assert [rule["failed"] for rule in way["rules"]] == [
        None, "-o lo", "-o lo", "-m owner --uid-owner 1500", "-d 127.0.0.1/32",
        "-d 203.0.113.0/24", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("redirect", "code", "complaint"),
    [("<&-", 2, "standard input: expected a script, it is closed"), (">&-", 0, ""),
     (">/dev/full", 2, "cannot write standard output: No space left on device")],
)  # fmt: skip
def test_closed_and_full_streams_are_no_defect(
    project: Path, redirect: str, code: int, complaint: str
) -> None:
    (project / "rules").write_text("-N X\n-A OUTPUT -p tcp -j X\n")
    program = Path(sys.executable).parent / "fsm-stack"
    script = "-" if redirect == "<&-" else "rules"
    command = f"{program} trace --script {script} --to 1.1.1.1:80 {redirect}"
    done = subprocess.run(
        ["sh", "-c", command], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def imported(project: Path, *arguments: str, script: str = "") -> tuple[str, str]:
    """What a whole process answers, and what it imported."""
    program = Path(sys.executable).parent / "fsm-stack"
    done = subprocess.run(
        [str(program), "trace", *arguments, "-o", "json"], cwd=project, input=script,
        env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return json.loads(done.stdout)["verdict"], done.stderr


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (("--script", "-"), ("pydantic", "jinja2", "yaml", "pulumi")),
        (("prod",), ("jinja2", "pulumi", "kubernetes")),
    ],
    ids=["script", "stack"],
)
def test_an_answer_imports_no_more_than_it_needs(
    project: Path, arguments: tuple[str, ...], heavy: tuple[str, ...]
) -> None:
    """As a whole process: the quarter of a second that a question may take has no room for it."""
    fill(project)
    script = "-N X\n-A OUTPUT -p tcp -j X\n-A X -p tcp -j REDIRECT --to-ports 15001\n"
    verdict, modules = imported(project, *arguments, "--to", "1.1.1.1:80", script=script)
    assert verdict == "to the outbound listener (15001)"
    assert " fsm_stack.iptables.judge.simulate\n" in modules
    for name in heavy:
        assert f" {name}\n" not in modules


FOREIGN = (
    "*nat\n-A OUTPUT -p tcp -m conntrack --ctstate NEW --dport 443 -j ACCEPT\n"
    "-A OUTPUT -p tcp -j REDIRECT --to-ports 15001\nCOMMIT\n"
)


def test_a_rule_that_is_not_decided_here_is_named_where_it_matters(
    traced: Run, project: Path
) -> None:
    file = project / "dump"
    file.write_text(FOREIGN)
    rule = "-p tcp -m conntrack --ctstate NEW --dport 443 -j ACCEPT"
    asked = ("--script", str(file), "--to")
    assert traced(*asked, "10.0.0.1:443").stdout.splitlines()[:3] == [
        "either to the outbound listener (15001) or untouched: outbound tcp to 10.0.0.1:443 may go "
        "through the sidecar",
        f"  may:     OUTPUT 1 (line 2): {rule}",
        "  why:     it depends on what is not decided here: -m conntrack --ctstate NEW",
    ]
    plain = json.loads(traced(*asked, "10.0.0.1:443", "-o", "json").stdout)
    assert plain["throughSidecar"] is None
    assert plain["rule"] is None
    assert [(one["rule"], one["undecided"]) for one in plain["undecided"]] == [
        (rule, "-m conntrack --ctstate NEW")
    ]
    plain = json.loads(traced(*asked, "10.0.0.1:80", "-o", "json").stdout)
    assert plain["throughSidecar"] is True
    assert plain["undecided"] == []
