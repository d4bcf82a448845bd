"""The workflow of pull requests sees what it is there to see."""

from __future__ import annotations

from pathlib import Path

import yaml

WORKFLOW = Path(__file__).parent.parent / ".github/workflows/stacks.yaml"


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
