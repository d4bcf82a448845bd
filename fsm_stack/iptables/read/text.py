"""One strict reader for every text that holds these rules, also out of ``kubectl describe``.

Dialects: the here-document of an init container, the chained commands of the documents,
``iptables-save`` and ``iptables -S``; all generations of chain names; indented as ``kubectl
describe`` shows it, and inside a larger shell script. What is not understood is an error with its
place; what decides no redirection is passed over, and said.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from fsm_stack.findings.finding import finding
from fsm_stack.iptables.judge.explain import explained, generation
from fsm_stack.iptables.judge.loadable import beyond, jumps_of
from fsm_stack.iptables.read.commands import CommandReader
from fsm_stack.iptables.read.table import TableReader
from fsm_stack.iptables.read.tokens import Line, Problem, RuleSyntaxError, lines_of
from fsm_stack.iptables.rule import OUTPUT, PREROUTING, SOURCE_HOOKS, ForeignTarget
from fsm_stack.iptables.write import rule_text, target_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.iptables.judge.explain import Generation
    from fsm_stack.iptables.rule import Rule, Ruleset


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
# So many of the rules that nobody here decides are told one by one.
_TOLD: Final = 20


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
    head = first.parts[0]
    if first.content.startswith("*"):
        return _reading("save", TableReader(lines, first, shell=False).read())
    if head in ("-P", "-N", "-A", "-I"):
        return _reading("listing", CommandReader(lines, programs=()).read())
    if head in _LISTINGS:
        raise first.error(
            f"this is {_LISTINGS[head]}, which does not have the rules in full: run iptables-save "
            "-t nat, or iptables -t nat -S, in the pod's network namespace, and give its output"
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


def _is_code(line: Line) -> bool:
    return bool(line.content) and not line.content.startswith("#")


def _reading(
    dialect: Dialect, read_back: tuple[Ruleset, list[Problem]], around: list[Line] | None = None
) -> Reading:
    ruleset, problems = read_back
    family = generation(ruleset)
    problems = [*problems, *_around(around or []), *_beside_redirection(ruleset)]
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


def _around(lines: list[Line]) -> Iterator[Problem]:
    """Commands beside the rules."""
    if lines:
        first = min(lines, key=lambda line: line.number)
        message = (
            f"{_counted(len(lines), 'line')} of shell around the rules: passed over, what they do "
            f"is not followed: {first.content}"
        )
        yield Problem(id="passed-over", message=message, fix="", line=first.number, column=1)


def _beside_redirection(ruleset: Ruleset) -> Iterator[Problem]:
    """Rules that decide no redirection, and rules of which nobody here knows what they decide."""
    rules = [(step.chain, step.rule) for step in ruleset.steps]
    if not any(chain in SOURCE_HOOKS or _is_foreign(rule) for chain, rule in rules):
        return
    jumps = jumps_of(rules)
    deciding = beyond(jumps, {PREROUTING, OUTPUT})
    beside = beyond(jumps, SOURCE_HOOKS) - deciding
    passed = [(chain, rule) for chain, rule in rules if chain in beside]
    if passed:
        hooks = " and ".join(name for name in SOURCE_HOOKS if any(name == c for c, _ in passed))
        message = (
            f"{_counted(len(passed), 'rule')} of {hooks} and below: passed over, they translate "
            "the source of connections, and redirect none"
        )
        yield _at("passed-over", message, passed[0][1])
    undecided: Counter[str] = Counter()
    first: dict[str, Rule] = {}
    for chain, rule in rules:
        if chain in deciding and (text := _undecided_text(rule)):
            undecided[text] += 1
            first.setdefault(text, rule)
    for text, count in islice(undecided.items(), _TOLD):
        more = f"; {count} rules have it" if count > 1 else ""
        yield _at("undecided-rule", f"{text}: {rule_text(first[text])}{more}", first[text])
    if left := sum(islice(undecided.values(), _TOLD, None)):
        message = f"{_counted(left, 'more rule')} that nobody here decides"
        yield _at("undecided-rule", message, first[[*undecided][_TOLD]])


def _is_foreign(rule: Rule) -> bool:
    return rule.foreign is not None or isinstance(rule.target, ForeignTarget)


def _undecided_text(rule: Rule) -> str:
    """What of a rule is not decided; empty: all of it is."""
    target = rule.target
    if isinstance(target, ForeignTarget):
        return "" if target.goes_on else f"what {target_text(target)} does is not known"
    return f"{rule.foreign.text} may match" if rule.foreign else ""


def _at(kind: str, message: str, rule: Rule) -> Problem:
    line, column = rule.line or 1, rule.column or 1
    return Problem(id=kind, message=message, fix="", line=line, column=column)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


__all__ = ["Dialect", "Reading", "RuleSyntaxError", "read"]
