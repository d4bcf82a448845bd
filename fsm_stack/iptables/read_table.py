"""Tables as ``iptables-restore`` takes them and ``iptables-save`` prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from fsm_stack.iptables.problem import Problem
from fsm_stack.iptables.read_commands import step
from fsm_stack.iptables.read_value import chain_name
from fsm_stack.iptables.rule import BUILT_IN_CHAINS, Ruleset
from fsm_stack.iptables.tokens import POD_IP_VARIABLE, Line, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.iptables.rule import Step
    from fsm_stack.iptables.tokens import Word

_END: Final = "EOF"
_NOFLUSH: Final = ("--noflush", "-n")
_TABLES: Final = ("nat", "filter", "mangle", "raw", "security")
_COUNTERS: Final = frozenset("0123456789:[]")


class TableReader:
    """Reads tables line by line.

    Args:
        lines: the whole text.
        first: the first line that is neither blank nor a comment.
        heredoc: whether that line is the shell's call of ``iptables-restore``.
    """

    def __init__(self, lines: list[Line], first: Line, *, heredoc: bool) -> None:
        self._lines = lines
        self._first = first
        self._heredoc = heredoc
        self._comment = ""
        self._chains: list[str] = []
        self._steps: list[Step] = []
        self._problems: list[Problem] = []
        self._table: str | None = None
        self._done: set[str] = set()

    def read(self) -> tuple[Ruleset, Literal["restore", "save"], list[Problem]]:
        """The nat table, the dialect and what was noticed.

        Raises:
            RuleSyntaxError: anything that is not understood.
        """
        last = self._first
        for line in self._body():
            last = line
            if line.content.startswith("#"):
                self._comment_line(line)
            else:
                self._table_line(line, line.content)
        self._require_closed(last)
        if "nat" not in self._done:
            raise last.error("no nat table: expected *nat")
        ruleset = Ruleset(
            chains=tuple(self._chains), steps=tuple(self._steps), comment=self._comment
        )
        return (ruleset, "restore" if self._heredoc else "save", self._problems)

    def _body(self) -> Iterator[Line]:
        """The lines that iptables-restore is given, blank ones apart."""
        filled = [line for line in self._lines if line.content]
        if not self._heredoc:
            yield from filled
            return
        self._call(self._first)
        start = filled.index(self._first) + 1
        end = next((n for n, line in enumerate(filled) if n >= start and line.content == _END), 0)
        if not end:
            raise filled[-1].error(f"the script ends here: expected {_END}")
        yield from filled[start:end]
        if len(filled) > end + 1:
            raise filled[end + 1].error("text after the end of the script")

    def _call(self, line: Line) -> None:
        """``iptables-restore [--noflush] <<EOF``; the ``<<`` is no word of a rule."""
        rest = [word for word in line.parts[1:] if word not in _NOFLUSH]
        if rest not in ([f"<<{_END}"], ["<<", _END]):
            raise line.error(f"expected iptables-restore --noflush <<{_END}")

    def _comment_line(self, line: Line) -> None:
        content = line.content
        if "is incompatible" in content:
            raise line.error("a table that this dump does not show: its rules are unknown")
        if "tables present" in content:
            self._problems.append(
                Problem(
                    id="other-backend",
                    message="the other iptables back end holds rules that this dump does not show",
                    fix="Dump both: iptables-nft-save and iptables-legacy-save.",
                    line=line.number,
                    column=1,
                )
            )
        if self._heredoc:
            self._require_no_expansion(line)
        if self._heredoc and self._table is None and not self._comment:
            self._comment = content.removeprefix("#").removeprefix(" ")

    def _require_no_expansion(self, line: Line) -> None:
        """The here-document is unquoted: the shell expands comments too."""
        text = line.text.replace(POD_IP_VARIABLE, "")
        for character in ("$", "`", "\\"):
            if character in text:
                raise line.error(f"shell syntax {character!r} is not understood")

    def _table_line(self, line: Line, content: str) -> None:
        if content.startswith("*"):
            self._open(line, content[1:])
        elif self._table is None:
            raise line.error(f"{content!r} outside a table: expected *nat")
        elif content == "COMMIT":
            self._done.add(self._table)
            self._table = None
        elif content.startswith(":"):
            self._declare(line)
        else:
            self._rule(line)

    def _open(self, line: Line, name: str) -> None:
        if self._table is not None:
            raise line.error(f"table {name} starts inside table {self._table}: expected COMMIT")
        if name not in _TABLES:
            raise line.error(f"table {name!r}: expected one of {', '.join(_TABLES)}")
        if name in self._done:
            raise line.error(f"table {name} a second time")
        self._table = name

    def _require_closed(self, line: Line) -> None:
        if self._table is not None:
            raise line.error(f"table {self._table} is not committed: expected COMMIT")

    def _declare(self, line: Line) -> None:
        words = words_of(line)
        texts = [word.text for word in words]
        if len(texts) not in (2, 3) or (len(texts) == 3 and not _is_counter(texts[2])):  # noqa: PLR2004  # :CHAIN POLICY [PACKETS:BYTES]
            raise line.error("expected :CHAIN POLICY [PACKETS:BYTES]")
        name, chain_policy = texts[0][1:], texts[1]
        if name in BUILT_IN_CHAINS or self._table != "nat":
            if chain_policy not in ("ACCEPT", "-"):
                raise words[1].error(f"policy {chain_policy!r} is not understood: expected ACCEPT")
            return
        if chain_policy != "-":
            raise words[1].error(f"policy {chain_policy!r}: a declared chain has none, expected -")
        if not name:
            raise line.error("expected the name of a chain after ':'")
        self._chains.append(chain_name(_shifted(words[0])))

    def _rule(self, line: Line) -> None:
        words = words_of(line)
        if _is_counter(words[0].text):
            words = words[1:]
        if not words or words[0].text not in ("-A", "-I"):
            what = words[0].text if words else line.content
            raise line.error(f"{what!r}: expected -A or -I")
        if self._table != "nat":
            raise line.error(f"a rule in table {self._table}: only the nat table is understood")
        self._steps.append(step(words))


def _is_counter(text: str) -> bool:
    return text.startswith("[") and text.endswith("]") and _COUNTERS.issuperset(text)


def _shifted(word: Word) -> Word:
    """``:CHAIN`` without its colon."""
    return type(word)(word.text[1:], word.line, word.column + 1)
