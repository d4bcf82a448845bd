"""docs/preview.md shows what its commands print on the committed environments."""

from __future__ import annotations

import re
import shlex
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from fsm_stack.cli.coverage import picture
from fsm_stack.cli.main import cli
from fsm_stack.project.rules_source import of_stack

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "preview.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```console\n\$ (fsm-stack [^\n]+)\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_page_shows_what_is_printed(
    command: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    typed, _, head = command.partition(" | head -n ")
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, shlex.split(typed)[1:])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert (lines[: int(head)] if head else lines) == shown.splitlines()


def test_the_page_shows_every_verb_about_traffic() -> None:
    verbs = {command.split()[1] for command, _ in SHOWN}
    assert verbs == {"trace", "coverage", "rules", "read", "tidy"}


def test_every_option_of_the_page_exists() -> None:
    helped = CliRunner().invoke(cli, ["trace", "--help"]).stdout
    options = {
        name
        for row in re.findall(r"^\| (`--.*?) \|", PAGE, flags=re.MULTILINE)
        for name in re.findall(r"`(--[a-z-]+)", row)
    }
    assert len(options) == 9
    assert {option for option in options if option not in helped} == set()


def test_the_picture_is_of_the_committed_environment() -> None:
    """Drawn as of a day, since an entry that ends is marked once it is past."""
    shown = (ROOT / "docs" / "pictures" / "coverage-prod.svg").read_text(encoding="utf-8")
    assert shown == picture(of_stack(ROOT, "prod"), date(2026, 11, 28))
