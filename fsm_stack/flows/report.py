"""A replay and its evidence as lines for people, and as plain values for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import harmless
from fsm_stack.flows.evidence import (
    LONG_ENOUGH,
    assumptions,
    known_entries,
    time_text,
    traffic_text,
)
from fsm_stack.flows.formats import FORMATS
from fsm_stack.flows.judge import NO_ENTRY
from fsm_stack.flows.row import INBOUND
from fsm_stack.flows.tally import BYPASS, MAY, THROUGH, Total
from fsm_stack.iptables.sets.ranges import dotted
from fsm_stack.yaml.places import path_text
from fsm_stack.yaml.write import dump

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from fsm_stack.flows.counting import Log
    from fsm_stack.flows.evidence import Known, Observed
    from fsm_stack.flows.recommend import Recommended
    from fsm_stack.flows.row import Way
    from fsm_stack.flows.tally import Flow, Verdict
    from fsm_stack.redirection.tidying import Left, ListEdit
    from fsm_stack.settings.models.policy import Contract

SAYS: Final[dict[Verdict, str]] = {
    THROUGH: "through the sidecar", BYPASS: "past the sidecar", MAY: "may go past the sidecar"
}  # fmt: skip
_PEERS_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A replay to tell of.

    Attributes:
        stack: its name.
        against: what it is compared with; empty: nothing.
        observed: what was seen.
        top: so many flows are told; 0: all that were kept.
    """

    stack: str
    against: str
    observed: Observed
    top: int

    def changed(self) -> list[tuple[Flow, Total]]:
        """Flows whose verdict is another one now, the biggest first."""
        tally = self.observed.tally
        return tally.biggest(flow for flow in tally.flows if flow[4] != flow[5])

    def flows(self) -> list[tuple[Flow, Total]]:
        """Flows that go past the sidecar or may, then those that go through, the biggest first."""
        tally = self.observed.tally
        past = tally.biggest(flow for flow in tally.flows if flow[5] != THROUGH)
        return past + tally.biggest(flow for flow in tally.flows if flow[5] == THROUGH)

    @property
    def moved(self) -> bool:
        """Whether any traffic changes its side."""
        return any(before != now for _, before, now in self.observed.tally.sides)


def head_lines(observed: Observed, title: str) -> Iterator[str]:
    """What was read, how long it is, what it rests on."""
    logs, total = observed.logs, observed.total
    records = sum(log.counted.records for log in logs)
    files = "1 log" if len(logs) == 1 else f"{len(logs)} logs"
    yield f"{title}: {records:,} records of {files}, {_formats(logs)}"
    if total:
        yield (
            f"  from {time_text(total.first)} to {time_text(total.last)}: {observed.days:.1f} days"
        )
    for sentence in assumptions(observed):
        yield f"  {sentence}"
    for why, count in sorted(_passed(observed).items(), key=lambda item: -item[1]):
        yield f"  passed over: {count:,} {why}"
    for log in logs:
        if log.counted.first_bad is not None:
            line, why = log.counted.first_bad
            bad = "1 bad record" if log.counted.bad == 1 else f"{log.counted.bad:,} bad records"
            yield f"  {harmless(log.name)}:{line}: {bad}, skipped; the first: {why}"
        if log.counted.cut:
            name = harmless(log.name)
            yield f"  {name}: its compressed data ends early; what it held before counts"


def _formats(logs: tuple[Log, ...]) -> str:
    names = dict.fromkeys(log.counted.format for log in logs if log.counted.format)
    return ", ".join(FORMATS[name].title for name in names) or "nothing in them"


def _passed(observed: Observed) -> Counter[str]:
    passed = observed.tally.passed.copy()
    for log in observed.logs:
        passed.update(log.counted.passed)
    return passed


def replay_lines(replay: Replay) -> Iterator[str]:
    """The whole report."""
    observed = replay.observed
    yield from head_lines(observed, replay.stack)
    if replay.against:
        yield from _change_lines(replay)
    yield from ("", *_side_lines(observed))
    shown = replay.flows()
    past = [item for item in shown if item[0][5] != THROUGH]
    rest = shown[len(past) :]
    for title, flows in (("past the sidecar", past), ("through the sidecar", rest)):
        yield from _flow_lines(f"{title}, the biggest first", flows, replay)


