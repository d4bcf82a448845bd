"""The workflows see what they are there to see, and can do no more."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from fsm_stack import __version__
from fsm_stack.cli.main import ENTRIES

ROOT = Path(__file__).parent.parent
WORKFLOW = ROOT / ".github/workflows/stacks.yaml"
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
        # ./base is the base revision's own action, in a folder that the pull request is not in.
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}|\./base", step["uses"]), step["uses"]
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_may_only_read(workflow: Path) -> None:
    document = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    assert document["permissions"] == {"contents": "read"}
    more = {
        name: job["permissions"] for name, job in document["jobs"].items() if "permissions" in job
    }
    assert more == {
        "release": {
            "release": {"contents": "write", "id-token": "write", "attestations": "write"}
        },
        "review-comment": {
            "comment": {"contents": "read", "actions": "read", "pull-requests": "write"}
        },
    }.get(workflow.stem, {})


# What a pull request's author cannot choose: ids of commits and runs, numbers.
CHOSEN_BY_GITHUB = {
    "github.event.pull_request.base.sha",
    "github.event.pull_request.head.sha",
    "github.event.pull_request.number",
    "github.event.workflow_run.id",
    "github.event.workflow_run.event",
    "github.event.workflow_run.conclusion",
}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_no_text_of_a_pull_request_reaches_a_shell(workflow: Path) -> None:
    text = workflow.read_text(encoding="utf-8")
    assert set(re.findall(r"github\.(?:event\.[\w.]+|head_ref)", text)) <= CHOSEN_BY_GITHUB
    for step in steps_of(workflow):
        assert "github." not in step.get("run", "")


def test_the_action_gives_its_shell_no_expression() -> None:
    steps = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    assert len(steps) == 2
    assert not [step for step in steps if "${{" in step["run"] or "uses" in step]


def test_a_pull_request_is_data_and_its_job_may_only_read() -> None:
    """Tool, templates and action come from the base; what came from the head is never used."""
    document = yaml.safe_load((WORKFLOW.parent / "review.yaml").read_text(encoding="utf-8"))
    assert document[True] == {"pull_request": None}  # YAML 1.1 reads `on` so
    (job,) = document["jobs"].values()
    base, head = [step["with"] for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert (base["path"], base["ref"]) == ("base", "${{ github.event.pull_request.base.sha }}")
    assert (head["path"], head["ref"]) == ("head", "${{ github.event.pull_request.head.sha }}")
    assert [step["uses"] for step in job["steps"] if step.get("uses", "").startswith(".")] == [
        "./base"
    ]
    assert not [step for step in job["steps"] if "run" in step]


def test_what_may_comment_never_sees_the_pull_requests_files() -> None:
    text = (WORKFLOW.parent / "review-comment.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    assert document[True] == {"workflow_run": {"workflows": ["review"], "types": ["completed"]}}
    (job,) = document["jobs"].values()
    (checkout,) = [step for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert checkout["with"] == {"path": "base", "persist-credentials": False}
    assert [step["run"] for step in job["steps"] if "run" in step] == [
        'python3 -I base/tools/comment.py "$RUNNER_TEMP/review/comment.md"'
    ]


def test_hooks_for_others_are_verbs_that_there_are() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for hook in hooks] == ["fsm-stack-validate", "fsm-stack-diff"]
    for hook in hooks:
        program, verb, *options = hook["entry"].split()
        assert program == "fsm-stack"
        command = getattr(importlib.import_module(f"fsm_stack.cli.{ENTRIES[verb].module}"), verb)
        known = {name for option in command.params for name in option.opts}
        assert {option for option in options if option.startswith("--")} <= known
        assert re.search(hook["files"], "Pulumi.dev.yaml")
        assert re.search(hook["files"], "fsm-stack.yaml")
        assert not re.search(hook["files"], "Pulumi.yaml")


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
