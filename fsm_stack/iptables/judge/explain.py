"""Whose rules these are, of which generation, and why each of them is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.generate import (
    dns_proxy,
    inbound_static,
    outbound_static,
    pod_ip_mode,
)
from fsm_stack.iptables.rule import (
    POD_IP_VARIABLE,
    Destination,
    DestinationPort,
    Dnat,
    InInterface,
    Jump,
    Multiport,
    OutInterface,
    Protocol,
    Reason,
    Return,
    Ruleset,
    kernel_order,
)
from fsm_stack.iptables.sets.ranges import ipv4_range
from fsm_stack.lists import POD_IP_MODE, InterceptLists
from fsm_stack.systems import FSM, OSM_EDGE, SYSTEMS, ChainNames
from fsm_stack.well_known import HEALTHCHECK_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.iptables.rule import Match, Rule, Step, Target
    from fsm_stack.systems import System

_EVERYTHING: Final = InterceptLists(local_proxy_mode=POD_IP_MODE, dns_proxy=True)

Key = tuple[str, frozenset[object], object]


def explained(ruleset: Ruleset, chains: ChainNames) -> Ruleset:
    """The same rule set, each rule with its reason.

    Args:
        ruleset: read from text.
        chains: its generation's chain names.
    """
    known = _known(chains)
    steps = tuple(
        replace(step, rule=replace(step.rule, why=_why(step, chains, known)))
        for step in ruleset.steps
    )
    return replace(ruleset, steps=steps)


@cache
def _known(chains: ChainNames) -> Mapping[Key, Reason]:
    """The rules that do not depend on lists, from the generator itself."""
    profile = replace(OSM_EDGE, chains=chains)
    sections = (inbound_static, outbound_static, dns_proxy, pod_ip_mode)
    return {
        _key(step.chain, step.rule): step.rule.why
        for section in sections
        for step in section(_EVERYTHING, profile)
    }


def _key(chain: str, rule: Rule) -> Key:
    return (chain, frozenset(_plain(match) for match in rule.matches), _plain_target(rule.target))


def _plain(match: Match) -> object:
    """A match without its spelling: 127.0.0.153 is 127.0.0.153/32."""
    if isinstance(match, Destination):
        return ("destination", ipv4_range(match.cidr), match.negated)
    return match


def _plain_target(target: Target) -> object:
    """A target without the pod's own address, which a dump shows and a script does not."""
    if isinstance(target, Dnat) and ":" not in target.to:
        return Dnat(to=POD_IP_VARIABLE)
    return target


def _why(step: Step, chains: ChainNames, known: Mapping[Key, Reason]) -> Reason:
    if why := known.get(_key(step.chain, step.rule)):
        return why
    if step.chain == chains.outbound:
        return _why_outbound(step.rule, chains)
    if step.chain == chains.inbound:
        return _why_inbound(step.rule)
    return Reason.UNKNOWN


def _why_inbound(rule: Rule) -> Reason:
    if rule.target == Return():
        match _limits(rule):
            case (InInterface(),):
                return Reason.INBOUND_INTERFACE
            case (Multiport() | DestinationPort(),):
                return Reason.INBOUND_PORTS
    return Reason.UNKNOWN


def _why_outbound(rule: Rule, chains: ChainNames) -> Reason:
    limits = _limits(rule)
    if rule.target == Jump(chain=chains.out_redirect):
        match limits:
            case ():
                return Reason.INTERCEPT_OUTBOUND
            case (Destination(),):
                return Reason.INCLUDED_RANGE
    if rule.target == Return():
        match limits:
            case ():
                return Reason.NOT_INCLUDED
            case (OutInterface(),):
                return Reason.OUTBOUND_INTERFACE
            case (Destination(),):
                return Reason.OUTBOUND_RANGE
            case (Multiport() | DestinationPort(),):
                return Reason.OUTBOUND_PORTS
    return Reason.UNKNOWN


def _limits(rule: Rule) -> tuple[Match, ...]:
    """The matches apart from ``-p tcp``; none when one of them is negated."""
    limits = tuple(match for match in rule.matches if match != Protocol(name="tcp"))
    if any(match.negated for match in limits):
        return (Protocol(name="negated", negated=True),)
    return limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A family of scripts.

    Attributes:
        title: where it comes from.
        chains: its chain names.
        systems: names of the systems that write it, or whose documents show it.
        current: whether a system writes these chain names today.
        lacks: what today's scripts have and this rule set does not.
    """

    title: str
    chains: ChainNames
    systems: tuple[str, ...]
    current: bool
    lacks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``PROXY_*``, ``fsm_PROXY_*``, ``FSM_PROXY_*`` or ``OSM_PROXY_*``."""
        return f"{self.chains.inbound.removesuffix('INBOUND')}*"

    def describe(self) -> str:
        """One line for people."""
        missing = f"; lacks {', '.join(self.lacks)}" if self.lacks else ""
        return f"{self.name}: {self.title}{missing}"


# The troubleshooting page of FSM shows these; chain names are case-sensitive, the program writes
# FSM_.
LOWER_CASE_CHAINS: Final = ChainNames(
    inbound="fsm_PROXY_INBOUND",
    in_redirect="fsm_PROXY_IN_REDIRECT",
    outbound="fsm_PROXY_OUTBOUND",
    out_redirect="fsm_PROXY_OUT_REDIRECT",
)


def _generations() -> Iterator[Generation]:
    by_chains: dict[ChainNames, list[System]] = {}
    for system in SYSTEMS.values():
        by_chains.setdefault(system.chains, []).append(system)
    for chains, systems in by_chains.items():
        yield Generation(
            title=f"written by {' and '.join(system.title for system in systems)} today",
            chains=chains,
            systems=tuple(system.name for system in systems),
            current=True,
        )
    yield Generation(
        title="shown by a page of FSM; the program writes FSM_, and names are case-sensitive",
        chains=LOWER_CASE_CHAINS,
        systems=(FSM.name,),
        current=False,
    )
    yield Generation(
        title="names of 2021, of OSM's early releases and the documents",
        chains=FSM.document_chains,
        systems=tuple(SYSTEMS),
        current=False,
    )


_GENERATIONS: Final = tuple(_generations())


def generation(ruleset: Ruleset) -> Generation | None:
    """The generation of a rule set; None when no known chain of an injector is in it."""
    present = {*ruleset.chains, *(step.chain for step in ruleset.steps)}
    for known in _GENERATIONS:
        if present.intersection(known.chains.all()):
            return replace(known, lacks=_lacks(ruleset, known.chains))
    return None


def _lacks(ruleset: Ruleset, chains: ChainNames) -> tuple[str, ...]:
    order = kernel_order(ruleset)
    inbound, outbound = order.get(chains.inbound, ()), order.get(chains.outbound, ())
    missing = []
    if not any(_is_port(rule, HEALTHCHECK_PORT) for rule in inbound):
        missing.append(f"the health-check helper's port {HEALTHCHECK_PORT}")
    if not any(OutInterface(name="lo") in rule.matches for rule in outbound):
        missing.append("the loopback rules (-o lo)")
    return tuple(missing)


def _is_port(rule: Rule, port: int) -> bool:
    return any(
        isinstance(match, DestinationPort) and match.ports.bounds == (port, port)
        for match in rule.matches
    )
