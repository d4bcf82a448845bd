from __future__ import annotations

from typing import TYPE_CHECKING

from .conftest import BROKEN, document

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run


def test_every_bypass_says_why_whose_and_until_when(run: Run) -> None:
    result = run("bypasses")
    assert result.exit_code == 0
    assert result.stdout == (
        "Pulumi.staging.yaml:4:9 traffic.outboundPortExclusionList[0]: warning: 6379 was to go by "
        "2020-01-01; ask data-team [bypass-expired]\n"
        "dev: 1 bypass\n"
        "  mesh: outboundPortExclusionList\n"
        "    6379                no reason given; no owner; no end\n"
        "staging: 1 bypass\n"
        "  mesh: outboundPortExclusionList\n"
        '    6379                "Redis"; data-team; until 2020-01-01 (past)\n'
    )


def test_one_past_its_date_fails_when_warnings_do(run: Run) -> None:
    assert run("bypasses", "dev", "--fail-on", "warning").exit_code == 0
    assert run("bypasses", "staging", "--fail-on", "warning").exit_code == 1


def test_bypasses_are_data_for_programs(run: Run) -> None:
    (stack,) = document(run("bypasses", "staging", "-o", "json"))["stacks"]
    assert stack["bypasses"] == [
        {
            "scope": "mesh",
            "kind": "outboundPortExclusionList",
            "value": "6379",
            "reason": "Redis",
            "owner": "data-team",
            "until": "2020-01-01",
            "expired": True,
            "path": "traffic.outboundPortExclusionList[0]",
        }
    ]
    assert [item["id"] for item in stack["findings"]] == ["bypass-expired"]


def test_a_file_that_cannot_be_used_tells_its_findings(run: Run, project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text(BROKEN)
    result = run("bypasses", "dev")
    assert result.exit_code == 1
    assert "[invalid-port]" in result.stdout
    assert result.stdout.endswith("dev: 0 bypasses\n")


def test_a_stack_without_bypasses_says_so(run: Run, project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text("config: {fsm-stack:mesh: {name: fsm}}\n")
    assert run("bypasses", "dev").stdout == "dev: 0 bypasses\n"


def test_all_is_the_same_as_naming_none(run: Run) -> None:
    """As for validate and render."""
    assert run("bypasses", "--all").stdout == run("bypasses").stdout
    assert run("bypasses", "--all", "dev").exit_code == 2
