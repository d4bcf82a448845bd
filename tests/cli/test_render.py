from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from .conftest import BROKEN, DEV, STAGING, document, shown

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run

ASSET = "objects/3-foundation/configmap-fsm-init-repo-scripts.yaml"


def test_render_says_what_it_wrote_what_is_redirected_and_what_is_next(
    run: Run, project: Path
) -> None:
    result = run("render", "dev")
    assert result.stderr == ""
    count = sum(path.is_file() for path in (project / "rendered/dev").rglob("*"))
    assert shown(result) == (
        f"dev: rendered/dev: {count} files, {count} new\n"
        "  outbound: all TCP except to port 6379 goes through the sidecar\n"
        "  inbound:  all TCP goes through the sidecar\n"
        "Next: git add rendered/dev; commit it for Argo CD or Flux, "
        "or run: pulumi up --stack dev\n"
    )
    assert result.exit_code == 0
    again = run("render", "dev")
    assert again.stdout.splitlines()[0] == f"dev: rendered/dev: {count} files, nothing changed"
    assert "Next: git diff rendered/dev; commit it for" in again.stdout
    both = run("render", "--all", "--without-release-assets").stdout
    assert "Next: git add rendered/staging; git diff rendered/dev; commit it for" in both


def test_a_changed_port_is_one_line_of_the_script(run: Run, project: Path) -> None:
    """That is what a reviewer of a pull request sees."""
    run("render", "dev")
    before = (project / "rendered/dev/redirection/mesh.sh").read_text().splitlines()
    (project / "Pulumi.dev.yaml").write_text(DEV.replace("6379", "6379, 7070"))
    result = run("render", "dev")
    after = (project / "rendered/dev/redirection/mesh.sh").read_text().splitlines()
    changed = [line for line in after if line not in before]
    assert changed == [
        "-A FSM_PROXY_OUTBOUND -p tcp --match multiport --dports 6379,7070 -j RETURN"
    ]
    assert " changed" in result.stdout.splitlines()[0]


def test_render_reports_what_it_did_as_json(run: Run) -> None:
    (stack,) = document(run("render", "dev", "-o", "json"))["stacks"]
    assert (stack["stack"], stack["directory"], stack["leftOut"]) == ("dev", "rendered/dev", [])
    assert "kustomization.yaml" in stack["created"]
    assert stack["redirected"][0].startswith("outbound: all TCP except to port 6379")
    assert (stack["changed"], stack["removed"]) == ([], [])
    assert [item["severity"] for item in stack["findings"]] == ["info"]


def test_an_error_in_one_stack_stops_all_and_every_problem_is_told(
    run: Run, project: Path
) -> None:
    """Half of the environments would look like all of them."""
    (project / "Pulumi.qa.yaml").write_text(BROKEN)
    result = run("render", "--all")
    assert result.exit_code == 1
    places = [line.split(" ")[0] for line in shown(result).splitlines()]
    assert places[:2] == ["Pulumi.qa.yaml:3:33", "Pulumi.qa.yaml:4:3"]
    assert not (project / "rendered").exists()


