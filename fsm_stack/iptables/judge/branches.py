"""What each rule says to one packet, and every verdict that can follow where some may apply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from fsm_stack.errors import InputError
from fsm_stack.iptables.packet import Hop, Untouched, protocol_number, verdict_of
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
    Return,
    Source,
    UidOwner,
)
from fsm_stack.iptables.sets.diagram import TooComplexError
from fsm_stack.iptables.sets.ranges import (
    IPV4_END,
    inside,
    interface_matches,
    ipv4_range,
)
from fsm_stack.iptables.write import match_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.iptables.packet import Decided, Direction, Packet
    from fsm_stack.iptables.rule import Match, Rule

# Rules times verdicts that may follow them; a node's dump takes a thousandth of it.
_WORK: Final = 2_000_000


def tried(rules: tuple[Rule, ...], chain: str, packet: Packet) -> Iterator[Hop]:
    """The rules of a chain, each with what it says to the packet."""
    for number, rule in enumerate(rules, start=1):
        failed = next((one for one in rule.matches if not _holds(one, packet)), None)
        undecided = rule.foreign if failed is None else None
        yield Hop(chain=chain, number=number, rule=rule, failed=failed, undecided=undecided)


_Verdicts = frozenset["Decided"]


class Branches:
    """Every verdict that can follow, from the last rule back to the first.

    A chain is looked at once for each set of verdicts that can follow it, so that the work is
    bounded by the rules and not by the ways through them.

    Attributes:
        differing: the rules that may apply, where applying or not leads to different verdicts.
    """

    def __init__(self, chains: Mapping[str, tuple[Rule, ...]], packet: Packet) -> None:
        self._chains, self._packet = chains, packet
        self._reached: dict[str, tuple[list[Hop], bool]] = {}
        self._entered: list[str] = []
        self._known: dict[tuple[str, _Verdicts], _Verdicts] = {}
        self._differing: dict[tuple[str, int], Hop] = {}
        self._left = _WORK

    @property
    def differing(self) -> list[Hop]:
        """In the order in which the kernel meets their chains."""
        place = {chain: number for number, chain in enumerate(self._entered)}
        return sorted(self._differing.values(), key=lambda hop: (place[hop.chain], hop.number))

    def verdicts(self, hook: str) -> _Verdicts:
        """The verdicts that a packet of the hook can get."""
        return self._of(hook, frozenset({Untouched()}))

    def _of(self, chain: str, after: _Verdicts) -> _Verdicts:
        """The verdicts of a chain, when these can follow where it gives the packet back."""
        key = (chain, after)
        if key not in self._known:
            hops, _ = self._through(chain)
            following = after
            for hop in reversed(hops):
                self._left -= len(following)
                if self._left < 0:
                    raise TooComplexError("too many rules that are not decided here may apply")
                applied = self._applied(hop, following, after)
                if hop.undecided is not None:
                    if applied != following:
                        self._differing[chain, hop.number] = hop
                    applied |= following
                following = applied
            self._known[key] = following
        return self._known[key]

    def _applied(self, hop: Hop, following: _Verdicts, after: _Verdicts) -> _Verdicts:
        """The verdicts when the rule applies: of its target, or of what comes next."""
        target = hop.rule.target
        if isinstance(target, Return):
            return after
        if isinstance(target, Jump):
            return self._of(target.chain, following)
        if isinstance(target, ForeignTarget) and target.goes_on:
            return following
        return frozenset({verdict_of(target)})

    def _through(self, chain: str) -> tuple[list[Hop], bool]:
        """The rules of a chain that can apply and are met, and whether it can give back."""
        if chain not in self._reached:
            self._entered.append(chain)
            hops: list[Hop] = []
            gives_back = ends = False
            for hop in tried(self._chains[chain], chain, self._packet):
                if hop.failed is not None:
                    continue
                hops.append(hop)
                target = hop.rule.target
                gives_back = gives_back or isinstance(target, Return)
                ends = hop.undecided is None and self._ends(target)
                if ends:
                    break
            self._reached[chain] = (hops, gives_back or not ends)
        return self._reached[chain]

    def _ends(self, target: object) -> bool:
        """Whether no rule after one with this target is met."""
        if isinstance(target, Jump):
            return not self._through(target.chain)[1]
        return not (isinstance(target, ForeignTarget) and target.goes_on)


def _holds(match: Match, packet: Packet) -> bool:
    return _holds_plainly(match, packet) != match.negated


def _holds_plainly(match: Match, packet: Packet) -> bool:
    match match:
        case Protocol():
            return protocol_number(match.name) in (0, protocol_number(packet.protocol))
        case Source():
            return _from(match, packet)
        case Destination():
            return inside(match.cidr, packet.destination)
        case InInterface():
            return interface_matches(match.name, _interface(packet, "inbound"))
        case OutInterface():
            return interface_matches(match.name, _interface(packet, "outbound"))
        case DestinationPort():
            return _within(packet.port, match.ports.bounds)
        case Multiport():
            return any(_within(packet.port, ports.bounds) for ports in match.ports)
        case UidOwner():
            return _within(packet.uid, match.bounds)
        case ForeignMatch():
            return True  # it may: see tried
        case _:
            assert_never(match)


def _interface(packet: Packet, direction: Direction) -> str:
    """The interface of a direction: a packet has none of the other one."""
    return packet.interface if packet.direction == direction else ""


def _within(number: int, bounds: tuple[int, int]) -> bool:
    return bounds[0] <= number <= bounds[1]


def _from(match: Source, packet: Packet) -> bool:
    """Whether the packet comes from the range; every packet comes from somewhere."""
    if not packet.source and ipv4_range(match.cidr) != (0, IPV4_END):
        raise InputError(f"a rule asks for the source, {match_text(match)}: expected one, --from")
    return not packet.source or inside(match.cidr, packet.source)
