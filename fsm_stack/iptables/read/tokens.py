"""Text to words, numbers, ports and names with their places, and the error that names a place.

The words are those of a POSIX shell and of iptables-restore as far as scripts here use them:
blanks separate, ``&&`` stands alone, quotes hold a text together, and a variable stands for a
value that nobody here knows. Everything else that a shell would act on is an error, because what
it would do to the rules is not known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import FsmStackError
from fsm_stack.iptables.rule import POD_IP_VARIABLE, Ports

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault and its place.

    Attributes:
        id: the finding's id in the catalogue.
        message: what is wrong.
        fix: what to do.
        line: 1-based.
        column: 1-based.
    """

    id: str
    message: str
    fix: str
    line: int
    column: int


AND: Final = "&&"
_BLANKS: Final = frozenset(" \t")
_SHELL: Final = frozenset("$`\\\"'|&;<>(){}*?~#")
# What a shell acts on between double quotes, too.
_EXPANDED: Final = frozenset("$`\\")
# A line of these alone is split at its blanks.
_PLAIN: Final = re.compile(r"[!%+,\-./0-9:=@A-Z\[\]^_a-z \t]*")
_PLAIN_WORD: Final = re.compile(r"[^ \t]+")
VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)
_EXCERPT: Final = 60
_ASCII_END: Final = 128


class RuleSyntaxError(FsmStackError):
    """Text that is not understood; it is never assumed to match or not to match.

    Attributes:
        problem: what is wrong, and what was expected.
        line_no: 1-based.
        column: 1-based.
        line: the whole line.
    """

    def __init__(self, problem: str, *, line_no: int, column: int, line: str) -> None:
        self.problem = problem
        self.line_no = line_no
        self.column = column
        self.line = line
        excerpt = _excerpt(line, column)
        quoted = f": {excerpt}" if excerpt else ""
        super().__init__(f"line {line_no}, column {column}: {problem}{quoted}")


