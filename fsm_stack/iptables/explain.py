"""The reason of every rule of a script that was read: recognised, never guessed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.intercept import (
    POD_IP_VARIABLE,
    dns_proxy,
    inbound_static,
    outbound_static,
    pod_ip_mode,
)
from fsm_stack.iptables.ranges import ipv4_range
from fsm_stack.iptables.reasons import Reason
from fsm_stack.iptables.rule import (
    Destination,
    DestinationPort,
    Dnat,
    InInterface,
    Jump,
    Multiport,
    OutInterface,
    Protocol,
    Return,
    Ruleset,
)
from fsm_stack.lists import POD_IP_MODE, InterceptLists
from fsm_stack.systems import OSM_EDGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.iptables.rule import Match, Rule, Step, Target
    from fsm_stack.systems import ChainNames

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
