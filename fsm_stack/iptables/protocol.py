"""Names and numbers of IP protocols."""

from __future__ import annotations

from fsm_stack.iptables.ranges import PROTOCOLS, plain_number


def protocol_number(name: str) -> int:
    """The protocol's number; ``all`` is 0, as iptables has it.

    Raises:
        KeyError: the name is neither known nor a number; the reader lets no such name in.
    """
    number = plain_number(name)
    return number if number is not None else {"all": 0, **PROTOCOLS}[name]


def protocol_name(number: int) -> str:
    """The protocol's name, or its number as text."""
    return next((name for name, known in PROTOCOLS.items() if known == number), str(number))