def _excerpt(line: str, column: int) -> str:
    start = max(0, column - 1 - _EXCERPT // 2)
    end = start + _EXCERPT
    before, after = "…" if start else "", "…" if end < len(line) else ""
    return f"{before}{line[start:end].strip()}{after}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the text, without its end.

    Attributes:
        text: as it stands.
        number: 1-based.
    """

    text: str
    number: int

    @property
    def content(self) -> str:
        """Without the blanks around it."""
        return self.text.strip(" \t")

    @property
    def parts(self) -> list[str]:
        """What blanks separate, unchecked; only spaces and tabs are blanks."""
        return [part for part in self.text.replace("\t", " ").split(" ") if part]

    def error(self, problem: str, column: int | None = None) -> RuleSyntaxError:
        """An error at this line; at its first character that is no blank, unless told."""
        if column is None:
            column = len(self.text) - len(self.text.lstrip(" \t")) + 1
        return RuleSyntaxError(problem, line_no=self.number, column=column, line=self.text)


@dataclass(frozen=True, slots=True)
class Word:
    """One word.

    Attributes:
        text: the word, without quotes.
        line: where it stands.
        column: 1-based.
        length: of what stands there.
        variables: those of the shell in it whose values are not known, ``$self`` for example.
    """

    text: str
    line: Line
    column: int
    length: int = 0
    variables: tuple[str, ...] = ()

    @property
    def written(self) -> str:
        """As it stands, quotes included."""
        start = self.column - 1
        return self.line.text[start : start + self.length]

    def error(self, problem: str) -> RuleSyntaxError:
        """An error at this word."""
        return self.line.error(problem, self.column)


def lines_of(text: str) -> Iterator[Line]:
    """The lines of a text, numbered from 1."""
    for number, line in enumerate(text.split("\n"), start=1):
        yield Line(line, number)


def words_of(line: Line, *, shell: bool = True) -> list[Word]:
    """The words of a line.

    Args:
        line: of a script or a dump.
        shell: whether a shell reads it first, so that it may hold variables.

    Raises:
        RuleSyntaxError: a character that a shell would act on, or that is not printable ASCII.
    """
    text = line.text
    if _PLAIN.fullmatch(text):
        return [
            Word(found[0], line, found.start() + 1, len(found[0]))
            for found in _PLAIN_WORD.finditer(text)
        ]
    words: list[Word] = []
    index = 0
    while index < len(text):
        if text[index] in _BLANKS:
            index += 1
        elif text.startswith(AND, index):
            words.append(Word(AND, line, index + 1, len(AND)))
            index += len(AND)
        else:
            words.append(_word(line, index, shell=shell))
            index += words[-1].length
    return words


def _word(line: Line, start: int, *, shell: bool) -> Word:
    """The word that starts here."""
    text, index = line.text, start
    parts: list[str] = []
    variables: list[str] = []
    quoted = False
    while index < len(text):
        character = text[index]
        if not quoted and (character in _BLANKS or text.startswith(AND, index)):
            break
        found = VARIABLE.match(text, index) if character == "$" else None
        if found and (shell or found[0] == POD_IP_VARIABLE):
            name = f"${found[1] or found[2]}"
            if name != POD_IP_VARIABLE:
                variables.append(name)
            parts.append(name)
            index = found.end()
            continue
        if character == '"':
            quoted = not quoted
        elif quoted and character == "\\" and text[index + 1 : index + 2] in ('"', "\\"):
            index += 1
            parts.append(text[index])
        else:
            _require_plain(character, line, index, quoted=quoted, shell=shell)
            parts.append(character)
        index += 1
    if quoted:
        raise line.error("a quote without its end", start + 1)
    return Word("".join(parts), line, start + 1, index - start, tuple(variables))


def _require_plain(character: str, line: Line, index: int, *, quoted: bool, shell: bool) -> None:
    """Refuse what a shell acts on; between double quotes that is less, in a dump nothing."""
    if character in (_EXPANDED if quoted else _SHELL) and (shell or not quoted):
        raise line.error(f"shell syntax {character!r} is not understood", index + 1)
    if (ord(character) >= _ASCII_END and not quoted) or not character.isprintable():
        problem = f"character {character!r} (U+{ord(character):04X}): expected plain ASCII"
        raise line.error(problem, index + 1)


# No number in a rule needs more; a longer one is not worth the time to convert it.
_DIGITS_MAX: Final = 20


def number(word: Word, what: str) -> int:
    """A decimal number, a minus sign allowed: whether it makes sense is for the checks to say.

    Raises:
        RuleSyntaxError: anything else, leading zeros too: iptables would read those as octal.
    """
    return number_in(word.text, word, what)


def number_in(text: str, word: Word, what: str) -> int:
    """The same for a part of a word."""
    digits = text.removeprefix("-")
    plain = digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX
    if not plain or (digits[0] == "0" and len(digits) > 1):
        raise word.error(f"{what} {text!r}: expected a decimal number")
    return int(text)


def ports_in(text: str, word: Word) -> Ports:
    """``80`` or ``80:90``."""
    first, colon, last = text.partition(":")
    start = number_in(first, word, "port")
    end = number_in(last, word, "port") if colon else None
    return Ports(start, None if end == start else end)


def listed_ports_in(text: str, word: Word) -> Ports:
    """The same in a list of multiport, which refuses ``80:80`` (seen with 1.8.9)."""
    ports = ports_in(text, word)
    if ":" in text and ports.last is None:
        raise word.error(f"range {text!r}: expected two different ports")
    return ports


def chain_name(word: Word) -> str:
    """The name of a chain.

    Raises:
        RuleSyntaxError: when iptables would not take it as a name.
    """
    if word.variables or not (word.text[:1].isalpha() or word.text[:1] == "_"):
        raise word.error(f"{word.text!r}: expected the name of a chain")
    return word.text
