"""What two sides do to traffic: each scope's rules compared for all packets, told once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.iptables.judge.loadable import refusals
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import ToListener, Untouched, verdict_text
from fsm_stack.iptables.read.tokens import RuleSyntaxError
from fsm_stack.iptables.rule_text import rule_text
from fsm_stack.iptables.sets.coverage import Coverage, coverage
from fsm_stack.iptables.sets.diagram import Diagrams, TooComplexError
from fsm_stack.iptables.sets.difference import shifts
from fsm_stack.iptables.sets.ranges import (
    IPV4_END,
    canonical,
    interface_interval,
    intersection,
    ipv4_range,
)
from fsm_stack.iptables.sets.region import length, region_text
from fsm_stack.lists import INBOUND_PORTS, INCLUDED_RANGES, LISTS
from fsm_stack.redirection.scopes import MESH
from fsm_stack.review.model import (
    Decision,
    Effect,
    EntryLine,
    ScopeRegion,
    TrafficChange,
    Witness,
)
from fsm_stack.review.risk import of_shift
from fsm_stack.review.side import place_text
from fsm_stack.review.words import (
    Known,
    names,
    own_included,
    packet_of,
    packet_text,
    question_text,
    subject,
)
from fsm_stack.well_known import PORT_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fsm_stack.iptables.packet import Packet, Verdict
    from fsm_stack.iptables.rule import Ruleset
    from fsm_stack.iptables.sets.difference import Shift
    from fsm_stack.iptables.sets.reach import Traffic
    from fsm_stack.iptables.sets.region import Region
    from fsm_stack.review.side import Side
    from fsm_stack.settings.accepting import Bypass
    from fsm_stack.yaml.places import Path

_STEP: Final = re.compile(r"[^.\[\]]+")
_LISTED: Final = {name.key: name for name in LISTS}


class Unreadable(Exception):  # noqa: N818  # an answer, not a failure: it is told as undecided
    """A script whose meaning cannot be told, with the reason."""


@dataclass(slots=True)
class Fates:
    """The verdicts of scripts, each script judged once."""

    _known: dict[str, Coverage | str] = field(default_factory=dict)
    _shifts: dict[tuple[str, str], tuple[Shift, ...]] = field(default_factory=dict)

    def of(self, side: Side, scope: str) -> Coverage:
        """Every packet's verdict.

        Raises:
            Unreadable: the script cannot be read, does not load, or is too complex.
        """
        text = side.scripts[scope]
        if text not in self._known:
            self._known[text] = _judged(side, scope)
        found = self._known[text]
        if isinstance(found, str):
            raise Unreadable(found)
        return found

    def between(self, before: tuple[Side, str], after: tuple[Side, str]) -> tuple[Shift, ...]:
        """What changes from one side's scope to the other's.

        Raises:
            Unreadable: one of the two cannot be told.
        """
        key = (before[0].scripts[before[1]], after[0].scripts[after[1]])
        if key not in self._shifts:
            one, two = self.of(*before), self.of(*after)
            try:
                self._shifts[key] = () if key[0] == key[1] else shifts(one, two)
            except TooComplexError as error:
                raise Unreadable(str(error)) from None
        return self._shifts[key]


def refused(side: Side, scope: str) -> str:
    """Why iptables does not load a scope's script; empty: it does."""
    try:
        found = [refusal.message for refusal in refusals(side.reading(scope).ruleset)]
    except RuleSyntaxError as error:
        return f"it cannot be read: {error}"
    return f"iptables refuses {'; '.join(dict.fromkeys(found))}" if found else ""


