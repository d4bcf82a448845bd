from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import BROKEN, DEV, document

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run


def test_clean_stacks_have_no_findings(run: Run) -> None:
    result = run("validate", "dev")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "dev: no findings\n", "")


def test_without_a_name_every_stack_is_checked(run: Run) -> None:
    for arguments in ((), ("--all",)):
        lines = run("validate", *arguments).stdout.splitlines()
        assert lines[-2:] == ["dev: no findings", "staging: 1 warning"]


def test_every_problem_is_told_at_once_with_its_place(run: Run, project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text(BROKEN)
    result = run("validate", "dev")
    assert result.exit_code == 1
    assert [line.partition(": ")[0] for line in result.stdout.splitlines()] == [
        "Pulumi.dev.yaml:3:33 traffic.outboundPortExclusionList[0]",
        "Pulumi.dev.yaml:4:3 trafic",
        "dev",
    ]
    assert result.stdout.endswith("dev: 2 errors\n")


def test_findings_are_data_for_programs(run: Run, project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text(BROKEN)
    (stack,) = document(run("validate", "dev", "-o", "json"))["stacks"]
    assert (stack["stack"], stack["file"], stack["accepted"]) == ("dev", "Pulumi.dev.yaml", [])
    assert [(item["id"], item["severity"]) for item in stack["findings"]] == [
        ("invalid-port", "error"),
        ("unknown-key", "error"),
    ]
    assert stack["findings"][1]["place"] == {
        "file": "Pulumi.dev.yaml",
        "line": 4,
        "column": 3,
        "path": "trafic",
    }


@pytest.mark.parametrize(("fail_on", "code"), [("error", 0), ("warning", 1), ("info", 1)])
def test_fail_on_says_from_where_a_finding_fails(
    run: Run, project: Path, fail_on: str, code: int
) -> None:
    (project / "Pulumi.dev.yaml").write_text(DEV.replace("[6379]", "[6379, 6379]"))
    assert run("validate", "dev", "--fail-on", fail_on).exit_code == code


def test_a_file_that_is_no_yaml_is_bad_input(run: Run, project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text("config: [\n")
    result = run("validate", "dev")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("fsm-stack: error: Pulumi.dev.yaml")


def test_an_accepted_finding_is_counted_and_does_not_fail(run: Run, project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text(
        "config:\n"
        "  fsm-stack:releaseAssets: {source: omit}\n"
        "  fsm-stack:accept:\n"
        "    - {id: assets-omitted, path: releaseAssets.source, reason: demo, owner: me}\n"
    )
    result = run("validate", "dev", "--fail-on", "info")
    assert (result.exit_code, result.stdout) == (0, "dev: no findings (1 accepted)\n")
    said = run("render", "dev").stdout
    assert "  accepted: Pulumi.dev.yaml:2:37 releaseAssets.source: warning: " in said


def test_outside_of_a_project_the_error_says_what_was_expected(
    run: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    result = run("validate", "-C", str(elsewhere))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"fsm-stack: error: {elsewhere}: no Pulumi.yaml here or in any directory above; "
        "expected a directory of an fsm-stack project, name one with -C\n"
    )
