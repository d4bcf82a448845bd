"""All traffic in three lanes: through the sidecar, around it, and never looked at.

A lane holds blocks: an entry of a stack by its own name, or what a rule that every script has
does. Which packet is in which lane is computed from the rules, as
:mod:`fsm_stack.iptables.sets.coverage` does, together with the rule that decided.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.iptables.packet import Rewritten, protocol_number, verdict_text
from fsm_stack.iptables.picture.entries import ALL, Block, Notes, entries
from fsm_stack.iptables.rule import DestinationPort, Reason
from fsm_stack.iptables.sets import reach as words
from fsm_stack.iptables.sets.decisions import HOOKS, LANES
from fsm_stack.iptables.write import match_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsm_stack.iptables.packet import Direction
    from fsm_stack.iptables.sets.decisions import Decisions, Fate, Group, LaneName
    from fsm_stack.iptables.sets.reach import Intervals, Region

TCP: Final = protocol_number("tcp")
_ONLY_TCP: Final = ((TCP, TCP + 1),)
_NOT_TCP: Final = ((0, TCP), (TCP + 1, 256))
# Rules of every script that say what becomes of all that the lists do not name.
_MAIN: Final = frozenset({
    Reason.INTERCEPT_OUTBOUND, Reason.INTERCEPT_INBOUND, Reason.NOT_INCLUDED, Reason.UNKNOWN,
})  # fmt: skip
# Short names of what every script does; its reason stands below.
_NAMES: Final = {
    Reason.INTERCEPT_OUTBOUND: "all other TCP",
    Reason.INTERCEPT_INBOUND: "all other TCP",
    Reason.NOT_INCLUDED: "every other address",
    Reason.SELF_CALL: "the pod calls itself",
    Reason.APP_LOOPBACK: "loopback",
    Reason.SIDECAR: "the sidecar itself",
    Reason.LOCALHOST: "localhost",
    Reason.DNS: "DNS",
    Reason.POD_IP: "the sidecar hands over",
    Reason.HOOK_OUTBOUND: "no rule decides",
    Reason.HOOK_INBOUND: "no rule decides",
}


# The blocks of each lane of each direction.
Lanes = dict["Direction", dict["LaneName", tuple[Block, ...]]]


def lanes(known: Decisions, notes: Notes | None = None) -> Lanes:
    """The blocks of every lane.

    Args:
        known: from :func:`decisions`.
        notes: what the stack says of its entries; None: no stack stands behind the rules.
    """
    found: Lanes = {}
    for direction, hook in HOOKS.items():
        blocks: dict[LaneName, list[Block]] = {name: [] for name in LANES}
        fates = known.fates(direction)
        for fate in fates:
            blocks[fate.lane].extend(_blocks(known, direction, fate, notes))
        alive = {fate.group for fate in fates}
        for number, group in enumerate(known.groups):
            if group.hook == hook and group.why.entries_of and number not in alive:
                blocks["bypass"].extend(entries(group, "bypass", (), notes))
        blocks["unseen"].append(
            Block(name="IPv6", reason="the rules are in the IPv4 table only", minor=True)
        )
        found[direction] = {
            name: tuple(sorted(row, key=lambda block: (not block.own, block.minor)))
            for name, row in blocks.items()
        }
    return found


def compared(before: Lanes, after: Lanes) -> Lanes:
    """The lanes after a change: entries that are new there are marked, those that went stand too.

    Args:
        before: the lanes of the first side.
        after: those of the second.
    """
    return {
        direction: {name: _compared(before[direction][name], rows[name]) for name in rows}
        for direction, rows in after.items()
    }


def _compared(before: Sequence[Block], after: Sequence[Block]) -> tuple[Block, ...]:
    known = {(block.name, block.context) for block in before if block.own}
    kept = {(block.name, block.context) for block in after if block.own}
    marked = (
        replace(block, mark="new")
        if block.own and (block.name, block.context) not in known
        else block
        for block in after
    )
    gone = (
        replace(block, mark="gone")
        for block in before
        if block.own and (block.name, block.context) not in kept
    )
    every = (*marked, *gone)
    return tuple(sorted(every, key=lambda block: (not block.own, block.minor)))


def _blocks(
    known: Decisions, direction: Direction, fate: Fate, notes: Notes | None
) -> Iterator[Block]:
    regions = known.regions(direction, fate)
    if fate.group is None:
        for region in regions:
            block = replace(_of_region(region), minor=region.protocols == _NOT_TCP)
            yield replace(block, name=_protocols(region), reason="no rule looks at it")
        return
    group = known.groups[fate.group]
    if group.why.entries_of is not None:
        yield from entries(group, fate.lane, regions, notes)
        return
    name = _NAMES.get(group.why) or _matches(group)
    reason = group.why.text
    if isinstance(fate.verdict, Rewritten):
        reason = f"{reason}; {verdict_text(fate.verdict)}"
    if group.why in _MAIN:
        for region in regions:
            yield replace(_of_region(region), name=name, reason=reason)
        return
    parts = [_of_region(region) for region in regions]
    block = replace(parts[0], name=name, reason=reason, minor=True)
    if len(parts) > 1:
        where = " or ".join(part.text for part in parts)
        block = Block(name=name, reason=reason, minor=True, context=where)
    yield block


def _protocols(region: Region) -> str:
    if region.protocols == _NOT_TCP:
        return "all that is not TCP"
    if region.protocols == ALL["protocol"]:
        return "every protocol"
    return words.protocols_text(region.protocols)


def _matches(group: Group) -> str:
    rule = group.rules[0]
    texts = [match_text(match) for match in rule.matches if match_text(match) != "-p tcp"]
    ports = [match.ports for match in rule.matches if isinstance(match, DestinationPort)]
    if len(texts) == len(ports) == len(group.rules) == 1:
        return f"port {ports[0]}"
    more = f" and {len(group.rules) - 1:,} more rules" if len(group.rules) > 1 else ""
    return (" ".join(texts) or "all TCP") + more


def context(region: Region) -> str:
    """What limits a region apart from destinations and ports, as far as it is not ordinary.

    Ordinary is TCP; outbound it is a process of the pod that connects out of the pod.
    """
    parts = []
    if region.protocols not in (_ONLY_TCP, ALL["protocol"], _NOT_TCP):
        parts.append(words.protocols_text(region.protocols))
    if not _ordinary(region):
        if region.interfaces != ALL["interface"]:
            parts.append(f"via {words.interfaces_text(region.interfaces)}")
        if region.uids != ALL["uid"]:
            parts.append(f"uid {words.uids_text(region.uids)}")
    if region.sources != ALL["source"]:
        parts.append(f"from {words.addresses_text(region.sources)}")
    return ", ".join(parts)


def _ordinary(region: Region) -> bool:
    """Whether it holds what most connections are: over ``eth0``, by a process of the pod."""
    return _holds(region.interfaces, "eth0") and _holds(region.uids, 0)


def _holds(intervals: Intervals, point: Any) -> bool:  # noqa: ANN401  # of any axis
    return any(start <= point and (stop is None or point < stop) for start, stop in intervals)


def _of_region(region: Region) -> Block:
    return Block(
        name="", reason="", context=context(region),
        addresses=region.destinations, ports=region.ports,
    )  # fmt: skip
