"""docs/flows.md shows what its commands print on the committed environments and logs."""

from __future__ import annotations

import re
import shlex

import pytest
from click.testing import CliRunner

from fsm_stack.cli.change.flows import flows
from fsm_stack.cli.main import cli
from fsm_stack.flows.formats import FORMATS
from tests.recordings import ROOT

PAGE = (ROOT / "docs" / "flows.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```console\n\$ (fsm-stack [^\n]+)\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_page_shows_what_is_printed(
    command: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, shlex.split(command)[1:])
    assert result.exit_code == ("recommend" in command), result.output
    assert result.stdout.splitlines() == shown.splitlines()


def test_the_page_shows_every_verb_and_every_format() -> None:
    assert [command.split()[2] for command, _ in SHOWN] == list(flows.commands)
    table = PAGE[PAGE.index("| format |") :].split("\n\n")[0]
    assert table.count("\n") == len(FORMATS) + 1


def test_every_option_of_the_page_exists() -> None:
    known = {
        option
        for command in flows.commands.values()
        for parameter in command.params
        for option in parameter.opts
    }
    assert set(re.findall(r"`(--[a-z-]+)", PAGE)) - known == set()
