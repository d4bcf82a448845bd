"""docs/inject.md shows what its commands print, one after the other, on the committed example."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from fsm_stack.cli.main import cli
from fsm_stack.findings.catalogue import all_rules

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "inject.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```console\n\$ (fsm-stack [^\n]+)\n(.*?)```", PAGE, flags=re.DOTALL)
PROGRAMS = Path(sys.executable).parent


def test_the_page_shows_what_is_printed(tmp_path: Path) -> None:
    """The correction is applied as the page says, so what follows is about the corrected file."""
    for file in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(file, tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1"}
    assert len(SHOWN) == 7
    for command, shown in SHOWN:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "error" not in done.stderr, command
        assert done.stdout == shown, command


def test_every_finding_and_option_of_the_page_exists() -> None:
    named = set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, flags=re.MULTILINE))
    assert len(named) == 6
    assert named <= set(all_rules())
    helped = "".join(
        CliRunner().invoke(cli, [verb, "--help"]).stdout for verb in ("lint", "inject", "annotate")
    )
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", prose))
    assert len(options) == 10
    assert {option for option in options if option not in helped} == set()
