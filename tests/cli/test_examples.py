from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from fsm_stack.cli.main import cli
from fsm_stack.edges.project import find_project

CHECKOUT = Path(__file__).resolve().parents[2]
STACKS = find_project(CHECKOUT).stacks()


@pytest.mark.skipif(
    not (CHECKOUT / "rendered").is_dir(), reason="rendered/ is not in this checkout"
)
@pytest.mark.parametrize("stack", STACKS)
def test_the_committed_environments_are_fresh(stack: str) -> None:
    """Mend: fsm-stack render --all, with --without-release-assets where they are not vendored."""
    result = CliRunner().invoke(cli, ["render", stack, "--check", "-C", str(CHECKOUT)])
    assert result.exit_code == 0, result.output


def test_the_three_environments_render_for_review_without_a_warning(tmp_path: Path) -> None:
    for name in ("Pulumi.yaml", *(f"Pulumi.{stack}.yaml" for stack in STACKS)):
        shutil.copy(CHECKOUT / name, tmp_path / name)
    arguments = ["--all", "--fail-on", "info", "-C", str(tmp_path)]
    assert CliRunner().invoke(cli, ["validate", *arguments]).exit_code == 0
    result = CliRunner().invoke(cli, ["render", "--without-release-assets", *arguments])
    assert result.exit_code == 0, result.output
    assert STACKS == ("dev", "prod", "staging")
    assert {path.name for path in (tmp_path / "rendered").iterdir()} == set(STACKS)
