"""The exit code says what was found, whatever becomes of the streams and of the directory."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .conftest import BROKEN

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "from fsm_stack.cli.main import main; main()"


def code(project: Path, words: str, redirected: str) -> int:
    """The exit code of a shell's run with these redirections."""
    command = f'exec "$0" -c "$1" {words} {redirected}'
    return subprocess.run(
        ["sh", "-c", command, sys.executable, PROGRAM],
        cwd=project,
        env=os.environ | {"NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    ).returncode


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("validate dev", 0),
        ("validate broken", 1),
        ("validate --nothing", 2),
        ("lint dev -f -", 2),
    ],
)
@pytest.mark.parametrize("errors", ["2>/dev/full", "<&- >&- 2>&-"])
def test_closed_streams_and_a_full_standard_error_change_no_exit_code(
    project: Path, words: str, expected: int, errors: str
) -> None:
    (project / "Pulumi.broken.yaml").write_text(BROKEN)
    assert code(project, words, errors) == expected


@pytest.mark.parametrize("words", ["validate dev", "validate broken", "lint --help", "schema"])
@pytest.mark.parametrize("errors", ["", "2>/dev/full"])
def test_a_report_that_nobody_got_is_no_success(project: Path, words: str, errors: str) -> None:
    """A pipeline must not take a full disk for a clean stack, nor for findings."""
    (project / "Pulumi.broken.yaml").write_text(BROKEN)
    assert code(project, words, f">/dev/full {errors}") == 2


def test_a_full_disk_is_told(project: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec '{sys.executable}' -c '{PROGRAM}' validate dev >/dev/full"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == (
        "fsm-stack: error: cannot write standard output: No space left on device\n"
    )


@pytest.mark.parametrize("words", ["validate", "read x.sh", "verify --from x", "schema --check"])
def test_a_working_directory_that_is_gone_is_bad_input(tmp_path: Path, words: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'rmdir "$PWD" && exec "$0" -c "$1" {words}', sys.executable, PROGRAM],
        cwd=_made(tmp_path / "gone"),
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
    assert done.returncode == 2


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
