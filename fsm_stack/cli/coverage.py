"""``fsm-stack coverage``: what goes through the sidecar, and what does not."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from operator import eq
from typing import TYPE_CHECKING, Any, Final

import click

from fsm_stack.cli.options import chosen, source_options, svg_option
from fsm_stack.cli.verb import Verb, emit, finding_lines, output_option

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
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
@svg_option("Also draw it into FILE: in three lanes, the stack's own entries by name.")
@output_option
def coverage(stack: str | None, *, svg: Path | None, **options: Any) -> None:  # noqa: ANN401  # of the source
    """Say what goes through the sidecar and what does not, exactly, in addresses and ports.

    The sets are computed from the rules of a STACK's pods, or of any other script, and cover every
    connection: none is sampled, each is in exactly one entry.
    """
    rules = chosen(stack, **options)
    found = _fates(rules)
    if svg is not None:
        from fsm_stack.project.files import write_file

        write_file(svg, picture(rules, datetime.now(UTC).date()).encode())
    emit(_plain(rules, found), _lines(rules, found))


def picture(rules: RulesSource, today: date) -> str:
    """What happens to all traffic, in lanes, with the stack's own entries as of a day."""
    from fsm_stack.cli.rules import family_text
    from fsm_stack.iptables.picture.draw import lanes_svg
    from fsm_stack.iptables.picture.lanes import lanes
    from fsm_stack.iptables.sets.decisions import decisions

    return lanes_svg(
        lanes(decisions(rules.loadable()), rules.notes(today)),
        title=f"{rules.name}: what goes through the sidecar",
        subtitle=family_text(rules),
        named=rules.named_ranges(),
    )


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


def _rank(verdict: Verdict) -> tuple[int, str, tuple[str, ...]]:
    """The listeners first, the outbound one before the inbound one."""
    from fsm_stack.iptables.packet import ToListener, verdict_text

    text = str(verdict.port) if isinstance(verdict, ToListener) else verdict_text(verdict)
    return (_KINDS.index(_kind(verdict)), text, _undecided(verdict))


def _undecided(verdict: Verdict) -> tuple[str, ...]:
    """The matches that it depends on, and that nobody here decides."""
    from fsm_stack.iptables.packet import May

    return verdict.on if isinstance(verdict, May) else ()


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
                lines += [f"    it depends on {match}" for match in _undecided(verdict)]
                lines += [line for region in own for line in _region_lines(region)]
    return lines


def _region_lines(region: Region) -> list[str]:
    from fsm_stack.iptables.sets.reach import shortened

    parts = _parts(region)
    if region.protocols == _NOT_TCP:
        parts["protocol"] = "all that is not TCP"
    if "uid" in parts:
        parts["uid"] = _SIDECAR.get(parts["uid"], parts["uid"])
    limits = ", ".join(text for name, text in parts.items() if name in ("protocol", "via", "uid"))
    spots = [
        f"{name} {shortened(parts[name], _SHOWN)}"
        for name in ("from", "to", "port")
        if name in parts
    ]
    addresses, ports = _counts(region)
    counts = f"{addresses:,} address{'' if addresses == 1 else 'es'}"
    if ports is not None:
        counts += f" x {ports:,} port{'' if ports == 1 else 's'}"
    lines = [f"    - {limits or 'everything'}", *(f"      {spot}" for spot in spots)]
    return [*lines, f"      {counts}"]


def _parts(region: Region) -> dict[str, str]:
    """What limits a region, by name, as text; what does not limit it is left out."""
    from fsm_stack.iptables.sets.reach import set_text

    named = {"protocol": "protocols", "via": "interfaces", "uid": "uids", "from": "sources",
             "to": "destinations", "port": "ports"}  # fmt: skip
    marked = {"via": "via ", "uid": "uid "}
    texts = {name: set_text(region, of) for name, of in named.items()}
    return {name: marked.get(name, "") + text for name, text in texts.items() if text != "any"}


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
                    "undecided": list(_undecided(verdict)),
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
