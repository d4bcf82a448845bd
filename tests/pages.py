"""The pages for readers: their console blocks, and what stands beside a block about its run.

A block of language `console` holds commands behind `$ ` and what they print. A comment before it,
which no reader sees, says what is not usual:

    <!-- before: COMMAND -->   done first, for what the page tells in words
    <!-- ends with 1 -->       the exit code of its commands
    <!-- run by: FILE -->      another test takes the block from the page and runs it
    <!-- not run: REASON -->   nobody runs it, and why

A block of language `text` right behind it is the beginning of what its last command prints. `…`
stands for anything within a line, alone for any lines.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAMS = Path(sys.executable).parent
SECONDS = 300  # a mesh is brought up among them
# What a project and its pages are made of; the program itself is the one under test.
PARTS = ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.staging.yaml", "Pulumi.prod.yaml",
         "fsm-stack.yaml", "Makefile", "__main__.py", "rendered", "examples", "docs",
         "schemas")  # fmt: skip
SHELLS = {"sh", "bash", "shell", "zsh"}
_OTHER = re.compile(r"\s*```(?:console|sh|bash|shell|zsh)\b")
_FENCE = re.compile(r"^```(\w*)$")
_MARK = re.compile(r"^<!-- (before: .+|ends with \d|run by: \S+|not run: .+) -->$")
_VARYING = re.compile(r"took \d+\.\d s|\b[0-9a-f]{12}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is typed, and what the page shows of the answer.

    Attributes:
        typed: behind the prompt.
        shown: lines of standard output; None: the page shows none.
        whole: whether these are all lines, or the first ones.
    """

    typed: str
    shown: tuple[str, ...] | None = None
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One console block of a page."""

    page: str
    line: int
    commands: tuple[Command, ...]
    marks: tuple[str, ...]

    def mark(self, name: str) -> str | None:
        """What a mark of this name says; None: it has none."""
        found = (one.removeprefix(name).strip() for one in self.marks if one.startswith(name))
        return next(found, None)

    @property
    def before(self) -> tuple[str, ...]:
        """Commands that make what the page tells in words."""
        return tuple(
            one.removeprefix("before: ") for one in self.marks if one.startswith("before: ")
        )

    @property
    def place(self) -> str:
        """For messages."""
        return f"{self.page}:{self.line}"


def pages() -> tuple[str, ...]:
    """Every page, as a path below the repository's root."""
    found = sorted((ROOT / "docs").rglob("*.md"))
    names = (str(one.relative_to(ROOT)) for one in found)
    return ("README.md", "CONTRIBUTING.md", *names)


