"""Rules as values: chains, matches, targets, and the reason for each rule.

A rule set keeps the script's own order of steps (``-A`` and ``-I``), because that is what is
written; :func:`kernel_order` gives each chain as the kernel walks it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, assert_never

from fsm_stack import lists

if TYPE_CHECKING:
    from collections.abc import Mapping


class Reason(Enum):
    """Why a rule is there.

    Attributes:
        text: the reason in words.
        entries_of: the list whose entries the rule is made from; None: every script has the rule.
    """

    TO_INBOUND_LISTENER = "intercepted inbound traffic goes to the sidecar's inbound listener"
    HOOK_INBOUND = "every TCP connection that enters the pod is examined"
    PROMETHEUS = "Prometheus scrapes the sidecar itself on this port"
    LIVENESS = "the rewritten liveness probes go to the sidecar itself"
    READINESS = "the rewritten readiness probes go to the sidecar itself"
    STARTUP = "the rewritten startup probes go to the sidecar itself"
    HEALTHCHECK = "the health-check helper answers here, bypassing the sidecar"
    INTERCEPT_INBOUND = "what no inbound rule excluded is intercepted"
    INBOUND_INTERFACE = "traffic that enters through this interface is excluded", lists.INTERFACES
    INBOUND_PORTS = "these inbound ports are excluded", lists.INBOUND_PORTS
    TO_OUTBOUND_LISTENER = "intercepted outbound traffic goes to the sidecar's outbound listener"
    ADMIN = "meant to spare the sidecar's admin port; dead, the rule before it takes all TCP"
    HOOK_OUTBOUND = "every TCP connection that leaves a process of the pod is examined"
    SELF_CALL = "the sidecar calls its own pod through a service: treat it as inbound"
    APP_LOOPBACK = "processes of the pod that talk over loopback are not intercepted"
    SIDECAR = "the sidecar's own traffic must not loop back into it"
    LOCALHOST = "traffic to localhost is not intercepted"
    DNS = "DNS queries to the local resolver go to the sidecar's DNS listener"
    POD_IP = "the sidecar reaches the application at the pod's address, not at localhost"
    OUTBOUND_INTERFACE = "traffic that leaves through this interface is excluded", lists.INTERFACES
    OUTBOUND_RANGE = "this outbound IP range is excluded", lists.EXCLUDED_RANGES
    OUTBOUND_PORTS = "these outbound ports are excluded", lists.OUTBOUND_PORTS
    INCLUDED_RANGE = "this outbound IP range is included", lists.INCLUDED_RANGES
    INTERCEPT_OUTBOUND = "what no outbound rule excluded is intercepted"
    NOT_INCLUDED = "only the included ranges are intercepted"
    UNKNOWN = "not a rule of any known injector"

    def __init__(self, text: str, entries_of: lists.ListName | None = None) -> None:
        """One reason."""
        self.text = text
        self.entries_of = entries_of


PREROUTING: Final = "PREROUTING"
OUTPUT: Final = "OUTPUT"
# Filled in by the shell that runs the script, from the init container's environment.
POD_IP_VARIABLE: Final = "$POD_IP"
# Of the hooks of the nat table these two only translate the source of a connection.
SOURCE_HOOKS: Final = ("INPUT", "POSTROUTING")
BUILT_IN_CHAINS: Final = (PREROUTING, OUTPUT, *SOURCE_HOOKS)
STANDARD_TARGETS: Final = frozenset({"ACCEPT", "DROP", "RETURN", "QUEUE"})


@dataclass(frozen=True, slots=True)
class Ports:
    """One port or a range, both ends inside; ``Ports(80)`` is ``80``, ``Ports(80, 90)`` ``80:90``.

    The numbers may be nonsense (0, -1, 70000): the injector prints whatever it gets.
    """

    first: int
    last: int | None = None

    def __str__(self) -> str:
        """As iptables writes it."""
        return str(self.first) if self.last is None else f"{self.first}:{self.last}"

    @property
    def bounds(self) -> tuple[int, int]:
        """First and last, both inside."""
        return (self.first, self.first if self.last is None else self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Name:
    """A match of one name; its kinds differ in their class alone, which equality asks for."""

    name: str
    negated: bool = False


class Protocol(_Name):
    """``-p NAME``."""

    __slots__ = ()


class InInterface(_Name):
    """``-i NAME``; a ``+`` at the end matches every name that starts so."""

    __slots__ = ()


class OutInterface(_Name):
    """``-o NAME``; a ``+`` at the end matches every name that starts so."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """A match of one range, as written."""

    cidr: str
    negated: bool = False


class Source(_Range):
    """``-s RANGE``."""

    __slots__ = ()


class Destination(_Range):
    """``-d RANGE``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationPort:
    """``--dport N`` or ``--dport N:M``."""

    ports: Ports
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiport:
    """``--match multiport --dports A,B,...``; the kernel takes 15."""

    ports: tuple[Ports, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UidOwner:
    """``-m owner --uid-owner N``; only locally made packets have an owner."""

    first: int
    last: int | None = None
    negated: bool = False

    @property
    def bounds(self) -> tuple[int, int]:
        """First and last uid, both inside."""
        return (self.first, self.first if self.last is None else self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignMatch:
    """A match that nobody here decides, its negation inside the text: it may match, or not.

    Attributes:
        text: as written: ``-m addrtype ! --dst-type LOCAL``, ``-d $self/32``.
    """

    text: str

    @property
    def negated(self) -> bool:
        """Never: nothing is known of what it matches, nor of the rest."""
        return False


# What is decided of a packet alone.
Decidable = (
    Protocol
    | Source
    | Destination
    | InInterface
    | OutInterface
    | DestinationPort
    | Multiport
    | UidOwner
)
Match = Decidable | ForeignMatch


@dataclass(frozen=True, slots=True)
class _Bare:
    """A target without a parameter."""


class Return(_Bare):
    """``-j RETURN``: back to the calling chain."""

    __slots__ = ()


class Accept(_Bare):
    """``-j ACCEPT``: leave the table without a change."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """``-j REDIRECT --to-port N``: to a port of this host."""

    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dnat:
    """``-j DNAT --to-destination ADDRESS[:PORT]``; ``$POD_IP`` is the shell's to fill in."""

    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """``-j CHAIN``."""

    chain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignTarget:
    """A target of other programs' rules.

    Attributes:
        text: as written: ``-j MARK --set-xmark 0x4000/0x4000``; empty: the rule counts only.
        goes_on: whether the kernel tries the next rule after it, as after LOG and MARK; otherwise
            what it makes of a packet is not known.
    """

    text: str
    goes_on: bool

    @property
    def name(self) -> str:
        """The target's name; empty: the rule counts only, or goes to a chain with ``-g``."""
        option, _, rest = self.text.partition(" ")
        return rest.partition(" ")[0] if option in ("-j", "--jump") else ""


Target = Return | Accept | Redirect | Dnat | Jump | ForeignTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """All matches hold, then the target.

    Attributes:
        matches: in the order in which they are written; the kernel's answer does not depend on it.
        target: what happens to a packet that they all match.
        why: the reason; not part of the rule's equality.
        line: where a reader found it, 1-based; not part of the rule's equality.
        column: likewise.
        comment: what ``-m comment`` says; not part of the rule's equality.
    """

    matches: tuple[Match, ...] = ()
    target: Target
    why: Reason = field(default=Reason.UNKNOWN, compare=False)
    line: int | None = field(default=None, compare=False)
    column: int | None = field(default=None, compare=False)
    comment: str = field(default="", compare=False)

    @property
    def foreign(self) -> ForeignMatch | None:
        """The first match that nobody here decides; the rule then may match."""
        return next((one for one in self.matches if isinstance(one, ForeignMatch)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """``-A CHAIN``."""

    chain: str
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """``-I CHAIN [POSITION]``; position is 1-based."""

    chain: str
    rule: Rule
    position: int = 1


Step = Append | Insert


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruleset:
    """The nat table as a script builds it.

    Attributes:
        chains: the declared chains that are not built in, in order.
        steps: in the script's order.
        comment: the script's comment line without ``# ``; not part of the equality.
    """

    chains: tuple[str, ...]
    steps: tuple[Step, ...]
    comment: str = field(default="", compare=False)


def kernel_order(ruleset: Ruleset) -> Mapping[str, tuple[Rule, ...]]:
    """Each chain's rules in the order in which the kernel tries them.

    Every declared chain, PREROUTING and OUTPUT are present, empty ones too; so is a chain that a
    step names without a declaration.
    """
    # Inserting at the head of a list moves everything in it; a dump may have 100,000 such steps.
    built: dict[str, deque[Rule]] = {
        name: deque() for name in (PREROUTING, OUTPUT, *ruleset.chains)
    }
    for step in ruleset.steps:
        rules = built.setdefault(step.chain, deque())
        match step:
            case Append():
                rules.append(step.rule)
            case Insert():
                rules.insert(step.position - 1, step.rule)
            case _:
                assert_never(step)
    return {name: tuple(rules) for name, rules in built.items()}
