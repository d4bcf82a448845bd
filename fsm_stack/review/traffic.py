"""What two sides do to traffic: each scope's rules compared for all packets, told once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import ToListener, Untouched, verdict_text
from fsm_stack.iptables.sets.reach import region_text
from fsm_stack.iptables.write import rule_text
from fsm_stack.lists import MESH
from fsm_stack.review.entries import entries_behind
from fsm_stack.review.fates import Unreadable
from fsm_stack.review.model import (
    Decision,
    Effect,
    ScopeRegion,
    TrafficChange,
    Witness,
)
from fsm_stack.review.reports.words import (
    Known,
    names,
    own_included,
    packet_of,
    packet_text,
    question_text,
    subject,
)
from fsm_stack.review.risk import of_shift

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fsm_stack.iptables.packet import Packet, Verdict
    from fsm_stack.iptables.rule import Ruleset
    from fsm_stack.iptables.sets.difference import Shift
    from fsm_stack.iptables.sets.reach import Region
    from fsm_stack.review.fates import Fates, Pair


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
    return f"pods {_of((name,))}"


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


def regions_text(regions: Iterator[Region]) -> str:
    """The first regions of a set in words."""
    return "; ".join(dict.fromkeys(subject(region) for region in regions))