def _change_lines(replay: Replay) -> Iterator[str]:
    sides = replay.observed.tally.sides
    yield ""
    if not replay.moved:
        yield f"no connection of these logs changes its side against {replay.against}"
        return
    yield f"changes against {replay.against}"
    for (way, before, now), total in sorted(sides.items()):
        if before != now:
            yield f"  {way}: {traffic_text(total)}: {SAYS[before]} before, {SAYS[now]} now"
    yield from _flow_lines("what changes its side, the biggest first", replay.changed(), replay)


def _side_lines(observed: Observed) -> Iterator[str]:
    found: dict[tuple[Way, Verdict], Total] = {}
    for (way, _, now), total in observed.tally.sides.items():
        found.setdefault((way, now), Total()).add(total.values())
    if not found:
        yield "no connection was judged"
    for way, now in sorted(found, key=lambda key: (key[0] == INBOUND, key[1])):
        yield f"{way}: {traffic_text(found[way, now])} {SAYS[now]}"


def _flow_lines(title: str, flows: list[tuple[Flow, Total]], replay: Replay) -> Iterator[str]:
    if not flows:
        return
    yield from ("", title)
    shown = flows[: replay.top] if replay.top else flows
    for flow, total in shown:
        yield f"  {_flow_text(flow, replay)}: {traffic_text(total)}{_by(flow, replay)}"
    if len(shown) < len(flows):
        yield f"  and {len(flows) - len(shown):,} more; --top 0 shows them"


def _flow_text(flow: Flow, replay: Replay) -> str:
    way, name, peer, port, _, now, _ = flow
    whom = peer_text(peer, replay.observed)
    may = " (may)" if now == MAY else ""
    if way == INBOUND:
        return f"{harmless(name)} port {port} from {whom}{may}"
    return f"{harmless(name)} to {whom}:{port}{may}"


def peer_text(peer: int | str, observed: Observed) -> str:
    """An address, with its Service's name where there is one."""
    if not isinstance(peer, int):
        return harmless(peer)
    service = observed.judge.objects.service_names.get(peer)
    return f"{dotted(peer)} ({harmless(service)})" if service else dotted(peer)


def _by(flow: Flow, replay: Replay) -> str:
    if flow[6] == NO_ENTRY:
        return ""
    entry = replay.observed.judge.now.entries[flow[6]]
    return f"; {entry.path} {entry.value}"


def evidence_lines(observed: Observed, stack: str) -> Iterator[str]:
    """Every entry with what was seen of it."""
    yield from head_lines(observed, stack)
    yield ""
    yield from caution_lines(observed)
    for item in known_entries(observed):
        yield f"{item.entry.path} {item.entry.value}: {_known_text(item)}"
        peers = item.evidence.peers.most_common(_PEERS_SHOWN)
        if peers:
            more = len(item.evidence.peers) - len(peers)
            names = ", ".join(harmless(name) for name, _ in peers)
            yield f"    by {names}" + (f" and {more:,} more" if more > 0 else "")


def caution_lines(observed: Observed) -> Iterator[str]:
    """How far an observation reaches."""
    if observed.days < LONG_ENOUGH:
        yield (
            f"observed for {observed.days:.1f} days only: what happens once a month is not in it"
        )


def _known_text(item: Known) -> str:
    evidence = item.evidence
    if item.status != "used":
        return item.status + (f": {item.why}" if item.why else "")
    parts = [traffic_text(evidence.sure), f"last {time_text(evidence.sure.last)}"]
    if item.used is not None:
        parts.append(f"{item.used:,} of {item.size:,} addresses")
    if evidence.alone.rows < evidence.sure.rows:
        parts.append(f"{traffic_text(evidence.alone)} by it alone")
    if evidence.may:
        parts.append(f"{traffic_text(evidence.may)} more may be")
    return "; ".join(parts)


def replay_json(replay: Replay) -> dict[str, Any]:
    """The whole report as plain values."""
    observed = replay.observed
    shown = replay.changed() if replay.against else replay.flows()
    kept = shown[: replay.top] if replay.top else shown
    sides = sorted(observed.tally.sides.items())
    return {
        "stack": replay.stack,
        "against": replay.against or None,
        **head_json(observed),
        "sides": [
            {"direction": way, "before": before, "now": now, **_total_json(total)}
            for (way, before, now), total in sides
        ],
        "flows": [_flow_json(flow, total, replay) for flow, total in kept],
        "entries": [_known_json(item) for item in known_entries(observed)],
    }


