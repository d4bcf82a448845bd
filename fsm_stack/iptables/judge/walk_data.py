"""Rules as plain values for the walk in a browser, templates/review/walk.js.

What the browser cannot know, ranges and numbers of names, is worked out here, so that it only
compares numbers. The tests hold its walk to :func:`fsm_stack.iptables.judge.simulate.trace`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, assert_never

from fsm_stack.iptables.judge.loadable import require_loadable
from fsm_stack.iptables.packet import WITH_PORTS, protocol_number
from fsm_stack.iptables.rule import (
    Accept,
    Destination,
    DestinationPort,
    Dnat,
    ForeignMatch,
    ForeignTarget,
    InInterface,
    Jump,
    Multiport,
    OutInterface,
    Protocol,
    Redirect,
    Return,
    Source,
    UidOwner,
)
from fsm_stack.iptables.sets.ranges import PROTOCOLS, ipv4_range
from fsm_stack.iptables.write import match_text, rule_text
from fsm_stack.well_known import (
    INBOUND_LISTENER_PORT,
    OUTBOUND_LISTENER_PORT,
    PORT_MAX,
    SIDECAR_UID,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsm_stack.iptables.rule import Match, Rule, Ruleset, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry behind a rule.

    Attributes:
        text: in words.
        ports: first and last of the ports that it is for, where its rule has others, too; None:
            it is behind every packet of its rule.
    """

    text: str
    ports: tuple[int, int] | None = None


# What the walk has to know beside the rules.
FACTS: Final[dict[str, Any]] = {
    "protocols": PROTOCOLS,
    "withPorts": sorted(WITH_PORTS),
    "portMax": PORT_MAX,
    "sidecarUid": SIDECAR_UID,
    "listeners": {
        str(OUTBOUND_LISTENER_PORT): "outbound",
        str(INBOUND_LISTENER_PORT): "inbound",
    },
}


def walk_data(
    ruleset: Ruleset, entries: Callable[[Rule], list[Entry]] = lambda _: []
) -> dict[str, list[dict[str, Any]]]:
    """Each chain's rules in the kernel's order, as JSON values.

    Args:
        ruleset: rules that iptables can load.
        entries: the stack's own entries behind a rule.

    Raises:
        NotLoadableError: iptables would refuse the rules.
    """
    return {
        name: [_rule(rule, entries(rule)) for rule in rules]
        for name, rules in require_loadable(ruleset).items()
    }


def _rule(rule: Rule, entries: list[Entry]) -> dict[str, Any]:
    return {
        "matches": [
            {"text": match_text(match), "negated": match.negated, **_match(match)}
            for match in rule.matches
        ],
        "target": _target(rule.target),
        "text": rule_text(rule),
        "why": rule.why.text,
        "entries": [{"text": one.text, "ports": one.ports} for one in entries],
    }


def _match(match: Match) -> dict[str, Any]:
    match match:
        case Protocol():
            return {"kind": "protocol", "number": protocol_number(match.name)}
        case Source():
            return {"kind": "source", "range": ipv4_range(match.cidr)}
        case Destination():
            return {"kind": "destination", "range": ipv4_range(match.cidr)}
        case InInterface():
            return {"kind": "inbound", "name": match.name}
        case OutInterface():
            return {"kind": "outbound", "name": match.name}
        case DestinationPort():
            return {"kind": "port", "spans": [match.ports.bounds]}
        case Multiport():
            return {"kind": "port", "spans": [ports.bounds for ports in match.ports]}
        case UidOwner():
            return {"kind": "uid", "span": match.bounds}
        case ForeignMatch():
            return {"kind": "foreign"}
        case _:
            assert_never(match)


def _target(target: Target) -> dict[str, Any]:
    match target:
        case Return():
            return {"kind": "return"}
        case Accept():
            return {"kind": "accept"}
        case Redirect():
            return {"kind": "redirect", "port": target.port}
        case Dnat():
            return {"kind": "dnat", "to": target.to}
        case Jump():
            return {"kind": "jump", "chain": target.chain}
        case ForeignTarget():
            return {"kind": "foreign", "text": target.text, "goesOn": target.goes_on}
        case _:
            assert_never(target)
