from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import BROKEN, DEV, document

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from .conftest import Run


@pytest.fixture
def tidied(run: Run, project: Path) -> Run:
    text = DEV.replace("[6379]", "[6379, 7070,6379]  # ours")
    (project / "Pulumi.dev.yaml").write_text(text)

    def started(*arguments: str) -> Result:
        return run("tidy", "-C", str(project), *arguments)

    return started


def test_the_change_is_shown_and_not_made(tidied: Run, project: Path) -> None:
    """As formatters do: exit code 1, so that CI can ask."""
    before = (project / "Pulumi.dev.yaml").read_text()
    result = tidied("dev")
    assert result.exit_code == 1
    assert result.stdout == (
        "--- Pulumi.dev.yaml\n"
        "+++ Pulumi.dev.yaml (tidy)\n"
        "@@ -2,4 +2,4 @@\n"
        "   fsm-stack:releaseAssets:\n"
        "     source: existingConfigMap\n"
        "   fsm-stack:traffic:\n"
        "-    outboundPortExclusionList: [6379, 7070,6379]  # ours\n"
        "+    outboundPortExclusionList: [6379, 7070]  # ours\n"
        "traffic.outboundPortExclusionList: 3 entries become 2: 6379, 7070\n"
        "dev: 1 list to tidy; --write changes the stack file; no connection is treated "
        "differently\n"
    )
    assert (project / "Pulumi.dev.yaml").read_text() == before


def test_the_change_is_made_once(tidied: Run, project: Path) -> None:
    result = tidied("dev", "--write")
    assert result.exit_code == 0
    assert result.stdout == (
        "traffic.outboundPortExclusionList: 3 entries become 2: 6379, 7070\n"
        "dev: 1 list changed in the stack file; no connection is treated differently\n"
    )
    expected = DEV.replace("[6379]", "[6379, 7070]  # ours")
    assert (project / "Pulumi.dev.yaml").read_text() == expected
    for again in ((), ("--write",)):
        result = tidied("dev", *again)
        assert (result.exit_code, result.stdout) == (0, "dev: nothing to tidy\n")


def test_a_link_stays_one_and_its_file_keeps_its_mode(tidied: Run, project: Path) -> None:
    link, real = project / "Pulumi.dev.yaml", project / "shared.yaml"
    link.rename(real)
    link.symlink_to(real.name)
    real.chmod(0o600)
    assert tidied("dev", "--write").exit_code == 0
    assert link.is_symlink()
    assert real.read_text() == DEV.replace("[6379]", "[6379, 7070]  # ours")
    assert real.stat().st_mode & 0o777 == 0o600


def test_changes_are_data_for_programs(tidied: Run) -> None:
    data = document(tidied("dev", "-o", "json"))
    assert data["written"] is False
    assert data["lists"] == [
        {
            "path": "traffic.outboundPortExclusionList",
            "before": [6379, 7070, 6379],
            "after": [
                {"value": 6379, "reason": None, "owner": None, "until": None, "merged": [0, 2]},
                {"value": 7070, "reason": None, "owner": None, "until": None, "merged": [1]},
            ],
        }
    ]


def test_a_broken_file_is_not_touched(tidied: Run, project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text(BROKEN)
    result = tidied("dev", "--write")
    assert result.exit_code == 1
    assert "[invalid-port]" in result.stdout
    assert (project / "Pulumi.dev.yaml").read_text() == BROKEN


@pytest.mark.requirement("C32")
def test_host_bits_go(run: Run, project: Path) -> None:
    """2.2.2.2/24 is matched as 2.2.2.0/24; the stack file then says so."""
    config = "fsm-stack:traffic: {outboundIPRangeExclusionList: [1.1.1.1/32, 2.2.2.2/24]}"
    stack = project / "Pulumi.dev.yaml"
    stack.write_text(f"config: {{{config}}}\n")
    assert run("tidy", "-C", str(project), "dev", "--write").exit_code == 0
    assert stack.read_text() == f"config: {{{config.replace('2.2.2.2', '2.2.2.0')}}}\n"
