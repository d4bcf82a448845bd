"""The smallest lists that mean the same: no verdict changes, every pod gets fewer rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import InputError
from fsm_stack.iptables.generate import DIRECT_INBOUND_PORTS, LOCALHOST
from fsm_stack.iptables.judge.loadable import match_refusals
from fsm_stack.iptables.rule import Destination, DestinationPort, OutInterface, Ports
from fsm_stack.iptables.sets.ranges import (
    IPV4_END,
    cidr_text,
    cidrs,
    complement,
    interface_interval,
    intersection,
    ipv4_range,
    ipv4_ranges,
    merged,
)
from fsm_stack.lists import LISTS, InterceptLists, unique

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsm_stack.iptables.rule import Match
    from fsm_stack.lists import ListName

Range = tuple[int, int]
_EVERYWHERE: Final = "+"
_ALL: Final[Range] = (0, IPV4_END)
# The static rules return these before any list is looked at.
_LOCALHOST: Final[Range] = ipv4_range(LOCALHOST.cidr) or _ALL
_STATIC_INBOUND: Final = frozenset(port for port, _ in DIRECT_INBOUND_PORTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What tidying does to one list.

    Attributes:
        name: the list.
        before: its entries as text.
        after: likewise.
    """

    name: ListName
    before: tuple[str, ...]
    after: tuple[str, ...]

    def __str__(self) -> str:
        """``outboundIPRangeExclusionList: 3 entries become 1: 10.0.0.0/8``."""
        entries = "entry becomes" if len(self.before) == 1 else "entries become"
        kept = f": {', '.join(self.after)}" if self.after else ""
        return f"{self.name.key}: {len(self.before)} {entries} {len(self.after)}{kept}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """Tidy lists and what changed.

    Attributes:
        lists: they mean the same as the ones that came in.
        changes: one for each list that is different; empty: nothing to do.
    """

    lists: InterceptLists
    changes: tuple[Change, ...]


def tidy(lists: InterceptLists) -> Tidied:
    """The smallest equal lists.

    Duplicates, shadowed entries and host bits go; neighbouring ranges merge; a list whose tidy
    form has as many entries as before keeps its order and its spelling of what stays.

    Raises:
        InputError: an entry that iptables would refuse: it means nothing, so nothing is equal.
    """
    _require_loadable_entries(lists)
    interfaces = _interfaces(lists.interfaces)
    excluded, included = _ranges(lists.excluded_ranges, lists.included_ranges)
    outbound, inbound = (
        unique(lists.outbound_ports),
        unique(port for port in lists.inbound_ports if port not in _STATIC_INBOUND),
    )
    if _EVERYWHERE in interfaces:
        excluded, included, outbound, inbound = (), (), (), ()
    if _takes_everything(excluded):
        outbound, included = (), ()
    tidied = replace(
        lists,
        interfaces=interfaces,
        excluded_ranges=excluded,
        included_ranges=included,
        outbound_ports=outbound,
        inbound_ports=inbound,
    )
    return Tidied(lists=tidied, changes=tuple(_changes(lists, tidied)))


def _changes(before: InterceptLists, after: InterceptLists) -> Iterator[Change]:
    for name in LISTS:
        old, new = before.entries(name), after.entries(name)
        if old != new:
            yield Change(name=name, before=tuple(map(str, old)), after=tuple(map(str, new)))


def _require_loadable_entries(lists: InterceptLists) -> None:
    for match in _matches(lists):
        for _, message, _ in match_refusals(match):
            raise InputError(f"these lists cannot be tidied: {message}")


def _matches(lists: InterceptLists) -> Iterator[Match]:
    for name in lists.interfaces:
        yield OutInterface(name=name)
    for cidr in (*lists.excluded_ranges, *lists.included_ranges):
        yield Destination(cidr=cidr)
    for port in (*lists.outbound_ports, *lists.inbound_ports):
        yield DestinationPort(ports=Ports(port))


def _interfaces(names: tuple[str, ...]) -> tuple[str, ...]:
    """Without names that another pattern of the list takes too."""
    names = unique(names)
    spans = {name: interface_interval(name) for name in names}

    def covered(name: str) -> bool:
        return any(
            other != name and intersection([spans[name]], [spans[other]]) == [spans[name]]
            for other in names
        )

    return tuple(name for name in names if not covered(name))


def _takes_everything(excluded: tuple[str, ...]) -> bool:
    return not complement(merged([*ipv4_ranges(excluded), _LOCALHOST]), *_ALL)


def _ranges(
    exclusions: tuple[str, ...], inclusions: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Fewer exclusions and inclusions with the same effect on every address.

    Each list is merged by itself first; then the two are narrowed against each other for as long
    as that makes them shorter.
    """
    now = (_spelled(exclusions, _exactly(exclusions)), _spelled(inclusions, _exactly(inclusions)))
    while True:
        then = _against_each_other(*now)
        if len(then[0]) + len(then[1]) >= len(now[0]) + len(now[1]):
            return now
        now = then


