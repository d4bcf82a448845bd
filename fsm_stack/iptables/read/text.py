"""One strict reader for every text that holds these rules, also out of ``kubectl describe``.

Dialects: the here-document of an init container, the chained commands of the documents,
``iptables-save`` and ``iptables -S``; all generations of chain names; indented as ``kubectl
describe`` shows it, and inside a larger shell script. What is not understood is an error with its
place; what decides no redirection is passed over, and said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from fsm_stack.findings.finding import finding
from fsm_stack.iptables.judge.explain import explained, generation
from fsm_stack.iptables.read.beside import of_rules, of_shell
from fsm_stack.iptables.read.commands import CommandReader
from fsm_stack.iptables.read.table import TableReader
from fsm_stack.iptables.read.tokens import Line, RuleSyntaxError, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.iptables.judge.explain import Generation
    from fsm_stack.iptables.read.tokens import Problem
    from fsm_stack.iptables.rule import Ruleset


def script_in_description(text: str, container: str) -> str:
    """The arguments of one init container, with the lines before them blank.

    Blank lines keep every line at its own number, so that errors and findings name the lines of
    the whole description.

    Args:
        text: what ``kubectl describe pod`` printed.
        container: the init container's name, from the system's profile: never guessed.

    Raises:
        RuleSyntaxError: no such init container, no script in it, or more pods than one.
    """
    lines = list(lines_of(text))
    section = _block(lines, "Init Containers:", lines[0])
    own = _block(section, f"{container}:", lines[0])
    arguments = _block(own, "Args:", own[0])
    script = [line for line in arguments[1:] if line.content != "-c"]
    kept = {line.number for line in script}
    return "\n".join(line.text if line.number in kept else "" for line in lines[: max(kept) + 1])


def _block(lines: list[Line], heading: str, place: Line) -> list[Line]:
    """The heading's line and what is indented below it."""
    found = [n for n, line in enumerate(lines) if line.content == heading]
    if not found:
        raise place.error(f"no {heading!r} in this description")
    if len(found) > 1:
        raise lines[found[1]].error(f"a second {heading!r}: expected one pod's description")
    start = found[0]
    block = [lines[start], *_indented(lines[start + 1 :], _indent(lines[start]))]
    if len(block) == 1:
        raise lines[start].error(f"nothing below {heading!r}")
    return block


def _indented(lines: list[Line], depth: int) -> Iterator[Line]:
    for line in lines:
        if line.content and _indent(line) <= depth:
            return
        if line.content:
            yield line


def _indent(line: Line) -> int:
    return len(line.text) - len(line.text.lstrip(" "))


