"""The words of one rule to its value; every option of the three injectors, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.read.tokens import (
    listed_ports_in,
    number,
    number_in,
    ports_in,
)
from fsm_stack.iptables.rule import (
    POD_IP_VARIABLE,
    STANDARD_TARGETS,
    Accept,
    Destination,
    DestinationPort,
    Dnat,
    InInterface,
    Jump,
    Multiport,
    OutInterface,
    Protocol,
    Redirect,
    Return,
    Rule,
    Source,
    UidOwner,
)
from fsm_stack.iptables.sets.ranges import (
    PROTOCOLS,
    address_number,
    ipv4_range,
    looks_like_ipv6,
    plain_number,
)
from fsm_stack.well_known import PORT_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsm_stack.iptables.read.tokens import Word
    from fsm_stack.iptables.rule import Match, Target

_WITH_PORTS: Final = ("tcp", "udp")
# Targets that this package does not model.
_FOREIGN_TARGETS: Final = frozenset(
    ("DROP", "REJECT", "QUEUE", "LOG", "MASQUERADE", "SNAT", "NETMAP", "MARK", "TPROXY", "NFQUEUE")
)
# No chain is made with such a name by a command; iptables-restore refuses the first four only.
TARGET_NAMES: Final = STANDARD_TARGETS | _FOREIGN_TARGETS | {"REDIRECT", "DNAT"}


class RuleReader:
    """Reads the words after ``-A CHAIN`` once, left to right."""

    def __init__(self, words: list[Word], last: Word) -> None:
        self._words = words
        self._last = words[-1] if words else last
        self._next = 0
        self._matches: list[Match] = []
        self._seen: set[str] = set()
        self._modules: set[str] = set()
        self._no: Word | None = None

    def read(self) -> Rule:
        """The rule.

        Raises:
            RuleSyntaxError: an option that is not understood, a value that is none, no target.
        """
        start = self._words[0] if self._words else self._last
        while self._next < len(self._words):
            option = self._take("an option")
            if option.text == "!":
                if self._no is not None:
                    raise option.error("a second '!': expected an option")
                self._no = option
            elif option.text in ("-j", "--jump"):
                target = self._target(option)
                return Rule(
                    matches=tuple(self._matches),
                    target=target,
                    line=start.line.number,
                    column=start.column,
                )
            else:
                self._option(option)
        raise self._last.error("the rule has no target: expected -j")

    def _option(self, option: Word) -> None:
        reader = _OPTIONS.get(option.text)
        if reader is None:
            raise option.error(f"unknown option {option.text!r}")
        reader(self, option)
        self._no = None

    def _take(self, what: str) -> Word:
        if self._next >= len(self._words):
            raise self._last.error(f"the rule ends here: expected {what}")
        self._next += 1
        return self._words[self._next - 1]

    def _negated(self) -> bool:
        return self._no is not None

    def _once(self, option: Word, name: str) -> None:
        if name in self._seen:
            raise option.error(f"option {option.text!r} twice in one rule")
        self._seen.add(name)

    def _protocol_name(self) -> str | None:
        """The protocol that the rule is limited to so far."""
        for match in self._matches:
            if isinstance(match, Protocol) and not match.negated:
                names = {str(known): name for name, known in PROTOCOLS.items()}
                return names.get(match.name, match.name)
        return None

    def _require_ports(self, option: Word) -> None:
        if self._protocol_name() not in _WITH_PORTS:
            raise option.error(f"{option.text} needs -p tcp or -p udp before it")

    def protocol(self, option: Word) -> None:
        """``-p NAME``."""
        self._once(option, "protocol")
        word = self._take("a protocol")
        known = word.text in PROTOCOLS or word.text == "all"
        value = plain_number(word.text)
        if not known and (value is None or value > 255):  # noqa: PLR2004  # the field has 8 bits
            raise word.error(f"unknown protocol {word.text!r}")
        self._matches.append(Protocol(name=word.text, negated=self._negated()))

    def source(self, option: Word) -> None:
        """``-s RANGE``."""
        self._range(option, Source)

    def destination(self, option: Word) -> None:
        """``-d RANGE``."""
        self._range(option, Destination)

    def _range(self, option: Word, kind: type[Source | Destination]) -> None:
        self._once(option, kind.__name__)
        word = self._take("an address or a range")
        if ipv4_range(word.text) is None and not looks_like_ipv6(word.text):
            raise word.error(f"range {word.text!r}: expected an address or a CIDR")
        self._matches.append(kind(cidr=word.text, negated=self._negated()))

    def in_interface(self, option: Word) -> None:
        """``-i NAME``."""
        self._interface(option, InInterface)

    def out_interface(self, option: Word) -> None:
        """``-o NAME``."""
        self._interface(option, OutInterface)

    def _interface(self, option: Word, kind: type[InInterface | OutInterface]) -> None:
        self._once(option, kind.__name__)
        name = self._take("an interface name").text
        self._matches.append(kind(name=name, negated=self._negated()))

    def counters(self, option: Word) -> None:
        """``-c PACKETS BYTES``, as ``iptables -S -v`` prints; they match nothing."""
        self._once(option, "counters")
        if self._negated():
            raise option.error("'!' before counters: expected it before a match")
        for what in ("packets", "bytes"):
            number(self._take(f"a number of {what}"), what)

    def port(self, option: Word) -> None:
        """``--dport N`` or ``--dport N:M``."""
        own = "port" in self._seen or self._modules.intersection(_WITH_PORTS)
        if "multiport" in self._modules and not own:  # getopt takes it for --dports, cut short
            self.multiport(option)
            return
        self._once(option, "port")
        self._require_ports(option)
        word = self._take("a port")
        ports = ports_in(word.text, word)
        self._matches.append(DestinationPort(ports=ports, negated=self._negated()))

    def module(self, _: Word) -> None:
        """``-m NAME``; a protocol's own module adds nothing to ``-p``."""
        if self._no is not None:
            raise self._no.error("'!' before a module: expected it before the module's option")
        word = self._take("a match")
        if word.text in _WITH_PORTS:
            if self._protocol_name() != word.text:
                raise word.error(f"-m {word.text} needs -p {word.text} before it")
        elif word.text not in ("multiport", "owner"):
            raise word.error(f"unknown match {word.text!r}")
        if word.text in self._modules:
            raise word.error(f"match {word.text!r} twice in one rule")
        self._modules.add(word.text)

    def multiport(self, option: Word) -> None:
        """``--dports A,B,C``."""
        self._once(option, "ports")
        self._require_module(option, "multiport")
        self._require_ports(option)
        word = self._take("ports")
        ports = tuple(listed_ports_in(part, word) for part in word.text.split(","))
        self._matches.append(Multiport(ports=ports, negated=self._negated()))

    def owner(self, option: Word) -> None:
        """``--uid-owner N`` or ``--uid-owner N-M``."""
        self._once(option, "uid")
        self._require_module(option, "owner")
        word = self._take("a uid")
        first, dash, last = word.text.partition("-")
        uid = number_in(first, word, "uid")
        end = number_in(last, word, "uid") if dash else None
        self._matches.append(
            UidOwner(first=uid, last=None if end == uid else end, negated=self._negated())
        )

    def _require_module(self, option: Word, name: str) -> None:
        if name not in self._modules:
            raise option.error(f"{option.text} needs -m {name} before it")

    def _target(self, option: Word) -> Target:
        if self._no is not None:
            raise self._no.error("'!' before a target: expected it before a match")
        word = self._take("a target")
        target = self._named_target(word)
        if self._next < len(self._words):
            extra = self._words[self._next]
            raise extra.error(f"{extra.text!r} after the target: expected the end of the rule")
        if missing := self._unused_module():
            raise option.error(f"-m {missing} without an option of its own")
        return target

    def _unused_module(self) -> str | None:
        needed = {"multiport": "ports", "owner": "uid"}
        used = (name for name, option in needed.items() if name in self._modules)
        return next((name for name in used if needed[name] not in self._seen), None)

    def _named_target(self, word: Word) -> Target:
        match word.text:
            case "RETURN":
                return Return()
            case "ACCEPT":
                return Accept()
            case "REDIRECT":
                self._expect(("--to-port", "--to-ports"))
                self._require_ports(word)
                return Redirect(port=number(self._take("a port"), "port"))
            case "DNAT":
                self._expect(("--to-destination",))
                return self._dnat()
            case name if name in _FOREIGN_TARGETS:
                raise word.error(f"target {name!r} is not understood")
            case name if not name[0].isalpha() and name[0] != "_":
                raise word.error(f"target {name!r}: expected a chain or a target")
            case name:
                return Jump(chain=name)

    def _expect(self, names: tuple[str, ...]) -> None:
        word = self._take(names[0])
        if word.text not in names:
            raise word.error(f"{word.text!r}: expected {names[0]}")

    def _dnat(self) -> Dnat:
        word = self._take("an address")
        address, colon, port = word.text.partition(":")
        if address != POD_IP_VARIABLE and address_number(address) is None:
            raise word.error(f"destination {word.text!r}: expected an IPv4 address")
        if colon:
            self._require_ports(word)
            value = plain_number(port)
            if value is None or not 1 <= value <= PORT_MAX:
                raise word.error(f"destination {word.text!r}: expected a port 1 to {PORT_MAX}")
        return Dnat(to=word.text)


_OPTIONS: Final[dict[str, Callable[[RuleReader, Word], None]]] = {
    spelling: reader
    for spellings, reader in (
        (("-p", "--protocol"), RuleReader.protocol),
        (("-s", "--source"), RuleReader.source),
        (("-d", "--destination"), RuleReader.destination),
        (("-i", "--in-interface"), RuleReader.in_interface),
        (("-o", "--out-interface"), RuleReader.out_interface),
        (("--dport", "--destination-port"), RuleReader.port),
        (("-c", "--set-counters"), RuleReader.counters),
        (("-m", "--match"), RuleReader.module),
        (("--dports", "--destination-ports"), RuleReader.multiport),
        (("--uid-owner",), RuleReader.owner),
    )
    for spelling in spellings
}


def read_rule(words: list[Word], last: Word) -> Rule:
    """The rule that the words after the chain's name spell.

    Args:
        words: matches and target.
        last: the word before them, for an error when there are none.

    Raises:
        RuleSyntaxError: anything that is not understood.
    """
    return RuleReader(words, last).read()
