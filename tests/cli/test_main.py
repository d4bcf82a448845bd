from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from fsm_stack import __version__
from fsm_stack.cli.main import ENTRIES, SECTIONS, cli
from fsm_stack.cli.verb import Verb
from fsm_stack.errors import CouldNotCheckError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run

PROGRAM = "from fsm_stack.cli.main import main; main()"


def process(
    *arguments: str, cwd: Path, env: dict[str, str] | None = None, program: str = PROGRAM
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=cwd,
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_groups_the_verbs_by_task(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert result.stdout == run("-h").stdout == run().stderr
    sections = [line for line in result.stdout.splitlines() if line.endswith(":")]
    assert sections == ["Options:", *(f"{title}:" for title in SECTIONS)]
    rows = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "render Write a stack's objects and scripts as files for Git." in rows
    assert " ".join(result.stdout.split()).endswith(
        "Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 bad input or usage, "
        "3 could not check."
    )


@pytest.mark.parametrize("name", ENTRIES)
def test_the_help_says_of_a_verb_what_the_verb_says_of_itself(name: str) -> None:
    """The table repeats it, so that the help imports no verb."""
    with click.Context(cli) as context:
        command = cli.get_command(context, name)
    assert isinstance(command, Verb | click.Group)
    assert command.name == name
    assert command.short_help == ENTRIES[name].help
    verbs = command.commands.values() if isinstance(command, click.Group) else [command]
    for verb in verbs:
        assert {"-o", "--output"} <= {option for param in verb.params for option in param.opts}


@pytest.mark.parametrize("name", ENTRIES)
def test_every_verb_explains_itself(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: cli {name}")


def test_the_version_is_the_packages(run: Run) -> None:
    assert run("--version").stdout == f"fsm-stack {__version__}\n"


def test_an_unknown_verb_is_answered_with_the_nearest(run: Run) -> None:
    result = run("rendr")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("Error: 'rendr': no such command; did you mean 'render'?\n")


def test_an_unknown_option_is_bad_usage(run: Run) -> None:
    assert run("render", "--chek").exit_code == 2


@pytest.mark.parametrize(
    ("error", "code"), [(InputError("x: expected y"), 2), (CouldNotCheckError("no cluster"), 3)]
)
def test_an_error_is_a_message_and_an_exit_code(error: Exception, code: int) -> None:
    @click.command(cls=Verb)
    def failing() -> None:
        raise error

    result = CliRunner().invoke(failing)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr == f"fsm-stack: error: {error}\n"


def test_an_interrupt_is_no_finding() -> None:
    @click.command(cls=Verb)
    def waiting() -> None:
        raise KeyboardInterrupt

    result = CliRunner().invoke(waiting)
    assert (result.exit_code, result.output) == (130, "")


def test_a_defect_of_ours_is_not_taken_for_a_finding(tmp_path: Path) -> None:
    """Python would exit with 1, and a pipeline would believe that the files are wrong."""
    program = "from fsm_stack.cli import explain, main\nexplain._list = None\nmain.main()"
    result = process("explain", cwd=tmp_path, program=program)
    assert result.returncode == 3
    assert result.stderr.startswith("Traceback (most recent call last):\n")
    assert result.stderr.endswith("fsm-stack: this is a defect of fsm-stack, not of your files\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("render", "--all", "--without-release-assets"),
        ("render", "dev", "--check"),
        ("validate",),
        ("bypasses",),
        ("schema",),
        ("explain",),
        ("--help",),
    ],
)
def test_no_verb_imports_the_engine(project: Path, arguments: tuple[str, ...]) -> None:
    """Its import alone takes longer than the whole of ``render``."""
    program = (
        "import atexit, sys\n"
        "names = ('pulumi', 'pulumi_kubernetes', 'grpc')\n"
        "atexit.register(lambda: print([n for n in names if n in sys.modules], file=sys.stderr))\n"
        f"{PROGRAM}"
    )
    result = process(*arguments, cwd=project, program=program)
    assert result.stderr.splitlines()[-1] == "[]"


def test_help_and_version_import_nothing_but_the_command_line(tmp_path: Path) -> None:
    program = (
        "import atexit, sys\n"
        "names = ('pydantic', 'yaml', 'jinja2', 'fsm_stack.cli.verb', 'fsm_stack.findings.catalogue')\n"
        "atexit.register(lambda: print([n for n in names if n in sys.modules], file=sys.stderr))\n"
        f"{PROGRAM}"
    )
    for option in ("--help", "--version"):
        assert process(option, cwd=tmp_path, program=program).stderr == "[]\n"


def test_a_reader_that_goes_away_changes_nothing(project: Path) -> None:
    """``fsm-stack render --all | head -1`` renders everything."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "render", "dev"],
        cwd=project,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (project / "rendered/dev/kustomization.yaml").is_file()


def test_colour_is_for_terminals_that_want_it(project: Path) -> None:
    """A log file, and a person who set NO_COLOR, get plain text."""
    coloured = CliRunner(env={"NO_COLOR": "", "TERM": "xterm"}).invoke(
        cli, ["explain", "host-bits"], color=True
    )
    assert coloured.stdout.startswith("\x1b[1mhost-bits\x1b[0m (warning)")
    for env in ({"NO_COLOR": "1"}, {"NO_COLOR": "", "TERM": "dumb"}):
        plain = CliRunner(env=env).invoke(cli, ["explain", "host-bits"], color=True)
        assert plain.stdout.startswith("host-bits (warning)")
    assert "\x1b" not in process("explain", "host-bits", cwd=project).stdout


@pytest.mark.parametrize(
    ("env", "coloured"),
    [
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"FORCE_COLOR": ""}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_can_be_asked_for_where_there_is_no_terminal(
    project: Path, env: dict[str, str], *, coloured: bool
) -> None:
    """A CI system shows it in its logs; who wants none has the last word."""
    env = {"NO_COLOR": "", "TERM": "xterm"} | env
    assert ("\x1b" in process("explain", "host-bits", cwd=project, env=env).stdout) is coloured


def test_output_survives_a_terminal_without_unicode(project: Path) -> None:
    file = project / "Pulumi.dev.yaml"
    file.write_text("config:\n  fsm-stack:traffic\uff0c: {}\n", encoding="utf-8")
    result = process("validate", "dev", cwd=project, env={"PYTHONIOENCODING": "latin-1"})
    assert result.returncode == 1
    assert r"traffic\uff0c" in result.stdout
