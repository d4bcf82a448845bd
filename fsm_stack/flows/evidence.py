"""What logs say of every entry of a stack's lists: used, by whom, how much; unused; too wide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from fsm_stack.findings.finding import finding
from fsm_stack.flows.formats import FORMATS
from fsm_stack.flows.row import INBOUND, OUTBOUND
from fsm_stack.flows.tally import Evidence, Total
from fsm_stack.iptables.sets.ranges import ipv4_range, merged
from fsm_stack.lists import EXCLUDED_RANGES, INBOUND_PORTS, INCLUDED_RANGES, INTERFACES, MESH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fsm_stack.findings.finding import Finding, Place
    from fsm_stack.flows.counting import Log
    from fsm_stack.flows.judge import Judge
    from fsm_stack.flows.tally import Tally
    from fsm_stack.settings.effective import Bypass

Status = Literal["used", "unused", "unknown"]
# So much wider than what was seen is worth a finding.
_WIDER: Final = 4
_DAY: Final = 86_400
# A log that is shorter holds no more than one of everything that happens weekly.
LONG_ENOUGH: Final = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was watched, and for how long.

    Attributes:
        judge: whose verdicts they are.
        tally: what was added up.
        logs: what was read.
    """

    judge: Judge
    tally: Tally
    logs: tuple[Log, ...]

    @property
    def total(self) -> Total:
        """All traffic that was judged."""
        return self.tally.total()

    @property
    def days(self) -> float:
        """How long the observation is."""
        total = self.total
        return (total.last - total.first) / _DAY if total else 0.0

    @property
    def complete(self) -> bool:
        """Whether some log holds connections that bypass; else nothing is known to be unused."""
        return any(FORMATS[log.counted.format].complete for log in self.logs if log.counted.format)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of one entry.

    Attributes:
        number: the entry's.
        entry: it.
        evidence: what was seen of it.
        status: unknown where logs cannot tell.
        why: it is unknown; empty: it is known.
        used: so many of its addresses were seen; None: it is no range.
        size: so many addresses are in it.
    """

    number: int
    entry: Bypass
    evidence: Evidence
    status: Status
    why: str
    used: int | None
    size: int


def known_entries(observed: Observed) -> tuple[Known, ...]:
    """Every entry of a stack with its evidence, in the order of the file."""
    entries = observed.judge.now.entries
    return tuple(_known(number, entry, observed) for number, entry in enumerate(entries))


def _known(number: int, entry: Bypass, observed: Observed) -> Known:
    evidence = observed.tally.entries.get(number, Evidence())
    why = "" if evidence.sure else _unknown(entry, evidence, observed)
    status: Status = "used" if evidence.sure else "unknown" if why else "unused"
    bounds = ipv4_range(entry.value) if entry.kind == EXCLUDED_RANGES.key else None
    return Known(
        number=number,
        entry=entry,
        evidence=evidence,
        status=status,
        why=why,
        used=_used(number, observed.tally) if bounds else None,
        size=bounds[1] - bounds[0] if bounds else 0,
    )


def _unknown(entry: Bypass, evidence: Evidence, observed: Observed) -> str:
    if not observed.total:
        return "no connection was judged"
    if entry.kind == INTERFACES.key:
        return "logs name no interface"
    way = INBOUND if entry.kind == INBOUND_PORTS.key else OUTBOUND
    if not any(seen == way for seen, _, _ in observed.tally.sides):
        return f"no {way} connection is in these logs"
    if not observed.complete and entry.kind != INCLUDED_RANGES.key:
        return "these logs hold only what a sidecar took"
    if entry.scope != MESH and entry.scope not in observed.judge.scopes:
        how = "" if observed.judge.objects.has_pods else "; name --objects"
        return f"no pod is known to have this profile{how}"
    if evidence.may:
        return "only connections whose address was translated, or is not known, may use it"
    return ""


def _used(number: int, tally: Tally) -> int:
    """How many addresses of an entry were seen; joined ones count with those between them."""
    spans = [
        (start, end)
        for taken, seen in tally.seen.items()
        if number in taken
        for start, end, _ in seen.intervals()
    ]
    return sum(end - start for start, end in merged(spans))


def findings(
    known: Sequence[Known], observed: Observed, places: Mapping[str, Place]
) -> Iterator[Finding]:
    """Entries that are unused, and ranges that are wider than what was seen of them.

    Args:
        known: what is known of each.
        observed: what was seen.
        places: where an entry of a path stands.
    """
    watched = f"in {observed.days:.1f} days"
    for item in known:
        entry = item.entry
        if entry.kind == INCLUDED_RANGES.key:
            continue
        if item.status == "unused":
            message = f"no connection {watched} used {entry.value}"
            found = finding("bypass-unused", message, path=entry.path, value=entry.value)
        elif item.used and item.size >= _WIDER * item.used:
            used = f"{item.used:,} of the {item.size:,} addresses"
            message = f"{used} of {entry.value} were used {watched}"
            found = finding("bypass-wider-than-used", message, path=entry.path, value=entry.value)
        else:
            continue
        place = places.get(entry.path)
        yield found.at(file=place.file, line=place.line, column=place.column) if place else found


def assumptions(observed: Observed) -> Iterator[str]:
    """What the verdicts rest on, in sentences."""
    judge = observed.judge
    formats = dict.fromkeys(log.counted.format for log in observed.logs if log.counted.format)
    for name in formats:
        known = FORMATS[name]
        yield f"{known.title}: {known.addresses}; counts are of {known.weight}"
        if not known.complete:
            yield f"{known.title}: it holds only what a sidecar took: what bypasses is not in it"
    given = {"yes": "the ones that pods asked for", "no": "translated", "unknown": "either"}
    original = judge.assumed.original
    if original is not None:
        yield f"destinations are taken as {given[original]} (--addresses)"
    elif any(FORMATS[name].original != "yes" for name in formats):
        if judge.objects.has_services:
            yield (
                "endpoints are taken back to their Services, apart from those that an entry holds "
                "themselves; an address of a pod that is gone may have been an endpoint"
            )
        else:
            yield (
                "an address of a pod may stand for a Service's: where the two differ, the verdict "
                "is 'may', and its port is taken for the Service's; --objects with Services and "
                "EndpointSlices decides both"
            )
    if judge.objects.has_pods:
        yield "a pod that --objects does not know may have any profile"
    else:
        scope = judge.assumed.profile
        pods = "without annotations" if scope == MESH else f"of profile {scope}"
        yield f"pods are taken as {pods}; --objects tells each one's"
    if not judge.now.settings.cluster.pod_ranges and not judge.objects.has_pods:
        yield "cluster.podRanges is empty: every private address is taken for a pod's"
    if any(item.kind == INTERFACES.key for item in judge.now.entries):
        yield "logs name no interface: excluded ones are left out of the verdicts"


def day_text(seconds: float) -> str:
    """``2026-11-28``."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def time_text(seconds: float) -> str:
    """``2026-11-28T10:00:00Z``."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def size_text(count: int) -> str:
    """``3.2 GB``, in powers of 1000."""
    value, units = float(count), ("B", "kB", "MB", "GB", "TB", "PB")
    at = 0
    while value >= 999.95 and at < len(units) - 1:  # noqa: PLR2004  # else it would print 1000.0
        value, at = value / 1000, at + 1
    return f"{count} B" if not at else f"{value:.1f} {units[at]}"


def traffic_text(total: Total) -> str:
    """``1,204 connections, 3.2 GB``."""
    one = "connection" if total.connections == 1 else "connections"
    return f"{total.connections:,} {one}, {size_text(total.bytes)}"
