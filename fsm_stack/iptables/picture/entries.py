"""Blocks of a lane, and the entries of a stack as blocks by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from fsm_stack.iptables.rule import (
    Destination,
    DestinationPort,
    InInterface,
    Multiport,
    OutInterface,
    Return,
    Rule,
)
from fsm_stack.iptables.sets.coverage import rule_limits
from fsm_stack.iptables.sets.diagram import AXES
from fsm_stack.iptables.sets.ranges import canonical, intersection, merged
from fsm_stack.iptables.sets.reach import addresses_text, numbers_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from fsm_stack.iptables.rule import Match, Reason
    from fsm_stack.iptables.sets.decisions import Group, LaneName
    from fsm_stack.iptables.sets.reach import Intervals, Region

ALL: Final = {name: ((first, end),) for name, first, end in AXES}
# So many entries of one rule stand by name; the others share one block.
ENTRIES_SHOWN: Final = 12


class Note(Protocol):
    """What a stack says of one of its entries."""

    @property
    def reason(self) -> str:
        """Why; empty when nobody said."""

    @property
    def owner(self) -> str:
        """Who answers for it; empty when nobody does."""

    @property
    def until(self) -> date | None:
        """Its last day."""

    @property
    def expired(self) -> bool:
        """Whether that day is past."""

    @property
    def path(self) -> str:
        """Where it is in the stack file."""


# Notes by the list's key and the canonical value, as fsm_stack.redirection.origins has them.
Notes = Mapping[tuple[str, str], "Sequence[Note]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a lane.

    Attributes:
        name: the entry's value, or what the part is.
        reason: why it is there.
        owner: of the entry, and its end.
        own: whether the lists made it, not the script that every pod has.
        minor: whether every pod has it and it takes no application's traffic out of the mesh.
        named: whether a stack file stands behind it, which has reasons and owners to give.
        context: what else limits it: protocol, interface, uid, source.
        addresses: its destinations.
        ports: its ports.
        mark: ``new`` or ``gone`` in a comparison; ``dead``: another rule takes all of it;
            ``expired``: past its end; else empty.
    """

    name: str
    reason: str
    owner: str = ""
    own: bool = False
    minor: bool = False
    named: bool = False
    context: str = ""
    addresses: Intervals = ALL["destination"]
    ports: Intervals = ALL["port"]
    mark: str = ""

    @property
    def text(self) -> str:
        """All of it in one line."""
        to = to_text(self.addresses, self.ports)
        parts = [self.name, self.reason, self.owner, self.context, to]
        return ", ".join(part for part in parts if part)


def to_text(addresses: Intervals, ports: Intervals) -> str:
    """``to 10.0.0.0/8 port any but 80``; empty for everything."""
    parts = []
    if addresses != ALL["destination"]:
        parts.append(f"to {addresses_text(addresses)}")
    if ports != ALL["port"]:
        parts.append(f"port {numbers_text(ports)}")
    return " ".join(parts)


def entries(
    group: Group, lane: LaneName, regions: Sequence[Region], notes: Notes | None
) -> Iterator[Block]:
    """One block an entry; past the first dozen they share one.

    What an entry sends to the sidecar is drawn without what others take out of it before.
    """
    every = [(value, match) for rule in group.rules for value, match in _values(rule)]
    for value, match in every[:ENTRIES_SHOWN]:
        block = _entry(group.why, value, match, notes)
        alive = [part for region in regions if (part := _within(block, region)) is not None]
        if lane == "sidecar":
            yield from alive
        else:
            yield block if alive else replace(block, mark="dead")
    if rest := every[ENTRIES_SHOWN:]:
        yield Block(
            name=f"and {len(rest):,} more", reason=group.why.text, own=True,
            context=_context_of_more(rest),
            addresses=_union(rest, "destination"), ports=_union(rest, "port"),
        )  # fmt: skip


def _context_of_more(rest: Sequence[tuple[str, Match]]) -> str:
    """Interfaces limit neither addresses nor ports: the first of them are named."""
    names = [value for value, match in rest if isinstance(match, InInterface | OutInterface)]
    return f"via {', '.join(names[:3])}{', …' if len(names) > 3 else ''}" if names else ""  # noqa: PLR2004


def _values(rule: Rule) -> Iterator[tuple[str, Match]]:
    """The entries that a rule was made from, each as a match of its own."""
    for match in rule.matches:
        if isinstance(match, Destination):
            yield (canonical(match.cidr) or match.cidr, match)
        elif isinstance(match, Multiport):
            for ports in match.ports:
                yield (str(ports), DestinationPort(ports=ports))
        elif isinstance(match, DestinationPort):
            yield (str(match.ports), match)
        elif isinstance(match, InInterface | OutInterface):
            yield (match.name, match)


def _extent(match: Match) -> dict[str, Intervals]:
    limits = rule_limits(Rule(matches=(match,), target=Return())) or {}
    return {axis: tuple(intervals) for axis, intervals in limits.items()}


def _union(every: Sequence[tuple[str, Match]], axis: str) -> Intervals:
    spans = [span for _, match in every for span in _extent(match).get(axis, ())]
    return tuple(merged(spans)) or ALL[axis]


def _entry(why: Reason, value: str, match: Match, notes: Notes | None) -> Block:
    assert why.entries_of is not None  # noqa: S101  # the caller's branch
    extent = _extent(match)
    told = (notes or {}).get((why.entries_of.key, value), [])
    prefix = "port " if isinstance(match, DestinationPort) else ""
    interface = isinstance(match, InInterface | OutInterface)
    return Block(
        name=f"interface {value}" if interface else prefix + value,
        reason="; ".join(dict.fromkeys(note.reason for note in told if note.reason)),
        owner=", ".join(dict.fromkeys(_owner(note) for note in told if _owner(note))),
        own=True,
        named=bool(told),
        addresses=extent.get("destination", ALL["destination"]),
        ports=extent.get("port", ALL["port"]),
        mark="expired" if any(note.expired for note in told) else "",
    )


def _owner(note: Note) -> str:
    end = f"until {note.until}" if note.until else ""
    return ", ".join(part for part in (note.owner, end) if part)


def _within(block: Block, region: Region) -> Block | None:
    """The part of an entry's block that is in a region; None: nothing."""
    addresses = tuple(intersection(block.addresses, region.destinations))
    ports = tuple(intersection(block.ports, region.ports))
    return replace(block, addresses=addresses, ports=ports) if addresses and ports else None
