"""What the rules do to one packet: every rule tried, the one that decides, and what comes after.

The walk is the kernel's: chains in order, RETURN to the caller, the hook's policy at the end. A
match that nobody here decides may hold: the verdict is then every one that can follow, and the
rules that make the difference are named.
Only a connection's first packet is examined; a packet that loops back over ``lo`` is not examined
again at PREROUTING (nf_nat keeps the first decision).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, assert_never

from fsm_stack.errors import InputError
from fsm_stack.iptables.judge.loadable import require_loadable
from fsm_stack.iptables.packet import (
    Hop,
    May,
    Packet,
    Pass,
    Pod,
    Rewritten,
    ToListener,
    Trace,
    Untouched,
    endpoint_text,
    one_of,
    protocol_number,
    require_sane,
    verdict_of,
)
from fsm_stack.iptables.rule import (
    OUTPUT,
    POD_IP_VARIABLE,
    PREROUTING,
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
    address_number,
    interface_matches,
    ipv4_range,
    looks_like_ipv6,
)
from fsm_stack.iptables.write import match_text
from fsm_stack.well_known import SIDECAR_UID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.iptables.packet import Decided, Direction, Verdict
    from fsm_stack.iptables.rule import Match, Rule, Ruleset

LOOPBACK: Final = "lo"
LOCALHOST: Final = "127.0.0.1"
# App to outbound listener, on to the pod itself, to the inbound listener, to the application.
_PASSES_MAX: Final = 4
# Rules times verdicts that may follow them; a node's dump takes a thousandth of it.
_WORK: Final = 2_000_000


def trace(
    ruleset: Ruleset, packet: Packet, *, pod: Pod | None = None, resolves_to: str = ""
) -> Trace:
    """Walk a packet through the rules, and follow what the sidecar then does.

    Args:
        ruleset: rules that iptables can load.
        packet: the connection to ask about.
        pod: its address tells calls of the pod to itself apart.
        resolves_to: where the sidecar connects to on behalf of the application, when that is not
            the packet's own destination: the endpoint behind a service's address.

    Raises:
        NotLoadableError: iptables would refuse the rules.
        InputError: the packet is none: an address, a port, a protocol, a uid; or a rule asks for
            its source, and it has none.
        TooComplexError: too much depends on rules that are not decided here.
    """
    pod = pod or Pod()
    chains = require_loadable(ruleset)
    require_sane(packet)
    title = _title(packet)
    packet = _with_interface(packet, pod)
    passes = [_one_pass(chains, packet, title, pod)]
    while len(passes) < _PASSES_MAX:
        following = _following(passes[-1], pod, resolves_to)
        if following is None:
            break
        passes.append(_one_pass(chains, _with_interface(following[1], pod), following[0], pod))
    return Trace(passes=tuple(passes))


def _title(packet: Packet) -> str:
    where, tcp = endpoint_text(packet), packet.protocol == "tcp"
    verb = "connects to" if tcp else f"sends {packet.protocol.upper()} to"
    if packet.direction == "inbound":
        return f"a client {verb} {where}"
    who = "the sidecar" if packet.uid == SIDECAR_UID else "a process of the pod"
    return f"{who} {verb} {where}"


def _with_interface(packet: Packet, pod: Pod) -> Packet:
    if packet.interface:
        return packet
    local = packet.direction == "outbound" and pod.owns(packet.destination)
    return replace(packet, interface=LOOPBACK if local else pod.interface)


def _following(last: Pass, pod: Pod, resolves_to: str) -> tuple[str, Packet] | None:
    """The connection that the sidecar opens because of the last one."""
    if not isinstance(last.verdict, ToListener):
        return None
    packet = last.packet
    if last.verdict.listener == "outbound":
        to = resolves_to or packet.destination
        interface = LOOPBACK if pod.owns(to) else packet.interface
        onward = replace(packet, destination=to, uid=SIDECAR_UID, interface=interface)
        return (f"the sidecar connects on to {endpoint_text(onward)}", onward)
    handover = Packet(
        direction="outbound",
        destination=LOCALHOST,
        port=packet.port,
        source=LOCALHOST,
        uid=SIDECAR_UID,
        interface=LOOPBACK,
    )
    return (f"the sidecar hands over to the application's port {packet.port}", handover)


def _one_pass(
    chains: Mapping[str, tuple[Rule, ...]], packet: Packet, title: str, pod: Pod
) -> Pass:
    if looks_like_ipv6(packet.destination):
        return Pass(
            title=title,
            packet=packet,
            hops=(),
            verdict=Untouched(),
            decided_by=None,
            why="not intercepted: IPv6, and the rules are in the IPv4 table only",
        )
    hook = OUTPUT if packet.direction == "outbound" else PREROUTING
    walk = _Walk(chains, packet)
    verdict, decided = walk.through(hook)
    final: Verdict = verdict or Untouched()
    undecided: tuple[Hop, ...] = ()
    if walk.undecided:
        branches = _Branches(chains, packet)
        verdicts = branches.verdicts(hook)
        final = one_of(
            verdicts, (hop.undecided.text for hop in branches.differing if hop.undecided)
        )
        undecided = tuple(branches.differing) if isinstance(final, May) else ()
    why = decided.rule.why.text if decided else _no_rule(packet)
    if undecided:
        decided, why = None, _depends(undecided)
    return Pass(
        title=title,
        packet=packet,
        hops=tuple(walk.hops),
        verdict=_with_address(final, pod),
        decided_by=decided,
        why=why,
        undecided=undecided,
    )


def _with_address(verdict: Verdict, pod: Pod) -> Verdict:
    """The pod's address for the shell's variable, where it is known."""
    if isinstance(verdict, May):
        return replace(verdict, among=tuple(_own(one, pod) for one in verdict.among))
    return _own(verdict, pod)


def _own(verdict: Decided, pod: Pod) -> Decided:
    if isinstance(verdict, Rewritten) and verdict.address == POD_IP_VARIABLE:
        return replace(verdict, address=pod.address or verdict.address)
    return verdict


def _depends(undecided: tuple[Hop, ...]) -> str:
    return f"it depends on what is not decided here: {'; '.join(dict.fromkeys(_texts(undecided)))}"


def _texts(undecided: Iterable[Hop]) -> list[str]:
    return [hop.undecided.text for hop in undecided if hop.undecided]


def _no_rule(packet: Packet) -> str:
    if packet.protocol == "tcp":
        return f"not intercepted: no rule examines this {packet.direction} connection"
    return f"not intercepted: {packet.protocol.upper()}, and only TCP is redirected"


def _tried(rules: tuple[Rule, ...], chain: str, packet: Packet) -> Iterator[Hop]:
    """The rules of a chain, each with what it says to the packet."""
    for number, rule in enumerate(rules, start=1):
        failed = next((one for one in rule.matches if not _holds(one, packet)), None)
        undecided = rule.foreign if failed is None else None
        yield Hop(chain=chain, number=number, rule=rule, failed=failed, undecided=undecided)


class _Walk:
    """One packet's way; every chain is walked once, since the second time would be the same.

    A rule that may apply is taken for one that does not.

    Attributes:
        hops: every rule tried. A chain that gave the packet back already is not listed again.
        undecided: whether some rule may apply.
    """

    def __init__(self, chains: Mapping[str, tuple[Rule, ...]], packet: Packet) -> None:
        self._chains, self._packet = chains, packet
        self._returned: dict[str, Hop | None] = {}
        self.hops: list[Hop] = []
        self.undecided = False

    def through(self, chain: str) -> tuple[Decided | None, Hop | None]:
        """The verdict of a chain, None: it gave the packet back; and the last rule that held."""
        last: Hop | None = None
        for hop in _tried(self._chains[chain], chain, self._packet):
            self.hops.append(hop)
            self.undecided = self.undecided or hop.undecided is not None
            if not hop.matched:
                continue
            target = hop.rule.target
            if isinstance(target, ForeignTarget) and target.goes_on:
                continue
            last = hop
            if isinstance(target, Return):
                return (None, last)
            if isinstance(target, Jump):
                verdict, inner = self._beyond(target.chain)
                last = inner or last
                if verdict is not None:
                    return (verdict, last)
            else:
                return (verdict_of(target), last)
        return (None, last)

    def _beyond(self, chain: str) -> tuple[Decided | None, Hop | None]:
        if chain in self._returned:
            return (None, self._returned[chain])
        verdict, last = self.through(chain)
        if verdict is None:
            self._returned[chain] = last
        return (verdict, last)


_Verdicts = frozenset["Decided"]


class _Branches:
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
            for hop in _tried(self._chains[chain], chain, self._packet):
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
            return _inside(match.cidr, packet.destination)
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
            return True  # it may: see _tried
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
    return not packet.source or _inside(match.cidr, packet.source)


def _inside(cidr: str, address: str) -> bool:
    bounds, number = ipv4_range(cidr), address_number(address)
    return bounds is not None and number is not None and bounds[0] <= number < bounds[1]
