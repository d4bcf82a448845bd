"""``fsm-stack coverage``: what goes through the sidecar, and what does not."""

from __future__ import annotations

from functools import partial
from operator import eq
from typing import TYPE_CHECKING, Any, Final

import click

from fsm_stack.cli.options import chosen, draw, source_options, svg_option
from fsm_stack.cli.verb import Verb, emit, finding_lines, output_option

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from fsm_stack.iptables.packet import Direction, Verdict
    from fsm_stack.iptables.sets.reach import Region
    from fsm_stack.project.rules_source import RulesSource

_NOT_TCP: Final = ((0, 6), (7, 256))
# So many ranges or ports of a set are printed for people; JSON has them all.
_SHOWN: Final = 6
_SIDECAR: Final = {"uid 1500": "uid 1500 (the sidecar)",
                   "uid any but 1500": "any uid but 1500 (the sidecar)"}  # fmt: skip
_MEANS: Final = {"sidecar": "through the sidecar", "may": "perhaps through the sidecar",
                 "elsewhere": "sent elsewhere", "bypass": "not through the sidecar"}  # fmt: skip
_THROUGH: Final = {"sidecar": True, "may": None}
_DIRECTIONS: Final[tuple[Direction, ...]] = ("outbound", "inbound")


@click.command(cls=Verb, short_help="Say what goes through the sidecar and what does not.")
@source_options
@svg_option
@output_option
def coverage(stack: str | None, *, svg: Path | None, **options: Any) -> None:  # noqa: ANN401  # of the source
    """Say what goes through the sidecar and what does not, exactly, in addresses and ports.

    The sets are computed from the rules of a STACK's pods, or of any other script, and cover every
    connection: none is sampled, each is in exactly one entry.
    """
    rules = chosen(stack, **options)
    found = _fates(rules)
    if svg is not None:
        draw(rules, svg, title=f"{rules.name}: what goes through the sidecar")
    emit(_plain(rules, found), _lines(rules, found))


Fates = dict["Verdict", tuple["Region", ...]]


def _fates(rules: RulesSource) -> Fates:
    """Each verdict that occurs, with its regions: to the sidecar first, untouched last."""
    from fsm_stack.errors import InputError
    from fsm_stack.iptables.sets.coverage import coverage as every_fate
    from fsm_stack.iptables.sets.diagram import TooComplexError, values
    from fsm_stack.iptables.sets.reach import where

    try:
        fates = every_fate(rules.loadable())
    except TooComplexError as error:
        raise InputError(f"{rules.name}: {error}; ask about one connection with trace") from None
    verdicts = {*values(fates.outbound), *values(fates.inbound)}
    return {
        verdict: tuple(where(fates, partial(eq, verdict)).regions())
        for verdict in sorted(verdicts, key=_rank)
    }


_KINDS: Final = ("sidecar", "may", "elsewhere", "bypass")


def _rank(verdict: Verdict) -> tuple[int, str]:
    """The listeners first, the outbound one before the inbound one."""
    from fsm_stack.iptables.packet import ToListener, verdict_text

    text = str(verdict.port) if isinstance(verdict, ToListener) else verdict_text(verdict)
    return (_KINDS.index(_kind(verdict)), text)


def _kind(verdict: Verdict) -> str:
    from fsm_stack.iptables.packet import ToListener, Untouched, may_reach_sidecar

    if isinstance(verdict, ToListener):
        return "sidecar"
    if may_reach_sidecar(verdict):
        return "may"
    return "bypass" if isinstance(verdict, Untouched) else "elsewhere"


def _lines(rules: RulesSource, found: Fates) -> list[str]:
    from fsm_stack.cli.rules import family_text
    from fsm_stack.iptables.packet import verdict_text

    lines = [f"{rules.name}: {family_text(rules)}", *finding_lines(rules.findings)]
    for direction in _DIRECTIONS:
        lines += ["", direction]
        for verdict, regions in found.items():
            own = [region for region in regions if region.direction == direction]
            if own:
                kind = _MEANS[_kind(verdict)]
                detail = "" if _kind(verdict) == "bypass" else f", {verdict_text(verdict)}"
                lines.append(f"  {kind}{detail}")
                lines += [line for region in own for line in _region_lines(region)]
    return lines