Dialect = Literal["restore", "save", "listing", "commands"]
_TYPED: Final = re.compile(
    r"(?:\S*[$%>][ \t]+)?(?:sudo[ \t]+)?(?:kubectl|oc|nsenter|docker|podman|crictl|ip[ \t]+netns)"
    r"[ \t]|\S*[$%>][ \t]+(?:sudo[ \t]+)?(?:iptables|nft)"
)
_COMMANDS = ("iptables", "iptables-legacy", "iptables-nft")
# What other commands' output begins with, and why it is no use.
_LISTINGS = {
    "Chain": "the output of iptables -L, which does not show the rules in full",
    "table": "the output of nft list, which writes the rules in nft's own language",
}
_LISTED: Final = ("-P", "-N", "-A", "-I")
_PRINTED: Final = (*_LISTED, *_LISTINGS)
_BYTE_ORDER_MARK = "\ufeff"
_RESTORES = tuple(f"{name}-restore" for name in _COMMANDS)
_EXPECTED: Final = "expected iptables-restore --noflush <<EOF"
# A call of iptables-restore with its here-document, also behind a word of the shell's or a pipe.
_DOCUMENT: Final = r"<<(?P<{0}tabs>-?)[ \t]*(?P<{0}quote>['\"]?)(?P<{0}end>\w+)(?P={0}quote)"
_CALL: Final = re.compile(
    r"^(?P<before>.*?)(?<![\w.-])(?:"
    r"cat[ \t]*" + _DOCUMENT.format("cat_") + r"[ \t]*\|[ \t]*(?:sudo[ \t]+)?(?:/[^ \t]*/)?"
    r"iptables(?:-legacy|-nft)?-restore(?P<cat_flags>[^<|;&]*)"
    r"|(?:/[^ \t]*/)?iptables(?:-legacy|-nft)?-restore(?=[ \t])(?P<flags>[^<|;&]*)"
    + _DOCUMENT.format("") + r")(?P<after>.*)$"
)  # fmt: skip
_FLAGS: Final = re.compile(
    r"(?:[ \t]+(?:-n|--noflush|-c|--counters|-v|--verbose|(?:-w|--wait)(?:[ \t]+\d+)?|-T[ \t]+nat"
    r"|--table=nat))*[ \t]*"
)
# What a kernel printed, so that it has loaded.
_LOADED: Final = frozenset({"save", "listing"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a text means.

    Attributes:
        ruleset: its rules, each with its line and its reason.
        dialect: ``restore``: a script for iptables-restore; ``save``: iptables-save; ``listing``:
            iptables -S; ``commands``: one iptables command a rule.
        generation: the family it belongs to; None: no injector's.
        findings: what is wrong with the text and could be recovered.
        loads: whether a shell and iptables could run the text at all, as far as its syntax goes.
    """

    ruleset: Ruleset
    dialect: Dialect
    generation: Generation | None
    findings: tuple[Finding, ...]
    loads: bool


def read(text: str) -> Reading:
    """Read a script or a dump.

    Args:
        text: the whole of it; every line may be indented.

    Raises:
        RuleSyntaxError: anything that is not understood, with its line and column.
    """
    written = list(lines_of(text))
    lines = [Line(line.text.removesuffix("\r"), line.number) for line in written]
    lines = _without_typed(lines)
    first = next((line for line in lines if _is_code(line)), None)
    if first is None:
        raise lines[0].error("no rules: expected a script or a dump of the nat table")
    if text.startswith(_BYTE_ORDER_MARK):
        raise lines[0].error("a byte order mark: expected plain UTF-8 without it", 1)
    head = first.parts[0]
    if first.content.startswith("*"):
        return _reading("save", TableReader(lines, first, shell=False).read())
    if head in _LISTED:
        return _reading("listing", CommandReader(lines, programs=()).read())
    if head in _LISTINGS:
        raise first.error(
            f"this is {_LISTINGS[head]}: run iptables-save -t nat, or iptables -t nat -S, in the "
            "pod's network namespace, and give its output"
        )
    if any(map(_called, lines)):
        # A dump out of a terminal has them, too; there they mean nothing.
        _require_no_carriage_returns(written)
    if (document := _document(lines)) is not None:
        body, around, expanded = document
        return _reading("restore", TableReader(body, first, shell=expanded).read(), around)
    if head in _RESTORES:
        raise first.error(_EXPECTED)
    commands, around = _commands(lines)
    if commands:
        _require_no_carriage_returns(written)
        read_back = CommandReader(commands, programs=_COMMANDS).read()
        return _reading("commands", read_back, around)
    raise first.error(
        f"{head!r}: expected iptables-restore, iptables, *nat, or a line of iptables -S"
    )


def _document(lines: list[Line]) -> tuple[list[Line], list[Line], bool] | None:
    """The here-document of iptables-restore, the lines around it, and whether a shell expands it.

    Raises:
        RuleSyntaxError: it has no end, there are two, or an option makes something else of it.
    """
    calls = [(n, found) for n, line in enumerate(lines) if (found := _called(line))]
    if not calls:
        return None
    start, call = calls[0]
    kind = "cat_" if call["cat_end"] else ""
    if not _FLAGS.fullmatch(call[f"{kind}flags"]):
        raise lines[start].error(_EXPECTED)
    end = call[f"{kind}end"]
    stop = next((n for n in range(start + 1, len(lines)) if lines[n].content == end), 0)
    if not stop:
        raise next(line for line in reversed(lines) if line.content).error(
            f"the script ends here: expected {end}"
        )
    if more := [n for n, _ in calls if n > stop]:
        raise lines[more[0]].error("a second call of iptables-restore: expected one")
    around = [line for line in (*lines[:start], *lines[stop + 1 :]) if _is_code(line)]
    if call["before"].strip() or call["after"].strip():
        around.append(lines[start])
    return (lines[start + 1 : stop], around, not call[f"{kind}quote"])


def _called(line: Line) -> re.Match[str] | None:
    """The call of iptables-restore in a line of code; most lines have no such word in them."""
    return _CALL.match(line.text) if "-restore" in line.text and _is_code(line) else None


def _commands(lines: list[Line]) -> tuple[list[Line], list[Line]]:
    """The lines that are commands of iptables, with what && continues, and the other lines."""
    own: list[Line] = []
    around: list[Line] = []
    for line in lines:
        if not _is_code(line):
            continue
        goes_on = bool(own) and own[-1].content.endswith("&&")
        is_own = line.parts[0] in _COMMANDS or line.content.startswith("&&") or goes_on
        (own if is_own else around).append(line)
    return own, around


def _require_no_carriage_returns(lines: list[Line]) -> None:
    for line in lines:
        if line.text.endswith("\r"):
            raise line.error(
                "a carriage return at the line's end, which a shell takes for part of the last "
                "word: expected Unix line ends",
                len(line.text),
            )


def _without_typed(lines: list[Line]) -> list[Line]:
    """The lines without the command that printed them, where it was pasted with a dump."""
    typed: list[Line] = []
    for line in filter(_is_code, lines):
        if _is_typed(line):
            typed.append(line)
        elif typed and (line.content.startswith("*") or line.parts[0] in _PRINTED):
            return [one for one in lines if one not in typed]
        else:
            break
    return lines


def _is_typed(line: Line) -> bool:
    return bool(_TYPED.match(line.content)) and "-restore" not in line.content


def _is_code(line: Line) -> bool:
    return bool(line.content) and not line.content.startswith("#")


def _reading(
    dialect: Dialect, read_back: tuple[Ruleset, list[Problem]], around: list[Line] | None = None
) -> Reading:
    ruleset, problems = read_back
    family = generation(ruleset)
    problems = [*problems, *of_shell(around or []), *of_rules(ruleset, loaded=dialect in _LOADED)]
    findings = tuple(
        finding(problem.id, problem.message, fix=problem.fix).at(
            line=problem.line, column=problem.column
        )
        for problem in problems
    )
    return Reading(
        ruleset=explained(ruleset, family.chains) if family else ruleset,
        dialect=dialect,
        generation=family,
        findings=findings,
        loads=not any(problem.id == "shell-syntax" for problem in problems),
    )


__all__ = ["Dialect", "Reading", "RuleSyntaxError", "read"]