def text_of(page: str) -> str:
    """A page's Markdown."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, text: str | None = None) -> tuple[Block, ...]:
    """The console blocks of a page, in its order.

    Args:
        page: as :func:`pages` names it.
        text: its Markdown; read from the file when absent.
    """
    found: list[Block] = []
    marks: list[str] = []
    follows = False  # whether a `text` block here shows what the last command prints
    lines = iter(enumerate((text_of(page) if text is None else text).splitlines(), start=1))
    for number, line in lines:
        if (fence := _FENCE.match(line)) and fence[1] not in SHELLS:
            body: list[str] = []
            for _, inner in lines:
                if inner == "```":
                    break
                body.append(inner)
            if fence[1] == "console":
                found.append(
                    Block(page=page, line=number, commands=_commands(body), marks=tuple(marks))
                )
            elif fence[1] == "text" and follows:
                found[-1] = _shown_after(found[-1], body)
            follows = fence[1] == "console"
            marks = []
        elif mark := _mark(line, f"{page}:{number}"):
            marks.append(mark)
        elif line:
            marks, follows = [], False
    return tuple(found)


def _mark(line: str, place: str) -> str | None:
    """What a comment says about the next block; None: the line is none."""
    if _OTHER.match(line):
        raise AssertionError(f"{place}: expected ```console at the line's begin: {line}")
    if mark := _MARK.match(line):
        return mark[1]
    assert not line.startswith("<!-- "), f"{place}: no such mark: {line}"
    return None


def _commands(body: list[str]) -> tuple[Command, ...]:
    found: list[Command] = []
    for line in body:
        if line.startswith("$ "):
            found.append(Command(typed=line[2:]))
        elif found and found[-1].typed.endswith("\\"):
            found[-1] = Command(typed=f"{found[-1].typed}\n{line}")
        elif found:
            found[-1] = Command(typed=found[-1].typed, shown=(*(found[-1].shown or ()), line))
        else:
            raise AssertionError(f"expected a command behind '$ ', got {line!r}")
    return tuple(found)


def _shown_after(block: Block, body: list[str]) -> Block:
    last = Command(typed=block.commands[-1].typed, shown=tuple(body), whole=False)
    return Block(
        page=block.page, line=block.line, commands=(*block.commands[:-1], last), marks=block.marks
    )


def make_project(folder: Path) -> None:
    """A copy of this project in a repository of its own, on branch main."""
    folder.mkdir()
    for name in PARTS:
        part = ROOT / name
        copy = shutil.copytree if part.is_dir() else shutil.copy
        copy(part, folder / name)
    (folder / ".venv").symlink_to(PROGRAMS.parent)
    (folder / ".gitignore").write_text(".venv\n", encoding="utf-8")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "Begin"]):
        subprocess.run(["git", *words], cwd=folder, env=environment(folder), check=True)


def environment(folder: Path, **more: str) -> dict[str, str]:
    """A user's, without a cluster and without settings of Git."""
    return {
        **os.environ,
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "KUBECONFIG": str(folder / "no-cluster"),
        "NO_COLOR": "1",
        "COLUMNS": "120",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.com",
        "GIT_AUTHOR_DATE": "2026-11-28T12:00:00Z",
        "GIT_COMMITTER_DATE": "2026-11-28T12:00:00Z",
        "no_proxy": "127.0.0.1",
        **more,
    }


def carry_out(block: Block, folder: Path, **more: str) -> None:
    """Run a block's commands in a project, and compare what they print."""
    for typed in block.before:
        done = _run(typed, folder, more)
        assert done.returncode == 0, f"{block.place}: before: {typed}\n{done.stdout}{done.stderr}"
    expected = int(block.mark("ends with") or 0)
    for command in block.commands:
        done = _run(command.typed, folder, more)
        said = f"{block.place}: {command.typed}\n{done.stdout}{done.stderr}"
        assert done.returncode == expected, f"ended with {done.returncode}: {said}"
        assert "Traceback" not in done.stderr, said
        if command.shown is not None:
            compare(command, done.stdout, done.stderr, said)


def compare(command: Command, out: str, err: str, said: str) -> None:
    """What a page shows is what was printed: on standard output, or where that is empty on error."""
    printed = [_steady(line) for line in (out or err).rstrip("\n").splitlines()]
    shown = [_steady(line) for line in "\n".join(command.shown or ()).rstrip("\n").splitlines()]
    pattern = "".join(map(_pattern, shown))
    match = re.fullmatch if command.whole else re.match
    if match(pattern, "".join(f"{line}\n" for line in printed)) is None:
        differs = "\n".join(difflib.unified_diff(shown, printed, "page", "printed", lineterm=""))
        raise AssertionError(f"{said}\n{differs}")


def _pattern(line: str) -> str:
    """What a shown line stands for."""
    if line == "…":
        return r"(?:[^\n]*\n)*?"
    return "[^\\n]*".join(map(re.escape, line.split("…"))) + r"\n"


def _steady(line: str) -> str:
    """Without what each run has otherwise: durations, ids of commits."""
    return _VARYING.sub("~", line)


def _run(typed: str, folder: Path, more: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", typed], cwd=folder, env=environment(folder, **more), capture_output=True,
        text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
