"""A replay as one HTML page with a picture: what each entry takes past the sidecar, to scale.

The page has no script and loads nothing; every text of a log is escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.flows.evidence import known_entries, size_text, time_text, traffic_text
from fsm_stack.flows.replay import SAYS
from fsm_stack.flows.report import head_lines, peer_text
from fsm_stack.flows.row import INBOUND
from fsm_stack.flows.tally import BYPASS, MAY, THROUGH, Total
from fsm_stack.templating import render, source_hash, text

if TYPE_CHECKING:
    from fsm_stack.flows.evidence import Known
    from fsm_stack.flows.replay import Replay
    from fsm_stack.flows.tally import Flow, Verdict

_WIDTH: Final = 640
_FLOWS_SHOWN: Final = 200
_CLASSES: Final[dict[Verdict, str]] = {THROUGH: "through", BYPASS: "past", MAY: "may"}


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
        width=_WIDTH,
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
            "width": round(_WIDTH * getattr(total, unit) / most, 1),
            "traffic": traffic_text(total),
            "y": 44 * place,
        }
        for place, (label, kind, total) in enumerate(found)
    ]
    if may:
        shown = size_text(may) if unit == "bytes" else f"{may:,} connections"
        bars.append(
            {"label": "may go past: addresses were translated", "kind": "may",
             "width": round(_WIDTH * may / most, 1), "traffic": shown, "y": 44 * len(bars)}
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
