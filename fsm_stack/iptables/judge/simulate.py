"""What the rules do to one packet: every rule tried, the one that decides, and what comes after.

The walk is the kernel's: chains in order, RETURN to the caller, the hook's policy at the end. A
match that nobody here decides may hold: the verdict is then every one that can follow, and the
rules that make the difference are named.
Only a connection's first packet is examined; a packet that loops back over ``lo`` is not examined
again at PREROUTING (nf_nat keeps the first decision).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.judge.branches import Branches, tried
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
    require_sane,
    verdict_of,
)
from fsm_stack.iptables.rule import (
    OUTPUT,
    POD_IP_VARIABLE,
    PREROUTING,
    ForeignTarget,
    Jump,
    Return,
)
from fsm_stack.iptables.sets.ranges import (
    looks_like_ipv6,
)
from fsm_stack.well_known import SIDECAR_UID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fsm_stack.iptables.packet import Decided, Verdict
    from fsm_stack.iptables.rule import Rule, Ruleset

LOOPBACK: Final = "lo"
LOCALHOST: Final = "127.0.0.1"
# App to outbound listener, on to the pod itself, to the inbound listener, to the application.
_PASSES_MAX: Final = 4


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
        branches = Branches(chains, packet)
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
        for hop in tried(self._chains[chain], chain, self._packet):
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
