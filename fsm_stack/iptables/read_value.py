"""Words to numbers, ports and chain names: what each part of a rule may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.rule import Ports

if TYPE_CHECKING:
    from fsm_stack.iptables.tokens import Word

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
    if not (word.text[0].isalpha() or word.text[0] == "_"):
        raise word.error(f"{word.text!r}: expected the name of a chain")
    return word.text
