"""The nat table as commands build it, one a rule, and as ``iptables -S`` lists it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.iptables.read.table import TABLES, Beside, Variables, step
from fsm_stack.iptables.read.target import TARGET_NAMES
from fsm_stack.iptables.read.tokens import AND, Problem, chain_name, number, words_of
from fsm_stack.iptables.rule import BUILT_IN_CHAINS, Ruleset

if TYPE_CHECKING:
    from fsm_stack.iptables.read.tokens import Line, Word
    from fsm_stack.iptables.rule import Step


class CommandReader:
    """Reads commands that are separated by ``&&`` or by line ends.

    Args:
        lines: the whole text.
        programs: names a command may start with; empty: the lines are those of ``iptables -S``.
    """

    def __init__(self, lines: list[Line], *, programs: tuple[str, ...]) -> None:
        self._lines = lines
        self._programs = programs
        self._chains: list[str] = []
        self._steps: list[Step] = []
        self._problems: list[Problem] = []
        self._variables = Variables()
        self._beside = Beside()
        self._waiting: Word | None = None
        self._any = False

    def read(self) -> tuple[Ruleset, list[Problem]]:
        """The rule set, and what was noticed.

        Raises:
            RuleSyntaxError: anything that is not understood.
        """
        for line in self._lines:
            if line.content and not line.content.startswith("#"):
                self._line(line)
        if self._waiting is not None:
            self._fault(self._waiting, "'&&' with no command after it")
        if not self._any:
            raise self._lines[-1].error("no command for the nat table: expected -t nat")
        ruleset = Ruleset(chains=tuple(self._chains), steps=tuple(self._steps))
        noticed = (*self._problems, *self._beside.problems(), *self._variables.problems())
        return (ruleset, [*noticed])

    def _line(self, line: Line) -> None:
        command: list[Word] = []
        fresh = self._waiting is None
        for word in words_of(line, shell=bool(self._programs)):
            if word.written != AND:
                command.append(word)
            elif not self._programs:
                raise word.error("'&&' in the output of iptables -S")
            else:
                if not command:
                    what = "'&&' with no command before it" if fresh else "'&& &&'"
                    self._fault(word, f"{what}: a shell refuses the whole script")
                self._run(command)
                command, fresh, self._waiting = [], False, word
        self._run(command)

    def _fault(self, word: Word, message: str) -> None:
        self._problems.append(
            Problem(
                id="shell-syntax",
                message=message,
                fix="Write one && between two commands, and none at the ends.",
                line=word.line.number,
                column=word.column,
            )
        )

    def _run(self, command: list[Word]) -> None:
        if not command:
            return
        self._waiting = None
        operation = self._operation(command)
        if operation is None:
            return
        self._any = True
        self._variables.of(operation)
        match operation[0].text:
            case "-N":
                self._declare(operation)
            case "-P":
                policy(operation)
            case "-A" | "-I":
                self._steps.append(step(operation))
            case "-F" | "-X" | "-Z":
                self._require_nothing(operation[0])
            case other:
                raise operation[0].error(f"{other!r}: expected -N, -A, -I or -P")

    def _require_nothing(self, operation: Word) -> None:
        """Flushing changes nothing where nothing is yet."""
        if self._chains or self._steps:
            raise operation.error(f"{operation.text!r} after rules: expected it before them")

    def _operation(self, command: list[Word]) -> list[Word] | None:
        """The command without its program and table; None: of another table."""
        if not self._programs:
            return command
        program = command[0]
        if program.text not in self._programs:
            expected = ", ".join(self._programs)
            raise program.error(f"{program.text!r}: expected one of {expected}")
        rest = command[1:]
        if rest and rest[0].text in ("-w", "--wait"):
            rest = rest[2:] if len(rest) > 1 and rest[1].text.isdigit() else rest[1:]
        table = "filter"
        if rest and rest[0].text in ("-t", "--table"):
            if len(rest) == 1 or rest[1].text not in TABLES:
                raise rest[-1].error(f"expected one of the tables {', '.join(TABLES)}")
            table, rest = rest[1].text, rest[2:]
        if not rest:
            raise command[-1].error("the command ends here: expected -N, -A, -I or -P")
        if table != "nat":
            if rest[0].text in ("-A", "-I"):
                self._beside.rule(table, program.line, [word.text for word in rest])
            return None
        return rest

    def _declare(self, operation: list[Word]) -> None:
        if len(operation) != 2:  # noqa: PLR2004  # -N CHAIN
            raise operation[-1].error("expected -N and one chain")
        name = chain_name(operation[1])
        if self._programs and name in TARGET_NAMES:
            raise operation[1].error(f"{name!r} is a target: expected the name of a chain")
        self._chains.append(name)


def policy(operation: list[Word]) -> None:
    """``-P CHAIN ACCEPT``, the only policy of the nat table that changes nothing.

    Raises:
        RuleSyntaxError: another chain, another policy.
    """
    if len(operation) == 6 and operation[3].text == "-c":  # noqa: PLR2004  # -c PACKETS BYTES
        for word, what in zip(operation[4:], ("packets", "bytes"), strict=True):
            number(word, what)
        operation = operation[:3]
    texts = [word.text for word in operation]
    if len(texts) != 3 or texts[1] not in BUILT_IN_CHAINS:  # noqa: PLR2004  # -P CHAIN POLICY
        raise operation[-1].error("expected -P, a hook and its policy")
    if texts[2] != "ACCEPT":
        raise operation[2].error(f"policy {texts[2]!r} is not understood: expected ACCEPT")
