"""The outputs of the three troubleshooting guides, read by the command line end to end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from fsm_stack.cli.main import cli

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = "tests/iptables/documents"
PREFIXES = {"fsm": "flomesh.io", "osm-edge": "openservicemesh.io", "osm": "openservicemesh.io"}
RULES = ("--check", "pod-rules")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: fsm-stack\n")
    for system, prefix in PREFIXES.items():
        (tmp_path / f"Pulumi.{system}.yaml").write_text(
            f"config:\n  fsm-stack:system: {system}\n  fsm-stack:traffic:\n"
            "    outboundPortExclusionList: [6379, 7070]\n"
        )
        (tmp_path / f"Pulumi.{system}-ranges.yaml").write_text(
            f"config:\n  fsm-stack:system: {system}\n  fsm-stack:traffic:\n"
            "    outboundIPRangeExclusionList: [1.1.1.1/32, 2.2.2.2/24]\n"
        )
        (tmp_path / f"{system}.annotations.txt").write_text(
            f"map[{prefix}/outbound-port-exclusion-list:8080]\n"
        )
    return tmp_path


def verify(project: Path, stack: str, document: str, *more: str) -> Result:
    words = ["verify", stack, "-C", str(project), "--from", f"{DOCUMENTS}/{document}"]
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, [*words, *more], prog_name="fsm-stack")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def ports(project: Path, system: str, *more: str) -> Result:
    annotations = str(project / f"{system}.annotations.txt")
    return verify(project, system, f"{system}-ports.describe.txt", "--from", annotations, *more)


def findings(result: Result, check: str) -> list[dict[str, Any]]:
    known = {one["id"]: one for one in json.loads(result.stdout)["checks"]}
    found: list[dict[str, Any]] = known[check].get("findings", [])
    return found


@pytest.mark.requirement("C27", "C31")
def test_the_last_sample_of_fsms_guide_lacks_the_rule_that_its_text_explains(
    project: Path,
) -> None:
    result = ports(project, "fsm", *RULES, "-o", "json")
    assert result.exit_code == 1
    assert [(one["id"], one["message"]) for one in findings(result, "pod-rules")] == [
        ("missing-rule", "outbound ports 6379, 7070, 8080: the script has no rule for them"),
        ("undeclared-entry", "interface net1: not declared"),
        ("undeclared-entry", "interface net2: not declared"),
    ]


@pytest.mark.requirement("C39")
@pytest.mark.parametrize("system", ["osm", "osm-edge"])
def test_the_same_sample_of_the_other_guides_passes(project: Path, system: str) -> None:
    result = ports(project, system, *RULES)
    assert result.exit_code == 0, result.output
    assert "1 check: 1 passed" in result.output


@pytest.mark.requirement("C33", "C39")
@pytest.mark.parametrize("system", ["osm", "osm-edge"])
def test_the_generation_of_the_documents_is_named_as_old(project: Path, system: str) -> None:
    result = ports(
        project, system, "--check", "pod-generation", "--fail-on", "warning", "-o", "json"
    )
    assert result.exit_code == 1
    assert [one["message"] for one in findings(result, "pod-generation")] == [
        "PROXY_*: names of 2021, of OSM's early releases and the documents; lacks the health-check helper's port "
        "15904, the loopback rules (-o lo)"
    ]


@pytest.mark.requirement("C26", "C40")
@pytest.mark.parametrize("system", list(PREFIXES))
def test_exit_code_0_is_impossible_with_a_script_that_a_shell_refuses(
    project: Path, system: str
) -> None:
    """All three guides print `RETURN && && iptables`, and State: Terminated, Exit Code: 0."""
    document = f"{system}-ranges.describe.txt"
    result = verify(project, f"{system}-ranges", document, "--check", "pod-script", "-o", "json")
    found = findings(result, "pod-script")
    assert result.exit_code == 1
    assert "shell-syntax" in [one["id"] for one in found]
    assert found[-1]["message"] == (
        "it ended with exit code 0, which is impossible with this script: a shell refuses it; "
        "the text is not what ran"
    )


@pytest.mark.requirement("C25", "C32")
@pytest.mark.parametrize("system", list(PREFIXES))
def test_the_ranges_of_the_old_dialect_are_matched_by_meaning(project: Path, system: str) -> None:
    document = f"{system}-ranges.describe.txt"
    result = verify(project, f"{system}-ranges", document, *RULES)
    assert result.exit_code == 0, result.output


@pytest.mark.requirement("C24", "C40")
@pytest.mark.parametrize("system", list(PREFIXES))
def test_step_2_of_every_guide_passes_on_its_own_sample(project: Path, system: str) -> None:
    result = verify(project, system, f"{system}-default.describe.txt", "--check", "pod-init")
    assert result.exit_code == 0, result.output


def test_what_a_shortened_description_leaves_out_is_not_counted_as_passed(project: Path) -> None:
    result = verify(project, "osm", "osm-default.describe.txt", "--check", "pod-ready")
    assert result.exit_code == 3
    assert (
        "NOT RUN the sidecar and every counted container are ready [pod-ready]: the description "
        "of test/test-58d4f8ff58-wtz4f leaves parts out"
    ) in result.output
    assert "1 check: 0 passed, 1 not run" in result.output


def test_every_report_names_context_server_and_stack_below_the_verdict(project: Path) -> None:
    result = ports(project, "osm")
    assert result.output.splitlines()[1:4] == [
        "context files",
        "server  osm-ports.describe.txt, osm.annotations.txt",
        "stack   osm, Pulumi.osm.yaml (osm)",
    ]