def _exactly(texts: tuple[str, ...]) -> list[str]:
    return [cidr for start, end in merged(ipv4_ranges(texts)) for cidr in cidrs(start, end)]


def _against_each_other(
    exclusions: tuple[str, ...], inclusions: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    excluded = merged(ipv4_ranges(exclusions))
    included = merged(ipv4_ranges(inclusions)) if inclusions else [_ALL]
    free = [_LOCALHOST]
    redirected = _minus(_minus(included, excluded), free)
    if inclusions and not redirected:
        # Nothing is redirected, and an empty inclusion list would mean everything.
        first = cover(included, [])
        return (_spelled(exclusions, first), _spelled(inclusions, first))
    needed = _minus(intersection(excluded, included), free)
    kept = cover(needed, redirected)
    if not inclusions:
        return (_spelled(exclusions, kept), ())
    untouched = _minus([_ALL], redirected)
    narrowed = cover(redirected, _minus(untouched, [*ipv4_ranges(kept), *free]))
    alone = cover(redirected, _minus(untouched, free))
    if len(alone) <= len(kept) + len(narrowed):
        kept, narrowed = [], alone
    return (_spelled(exclusions, kept), _spelled(inclusions, narrowed))


def cover(wanted: Sequence[Range], forbidden: Sequence[Range]) -> list[str]:
    """The fewest CIDRs that hold every wanted address and no forbidden one.

    What is neither may be covered; each CIDR is as narrow as its wanted addresses allow.

    Args:
        wanted: sorted, disjoint intervals.
        forbidden: likewise, disjoint from the wanted.
    """
    found: list[str] = []
    todo = [(*_ALL, list(wanted), list(forbidden))]
    while todo:
        start, end, inside, outside = todo.pop()
        if not inside:
            continue
        if not outside:
            found.append(_narrowest(inside[0][0], inside[-1][1]))
            continue
        middle = (start + end) // 2
        for low, high in ((middle, end), (start, middle)):
            part = [(low, high)]
            todo.append((low, high, intersection(inside, part), intersection(outside, part)))
    return found


def _narrowest(start: int, end: int) -> str:
    """The smallest CIDR that holds an interval."""
    size = 1 << (start ^ (end - 1)).bit_length()
    base = start & ~(size - 1)
    return cidr_text(base, base + size)


def _minus(left: Sequence[Range], right: Sequence[Range]) -> list[Range]:
    kept: list[Range] = intersection(left, complement(merged(list(right)), *_ALL))
    return kept


def _spelled(before: tuple[str, ...], after: list[str]) -> tuple[str, ...]:
    """Tidy ranges in the order of the old list, where they are the same ranges; else sorted."""
    wanted = {ipv4_range(text): text for text in after}
    if len(wanted) == len({ipv4_range(text) for text in before} & wanted.keys()):
        ordered = dict.fromkeys(ipv4_range(text) for text in before)
        return tuple(wanted[bounds] for bounds in ordered if bounds in wanted)
    return tuple(after)
