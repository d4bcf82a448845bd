"""One command a rule: the documents' chained script, and the lines of ``iptables -S``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fsm_stack.iptables.read.rule import TARGET_NAMES, read_rule
from fsm_stack.iptables.read.tokens import AND, Problem, chain_name, number, words_of
from fsm_stack.iptables.rule import BUILT_IN_CHAINS, OUTPUT, PREROUTING, Append, Insert, Ruleset

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
        self._waiting: Word | None = None

    def read(self) -> tuple[Ruleset, Literal["commands", "listing"], list[Problem]]:
        """The rule set, the dialect and the faults that were recovered.

        Raises:
            RuleSyntaxError: anything that is not understood.
        """
        for line in self._lines:
            if line.content and not line.content.startswith("#"):
                self._line(line)
        if self._waiting is not None:
            self._fault(self._waiting, "'&&' with no command after it")
        ruleset = Ruleset(chains=tuple(self._chains), steps=tuple(self._steps))
        return (ruleset, "commands" if self._programs else "listing", self._problems)

    def _line(self, line: Line) -> None:
        command: list[Word] = []
        fresh = self._waiting is None
        for word in words_of(line):
            if word.text != AND:
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
        match operation[0].text:
            case "-N":
                self._declare(operation)
            case "-P":
                policy(operation)
            case "-A" | "-I":
                self._steps.append(step(operation))
            case other:
                raise operation[0].error(f"{other!r}: expected -N, -A, -I or -P")

    def _operation(self, command: list[Word]) -> list[Word]:
        if not self._programs:
            return command
        program = command[0]
        if program.text not in self._programs:
            expected = ", ".join(self._programs)
            raise program.error(f"{program.text!r}: expected one of {expected}")
        table = [word.text for word in command[1:3]]
        if table != ["-t", "nat"]:
            place = command[1] if len(command) > 1 else program
            raise place.error("expected -t nat: no other table is understood")
        if len(command) == 3:  # noqa: PLR2004  # iptables -t nat
            raise command[2].error("the command ends here: expected -N, -A, -I or -P")
        return command[3:]

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


def step(operation: list[Word]) -> Step:
    """``-A CHAIN RULE`` or ``-I CHAIN [POSITION] RULE``.

    Raises:
        RuleSyntaxError: anything that is not understood.
    """
    command, rest = operation[0], operation[1:]
    if not rest:
        raise command.error("the rule ends here: expected a chain")
    chain = chain_name(rest[0])
    if chain in BUILT_IN_CHAINS and chain not in (PREROUTING, OUTPUT):
        raise rest[0].error(f"a rule in {chain}: only {PREROUTING} and {OUTPUT} are understood")
    if command.text == "-A":
        return Append(chain=chain, rule=read_rule(rest[1:], rest[0]))
    if len(rest) > 1 and rest[1].text.isdigit() and rest[1].text.isascii():
        digits = rest[1].text
        if digits[0] == "0" or len(digits) > 9:  # noqa: PLR2004  # more rules fit nowhere
            raise rest[1].error(f"position {digits!r}: expected 1 or more")
        return Insert(chain=chain, position=int(digits), rule=read_rule(rest[2:], rest[1]))
    return Insert(chain=chain, rule=read_rule(rest[1:], rest[0]))
