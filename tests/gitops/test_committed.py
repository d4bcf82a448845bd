"""The trees that are committed under ``rendered/`` are what the code makes, file by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsm_stack.gitops.rendering import check, rendering
from fsm_stack.project.project import find_project

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", find_project(ROOT).stacks())
def test_a_committed_tree_is_current(name: str) -> None:
    """A reviewer sees what a change does to every object; no change passes unseen."""
    stack = find_project(ROOT).load(name)
    target = ROOT / "rendered" / name
    made = rendering(stack.settings, ROOT, without_release_assets=True, beside=target)
    assert check(target, made.files, shown=f"rendered/{name}", unknown=made.left_out) == ()