def _region_lines(region: Region) -> list[str]:
    parts = _parts(region)
    if region.protocols == _NOT_TCP:
        parts["protocol"] = "all that is not TCP"
    if "uid" in parts:
        parts["uid"] = _SIDECAR.get(parts["uid"], parts["uid"])
    limits = ", ".join(text for name, text in parts.items() if name in ("protocol", "via", "uid"))
    spots = [f"{name} {_short(parts[name])}" for name in ("from", "to", "port") if name in parts]
    addresses, ports = _counts(region)
    counts = f"{addresses:,} address{'' if addresses == 1 else 'es'}"
    if ports is not None:
        counts += f" x {ports:,} port{'' if ports == 1 else 's'}"
    lines = [f"    - {limits or 'everything'}", *(f"      {spot}" for spot in spots)]
    return [*lines, f"      {counts}"]


def _parts(region: Region) -> dict[str, str]:
    """What limits a region, by name, as text; what does not limit it is left out."""
    from fsm_stack.iptables.sets import reach as text
    from fsm_stack.iptables.sets.diagram import AXES

    whole = {name: ((first, end),) for name, first, end in AXES}
    parts = {
        "protocol": (region.protocols, whole["protocol"], text.protocols_text),
        "via": (region.interfaces, whole["interface"], text.interfaces_text),
        "uid": (region.uids, whole["uid"], text.uids_text),
        "from": (region.sources, whole["source"], text.addresses_text),
        "to": (region.destinations, whole["destination"], text.addresses_text),
        "port": (region.ports, whole["port"], text.numbers_text),
    }
    named = {"via": "via ", "uid": "uid "}
    return {
        name: named.get(name, "") + as_text(intervals)
        for name, (intervals, all_of_it, as_text) in parts.items()
        if intervals != all_of_it
    }


def _short(text: str) -> str:
    head, but, tail = text.rpartition("any but ")
    items = tail.split(",")
    more = len(items) - _SHOWN
    shown = ", ".join(items[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
    return f"{head}{but}{shown}"


def _counts(region: Region) -> tuple[int, int | None]:
    """Destination addresses and ports; None where some protocol has no ports."""
    from fsm_stack.iptables.packet import WITH_PORTS, protocol_number
    from fsm_stack.iptables.sets.reach import length

    numbers = {number for start, stop in region.protocols for number in range(start, stop)}
    with_ports = numbers <= {protocol_number(name) for name in WITH_PORTS}
    return (length(region.destinations), length(region.ports) if with_ports else None)


def _plain(rules: RulesSource, found: Fates) -> dict[str, Any]:
    from fsm_stack.iptables.packet import verdict_text

    def of(direction: str) -> Iterable[dict[str, Any]]:
        for verdict, regions in found.items():
            own = [_plain_region(item) for item in regions if item.direction == direction]
            if own:
                yield {
                    "throughSidecar": _THROUGH.get(_kind(verdict), False),
                    "verdict": verdict_text(verdict),
                    "regions": own,
                }

    return {
        "source": rules.as_json(),
        **{direction: list(of(direction)) for direction in _DIRECTIONS},
        "findings": [item.as_json() for item in rules.findings],
    }


def _plain_region(region: Region) -> dict[str, Any]:
    parts = _parts(region)
    addresses, ports = _counts(region)
    return {
        "protocols": parts.get("protocol", "any"),
        "interfaces": parts.get("via", "any").removeprefix("via "),
        "uids": parts.get("uid", "any").removeprefix("uid "),
        "sources": parts.get("from", "any"),
        "destinations": parts.get("to", "any"),
        "ports": parts.get("port", "any"),
        "addresses": addresses,
        "portCount": ports,
    }