def test_fail_on_warning_stops_at_a_warning(run: Run, project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text(DEV.replace("[6379]", "[6379, 6379]"))
    assert run("render", "dev").exit_code == 0
    result = run("render", "dev", "--check", "--fail-on", "warning")
    assert result.exit_code == 1
    assert "[duplicate-entry]" in result.stdout


def test_missing_scripts_stop_with_the_command_that_mends_it(run: Run, project: Path) -> None:
    """A control plane without them does not start."""
    result = run("render", "--all")
    assert result.exit_code == 1
    assert result.stdout == (
        "Pulumi.staging.yaml releaseAssets.source: error: the Pipy scripts of FSM 1.5.1 are not "
        "vendored; expected releases/1.5.1/scripts.tar.gz [assets-missing] Fix: "
        "fsm-stack vendor --version 1.5.1; for a review without them: fsm-stack render --without-release-assets\n"
    )
    assert not (project / "rendered").exists()


def test_a_tree_without_the_scripts_says_that_it_is_for_review(run: Run, project: Path) -> None:
    result = run("render", "staging", "--without-release-assets")
    assert result.exit_code == 0
    assert (
        f"  left out: {ASSET}; this tree is for review, the controller does not start with it "
        "alone. Mend: fsm-stack vendor --version 1.5.1\n"
    ) in result.stdout
    assert result.stdout.endswith("Next: git add rendered/staging; commit it for the review\n")
    assert not (project / "rendered/staging" / ASSET).exists()
    assert ASSET not in (project / "rendered/staging/kustomization.yaml").read_text()
    both = run("render", "staging", "--check", "--without-release-assets")
    assert both.exit_code == 0


def test_vendored_scripts_are_part_of_the_tree(run: Run, project: Path, archive: Path) -> None:
    assert run("vendor", archive.name).exit_code == 0
    result = run("render", "staging")
    assert result.exit_code == 0
    assert (
        "scripts.tar.gz: dGhlIHNjcmlwdHMgb2YgYSByZWxlYXNl"
        in (project / "rendered/staging" / ASSET).read_text()
    )
    assert f"- {ASSET}\n" in (project / "rendered/staging/kustomization.yaml").read_text()


@pytest.mark.parametrize("committed", [True, False], ids=["with scripts", "without"])
def test_check_without_the_scripts_compares_everything_else(
    run: Run, project: Path, archive: Path, *, committed: bool
) -> None:
    """A job that has no release archive still keeps the rest fresh."""
    if committed:
        run("vendor", archive.name)
        run("render", "staging")
        (project / "releases/1.5.1/scripts.tar.gz").unlink()
    else:
        run("render", "staging", "--without-release-assets")
    check = ("render", "staging", "--check", "--without-release-assets")
    result = run(*check)
    left_out = (
        f"not compared: {ASSET}, the Pipy scripts of FSM 1.5.1"
        if committed
        else f"left out: {ASSET}; this tree is for review, the controller does not start with it "
        "alone. Mend: fsm-stack vendor --version 1.5.1"
    )
    assert (result.exit_code, shown(result)) == (
        0,
        "staging: rendered/staging is current\n"
        "  Pulumi.staging.yaml:4:9 traffic.outboundPortExclusionList[0]: warning: 6379 was to go "
        "by 2020-01-01; ask data-team [bypass-expired]\n"
        f"  {left_out}\n"
        "Next: nothing, these directories are what the stacks say\n",
    )
    (project / "rendered/staging/redirection/mesh.sh").unlink()
    assert run(*check).exit_code == 1


def test_a_tree_for_review_is_stale_where_the_scripts_are_vendored(
    run: Run, archive: Path
) -> None:
    run("render", "staging", "--without-release-assets")
    run("vendor", archive.name)
    result = run("render", "staging", "--check")
    assert result.exit_code == 1
    assert f"  missing: {ASSET}\n" in result.stdout


def test_check_names_what_is_stale_and_writes_nothing(run: Run, project: Path) -> None:
    run("render", "dev")
    script = project / "rendered/dev/redirection/mesh.sh"
    script.write_text(script.read_text().replace("--dports 6379", "--dports 80"))
    (project / "rendered/dev/objects/0-namespace/namespace-fsm-system.yaml").unlink()
    (project / "rendered/dev/more.yaml").write_text("mine")
    result = run("render", "dev", "--check")
    assert result.exit_code == 1
    assert shown(result).splitlines() == [
        "dev: rendered/dev is stale",
        "  extra:   more.yaml",
        "  missing: objects/0-namespace/namespace-fsm-system.yaml",
        "  changed: redirection/mesh.sh",
        *(f"    {line}" for line in _diff_lines(result.stdout)),
        "Next: fsm-stack render dev",
    ]
    assert "    --A FSM_PROXY_OUTBOUND -p tcp --match multiport --dports 80 -j RETURN" in (
        result.stdout
    )
    assert "--dports 80" in script.read_text()
    (stack,) = document(run("render", "dev", "--check", "-o", "json"))["stacks"]
    assert stack["current"] is False
    assert [item["state"] for item in stack["stale"]] == ["extra", "missing", "changed"]


def _diff_lines(text: str) -> list[str]:
    return [line[4:] for line in text.splitlines() if line.startswith("    ")]


def test_check_of_what_was_never_rendered_is_stale(run: Run, project: Path) -> None:
    result = run("render", "dev", "--check")
    assert result.exit_code == 1
    assert "  missing: kustomization.yaml\n" in result.stdout
    assert not (project / "rendered").exists()


def test_another_output_directory_counts_from_where_the_user_is(run: Run, project: Path) -> None:
    result = run("render", "dev", "--output-dir", "out/here")
    assert result.stdout.startswith("dev: out/here/dev: ")
    assert (project / "out/here/dev/kustomization.yaml").is_file()


def test_an_object_that_left_the_stack_leaves_the_tree(run: Run, project: Path) -> None:
    run("render", "staging", "--without-release-assets")
    namespace = project / "rendered/staging/others/namespace-shop.yaml"
    assert namespace.is_file()
    said = run("render", "staging", "--without-release-assets").stdout
    assert "  not applied: others/namespace-shop.yaml; for the owners to merge\n" in said
    (project / "Pulumi.staging.yaml").write_text(STAGING.partition("  fsm-stack:enrolled")[0])
    assert "1 removed" in run("render", "staging", "--without-release-assets").stdout
    assert not namespace.parent.exists()


def test_a_stranger_in_the_tree_stops_the_run(run: Run, project: Path) -> None:
    run("render", "dev")
    (project / "rendered/dev/notes.md").write_text("mine")
    result = run("render", "dev")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "fsm-stack: error: rendered/dev: notes.md: not written by fsm-stack; "
        "expected a directory of its own, move these files away\n"
    )


