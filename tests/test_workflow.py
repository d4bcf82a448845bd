"""The workflows see what they are there to see, and can do no more."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from fsm_stack import __version__

WORKFLOW = Path(__file__).parent.parent / ".github/workflows/stacks.yaml"
WORKFLOWS = sorted(WORKFLOW.parent.glob("*.yaml"))


def test_stale_renderings_are_seen_before_make_render_refreshes_them() -> None:
    """Else a pull request that changes dev without rendering it would pass."""
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["stacks"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    assert commands == [
        "make render",
        "git add --intent-to-add rendered && git diff --exit-code -- rendered",
        "make test",
        ".venv/bin/fsm-stack validate --all --fail-on warning --without-release-assets",
        ".venv/bin/fsm-stack render --all --check --without-release-assets",
    ]


def steps_of(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_digest_and_keep_no_credentials(workflow: Path) -> None:
    """A tag can be moved to other code; a token left behind is readable by every later step."""
    used = [step for step in steps_of(workflow) if "uses" in step]
    assert used
    for step in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_may_only_read(workflow: Path) -> None:
    document = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    assert document["permissions"] == {"contents": "read"}
    more = {name for name, job in document["jobs"].items() if "permissions" in job}
    assert more == ({"release"} if workflow.stem == "release" else set())


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_no_text_of_a_pull_request_reaches_a_shell(workflow: Path) -> None:
    for step in steps_of(workflow):
        assert "github.event" not in step.get("run", "")


def test_only_a_tag_that_is_the_version_with_a_dated_entry_is_released() -> None:
    def entry(tag: str) -> subprocess.CompletedProcess[str]:
        tool = WORKFLOW.parents[2] / "tools/changelog.py"
        command = [sys.executable, tool, tag]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    other = entry("v9.9.9")
    assert (other.returncode, other.stdout) == (1, "")
    assert other.stderr == f"v9.9.9: expected v{__version__}\n"
    own = entry(f"v{__version__}")
    assert own.returncode == 0, own.stderr
    assert own.stdout.startswith("### Added\n")


def test_every_suite_of_the_workflows_is_a_target_of_make() -> None:
    makefile = (WORKFLOW.parents[2] / "Makefile").read_text(encoding="utf-8")
    for name in ("ci", "nightly"):
        jobs = yaml.safe_load((WORKFLOW.parent / f"{name}.yaml").read_text())["jobs"].values()
        matrices = [job.get("strategy", {}).get("matrix", {}) for job in jobs]
        for suite in {suite for matrix in matrices for suite in matrix.get("suite", ())}:
            assert f"\ntest-{suite}:" in makefile, suite
