"""Golden reports: a folder a case, with the two sides, the options and what is said of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from fsm_stack.cli.main import cli

if TYPE_CHECKING:
    from click.testing import Result

CASES = Path(__file__).parent.parent / "golden" / "review"
NAMES = sorted(path.name for path in CASES.iterdir())


def reviewed(case: Path, directory: Path, output: str) -> Result:
    for path in case.glob("*.yaml"):
        shutil.copy(path, directory)
    words = (case / "arguments").read_text().splitlines()
    return CliRunner(env={"NO_COLOR": "1"}).invoke(
        cli, ["diff", "-C", str(directory), "-o", output, *words], prog_name="fsm-stack"
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_report_is_the_recorded_one(name: str, tmp_path: Path) -> None:
    """Read the difference before you accept it: it is what reviewers will read."""
    case = CASES / name
    done = reviewed(case, tmp_path, "text")
    recorded = (case / "report.txt").read_text()
    assert f"{done.stdout}exit code {done.exit_code}\n" == recorded


@pytest.mark.parametrize("name", NAMES)
def test_the_comment_is_the_recorded_one(name: str, tmp_path: Path) -> None:
    case = CASES / name
    assert reviewed(case, tmp_path, "markdown").stdout == (case / "comment.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_all_forms_agree_on_the_risk(name: str, tmp_path: Path) -> None:
    case = CASES / name
    found = json.loads(reviewed(case, tmp_path, "json").stdout)
    second = (case / "report.txt").read_text().splitlines()[1]
    risk = "nothing" if found["nothing"] else found["risk"]
    if found["risk"] == "none" and found["declared"] != "none":
        risk = f"{found['declared']}, declared"
    assert second.startswith(f"{risk}:")
    assert found["headline"] in (case / "comment.md").read_text().replace("&#60;", "<")
