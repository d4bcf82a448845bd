"""Which entries of a stack are behind a change of traffic, and where they stand."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fsm_stack.iptables.packet import Rewritten
from fsm_stack.iptables.sets.ranges import (
    IPV4_END,
    canonical,
    interface_interval,
    intersection,
    ipv4_range,
    merged,
)
from fsm_stack.iptables.sets.reach import length
from fsm_stack.lists import INBOUND_PORTS, INCLUDED_RANGES, LISTS, MESH
from fsm_stack.review.model import (
    EntryLine,
)
from fsm_stack.review.side import place_text
from fsm_stack.snapshot.shape import mapping
from fsm_stack.well_known import PORT_MAX, SIDECAR_UID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fsm_stack.iptables.sets.difference import Shift
    from fsm_stack.iptables.sets.ranges import Interval
    from fsm_stack.iptables.sets.reach import Region
    from fsm_stack.review.fates import Pair
    from fsm_stack.review.side import Side
    from fsm_stack.settings.effective import Bypass
    from fsm_stack.yaml.places import Path


# The one setting beside the lists that a rule of the script is made from.
LOCAL_PROXY_MODE: Final = "sidecar.localProxyMode"
_STEP: Final = re.compile(r"[^.\[\]]+")


_T = TypeVar("_T")
_LISTED: Final = {name.key: name for name in LISTS}
_HELD: Final = frozenset(name.holds for name in LISTS)


def entries_behind(group: Sequence[tuple[Pair, Shift]]) -> tuple[EntryLine, ...]:
    """The stack's entries that only one side has and that meet what changes."""
    found: dict[tuple[str, str, str], EntryLine] = {}
    for pair, shift in group:
        if mode := _proxy_mode(pair, shift):
            found.setdefault((mode.side, mode.path, mode.value), mode)
            continue
        whole = all(place[0].tells_profiles for place in (pair.before, pair.after))
        one, two = (_entries(*place, whole=whole) for place in (pair.before, pair.after))
        news: list[tuple[Side, Bypass, bool]] = [
            *((pair.after[0], item, True) for key, item in two.items() if key not in one),
            *((pair.before[0], item, False) for key, item in one.items() if key not in two),
        ]
        for side, item, later in responsible(news, shift, lambda one: one[1]):
            line = entry_line(item, side, later=later)
            found.setdefault((line.side, line.path, line.value), line)
    return tuple(found.values())


def responsible(items: Sequence[_T], shift: Shift, entry: Callable[[_T], Bypass]) -> list[_T]:
    """Those whose entries are behind a change, the closest ones.

    What a list includes is what does not change: it counts, first, where the others leave some of
    the traffic unexplained.

    Args:
        items: what may be behind it.
        shift: the change.
        entry: the entry of one of them.
    """
    # Of a port that bypasses to any address no range is the reason: only what limits it is close.
    limited = {holds: not _unlimited(shift.said, holds) for holds in _HELD}
    direct = [
        one
        for one in items
        if limited[_LISTED[entry(one).kind].holds] and meets(entry(one), shift.said)
    ]
    direct = direct or [one for one in items if meets(entry(one), shift.region)]
    if _explained([entry(one) for one in direct], shift.region):
        return direct
    return [*(one for one in items if entry(one).kind == INCLUDED_RANGES.key), *direct]


def _explained(items: Iterable[Bypass], region: Region) -> bool:
    """Whether entries together take all traffic of a region out of the mesh.

    Each takes all that has one of its values on one axis: a product of sets is covered by such
    slabs only where one axis is covered whole.
    """
    ranges, ports, interfaces = [], [], []
    for item in items:
        holds = _LISTED[item.kind].holds
        if holds == "interfaces":
            interfaces.append(interface_interval(item.value))
        elif holds == "ports":
            ports.append((int(item.value), int(item.value) + 1))
        elif bounds := ipv4_range(item.value):
            ranges.append(bounds)
    return (
        tuple(intersection(merged(ranges), region.destinations)) == tuple(region.destinations)
        or tuple(intersection(merged(ports), region.ports)) == tuple(region.ports)
        or all(
            any(intersection([one], [part]) == [part] for one in interfaces)
            for part in region.interfaces
        )
    )


def _proxy_mode(pair: Pair, shift: Shift) -> EntryLine | None:
    """The setting behind a change of what the sidecar itself sends inside the pod, if it is that.

    The one rule that it adds or takes away is the sidecar's own, and no list has any part in it.
    """
    rewritten = any(isinstance(one, Rewritten) for one in (shift.before, shift.after))
    if not rewritten or shift.region.uids != ((SIDECAR_UID, SIDECAR_UID + 1),):
        return None
    one, two = (
        mapping(mapping(side.spec).get("sidecar")).get("localProxyMode") or ""
        for side, _ in (pair.before, pair.after)
    )
    if not two or one == two:
        return None
    side = pair.after[0]
    return EntryLine(
        path=LOCAL_PROXY_MODE,
        value=str(two),
        reason="",
        owner="",
        until=None,
        place=place_text(side.place(steps_of(LOCAL_PROXY_MODE))),
        side="after",
    )


def _entries(side: Side, scope: str, *, whole: bool) -> Mapping[tuple[str, str], Bypass]:
    return {
        (item.kind, canonical(item.value) or item.value): item
        for item in side.entries
        if item.scope == MESH or (whole and item.scope == scope)
    }


def meets(item: Bypass, region: Region) -> bool:
    """Whether an entry takes traffic of a region out of the mesh."""
    listed = _LISTED[item.kind]
    if listed is INCLUDED_RANGES:
        return False
    if listed.holds == "interfaces":
        return _overlaps(interface_interval(item.value), region.interfaces)
    if (listed is INBOUND_PORTS) != (region.direction == "inbound"):
        return False
    if listed.holds == "ports":
        port = int(item.value)
        return _overlaps((port, port + 1), region.ports)
    bounds = ipv4_range(item.value)
    return bounds is not None and _overlaps(bounds, region.destinations)


def _overlaps(one: Interval, many: Sequence[Any]) -> bool:
    """Whether an interval shares something with sorted, disjoint ones; None: no upper end."""
    start, stop = one
    at = len(many) if stop is None else bisect_left(many, (stop,))
    return at > 0 and (many[at - 1][1] is None or many[at - 1][1] > start)


def _unlimited(region: Region, holds: str) -> bool:
    if holds == "interfaces":
        return any(start <= "eth0" and stop is None for start, stop in region.interfaces)
    if holds == "ports":
        return length(region.ports) > PORT_MAX // 2
    return length(region.destinations) > IPV4_END // 2


def entry_line(item: Bypass, side: Side, *, later: bool) -> EntryLine:
    """An entry with its place."""
    return EntryLine(
        path=item.path,
        value=item.value,
        reason=item.reason,
        owner=item.owner,
        until=item.until,
        place=place_text(side.place(steps_of(item.path))),
        side="after" if later else "before",
    )


def steps_of(text: str) -> Path:
    """``traffic.ports[2]`` as the steps of a path."""
    steps: list[str | int] = []
    for match in _STEP.finditer(text):
        in_brackets = text[match.start() - 1 : match.start()] == "["
        steps.append(int(match[0]) if in_brackets and match[0].isdigit() else match[0])
    return tuple(steps)
