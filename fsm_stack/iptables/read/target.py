"""What a rule does with the packets that it matches: the words after ``-j``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.read.tokens import number
from fsm_stack.iptables.rule import (
    POD_IP_VARIABLE,
    STANDARD_TARGETS,
    Accept,
    Dnat,
    ForeignTarget,
    Jump,
    Redirect,
    Return,
)
from fsm_stack.iptables.sets.ranges import address_number, plain_number
from fsm_stack.well_known import PORT_MAX

if TYPE_CHECKING:
    from fsm_stack.iptables.read.tokens import Word
    from fsm_stack.iptables.rule import Target

# Source: iptables-extensions(8); in the kernel these return XT_CONTINUE.
_GOES_ON: Final = frozenset(
    ("AUDIT", "CHECKSUM", "CLASSIFY", "CONNMARK", "CONNSECMARK", "CT", "DSCP", "ECN", "HL",
     "HMARK", "IDLETIMER", "LED", "LOG", "MARK", "NFLOG", "NOTRACK", "RATEEST", "SECMARK", "SET",
     "TCPMSS", "TCPOPTSTRIP", "TEE", "TOS", "TRACE", "TTL", "ULOG")
)  # fmt: skip
_ENDS: Final = frozenset(
    ("CLUSTERIP", "DNPT", "DROP", "MASQUERADE", "MIRROR", "NETMAP", "NFQUEUE", "QUEUE", "REJECT",
     "SAME", "SNAT", "SNPT", "SYNPROXY", "TPROXY")
)  # fmt: skip
# No chain is made with such a name by a command; iptables-restore refuses the first four only.
TARGET_NAMES: Final = STANDARD_TARGETS | _GOES_ON | _ENDS | {"REDIRECT", "DNAT"}
_TO_PORTS: Final = ("--to-port", "--to-ports")
_PORT_RANGE: Final = re.compile(r"\d+-\d+", re.ASCII)


def read_target(
    option: Word, word: Word, rest: list[Word], *, with_ports: bool
) -> tuple[Target, int]:
    """The target, and how many of the words after its name are its own.

    Args:
        option: ``-j`` or ``-g``.
        word: the target's name.
        rest: every word after it.
        with_ports: whether the rule is limited to a protocol that has ports.

    Raises:
        RuleSyntaxError: a target that iptables would refuse.
    """
    simple = option.text in ("-j", "--jump") and not word.variables
    if not simple or word.text in _GOES_ON | _ENDS or _unusual(word, rest):
        text = " ".join(one.written for one in (option, word, *rest))
        goes_on = simple and word.text in _GOES_ON
        return (ForeignTarget(text=text, goes_on=goes_on), len(rest))
    match word.text:
        case "RETURN":
            return (Return(), 0)
        case "ACCEPT":
            return (Accept(), 0)
        case "REDIRECT":
            value = _value(word, rest, _TO_PORTS, "a port")
            _require_ports(word, with_ports=with_ports)
            return (Redirect(port=number(value, "port")), 2)
        case "DNAT":
            value = _value(word, rest, ("--to-destination",), "an address")
            return (_dnat(value, with_ports=with_ports), 2)
        case name if not name[:1].isalpha() and name[:1] != "_":
            raise word.error(f"target {name!r}: expected a chain or a target")
        case name:
            return (Jump(chain=name), 0)


def _unusual(word: Word, rest: list[Word]) -> bool:
    """Whether a rewrite goes to one of several places, or to one that only the kernel knows."""
    texts = [one.text for one in rest]
    unknown = any(one.variables for one in rest)
    if word.text == "REDIRECT":
        several = len(texts) > 1 and _PORT_RANGE.fullmatch(texts[1]) is not None
        return unknown or not texts or "--random" in texts or several
    if word.text == "DNAT":
        address = texts[1] if len(texts) > 1 else ""
        odd = {"--random", "--persistent"}.intersection(texts) or "-" in address
        return unknown or bool(odd)
    return False


def _value(word: Word, rest: list[Word], names: tuple[str, ...], what: str) -> Word:
    """The value of a target's one option."""
    if not rest:
        raise word.error(f"the rule ends here: expected {names[0]}")
    if rest[0].text not in names:
        raise rest[0].error(f"{rest[0].text!r}: expected {names[0]}")
    if len(rest) == 1:
        raise rest[0].error(f"the rule ends here: expected {what}")
    return rest[1]


def _require_ports(word: Word, *, with_ports: bool) -> None:
    if not with_ports:
        raise word.error(f"{word.text} needs -p tcp or -p udp before it")


def _dnat(word: Word, *, with_ports: bool) -> Dnat:
    address, colon, port = word.text.partition(":")
    if address != POD_IP_VARIABLE and address_number(address) is None:
        raise word.error(f"destination {word.text!r}: expected an IPv4 address")
    if colon:
        _require_ports(word, with_ports=with_ports)
        value = plain_number(port)
        if value is None or not 1 <= value <= PORT_MAX:
            raise word.error(f"destination {word.text!r}: expected a port 1 to {PORT_MAX}")
    return Dnat(to=word.text)
