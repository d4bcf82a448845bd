from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from fsm_stack.cli.main import cli
from fsm_stack.findings.catalogue import TOPICS, all_rules

from .conftest import document

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run


def test_a_finding_is_explained_offline(run: Run) -> None:
    result = run("explain", "host-bits")
    assert result.exit_code == 0
    assert result.stdout == (
        "host-bits (warning): a CIDR has host bits set\n"
        "  Why:    The kernel clears them: 2.2.2.2/24 matches all 256 addresses of\n"
        "          2.2.2.0/24, not the one that was probably meant.\n"
        "  Fix:    Write the network address for the range, or /32 for the one address.\n"
        "  Hazard: H7\n"
        "  Source: requirement C32; iptables 1.8.9, seen in the kernel\n"
    )


@pytest.mark.parametrize("rule_id", all_rules())
def test_every_finding_can_be_explained(run: Run, rule_id: str) -> None:
    assert run("explain", rule_id).stdout.startswith(f"{rule_id} (")


@pytest.mark.parametrize("name", ["H5", "h5"])
def test_a_hazard_is_explained_by_its_findings(run: Run, name: str) -> None:
    found = document(run("explain", name, "-o", "json"))
    assert found
    assert all("H5" in item["hazards"] for item in found)


def test_without_an_id_every_finding_is_listed(run: Run) -> None:
    lines = run("explain").stdout.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(all_rules())
    heads = [line for line in lines if line and not line.startswith("  ")]
    assert heads[:-1] == list(TOPICS)
    (one,) = [line for line in lines if line.startswith("  excludes-mesh-port ")]
    assert one.endswith("takes in-cluster traffic out of the mesh (H31)")
    assert [item["id"] for item in document(run("explain", "-o", "json"))] == list(all_rules())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("to-many-ports", "; did you mean 'too-many-ports'?"),
        ("H99", "; did you mean 'H9'?"),
        ("zzzz", "; fsm-stack explain lists all"),
    ],
)
def test_an_unknown_id_is_answered_with_the_nearest(run: Run, name: str, message: str) -> None:
    result = run("explain", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"fsm-stack: error: {name!r}: no such finding or hazard{message}\n"


LOG = "modprobe: x\niptables-restore v1.8.7 (legacy): iptables-restore: unable to initialize table 'nat'\n"


def test_a_pasted_log_is_explained(tmp_path: Path) -> None:
    wanted = [
        "cause: the node's kernel has no nat table for this iptables back end, or the container "
        "may not use it",
        "  seen: iptables-restore v1.8.7 (legacy): iptables-restore: unable to initialize table "
        "'nat'",
        "  fix:  Load iptable_nat (or nf_tables and nft_chain_nat) on the node, or set "
        "sidecar.enablePrivilegedInitContainer.",
    ]
    (tmp_path / "log.txt").write_text(LOG)
    for word, given in (("-", LOG), (str(tmp_path / "log.txt"), "")):
        result = CliRunner().invoke(cli, ["explain", word], input=given)
        assert result.exit_code == 0, result.output
        assert result.stdout.splitlines() == wanted
    result = CliRunner().invoke(cli, ["explain", "-", "-o", "json"], input=LOG)
    assert [sorted(one) for one in json.loads(result.stdout)] == [["fix", "line", "means"]]


def test_a_text_without_a_known_cause_is_no_success() -> None:
    result = CliRunner().invoke(cli, ["explain", "-"], input="all is well\n")
    assert result.exit_code == 1
    assert result.stdout == "no known cause; what tells most: all is well\n"
