"""docs/verify.md shows what its commands print of the mesh beside it, and every check."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from fsm_stack.cli.main import cli
from fsm_stack.verify.checks import CHECKS
from fsm_stack.verify.why import Cause
from tests.verify.example import FILE, content

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "verify.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```console\n\$ (fsm-stack [^\n]+)\n(.*?)```", PAGE, flags=re.DOTALL)
STEPS = PAGE.partition("## The guides, step by step")[2].partition("\n## ")[0]


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_page_shows_what_is_printed(
    command: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, shlex.split(command)[1:])
    assert result.exit_code in {0, 1}, result.output
    assert _untimed(result.stdout) == _untimed(shown)


def _untimed(text: str) -> list[str]:
    return re.sub(r"took \d+\.\d s", "took", text).splitlines()


def test_the_mesh_of_the_page_is_current() -> None:
    """Mended by: .venv/bin/python -m tests.verify.example."""
    assert FILE.read_bytes() == content()


@pytest.mark.requirement("C23", "C24", "C30", "C31")
def test_every_check_stands_beside_a_step_or_a_question() -> None:
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", STEPS))
    assert {check.id for check in CHECKS} - named == set()
    assert [row for row in STEPS.splitlines() if re.match(r"\| [^|]*\| [1-3]\. ", row)] != []
    assert len(re.findall(r"\| [1-3]\. ", STEPS)) == 7


def test_every_cause_is_explained() -> None:
    table = PAGE.partition("| cause | what it means |")[2].partition("\n\n")[0]
    explained = set(re.findall(r"\| `([a-z-]+)` \|", table))
    assert set(Cause.__args__) - explained == set()  # type: ignore[attr-defined]  # Literal
