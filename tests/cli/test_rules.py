from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from fsm_stack.iptables.read.text import read

from .conftest import document
from .traffic import fill

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from .conftest import Run


SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def shown(run: Run, project: Path) -> Run:
    fill(project)

    def started(*arguments: str) -> Result:
        return run("rules", "-C", str(project), *arguments)

    return started


@pytest.mark.requirement("C5", "C18")
def test_every_rule_has_its_reason_and_entries_theirs(shown: Run) -> None:
    lines = shown("prod").stdout.splitlines()
    assert lines[0] == "prod: 19 rules; FSM_PROXY_*: written by FSM today"
    at = next(n for n, line in enumerate(lines) if "--dports 6379" in line)
    assert lines[at : at + 2] == [
        "  -A FSM_PROXY_OUTBOUND -p tcp --match multiport --dports 6379 -j RETURN  these outbound "
        "ports are excluded",
        " " * 76 + 'traffic.outboundPortExclusionList[0] 6379: "Redis"; data-team',
    ]


@pytest.mark.requirement("C5", "C18", "C37")
@pytest.mark.parametrize("stack", ["prod", "edge", "osm"])
@pytest.mark.parametrize("dialect", ["restore", "commands"])
def test_the_bytes_alone_are_a_script_that_means_the_same(
    shown: Run, stack: str, dialect: str
) -> None:
    text = shown(stack, "--dialect", dialect, "--script-only").stdout
    data = document(shown(stack, "--dialect", dialect, "-o", "json"))
    assert data["script"] == text
    usual = document(shown(stack, "-o", "json"))
    assert read(text).ruleset == read(usual["script"]).ruleset
    assert all(rule["why"] != "not a rule of any known injector" for rule in data["rules"])


@pytest.mark.requirement("C5", "C26", "C40")
def test_the_documents_chains_are_written_when_asked(shown: Run) -> None:
    text = shown("prod", "--dialect", "commands", "--document-chains", "--script-only").stdout
    assert text.startswith("iptables -t nat -N PROXY_INBOUND && iptables -t nat -N PROXY_IN_RED")
    assert "&& &&" not in text


def test_documents_chains_belong_to_commands(shown: Run) -> None:
    result = shown("prod", "--document-chains")
    assert result.exit_code == 2
    assert "--document-chains: expected --dialect commands" in result.stderr


def test_a_profile_has_its_own_rules(shown: Run) -> None:
    data = document(shown("prod", "--profile", "metadata", "-o", "json"))
    assert data["source"] == {"stack": "prod", "profile": "metadata", "systems": ["fsm"]}
    (rule,) = [rule for rule in data["rules"] if "169.254.169.254/32" in rule["rule"]]
    assert rule["entries"][0]["path"] == "annotationProfiles.metadata.presets"


def test_the_chains_are_drawn(shown: Run, project: Path) -> None:
    svg = project / "chains.svg"
    assert shown("prod", "--svg", str(svg)).exit_code == 0
    drawn = ET.fromstring(svg.read_text())  # noqa: S314  # made by us
    assert drawn.attrib["aria-label"] == "prod: chains"
    assert "FSM_PROXY_OUTBOUND" in [element.text for element in drawn.iter(f"{SVG}text")]
