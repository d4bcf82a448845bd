"""A packet to ask about, what finally happens to it, and the account of how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, assert_never

from fsm_stack.errors import InputError
from fsm_stack.iptables.rule import Accept, Dnat, ForeignTarget, Redirect
from fsm_stack.iptables.sets.ranges import PROTOCOLS, address_number, looks_like_ipv6, plain_number
from fsm_stack.well_known import INBOUND_LISTENER_PORT, OUTBOUND_LISTENER_PORT, PORT_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_stack.iptables.rule import ForeignMatch, Match, Rule


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


# So many of the verdicts that may be are told.
_TOLD: Final = 6
Listener = Literal["outbound", "inbound"]
_LISTENERS: dict[int, Listener] = {
    OUTBOUND_LISTENER_PORT: "outbound",
    INBOUND_LISTENER_PORT: "inbound",
}


@dataclass(frozen=True, slots=True, order=True)
class ToListener:
    """Sent to a listener of the sidecar."""

    listener: Listener
    port: int


@dataclass(frozen=True, slots=True, order=True)
class Rewritten:
    """Sent to another address, to another port, or both; None keeps what the packet has."""

    address: str | None
    port: int | None


@dataclass(frozen=True, slots=True, order=True)
class Untouched:
    """Left as it is: the sidecar never sees it."""


@dataclass(frozen=True, slots=True, order=True)
class Handed:
    """Given to a target of which only its own program knows what it does.

    Attributes:
        to: the target as written, ``-j NFQUEUE --queue-num 1``.
    """

    to: str


@dataclass(frozen=True, slots=True, order=True)
class Dropped:
    """Thrown away: nothing arrives anywhere, and the connection times out."""


Decided = ToListener | Rewritten | Untouched | Dropped | Handed


@dataclass(frozen=True, slots=True)
class May:
    """One of several: a rule that nobody here decides makes the difference.

    Attributes:
        among: two or more, in the order of their texts.
        on: the matches that it depends on, as written. A set of traffic may name some that make
            no difference beside others.
    """

    among: tuple[Decided, ...]
    on: tuple[str, ...] = ()


Verdict = Decided | May


def one_of(verdicts: Iterable[Decided], on: Iterable[str]) -> Verdict:
    """The verdict when only these are left: the one, or that it may be any of them.

    Args:
        verdicts: at least one.
        on: the matches that decide between them.
    """
    among = sorted(set(verdicts), key=verdict_text)
    return among[0] if len(among) == 1 else May(tuple(among), tuple(sorted(set(on))))


def may_reach_sidecar(verdict: Verdict) -> bool:
    """Whether it goes to a listener of the sidecar, or may."""
    return any(isinstance(one, ToListener) for one in _among(verdict))


def may_bypass(verdict: Verdict) -> bool:
    """Whether it is left as it is, or may be."""
    return any(isinstance(one, Untouched) for one in _among(verdict))


def _among(verdict: Verdict) -> tuple[Decided, ...]:
    return verdict.among if isinstance(verdict, May) else (verdict,)


def redirected_to(port: int) -> Decided:
    """What ``REDIRECT --to-port`` means: a listener of the sidecar, or another local port."""
    listener = _LISTENERS.get(port)
    return ToListener(listener, port) if listener else Rewritten("127.0.0.1", port)


def sent_to(destination: str) -> Rewritten:
    """What ``DNAT --to-destination ADDRESS[:PORT]`` means."""
    address, colon, port = destination.partition(":")
    return Rewritten(address, int(port) if colon else None)


def verdict_of(target: Accept | Redirect | Dnat | ForeignTarget) -> Decided:
    """What a target makes of a packet that no further rule sees."""
    match target:
        case Accept():
            return Untouched()
        case Redirect():
            return redirected_to(target.port)
        case Dnat():
            return sent_to(target.to)
        case ForeignTarget():
            return Dropped() if target.name == "DROP" else Handed(target.text)
        case _:
            assert_never(target)


def verdict_text(verdict: Verdict) -> str:
    """The verdict for people: ``to the outbound listener (15001)``."""
    match verdict:
        case ToListener():
            return f"to the {verdict.listener} listener ({verdict.port})"
        case Rewritten():
            address = verdict.address or "the same address"
            return f"rewritten to {address}" + (
                f":{verdict.port}" if verdict.port is not None else ""
            )
        case Untouched():
            return "untouched"
        case Dropped():
            return "dropped"
        case Handed():
            return f"handed to {verdict.to.removeprefix('-j ')}"
        case May():
            texts = [verdict_text(one) for one in verdict.among[:_TOLD]]
            more = len(verdict.among) - len(texts)
            return f"either {' or '.join(texts)}" + (f" or {more} others" if more else "")
        case _:
            assert_never(verdict)


Direction = Literal["outbound", "inbound"]
# Protocols whose packets have ports; the others are asked about by address alone.
WITH_PORTS: Final = frozenset({"tcp", "udp", "udplite", "sctp", "dccp"})
_LOOPBACK_NETWORK: Final = (0x7F000000, 0x80000000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """The first packet of a connection.

    Attributes:
        direction: ``outbound``: made by a process of the pod; ``inbound``: it enters the pod.
        destination: IPv4 or IPv6 address, as the rules see it: what a CNI rewrote at the socket
            before is not the service's address any more; see also
            :func:`fsm_stack.iptables.sets.ranges.on_the_wire`.
        port: destination port, 0 to 65535; ignored for protocols without ports.
        protocol: ``tcp``, ``udp``, ``icmp``, ...
        source: IPv4 or IPv6 address; empty: unknown, an error where a rule looks at it.
        interface: it leaves or enters through this one; empty: ``lo`` for the pod's own addresses,
            else the pod's.
        uid: of the sending process; ignored inbound.
    """

    direction: Direction
    destination: str
    port: int = 0
    protocol: str = "tcp"
    source: str = ""
    interface: str = ""
    uid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What the rules do not say and a walk may need.

    Attributes:
        address: the pod's address; empty: unknown.
        interface: the one that leads out of the pod.
    """

    address: str = ""
    interface: str = "eth0"

    def owns(self, address: str) -> bool:
        """Whether a connection to this address stays inside the pod."""
        number = address_number(address)
        if number is None:
            return address == "::1" or (bool(address) and address == self.address)
        start, end = _LOOPBACK_NETWORK
        return start <= number < end or number == address_number(self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One rule tried.

    Attributes:
        chain: its chain.
        number: its place there in the kernel's order, 1-based.
        rule: the rule, with its reason.
        failed: the first match that did not hold; None: the rule applied, or may.
        undecided: the first match that nobody here decides, where all others hold.
    """

    chain: str
    number: int
    rule: Rule
    failed: Match | None
    undecided: ForeignMatch | None = None

    @property
    def matched(self) -> bool:
        """Whether the rule applied."""
        return self.failed is None and self.undecided is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One connection's way through the rules.

    Attributes:
        title: who connects to whom.
        packet: its first packet, interface filled in.
        hops: every rule tried, in order.
        verdict: the answer.
        decided_by: the rule that gave it; None: no rule did, or it depends on others.
        why: the reason of that rule, or why no rule applies.
        undecided: the rules that may apply and of which the verdict depends.
    """

    title: str
    packet: Packet
    hops: tuple[Hop, ...]
    verdict: Verdict
    decided_by: Hop | None
    why: str
    undecided: tuple[Hop, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A packet's whole way: its own pass first, then the sidecar's connections for it."""

    passes: tuple[Pass, ...]

    @property
    def verdict(self) -> Verdict:
        """What happens to the packet that was asked about."""
        return self.passes[0].verdict

    @property
    def decided_by(self) -> Hop | None:
        """The rule that decided that."""
        return self.passes[0].decided_by

    @property
    def undecided(self) -> tuple[Hop, ...]:
        """The rules that may apply and of which that depends."""
        return self.passes[0].undecided

    @property
    def why(self) -> str:
        """The reason."""
        return self.passes[0].why


def endpoint_text(packet: Packet) -> str:
    """Where it goes: ``10.1.2.3:443``, ``[fd00::1]:443``, an address alone without ports."""
    address = packet.destination
    if packet.protocol not in WITH_PORTS:
        return address
    return f"[{address}]:{packet.port}" if ":" in address else f"{address}:{packet.port}"


def require_sane(packet: Packet) -> None:
    """Refuse a packet that cannot exist.

    Raises:
        InputError: an address, a protocol, a port or a uid is none.
    """
    for label, address in (("destination", packet.destination), ("source", packet.source)):
        if address_number(address) is None and not looks_like_ipv6(address):
            if label == "source" and not address:
                continue
            raise InputError(f"{label} {address!r}: expected an IPv4 or IPv6 address")
    if packet.protocol not in PROTOCOLS:
        known = ", ".join(PROTOCOLS)
        raise InputError(f"protocol {packet.protocol!r}: expected one of {known}")
    if not 0 <= packet.port <= PORT_MAX:
        raise InputError(f"port {packet.port}: expected 0 to {PORT_MAX}")
    if packet.uid < 0:
        raise InputError(f"uid {packet.uid}: expected 0 or more")
