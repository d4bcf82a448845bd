from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from fsm_stack.cli.main import cli

from .conftest import document
from .traffic import BROKEN_SHELL, DOCUMENTS, TOO_MANY, fill

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run


@pytest.mark.requirement("C5", "C25", "C29", "C33", "C39")
def test_an_old_script_is_named_and_its_lists_are_found(run: Run) -> None:
    file = DOCUMENTS / "osm-edge-ports.describe.txt"
    lines = run("read", str(file)).stdout.splitlines()
    assert lines[0] == (
        f"{file}: iptables commands; PROXY_*: names of 2021, of OSM's early releases and the documents; lacks the "
        "health-check helper's port 15904, the loopback rules (-o lo)"
    )
    assert lines[1:3] == [
        "localProxyMode: Localhost",
        "outboundPortExclusionList: 6379, 7070, 8080",
    ]
    assert "rules: 14" in lines


@pytest.mark.requirement("C20", "C27", "C28", "C33")
def test_the_sample_of_fsm_holds_interfaces_where_its_text_promises_ports(run: Run) -> None:
    """Its chains are written in lower case, which no program does."""
    data = document(run("read", str(DOCUMENTS / "fsm-ports.describe.txt"), "-o", "json"))
    assert data["generation"]["name"] == "fsm_PROXY_*"
    assert data["generation"]["current"] is False
    assert data["lists"]["outboundPortExclusionList"] == []
    assert data["lists"]["networkInterfaceExclusionList"] == ["net1", "net2"]


@pytest.mark.requirement("C26", "C32", "C33", "C40")
@pytest.mark.parametrize("system", ["fsm", "osm-edge", "osm"])
def test_the_samples_of_ranges_are_broken_and_still_read(run: Run, system: str) -> None:
    result = run("read", str(DOCUMENTS / f"{system}-ranges.describe.txt"), "-o", "json")
    data = document(result)
    assert (result.exit_code, data["loads"]) == (1, False)
    assert data["lists"]["outboundIPRangeExclusionList"] == ["1.1.1.1/32", "2.2.2.2/24"]
    assert [item["id"] for item in data["findings"]] == [
        "shell-syntax", "old-generation", "host-bits", "dead-admin-rule",
    ]  # fmt: skip


@pytest.mark.requirement("C5", "C18", "C33")
def test_todays_script_has_no_error(run: Run, project: Path) -> None:
    fill(project)
    script = run("rules", "-C", str(project), "prod", "--script-only").stdout
    result = CliRunner().invoke(cli, ["read", "-", "-o", "json"], input=script)
    assert result.exit_code == 0
    data = document(result)
    assert data["source"] == {"script": "standard input", "systems": ["fsm"]}
    assert data["generation"] == {
        "name": "FSM_PROXY_*",
        "title": "written by FSM today",
        "current": True,
        "lacks": [],
    }
    assert data["lists"] == {
        "outboundPortExclusionList": ["6379"],
        "inboundPortExclusionList": ["8081"],
        "outboundIPRangeExclusionList": ["203.0.113.0/24"],
        "outboundIPRangeInclusionList": [],
        "networkInterfaceExclusionList": [],
    }
    assert [item["id"] for item in data["findings"]] == ["dead-admin-rule"]


@pytest.mark.requirement("C26", "C40")
@pytest.mark.parametrize(
    ("text", "finding"), [(BROKEN_SHELL, "[shell-syntax]"), (TOO_MANY, "[too-many-ports]")]
)
def test_errors_fail_and_have_a_place(run: Run, project: Path, text: str, finding: str) -> None:
    file = project / "rules"
    file.write_text(text)
    result = run("read", str(file))
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if finding in line]
    assert line.startswith(f"{file}:")


def test_warnings_fail_when_asked(run: Run) -> None:
    file = str(DOCUMENTS / "fsm-default.describe.txt")
    assert run("read", file).exit_code == 0
    assert run("read", file, "--fail-on", "warning").exit_code == 1


def test_what_is_not_understood_is_refused(run: Run, project: Path) -> None:
    file = project / "rules"
    file.write_text("-A OUTPUT --string x -j X\n")
    result = run("read", str(file))
    assert result.exit_code == 2
    assert f"{file}:1:" in result.stderr


def test_a_foreign_dump_is_read_and_has_no_lists_of_a_mesh(run: Run, project: Path) -> None:
    """Neither are they empty, nor is there a mode: nobody's settings made these rules."""
    file = project / "dump"
    file.write_text("-N X\n-A OUTPUT -p tcp -j X\n-A X -p tcp -j REDIRECT --to-ports 15001\n")
    assert run("read", str(file)).stdout == (
        f"{file}: output of iptables -S; no known injector's chains\n"
        f"{file} OUTPUT: error: connections of uid 1500 to other hosts go back to the sidecar "
        "[sidecar-loop]\n"
        "rules: 2\n"
        "  -A OUTPUT -p tcp -j X                    not a rule of any known injector\n"
        "  -A X -p tcp -j REDIRECT --to-port 15001  not a rule of any known injector\n"
    )
    assert document(run("read", str(file), "-o", "json"))["localProxyMode"] is None


def test_the_chains_are_drawn(run: Run, project: Path) -> None:
    fill(project)
    script, svg = project / "init.sh", project / "chains.svg"
    script.write_text(run("rules", "-C", str(project), "prod", "--script-only").stdout)
    assert run("read", str(script), "--svg", str(svg)).exit_code == 0
    assert ">outbound listener (15001)</text>" in svg.read_text()
