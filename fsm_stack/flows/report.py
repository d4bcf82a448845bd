"""What logs say of a stack's entries, and what is recommended, as lines and as plain values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fsm_stack.errors import counted, few
from fsm_stack.findings.finding import harmless
from fsm_stack.flows.evidence import (
    LONG_ENOUGH,
    assumptions,
    known_entries,
    time_text,
    traffic_text,
)
from fsm_stack.flows.formats import FORMATS
from fsm_stack.iptables.sets.ranges import dotted
from fsm_stack.lists import INBOUND_PORTS
from fsm_stack.yaml.places import path_text
from fsm_stack.yaml.write import dump

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsm_stack.flows.counting import Log
    from fsm_stack.flows.evidence import Known, Observed
    from fsm_stack.flows.recommend import Recommended
    from fsm_stack.flows.tally import Total
    from fsm_stack.redirection.tidying import Left
    from fsm_stack.settings.models.policy import Contract

_PEERS_SHOWN: Final = 3
_Name = TypeVar("_Name")


def head_lines(observed: Observed, title: str) -> Iterator[str]:
    """What was read, how long it is, what it rests on."""
    logs, total = observed.logs, observed.total
    records = sum(log.counted.records for log in logs)
    files = "1 log" if len(logs) == 1 else f"{len(logs)} logs"
    read = "1 record" if records == 1 else f"{records:,} records"
    yield f"{title}: {read} of {files}, {_formats(logs)}"
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


def peer_text(peer: int | str, observed: Observed) -> str:
    """An address, with its Service's name where there is one."""
    if not isinstance(peer, int):
        return harmless(peer)
    service = observed.judge.objects.service_names.get(peer)
    return f"{dotted(peer)} ({harmless(service)})" if service else dotted(peer)


def evidence_lines(observed: Observed, stack: str) -> Iterator[str]:
    """Every entry with what was seen of it."""
    yield from head_lines(observed, stack)
    yield ""
    yield from caution_lines(observed)
    for item in known_entries(observed):
        yield f"{item.entry.path} {item.entry.value}: {_known_text(item)}"
        if item.evidence.peers:
            yield f"    by {_few(item.evidence.peers, harmless)}"
        if far := far_ends(observed, item.number):
            way = "from" if item.entry.kind == INBOUND_PORTS.key else "to"
            yield f"    {way} {_few(far, lambda peer: peer_text(peer, observed))}"


def far_ends(observed: Observed, number: int) -> Counter[int | str]:
    """What connections that an entry decides on went to, or came from, by bytes and rows."""
    found: Counter[int | str] = Counter()
    for flow, total in observed.tally.flows.items():
        if flow[6] == number:
            found[flow[2]] += total.bytes + total.rows
    return found


def _few(found: Counter[_Name], text: Callable[[_Name], str]) -> str:
    """The biggest ones, and how many more there are."""
    shown = (text(name) for name, _ in found.most_common(_PEERS_SHOWN))
    return few(shown, _PEERS_SHOWN, count=len(found))


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


def total_json(total: Total) -> dict[str, Any]:
    """Traffic as plain values."""
    return {
        "rows": total.rows,
        "connections": total.connections,
        "bytes": total.bytes,
        "first": time_text(total.first) if total else None,
        "last": time_text(total.last) if total else None,
    }


def evidence_json(observed: Observed, stack: str) -> dict[str, Any]:
    """Every entry with what was seen of it, as plain values."""
    entries = [known_json(item, observed) for item in known_entries(observed)]
    return {"stack": stack, **head_json(observed), "entries": entries}


def known_json(item: Known, observed: Observed) -> dict[str, Any]:
    """An entry with what was seen of it, as plain values."""
    evidence = item.evidence
    return {
        "path": item.entry.path,
        "scope": item.entry.scope,
        "list": item.entry.kind,
        "value": item.entry.value,
        "status": item.status,
        "why": item.why or None,
        **total_json(evidence.sure),
        "alone": evidence.alone.connections,
        "may": evidence.may.connections,
        "addressesUsed": item.used,
        "addresses": item.size or None,
        "workloads": [name for name, _ in evidence.peers.most_common(_PEERS_SHOWN)],
        "peers": [
            dotted(peer) if isinstance(peer, int) else peer
            for peer, _ in far_ends(observed, item.number).most_common(_PEERS_SHOWN)
        ],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A recommendation to tell of.

    Attributes:
        stack: its name.
        observed: what was seen.
        found: what is narrowed: the edits that the stack file's text took.
        left: lists whose text cannot be edited in place, and why.
        written: the file was changed.
        contracts: proposed ones.
    """

    stack: str
    observed: Observed
    found: Recommended
    left: tuple[Left, ...]
    written: bool
    contracts: tuple[Contract, ...] = ()

    def lines(self) -> Iterator[str]:
        """What changes, what comes back into the mesh, what stays; how far logs reach."""
        yield from head_lines(self.observed, self.stack)
        yield ""
        yield from map(str, self.found.edits)
        for sentence in self.found.back:
            yield f"back into the mesh: {sentence}"
        yield from map(str, (*self.found.left, *self.left))
        yield from caution_lines(self.observed)
        if self.contracts:
            yield ""
            yield "# kept by every connection; name an owner for each, then paste it below config:"
            yield from dump({"fsm-stack:contracts": self._contracts()}).splitlines()
            yield ""
        if not self.found.edits:
            yield f"{self.stack}: nothing to narrow"
            return
        lists = counted(len(self.found.edits), "list")
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
                for edit in self.found.edits
            ],
            "back": list(self.found.back),
            "contracts": self._contracts(),
            "left": [
                {"path": path_text(item.path), "why": item.why}
                for item in (*self.found.left, *self.left)
            ],
            "enough": self.observed.days >= LONG_ENOUGH,
        }
