"""A replay as lines for people, as plain values for programs, and as one HTML page.

The page draws what each entry takes past the sidecar, to scale. It has no script and loads
nothing; every text of a log is escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import harmless
from fsm_stack.flows.evidence import known_entries, size_text, time_text, traffic_text
from fsm_stack.flows.judge import NO_ENTRY
from fsm_stack.flows.report import head_json, head_lines, known_json, peer_text, total_json
from fsm_stack.flows.row import INBOUND
from fsm_stack.flows.tally import BYPASS, MAY, THROUGH, Total
from fsm_stack.iptables.sets.ranges import dotted
from fsm_stack.templating import render, source_hash, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.flows.evidence import Known, Observed
    from fsm_stack.flows.row import Way
    from fsm_stack.flows.tally import Flow, Verdict


SAYS: Final[dict[Verdict, str]] = {
    THROUGH: "through the sidecar", BYPASS: "past the sidecar", MAY: "may go past the sidecar"
}  # fmt: skip
_PAGE_WIDTH: Final = 640
_FLOWS_SHOWN: Final = 200
_CLASSES: Final[dict[Verdict, str]] = {THROUGH: "through", BYPASS: "past", MAY: "may"}


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
    small, through = Total(), flows[0][0][5] == THROUGH
    for (_, _, now), total in replay.observed.tally.others.items():
        if (now == THROUGH) == through:
            small.add(total.values())
    if small:
        yield f"  and smaller ones that are kept as a sum: {traffic_text(small)}"


def _flow_text(flow: Flow, replay: Replay) -> str:
    way, name, peer, port, _, now, _ = flow
    whom = peer_text(peer, replay.observed)
    may = " (may)" if now == MAY else ""
    if way == INBOUND:
        return f"{harmless(name)} port {port} from {whom}{may}"
    return f"{harmless(name)} to {whom}:{port}{may}"


def _by(flow: Flow, replay: Replay) -> str:
    if flow[6] == NO_ENTRY:
        return ""
    entry = replay.observed.judge.now.entries[flow[6]]
    return f"; {entry.path} {entry.value}"


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
            {"direction": way, "before": before, "now": now, **total_json(total)}
            for (way, before, now), total in sides
        ],
        "flows": [_flow_json(flow, total, replay) for flow, total in kept],
        "smaller": [
            {"direction": way, "before": before, "now": now, **total_json(total)}
            for (way, before, now), total in sorted(observed.tally.others.items())
        ],
        "entries": [known_json(item, observed) for item in known_entries(observed)],
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
        **total_json(total),
    }


def page(replay: Replay) -> str:
    """The whole page."""
    observed = replay.observed
    style = text("flows/page.css")
    title, *about = head_lines(observed, replay.stack)
    changed = replay.changed()
    return render(
        "flows/page.html.j2",
        style=style,
        style_hash=source_hash(style),
        stack=replay.stack,
        against=replay.against,
        headline=title,
        about=[line.strip() for line in about],
        moved=replay.moved,
        width=_PAGE_WIDTH,
        unit=_unit(replay),
        bars=_bars(replay),
        entries=[_entry(item) for item in known_entries(observed)],
        changes=[_flow(flow, total, replay) for flow, total in changed[:_FLOWS_SHOWN]],
        flows=[_flow(flow, total, replay) for flow, total in replay.flows()[:_FLOWS_SHOWN]],
        more=max(len(observed.tally.flows) - _FLOWS_SHOWN, 0),
    )


def _unit(replay: Replay) -> str:
    """What bars are of: bytes, or connections where logs have no sizes."""
    return "bytes" if replay.observed.total.bytes else "connections"


def _bars(replay: Replay) -> list[dict[str, Any]]:
    """Intercepted traffic, then what each entry takes past, the biggest first; to one scale."""
    observed = replay.observed
    through = Total()
    for (_, _, now), total in observed.tally.sides.items():
        if now == THROUGH:
            through.add(total.values())
    found = [("through the sidecar", "through", through)]
    past = [
        (f"{item.entry.path} {item.entry.value}", "past", item.evidence.sure)
        for item in known_entries(observed)
        if item.evidence.sure and not item.entry.kind.endswith("InclusionList")
    ]
    unit = _unit(replay)
    found += sorted(past, key=lambda item: -getattr(item[2], unit))
    may = sum(
        getattr(total, unit) for (_, _, now), total in observed.tally.sides.items() if now == MAY
    )
    most = max([getattr(total, unit) for _, _, total in found] + [may, 1])
    bars = [
        {
            "label": label,
            "kind": kind,
            "width": round(_PAGE_WIDTH * getattr(total, unit) / most, 1),
            "traffic": traffic_text(total),
            "y": 44 * place,
        }
        for place, (label, kind, total) in enumerate(found)
    ]
    if may:
        shown = size_text(may) if unit == "bytes" else f"{may:,} connections"
        bars.append(
            {"label": "may go past: addresses were translated", "kind": "may",
             "width": round(_PAGE_WIDTH * may / most, 1), "traffic": shown, "y": 44 * len(bars)}
        )  # fmt: skip
    return bars


def _entry(item: Known) -> dict[str, Any]:
    evidence, size = item.evidence, f"{item.size:,}" if item.size else ""
    return {
        "path": item.entry.path,
        "value": item.entry.value,
        "status": item.status,
        "why": item.why,
        "traffic": traffic_text(evidence.sure) if evidence.sure else "",
        "last": time_text(evidence.sure.last) if evidence.sure else "",
        "used": f"{item.used:,} of {size}" if item.used is not None else "",
    }


def _flow(flow: Flow, total: Total, replay: Replay) -> dict[str, Any]:
    way, name, peer, port, before, now, _ = flow
    whom = peer_text(peer, replay.observed)
    return {
        "workload": name,
        "peer": f"from {whom} to port {port}" if way == INBOUND else f"{whom}:{port}",
        "before": SAYS[before],
        "now": SAYS[now],
        "kind": _CLASSES[now],
        "traffic": traffic_text(total),
        "last": time_text(total.last),
    }