def test_an_unknown_stack_is_answered_with_the_nearest(run: Run) -> None:
    result = run("render", "stagin")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "fsm-stack: error: 'stagin': no such stack; did you mean 'staging'?\n"
    )


def test_all_and_a_name_contradict_each_other(run: Run) -> None:
    result = run("render", "dev", "--all")
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: --all and a STACK: expected one of the two\n")


def test_rendering_twice_gives_the_same_bytes(run: Run, project: Path) -> None:
    for name in ("one", "two"):
        run("render", "--all", "--without-release-assets", "--output-dir", name)
    trees = [
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (project / "one", project / "two")
    ]
    assert trees[0] == trees[1]


def test_a_directory_whose_stack_is_gone_is_named(run: Run, project: Path) -> None:
    """A controller would go on applying it."""
    run("render", "--all", "--without-release-assets")
    (project / "rendered/notes").mkdir()
    (project / "Pulumi.staging.yaml").unlink()
    result = run("render", "--all", "--check")
    assert result.exit_code == 1
    assert shown(result).splitlines() == [
        "dev: rendered/dev is current",
        "rendered/staging: no stack has this name any more; remove it: git rm -r rendered/staging",
        "Next: git rm -r rendered/staging",
    ]
    assert run("render", "dev", "--check").exit_code == 0
    written = run("render", "-o", "json")
    assert written.exit_code == 0
    assert document(written)["orphans"] == ["rendered/staging"]


def test_what_a_killed_run_left_is_no_stack(run: Run, project: Path) -> None:
    """The next run of its stack removes it; so does a run that is at it right now."""
    run("render", "dev")
    shutil.copytree(project / "rendered/dev", project / "rendered/.dev.fsm-stack-new")
    result = run("render", "dev", "--check")
    assert result.exit_code == 0
    (project / "Pulumi.staging.yaml").unlink()
    assert run("render", "--check").stdout == result.stdout
    assert run("render", "--check").exit_code == 0
