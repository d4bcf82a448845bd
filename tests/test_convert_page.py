"""docs/convert.md shows what its commands print, and names no command that is not there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from fsm_stack.cli.main import ENTRIES, cli
from fsm_stack.findings.catalogue import all_rules

ROOT = Path(__file__).parent.parent
PAGES = {
    name: (ROOT / "docs" / name).read_text("utf-8") for name in ("convert.md", "uninstall.md")
}
SHOWN = re.findall(
    r"```console\n\$ (fsm-stack [^\n]+)\n([^$`].*?)```", PAGES["convert.md"], re.DOTALL
)


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=["install", "patch"])
def test_the_page_shows_what_is_printed(command: str, shown: str) -> None:
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    assert result.stdout == shown


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_command_and_finding_of_the_pages_exists(page: str) -> None:
    words = set(re.findall(r"fsm-stack ([a-z-]+)", PAGES[page]))
    assert words <= ENTRIES.keys() | {"and"}
    named = set(re.findall(r"\(`([a-z]+(?:-[a-z]+)+)`\)", PAGES[page]))
    assert named <= all_rules().keys()


def test_every_option_of_the_page_is_one() -> None:
    for verb, options in re.findall(r"\$ fsm-stack ([a-z-]+)([^\n|>]*)", PAGES["convert.md"]):
        helped = CliRunner().invoke(cli, [verb, "--help"]).output
        for option in re.findall(
            r"(?<=\s)--?[a-z][a-z-]*", options.partition("'")[0].partition('"')[0]
        ):
            assert option in helped, (verb, option)
