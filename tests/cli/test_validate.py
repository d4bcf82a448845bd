from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import BROKEN, DEV, document

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run


def test_clean_stacks_have_no_findings(run: Run, project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text(DEV.replace("outboundPort", "inboundPort"))
    result = run("validate", "dev")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "dev: no findings\n", "")


def test_without_a_name_every_stack_is_checked(run: Run) -> None:
    for arguments in ((), ("--all",)):
        lines = run("validate", *arguments).stdout.splitlines()
        assert lines[-2:] == ["dev: 1 info", "staging: 1 error, 1 warning, 1 info"]


def test_problems_that_are_not_told_are_counted(run: Run, project: Path) -> None:
    """A summary of 101 errors looks as if one more line mended were the last but a few."""
    text = "config:\n  fsm-stack:traffic:\n    outboundPortExclusionList:\n"
    (project / "Pulumi.dev.yaml").write_text(text + '    - "x"\n' * 1234)
    lines = run("validate", "dev").stdout.splitlines()
    assert (len(lines), lines[-1]) == (102, "dev: 1234 errors")


def test_scripts_that_are_not_vendored_are_told_here_already(run: Run, archive: Path) -> None:
    """To render and to bring up stop at the same finding; a check that passes before is no check."""
    (line,) = [text for text in run("validate").stdout.splitlines() if "[assets-missing]" in text]
    assert run("validate").exit_code == 1
    assert line in run("render").stdout.splitlines()
    assert line in run("render", "--check").stdout.splitlines()
    assert "[assets-missing]" not in run("validate", "--without-release-assets").stdout
    assert run("vendor", archive.name).exit_code == 0
    assert "[assets-missing]" not in run("validate").stdout


def test_a_stack_that_cannot_be_brought_up_is_no_stack_to_look_at_unless_it_says_so(
    run: Run, project: Path
) -> None:
    """The engine would wait ten minutes for a controller that never starts."""
    omitted = "config:\n  fsm-stack:releaseAssets: {source: omit}\n"
    (project / "Pulumi.dev.yaml").write_text(omitted)
    for verb in (("validate", "dev"), ("render", "dev"), ("render", "dev", "--check")):
        result = run(*verb)
        assert result.exit_code == 1
        assert "[assets-omitted]" in result.stdout
    (project / "Pulumi.dev.yaml").write_text(
        f"{omitted}  fsm-stack:deployment: {{lookOnly: true}}\n"
    )
    assert run("validate", "dev").stdout == (
        "Pulumi.dev.yaml:3:36 deployment.lookOnly: info: to look at only: pulumi up does not wait, "
        "and fsm-controller does not start without the release's Pipy scripts [look-only]\n"
        "dev: 1 info\n"
    )
    said = run("render", "dev").stdout
    assert said.endswith("Next: git add rendered/dev; commit it for the review\n")


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
        "  fsm-stack:releaseAssets: {source: existingConfigMap}\n"
        "  fsm-stack:images: {pipy: {tag: latest}}\n"
        "  fsm-stack:accept:\n"
        "    - {id: mutable-image, path: images.pipy.tag, reason: demo, owner: me}\n"
    )
    result = run("validate", "dev", "--fail-on", "info")
    assert (result.exit_code, result.stdout) == (0, "dev: no findings (1 accepted)\n")
    said = run("render", "dev").stdout
    assert "  accepted: Pulumi.dev.yaml:3:34 images.pipy.tag: warning: " in said


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