def head_json(observed: Observed) -> dict[str, Any]:
    """What was read, how long it is, what it rests on."""
    total = observed.total
    return {
        "logs": [_log_json(log) for log in observed.logs],
        "observed": {
            "from": time_text(total.first) if total else None,
            "to": time_text(total.last) if total else None,
            "days": round(observed.days, 2),
        },
        "assumptions": list(assumptions(observed)),
        "passed": dict(sorted(_passed(observed).items())),
    }


def _log_json(log: Log) -> dict[str, Any]:
    counted = log.counted
    bad = counted.first_bad
    return {
        "file": log.name,
        "format": counted.format or None,
        "records": counted.records,
        "bad": counted.bad,
        "firstBad": {"line": bad[0], "problem": bad[1]} if bad else None,
        "cut": counted.cut,
    }


def _total_json(total: Total) -> dict[str, Any]:
    return {
        "rows": total.rows,
        "connections": total.connections,
        "bytes": total.bytes,
        "first": time_text(total.first) if total else None,
        "last": time_text(total.last) if total else None,
    }


def _flow_json(flow: Flow, total: Total, replay: Replay) -> dict[str, Any]:
    way, name, peer, port, before, now, number = flow
    entry = replay.observed.judge.now.entries[number] if number != NO_ENTRY else None
    service = (
        replay.observed.judge.objects.service_names.get(peer) if isinstance(peer, int) else None
    )
    return {
        "direction": way,
        "workload": name,
        "peer": dotted(peer) if isinstance(peer, int) else peer,
        "service": service,
        "port": port,
        "before": before,
        "now": now,
        "entry": entry.path if entry else None,
        **_total_json(total),
    }


def evidence_json(observed: Observed, stack: str) -> dict[str, Any]:
    """Every entry with what was seen of it, as plain values."""
    entries = [_known_json(item) for item in known_entries(observed)]
    return {"stack": stack, **head_json(observed), "entries": entries}


def _known_json(item: Known) -> dict[str, Any]:
    evidence = item.evidence
    return {
        "path": item.entry.path,
        "scope": item.entry.scope,
        "list": item.entry.kind,
        "value": item.entry.value,
        "status": item.status,
        "why": item.why or None,
        **_total_json(evidence.sure),
        "alone": evidence.alone.connections,
        "may": evidence.may.connections,
        "addressesUsed": item.used,
        "addresses": item.size or None,
        "peers": [name for name, _ in evidence.peers.most_common(_PEERS_SHOWN)],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A recommendation to tell of.

    Attributes:
        stack: its name.
        observed: what was seen.
        found: what there is to narrow.
        made: the edits that the stack file's text took.
        left: lists whose text cannot be edited in place, and why.
        written: the file was changed.
        contracts: proposed ones.
    """

    stack: str
    observed: Observed
    found: Recommended
    made: tuple[ListEdit, ...]
    left: tuple[Left, ...]
    written: bool
    contracts: tuple[Contract, ...] = ()

    def lines(self) -> Iterator[str]:
        """What changes, what comes back into the mesh, what stays; how far logs reach."""
        yield from head_lines(self.observed, self.stack)
        yield ""
        yield from map(str, self.made)
        for sentence in self.found.back:
            yield f"back into the mesh: {sentence}"
        yield from map(str, (*self.found.left, *self.left))
        yield from caution_lines(self.observed)
        if self.contracts:
            yield ""
            yield "# kept by every connection; name an owner for each, then paste it below config:"
            yield from dump({"fsm-stack:contracts": self._contracts()}).splitlines()
            yield ""
        if not self.made:
            yield f"{self.stack}: nothing to narrow"
            return
        lists = f"{len(self.made)} list{'' if len(self.made) == 1 else 's'}"
        done = (
            "changed in the stack file" if self.written else "to narrow; --write changes the file"
        )
        yield f"{self.stack}: {lists} {done}; no bypassed connection of these logs is lost"

    def _contracts(self) -> list[dict[str, Any]]:
        return [
            one.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            for one in self.contracts
        ]

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "stack": self.stack,
            **head_json(self.observed),
            "written": self.written,
            "lists": [
                {
                    "path": path_text(edit.path),
                    "before": [entry.value for entry in edit.before],
                    "after": [
                        {"value": item.value, "reason": item.reason or None} for item in edit.after
                    ],
                }
                for edit in self.made
            ],
            "back": list(self.found.back),
            "contracts": self._contracts(),
            "left": [
                {"path": path_text(item.path), "why": item.why}
                for item in (*self.found.left, *self.left)
            ],
            "enough": self.observed.days >= LONG_ENOUGH,
        }
