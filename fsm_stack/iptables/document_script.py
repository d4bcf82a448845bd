"""The rule set of the documents of 2021: old chain names, old order, one command a rule.

Exclusions are inserted at the head of their chain, before the rule for the sidecar's own traffic,
so that the kernel tries them in reverse. Source: the samples of the three troubleshooting pages.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fsm_stack.errors import InputError
from fsm_stack.iptables.intercept import (
    inbound_ports,
    inbound_static,
    outbound_decision,
    outbound_exclusions,
    outbound_ports,
    outbound_static,
)
from fsm_stack.iptables.reasons import Reason
from fsm_stack.iptables.rule import Append, Insert, Ruleset
from fsm_stack.iptables.tokens import POD_IP_VARIABLE
from fsm_stack.lists import INCLUDED_RANGES, INTERFACES, POD_IP_MODE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.iptables.rule import Step
    from fsm_stack.lists import InterceptLists
    from fsm_stack.systems import System

# What later generations added to the static rules.
_LATER = frozenset({Reason.HEALTHCHECK, Reason.SELF_CALL, Reason.APP_LOOPBACK})


def document_ruleset(lists: InterceptLists, system: System) -> Ruleset:
    """The rule set that the documents' generation makes of these lists.

    Args:
        lists: outbound ranges and ports, inbound ports: the documents know no other list.
        system: whose documents.

    Raises:
        InputError: a list or a mode that this generation does not have.
    """
    unknown = {
        INTERFACES.key: bool(lists.interfaces),
        INCLUDED_RANGES.key: bool(lists.included_ranges),
        f"localProxyMode {POD_IP_MODE} ({POD_IP_VARIABLE})": lists.local_proxy_mode == POD_IP_MODE,
        "localDNSProxy": lists.dns_proxy and system.has_dns_rule,
    }
    if names := [name for name, used in unknown.items() if used]:
        raise InputError(f"the documents' generation of scripts has no {', '.join(names)}")
    old = replace(system, chains=system.document_chains)
    return Ruleset(chains=old.chains.all(), steps=tuple(_steps(lists, old)))


def _steps(lists: InterceptLists, system: System) -> Iterator[Step]:
    for section in (outbound_static, outbound_decision, inbound_static):
        yield from (step for step in section(lists, system) if step.rule.why not in _LATER)
    for exclusions in (outbound_exclusions, outbound_ports, inbound_ports):
        for step in exclusions(lists, system):
            yield _inserted(step)


def _inserted(step: Step) -> Step:
    return Insert(chain=step.chain, rule=step.rule) if isinstance(step, Append) else step
