"""One strict reader for every text that holds these rules, also out of ``kubectl describe``.

Dialects: the here-document of an init container, the chained commands of the documents,
``iptables-save`` and ``iptables -S``; all generations of chain names; indented as ``kubectl
describe`` shows it. What is not understood is an error with its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fsm_stack.findings.finding import finding
from fsm_stack.iptables.judge.explain import explained, generation
from fsm_stack.iptables.read.table import CommandReader, TableReader
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
_COMMANDS = ("iptables", "iptables-legacy", "iptables-nft")
# What other commands' output begins with.
_LISTINGS = {"Chain": "the output of iptables -L", "table": "the output of nft list"}
_BYTE_ORDER_MARK = "\ufeff"
_RESTORES = tuple(f"{name}-restore" for name in _COMMANDS)


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
    first = next((line for line in lines if _is_code(line)), None)
    if first is None:
        raise lines[0].error("no rules: expected a script or a dump of the nat table")
    if text.startswith(_BYTE_ORDER_MARK):
        raise lines[0].error("a byte order mark: expected plain UTF-8 without it", 1)
    start = first.content
    head = first.parts[0]
    if head in (*_COMMANDS, *_RESTORES) or head.startswith("&&"):
        # A dump out of a terminal has them, too; there they mean nothing.
        _require_no_carriage_returns(written)
    if head in _RESTORES or start.startswith("*"):
        return _reading(TableReader(lines, first, heredoc=head in _RESTORES).read())
    if head in _COMMANDS or head.startswith("&&"):
        return _reading(CommandReader(lines, programs=_COMMANDS).read())
    if head in ("-P", "-N", "-A", "-I"):
        return _reading(CommandReader(lines, programs=()).read())
    if head in _LISTINGS:
        raise first.error(
            f"this is {_LISTINGS[head]}, which does not have the rules in full: run iptables-save "
            "-t nat, or iptables -t nat -S, in the pod's network namespace, and give its output"
        )
    raise first.error(
        f"{head!r}: expected iptables-restore, iptables, *nat, or a line of iptables -S"
    )


def _require_no_carriage_returns(lines: list[Line]) -> None:
    for line in lines:
        if line.text.endswith("\r"):
            raise line.error(
                "a carriage return at the line's end, which a shell takes for part of the last "
                "word: expected Unix line ends",
                len(line.text),
            )


def _is_code(line: Line) -> bool:
    return bool(line.content) and not line.content.startswith("#")


def _reading(read: tuple[Ruleset, Dialect, list[Problem]]) -> Reading:
    ruleset, dialect, problems = read
    family = generation(ruleset)
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
