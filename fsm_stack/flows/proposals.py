"""Contracts that today's traffic keeps, proposed from what was seen and proved by the rules.

What was seen chooses which traffic is worth a contract; the proof is for every connection of every
profile, so that a proposal is never broken on the day that somebody agrees on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.flows.evidence import day_text, known_entries, traffic_text
from fsm_stack.flows.row import INBOUND, OUTBOUND
from fsm_stack.flows.tally import THROUGH, Total
from fsm_stack.iptables.packet import Pod
from fsm_stack.iptables.sets.ranges import ipv4_range
from fsm_stack.lists import EXCLUDED_RANGES, INBOUND_PORTS, INTERFACES, MESH, OUTBOUND_PORTS
from fsm_stack.review.contracts import Placed
from fsm_stack.settings.models.policy import Contract

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fsm_stack.flows.evidence import Observed
    from fsm_stack.redirection.tidying import ListEdit
    from fsm_stack.review.contracts import Prover

# So many ports of either direction are worth a sentence; the ones with most traffic.
_PORTS_MAX: Final = 20
_NOBODY: Final = "nobody yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """Traffic of one kind: what a contract could say of it, and what was seen of it."""

    head: str
    port: int
    tail: str
    verdict: str
    total: Total
    owner: str = _NOBODY


def proposals(
    observed: Observed, prover: Prover, edits: Sequence[ListEdit] = ()
) -> tuple[Contract, ...]:
    """Contracts that a stack keeps, and that speak of traffic that was seen; none that it has.

    Args:
        observed: what was seen.
        prover: of the same stack, or of what is recommended for it.
        edits: what is recommended.
    """
    grouped: dict[tuple[str, str, str, tuple[str, ...], str], list[_Candidate]] = {}
    for choices in (*_through(observed), *_past(observed, edits)):
        for one in choices:
            spared = _spared(one, prover)
            if spared is not None:
                key = (one.head, one.tail if one.port else "", one.verdict, spared, one.owner)
                grouped.setdefault(key, []).append(one)
                break
    has = {(one.traffic, one.verdict) for one in observed.judge.now.settings.contracts}
    found = [_contract(ones, spared) for (_, _, _, spared, _), ones in grouped.items()]
    return tuple(one for one in found if (one.traffic, one.verdict) not in has)


def _through(observed: Observed) -> Iterator[list[_Candidate]]:
    """Each port's traffic that goes through: to any address, else inside of the cluster."""
    over = ""
    if any(item.kind == INTERFACES.key for item in observed.judge.now.entries):
        over = f" over {Pod().interface}"
    names, inside = _cluster(observed)
    for way, head in ((OUTBOUND, "tcp"), (INBOUND, "inbound tcp")):
        found: dict[int, Total] = {}
        within: dict[int, Total] = {}
        for flow, total in observed.tally.flows.items():
            if flow[0] != way or flow[5] != THROUGH:
                continue
            found.setdefault(flow[3], Total()).add(total.values())
            peer = flow[2]
            if isinstance(peer, int) and any(start <= peer < end for start, end in inside):
                within.setdefault(flow[3], Total()).add(total.values())
        for port, total in _biggest(found):
            tails = [(over, total)]
            if way == OUTBOUND and port in within:
                tails.append((f" to {names}{over}", within[port]))
            yield [
                _Candidate(head=head, port=port, tail=tail, verdict="always", total=part)
                for tail, part in tails
            ]


def _past(observed: Observed, edits: Sequence[ListEdit]) -> Iterator[list[_Candidate]]:
    """Each used exclusion of the mesh: what it takes has a reason not to go through."""
    narrowed = {str(item.value): item for edit in edits for item in edit.after}
    for value, kept in narrowed.items():
        span = ipv4_range(value) if "/" in value else None
        total = _inside(span, observed) if span else Total()
        if total:
            owner = kept.owner or _NOBODY
            yield [_Candidate(head="tcp", port=0, tail=f" to {value}", verdict="never",
                              total=total, owner=owner)]  # fmt: skip
    for item in known_entries(observed):
        entry = item.entry
        if item.status != "used" or entry.scope != MESH:
            continue
        owner = entry.owner or _NOBODY
        total = item.evidence.sure
        if entry.kind in (OUTBOUND_PORTS.key, INBOUND_PORTS.key):
            head = "tcp" if entry.kind == OUTBOUND_PORTS.key else "inbound tcp"
            port = int(entry.value)
            yield [_Candidate(head=head, port=port, tail="", verdict="never", total=total,
                              owner=owner)]  # fmt: skip
        elif entry.kind == EXCLUDED_RANGES.key and entry.value not in narrowed:
            yield [_Candidate(head="tcp", port=0, tail=f" to {entry.value}", verdict="never",
                              total=total, owner=owner)]  # fmt: skip


def _inside(span: tuple[int, int], observed: Observed) -> Total:
    """What was seen to bypass inside of a range."""
    total = Total()
    for seen in observed.tally.seen.values():
        for start, end, traffic in seen.intervals():
            if start < span[1] and span[0] < end:
                total.add(traffic.values())
    return total


def _cluster(observed: Observed) -> tuple[str, list[tuple[int, int]]]:
    """The cluster's own ranges, by the names that contracts have for them and as spans."""
    cluster = observed.judge.now.settings.cluster
    places = {"pods": cluster.pod_ranges, "services": cluster.service_ranges}
    spans = [ipv4_range(text) for ranges in places.values() for text in ranges]
    names = ",".join(name for name, ranges in places.items() if ranges)
    return names, [span for span in spans if span is not None]


def _biggest(found: dict[int, Total]) -> Iterable[tuple[int, Total]]:
    ranked = sorted(found.items(), key=lambda item: (-item[1].bytes, -item[1].rows, item[0]))
    return sorted(ranked[:_PORTS_MAX])


def _spared(one: _Candidate, prover: Prover) -> tuple[str, ...] | None:
    """The profiles that do not keep it; None: pods without one do not either."""
    placed = Placed(contract=_contract([one], ()), place="")
    scopes = dict.fromkeys(scope for broken in prover.broken([placed]) for scope in broken.scopes)
    return None if MESH in scopes else tuple(scopes)


def _contract(found: list[_Candidate], spared: tuple[str, ...]) -> Contract:
    """One contract of all ports that have the same to say."""
    first, total = found[0], Total()
    for one in found:
        total.add(one.total.values())
    ports = ",".join(str(one.port) for one in found if one.port)
    seen = f"{traffic_text(total)} seen {day_text(total.first)} to {day_text(total.last)}"
    tail = first.tail
    if not first.port:  # of ranges each has its own
        tail = f" to {','.join(one.tail.removeprefix(' to ') for one in found)}"
    where = "through the sidecar" if first.verdict == "always" else "past the sidecar"
    values: dict[str, Any] = {
        "traffic": f"{first.head} {ports}".rstrip() + tail,
        "verdict": first.verdict,
        "except_profiles": spared,
        "reason": f"{seen}, all {where}",
        "owner": first.owner,
    }
    return Contract(**values)