def _judged(side: Side, scope: str) -> Coverage | str:
    if why := refused(side, scope):
        return why
    try:
        return coverage(side.reading(scope).ruleset)
    except TooComplexError as error:
        return str(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two scopes that are compared.

    Attributes:
        name: of the second side's.
        before: its counterpart; of a new profile the mesh of the second side: what its pods had.
        offered: it is such a new profile.
    """

    name: str
    before: tuple[Side, str]
    after: tuple[Side, str]
    offered: bool = False


def pairs(before: Side, after: Side) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """The scopes to compare, and what there is to say of those that only one side has."""
    both = [name for name in after.scripts if name in before.scripts]
    found = [Pair(name=name, before=(before, name), after=(after, name)) for name in both]
    gone = [name for name in before.profiles if name not in after.scripts]
    new = [name for name in after.profiles if name not in before.scripts]
    notes = []
    for name in new:
        # Equal annotations count, not equal scripts: a profile is what pods carry.
        old = next((one for one in gone if _carries(before, one) == _carries(after, name)), None)
        if old is not None:
            gone.remove(old)
            notes.append(
                f"profile {old} is called {name} now: the same annotations, no pod changes"
            )
            found.append(Pair(name=name, before=(before, old), after=(after, name)))
        else:
            notes.append(f"profile {name} is new: pods that carry its annotations get its lists")
            found.append(Pair(name=name, before=(after, MESH), after=(after, name), offered=True))
    notes += [
        f"profile {name} is gone: pods that carry its annotations keep them" for name in gone
    ]
    return tuple(found), tuple(notes)


def _carries(side: Side, profile: str) -> object:
    if side.settings is None:
        return side.scripts[profile]
    kept = {item for item in side.entries if item.scope == profile}
    return {(item.kind, canonical(item.value) or item.value) for item in kept}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a comparison of traffic found; undecided: scopes that cannot be told, with why."""

    changes: tuple[TrafficChange, ...]
    undecided: tuple[str, ...] = ()


def traffic_changes(compared: Sequence[Pair], fates: Fates, known: Known, *, egress: bool) -> Told:
    """Every change of traffic, the riskiest first.

    Args:
        compared: the scopes.
        fates: judged scripts.
        known: what is known of addresses.
        egress: whether the second side lets connections out of the mesh.
    """
    groups: dict[tuple[str, ...], list[tuple[Pair, Shift]]] = {}
    undecided: list[str] = []
    for pair in compared:
        try:
            found = fates.between(pair.before, pair.after)
        except Unreadable as why:
            undecided.append(f"{scope_text(pair.name)}: {why}")
            continue
        for shift in found:
            key = (
                repr(shift.before),
                repr(shift.after),
                region_text(shift.said),
                str(pair.offered),
            )
            groups.setdefault(key, []).append((pair, shift))
    every = [pair.name for pair in compared if not pair.offered]
    changes = [told(group, every, known, egress=egress) for group in groups.values()]
    return Told(changes=in_order(changes), undecided=tuple(dict.fromkeys(undecided)))


def in_order(changes: Iterable[TrafficChange]) -> tuple[TrafficChange, ...]:
    """The riskiest first, those of most scopes first, then by their words."""
    return tuple(
        sorted(
            changes,
            key=lambda one: (-one.risk.level.rank, -len(one.scopes), one.subject, one.after),
        )
    )


def told(
    group: Sequence[tuple[Pair, Shift]], every: Sequence[str], known: Known, *, egress: bool
) -> TrafficChange:
    """One change of some scopes in words, with its risk and a witness."""
    pair, shift = group[0]
    said = shift.said
    scopes = tuple(one.name for one, _ in group)
    graded = of_shift(shift, own=known.own, egress=egress, offered=pair.offered)
    what = subject(said)
    return TrafficChange(
        effect=effect_of(shift.before, shift.after),
        direction=said.direction,
        sentence=_sentence(shift, what, scopes_text(scopes, every, offered=pair.offered), known),
        subject=what,
        said=said,
        regions=_regions(group),
        scopes=scopes,
        names=names(said, known),
        entries=entries_behind(group),
        before=verdict_text(shift.before),
        after=verdict_text(shift.after),
        risk=graded,
        witness=witness(pair, shift.region, known),
    )


def effect_of(before: Verdict, after: Verdict) -> Effect:
    """What the change of a verdict is called."""
    if isinstance(after, Untouched) and isinstance(before, ToListener):
        return "bypassed"
    if isinstance(before, Untouched) and isinstance(after, ToListener):
        return "intercepted"
    return "rewritten"


def _sentence(shift: Shift, what: str, where: str, known: Known) -> str:
    inbound = shift.said.direction == "inbound"
    tail = ""
    match effect_of(shift.before, shift.after):
        case "bypassed":
            verb = "reaches applications past the sidecar" if inbound else "leaves the mesh"
            if own_included(shift.said, known):
                tail = ", the cluster's own ranges included"
            tail += ": no mTLS, no policy"
        case "intercepted":
            verb = "goes through the sidecar"
            if shift.said != shift.region and not inbound:
                tail = ", apart from what still bypasses it"
        case "rewritten":
            verb = "changes its way"
            tail = f": {verdict_text(shift.after)}, before {verdict_text(shift.before)}"
    head = what[:1].upper() + what[1:]
    return f"{head} {verb}{where}{tail}"


def scope_text(name: str) -> str:
    """A scope for people."""
    return "pods without a profile" if name == MESH else f"pods of profile {name}"


def scopes_text(scopes: Sequence[str], every: Sequence[str], *, offered: bool = False) -> str:
    """`` on every pod``, `` on pods of profile batch``, `` on every pod but those of …``."""
    if offered:
        return f" on pods that choose the new profile {', '.join(scopes)}"
    missing = [name for name in every if name not in scopes]
    if not missing:
        return " on every pod"
    if len(missing) < len(scopes) and MESH in scopes:
        return f" on every pod but those {_of(missing)}"
    return f" on pods {_of(scopes)}"


def _of(scopes: Sequence[str]) -> str:
    """``without a profile``, ``of profile batch``, ``of Deployment shop/web``."""
    profiles = [name for name in scopes if name != MESH and "/" not in name]
    found = ["without a profile"] if MESH in scopes else []
    if profiles:
        found.append(f"of profile {', '.join(profiles)}")
    found += [f"of {name}" for name in scopes if "/" in name]
    return " and ".join(found)


def _regions(group: Sequence[tuple[Pair, Shift]]) -> tuple[ScopeRegion, ...]:
    found: dict[str, tuple[list[str], Region]] = {}
    for pair, shift in group:
        found.setdefault(region_text(shift.region), ([], shift.region))[0].append(pair.name)
    return tuple(ScopeRegion(scopes=tuple(names), region=one) for names, one in found.values())


def witness(pair: Pair, region: Region, known: Known) -> Witness:
    """One packet of a region, walked through both rule sets."""
    packet = packet_of(region, known)
    return Witness(
        packet=packet_text(packet),
        question=question_text(packet),
        scope=pair.name,
        before=decision(pair.before[0].reading(pair.before[1]).ruleset, packet),
        after=decision(pair.after[0].reading(pair.after[1]).ruleset, packet),
    )


def decision(ruleset: Ruleset, packet: Packet) -> Decision:
    """What rules do to a packet, by which rule."""
    found = trace(ruleset, packet)
    hop = found.decided_by
    rule = "" if hop is None else f"{hop.chain} {hop.number}: {rule_text(hop.rule)}"
    return Decision(verdict=verdict_text(found.verdict), rule=rule, why=found.why)


def entries_behind(group: Sequence[tuple[Pair, Shift]]) -> tuple[EntryLine, ...]:
    """The stack's entries that only one side has and that meet what changes."""
    found: dict[tuple[str, str, str], EntryLine] = {}
    for pair, shift in group:
        whole = all(place[0].tells_profiles for place in (pair.before, pair.after))
        one, two = (_entries(*place, whole=whole) for place in (pair.before, pair.after))
        news: list[tuple[Side, Bypass, bool]] = [
            *((pair.after[0], item, True) for key, item in two.items() if key not in one),
            *((pair.before[0], item, False) for key, item in one.items() if key not in two),
        ]
        # What a list includes is what does not change: it counts where nothing else explains it.
        close = [item for item in news if meets(item[1], shift.said, close=True)]
        direct = [item for item in news if meets(item[1], shift.region)]
        rest = [item for item in news if item[1].kind == INCLUDED_RANGES.key]
        for side, item, later in close or direct or rest:
            line = entry_line(item, side, later=later)
            found.setdefault((line.side, line.path, line.value), line)
    return tuple(found.values())


def _entries(side: Side, scope: str, *, whole: bool) -> Mapping[tuple[str, str], Bypass]:
    return {
        (item.kind, canonical(item.value) or item.value): item
        for item in side.entries
        if item.scope == MESH or (whole and item.scope == scope)
    }


def meets(item: Bypass, region: Region, *, close: bool = False) -> bool:
    """Whether an entry takes traffic of a region out of the mesh.

    Args:
        item: the entry.
        region: the traffic.
        close: only where the region is limited by what the entry names: of a port that bypasses
            to any address, no range is the reason.
    """
    listed = _LISTED[item.kind]
    if listed is INCLUDED_RANGES:
        return False
    if close and _unlimited(region, listed.holds):
        return False
    if listed.holds == "interfaces":
        spans: Sequence[Any] = [interface_interval(item.value)]
        return bool(intersection(spans, region.interfaces))
    if (listed is INBOUND_PORTS) != (region.direction == "inbound"):
        return False
    if listed.holds == "ports":
        port = int(item.value)
        return bool(intersection([(port, port + 1)], region.ports))
    bounds = ipv4_range(item.value)
    return bool(intersection([bounds] if bounds else [], region.destinations))


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


def traffic_of(regions: Iterable[Region]) -> Traffic:
    """The set of some regions' packets."""
    from fsm_stack.iptables.sets.reach import Traffic as Value  # noqa: PLC0415  # for its name

    builder = Diagrams()
    empty = Value(builder.constant(value=False), builder.constant(value=False))
    return reduce(lambda one, two: one | two, (_one(region) for region in regions), empty)


def _one(region: Region) -> Traffic:
    from fsm_stack.iptables.sets.reach import Traffic as Value  # noqa: PLC0415  # for its name

    builder = Diagrams()
    box = builder.box(limits_of(region), value=True, other=False)
    none = builder.constant(value=False)
    return Value(box, none) if region.direction == "outbound" else Value(none, box)


def limits_of(region: Region) -> dict[str, list[Any]]:
    """A region's sets by the names of the axes."""
    return {
        "protocol": [*region.protocols],
        "interface": [*region.interfaces],
        "uid": [*region.uids],
        "port": [*region.ports],
        "source": [*region.sources],
        "destination": [*region.destinations],
    }


def regions_text(regions: Iterator[Region]) -> str:
    """The first regions of a set in words."""
    return "; ".join(dict.fromkeys(subject(region) for region in regions))
