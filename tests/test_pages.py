"""Every command on every page for readers does what the page says, or the page says why not.

Blocks of one page run one after the other in one copy of this project: what a page changes, the
next block finds changed.
"""

from __future__ import annotations

import re
import shlex
import shutil
from typing import TYPE_CHECKING

import click
import pytest

from fsm_stack.cli.main import ENTRIES, cli
from fsm_stack.findings.catalogue import all_rules
from tests.archives import index, pack, served
from tests.pages import ROOT, blocks, carry_out, compare, make_project, pages, text_of

if TYPE_CHECKING:
    from pathlib import Path

PAGES = pages()
RUN = [page for page in PAGES if any(not one.mark("not run:") for one in blocks(page))]
_TYPED = re.compile(r"(?<![\w./-])fsm-stack ([a-z][a-z-]*)([^`\n|>#]*)")
_PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b|\$")  # FILE, HOST:PORT, $CACHE
# A verb alone, or an option without its value.
_SPOKEN_OF = (click.MissingParameter, click.BadOptionUsage, click.exceptions.NoArgsIsHelpError)
_INLINE = re.compile(r"`([^`\n]+)`")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that every page begins with."""
    folder = tmp_path_factory.mktemp("pages") / "project"
    make_project(folder)
    return folder


@pytest.mark.parametrize("page", RUN)
def test_the_commands_of_a_page_do_what_it_shows(page: str, made: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(made, project, symlinks=True)
    with served({"/index.yaml": index("1.5.1"), "/fsm-1.5.1.tgz": pack()}) as server:
        for block in blocks(page):
            if block.mark("not run:") is None and block.mark("run by:") is None:
                carry_out(block, project, FSM_STACK_CHART_REPOSITORY=server.address)


@pytest.mark.parametrize("page", PAGES)
def test_what_another_test_runs_is_taken_from_the_page_by_it(page: str) -> None:
    for block in blocks(page):
        if name := block.mark("run by:"):
            text = (ROOT / name).read_text(encoding="utf-8")
            own = page in text or all(one.typed in text for one in block.commands)
            assert own, f"{block.place}: {name} names neither the page nor the commands"


@pytest.mark.parametrize("page", PAGES)
def test_every_command_line_of_a_page_is_one(page: str) -> None:
    """Those within sentences and tables, too: the verb, its options, their values."""
    spans = [*_INLINE.findall(re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL))]
    spans += [one.typed for block in blocks(page) for one in block.commands]
    for span in spans:
        for verb, rest in _TYPED.findall(span):
            assert verb in ENTRIES, f"{page}: {span}"
            try:
                parse(verb, shlex.split(rest.replace("\\", "")))
            except _SPOKEN_OF:
                continue
            except (click.UsageError, ValueError) as error:
                if not _PLACEHOLDER.search(span):
                    raise AssertionError(f"{page}: {span}: {error}") from None


def parse(verb: str, words: list[str]) -> None:
    """Read a command line as click does; nothing of it is run."""
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    if isinstance(command, click.Group) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    command.make_context(verb, [word for word in words if word != "..."])


def test_a_command_line_that_is_none_is_told() -> None:
    with pytest.raises(click.NoSuchOption):
        parse("trace", ["dev", "--form", "10.0.0.1"])
    with pytest.raises(click.BadParameter):
        parse("verify", ["--output", "html"])
    with pytest.raises(click.UsageError, match="unexpected extra argument"):
        parse("flows", ["evidence", "dev", "prod", "--flows", "x"])


@pytest.mark.parametrize("page", PAGES)
def test_every_finding_behind_a_sentence_exists(page: str) -> None:
    """As pages write it: the id in brackets, or alone in the first column of a table."""
    text = text_of(page)
    named = set(re.findall(r"\(`([a-z]+(?:-[a-z0-9]+)+)`\)", text))
    table = text.partition("| finding |")[2].partition("\n\n")[0]
    for row in table.splitlines():
        named |= set(
            re.findall(r"`([a-z]+(?:-[a-z0-9]+)+)`", row.removeprefix("| ").split("|")[0])
        )
    checks = {"cluster-rights"}  # of `verify`
    unknown = named - all_rules().keys() - checks
    assert {one for one in unknown if not one.startswith("fsm-")} == set()  # those are objects


def test_a_command_that_ends_otherwise_is_told(made: Path) -> None:
    (block,) = blocks("page.md", "```console\n$ false\n```\n")
    with pytest.raises(AssertionError, match=r"ended with 1: page.md:1: false"):
        carry_out(block, made)


def test_an_answer_that_the_page_does_not_show_is_told(made: Path) -> None:
    (block,) = blocks("page.md", "```console\n$ echo two\none\n```\n")
    with pytest.raises(AssertionError, match=r"-one\n\+two"):
        carry_out(block, made)


def test_a_longer_answer_is_told_unless_a_text_block_begins_it(made: Path) -> None:
    (block,) = blocks("page.md", "```console\n$ printf 'a\\nb\\n'\na\n```\n")
    with pytest.raises(AssertionError, match=r"\+b"):
        carry_out(block, made)
    (block,) = blocks("page.md", "```console\n$ printf 'a\\nb\\n'\n```\n\n```text\n…\n```\n")
    carry_out(block, made)


def test_marks_are_read_and_others_refused() -> None:
    text = "<!-- before: true -->\n<!-- ends with 1 -->\n```console\n$ false\n```\n"
    (block,) = blocks("page.md", text)
    assert block.before == ("true",)
    assert block.mark("ends with") == "1"
    with pytest.raises(AssertionError, match=r"page.md:1: no such mark: <!-- skipped -->"):
        blocks("page.md", "<!-- skipped -->\n```console\n$ false\n```\n")


@pytest.mark.parametrize("fence", ["  ```console", "```sh", "```bash", "```shell"])
def test_commands_stand_in_blocks_that_are_run(fence: str) -> None:
    with pytest.raises(
        AssertionError, match=r"page.md:1: expected ```console at the line's begin"
    ):
        blocks("page.md", f"{fence}\n$ false\n```\n")


def test_a_block_without_a_prompt_is_refused() -> None:
    with pytest.raises(AssertionError, match="expected a command behind"):
        blocks("page.md", "```console\nfsm-stack validate\n```\n")


def test_dots_stand_for_the_rest_of_a_line_or_for_lines() -> None:
    (block,) = blocks("page.md", "```console\n$ date\n…\nin … days\n…\n```\n")
    compare(block.commands[0], "a\nb\nin 3 days\n", "", "said")
    with pytest.raises(AssertionError, match="in … days"):
        compare(block.commands[0], "a\nin 3 weeks\n", "", "said")
