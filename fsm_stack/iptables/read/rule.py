"""The words of one rule to its value.

Every option of the three injectors is understood. What other programs' rules have beside those is
kept as written, and decides nothing: an option of a module that is named, a target of the kernel's
or of an extension, a value that a shell fills in. Any other word is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.read.target import read_target
from fsm_stack.iptables.read.tokens import (
    listed_ports_in,
    number,
    number_in,
    ports_in,
)
from fsm_stack.iptables.rule import (
    Destination,
    DestinationPort,
    ForeignMatch,
    ForeignTarget,
    InInterface,
    Jump,
    Multiport,
    OutInterface,
    Protocol,
    Rule,
    Source,
    UidOwner,
)
from fsm_stack.iptables.sets.ranges import (
    PROTOCOLS,
    ipv4_range,
    looks_like_ipv6,
    plain_number,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsm_stack.iptables.read.tokens import Word
    from fsm_stack.iptables.rule import Match, Target

_WITH_PORTS: Final = ("tcp", "udp")
# Options that need no module of their own, by the match or the protocol that has them.
_PORT_OPTIONS: Final = frozenset(("--sport", "--source-port"))
_OWN_OPTIONS: Final = {
    "multiport": frozenset(("--sports", "--source-ports", "--ports")),
    "owner": frozenset(("--gid-owner", "--socket-exists", "--suppl-groups")),
    "tcp": _PORT_OPTIONS | {"--tcp-flags", "--syn", "--tcp-option"},
    "udp": _PORT_OPTIONS,
    "sctp": _PORT_OPTIONS | {"--dport", "--destination-port", "--chunk-types"},
    "dccp": _PORT_OPTIONS | {"--dport", "--destination-port", "--dccp-types", "--dccp-option"},
    "icmp": frozenset(("--icmp-type",)),
}


class RuleReader:
    """Reads the words after ``-A CHAIN`` once, left to right."""

    def __init__(self, words: list[Word], last: Word) -> None:
        self._words = words
        self._last = words[-1] if words else last
        self._next = 0
        self._matches: list[Match] = []
        self._target: Target | None = None
        self._comment = ""
        self._seen: set[str] = set()
        self._modules: set[str] = set()
        self._foreign: tuple[int, str] | None = None  # the last foreign module: place, words
        self._no: Word | None = None

    def read(self) -> Rule:
        """The rule.

        Raises:
            RuleSyntaxError: an option that is not understood, a value that is none.
        """
        start = self._words[0] if self._words else self._last
        while self._next < len(self._words):
            option = self._take("an option")
            if option.text == "!":
                if self._no is not None:
                    raise option.error("a second '!': expected an option")
                self._no = option
            else:
                self._option(option)
        if self._no is not None:
            raise self._no.error("'!' at the end: expected a match after it")
        if missing := self._unused_module():
            raise self._last.error(f"-m {missing} without an option of its own")
        return Rule(
            matches=tuple(self._matches),
            target=self._target or ForeignTarget(text="", goes_on=True),
            line=start.line.number,
            column=start.column,
            comment=self._comment,
        )

    def _option(self, option: Word) -> None:
        reader = _OPTIONS.get(option.text)
        value = self._words[self._next] if self._next < len(self._words) else None
        if reader is None or (reader is RuleReader.port and self._of_protocol(option)):
            self._foreign_option(option)
        elif value is not None and value.variables and reader not in _NAMED:
            self._undecided(option, _MODULES.get(reader, ""))
            if reader is RuleReader.protocol:
                self._seen.add("any protocol")
        else:
            reader(self, option)
        self._no = None

    def _of_protocol(self, option: Word) -> bool:
        """Whether the protocol has the option, and nobody looks at it: SCTP's ports."""
        return option.text in _OWN_OPTIONS.get(self._protocol_name() or "", ())

    def _foreign_option(self, option: Word) -> None:
        """An option of another match or target: kept as written, decided by nobody."""
        known = [*self._modules, self._protocol_name() or ""]
        owner = next((name for name in known if option.text in _OWN_OPTIONS.get(name, ())), None)
        if owner is not None:
            self._undecided(option, owner)
        elif not option.text.startswith("-"):
            raise option.error(f"unknown option {option.text!r}")
        elif self._foreign is not None:
            index, text = self._foreign
            self._foreign = (index, f"{text} {self._spelled(option)}")
            self._matches[index] = ForeignMatch(text=self._foreign[1])
        elif isinstance(self._target, Jump) and option.text.startswith("--"):
            text = f"-j {self._target.chain} {self._spelled(option)}"
            self._target = ForeignTarget(text=text, goes_on=False)
        else:
            raise option.error(f"unknown option {option.text!r}")

    def _undecided(self, option: Word, owner: str) -> None:
        """A match of a known module or protocol whose value or kind is not understood."""
        text = self._spelled(option)
        if owner in _NEEDS:
            self._require_module(option, owner)
            self._seen.add(_NEEDS[owner])
            text = f"-m {owner} {text}"
        self._matches.append(ForeignMatch(text=text))

    def _spelled(self, option: Word) -> str:
        """An option with its negation and its values, which are taken."""
        words = [self._no] if self._no is not None else []
        words.append(option)
        while self._next < len(self._words):
            word = self._words[self._next]
            if word.written.startswith("-") or word.written == "!":
                break
            self._next += 1
            words.append(word)
        return " ".join(word.written for word in words)

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

    def _has_ports(self) -> bool:
        return self._protocol_name() in _WITH_PORTS or "any protocol" in self._seen

    def _require_ports(self, option: Word) -> None:
        if not self._has_ports():
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
        """``-m NAME``; a protocol's own adds nothing to ``-p``, a comment's nothing at all."""
        if self._no is not None:
            raise self._no.error("'!' before a module: expected it before the module's option")
        word = self._take("a match")
        if word.text in _WITH_PORTS:
            if self._protocol_name() != word.text and "any protocol" not in self._seen:
                raise word.error(f"-m {word.text} needs -p {word.text} before it")
        elif word.text not in ("multiport", "owner", "comment"):
            self._foreign = (len(self._matches), f"-m {word.written}")
            self._matches.append(ForeignMatch(text=self._foreign[1]))
            return
        if word.text in self._modules:
            raise word.error(f"match {word.text!r} twice in one rule")
        self._modules.add(word.text)

    def comment(self, option: Word) -> None:
        """``--comment TEXT``; it matches every packet."""
        self._once(option, "comment")
        self._require_module(option, "comment")
        if self._no is not None:
            raise self._no.error("'!' before a comment: expected it before a match")
        self._comment = self._take("a comment").text

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

    def target(self, option: Word) -> None:
        """``-j TARGET``, and the target's own options."""
        if self._no is not None:
            raise self._no.error("'!' before a target: expected it before a match")
        if self._target is not None:
            raise option.error("a second target: expected one")
        word = self._take("a target")
        rest = self._words[self._next :]
        self._target, taken = read_target(option, word, rest, with_ports=self._has_ports())
        self._next += taken

    def _unused_module(self) -> str | None:
        used = (name for name in _NEEDS if name in self._modules)
        return next((name for name in used if _NEEDS[name] not in self._seen), None)


# What a module has to be followed by.
_NEEDS: Final = {"multiport": "ports", "owner": "uid", "comment": "comment"}
_MODULES: Final[dict[Callable[[RuleReader, Word], None], str]] = {
    RuleReader.multiport: "multiport",
    RuleReader.owner: "owner",
}
# Options whose value may be a variable without making a match of it.
_NAMED: Final = (RuleReader.target, RuleReader.comment, RuleReader.module)
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
        (("--comment",), RuleReader.comment),
        (("--dports", "--destination-ports"), RuleReader.multiport),
        (("--uid-owner",), RuleReader.owner),
        (("-j", "--jump", "-g", "--goto"), RuleReader.target),
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
