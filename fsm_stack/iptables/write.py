"""Rule sets as text, in both dialects; the older documents' script among them.

``write_restore`` gives the injector's own script byte for byte; ``write_commands`` the chained
``iptables ... && iptables ...`` of the documents, as valid shell.

Exclusions are inserted at the head of their chain, before the rule for the sidecar's own traffic,
so that the kernel tries them in reverse. Source: the samples of the three troubleshooting pages.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fsm_stack.errors import InputError
from fsm_stack.iptables.generate import (
    inbound_ports,
    inbound_static,
    outbound_decision,
    outbound_exclusions,
    outbound_ports,
    outbound_static,
)
from fsm_stack.iptables.read.tokens import POD_IP_VARIABLE
from fsm_stack.iptables.rule import Append, Insert, Reason, Ruleset
from fsm_stack.iptables.rule_text import step_line
from fsm_stack.lists import INCLUDED_RANGES, INTERFACES, POD_IP_MODE
from fsm_stack.templating import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.iptables.rule import Step
    from fsm_stack.lists import InterceptLists
    from fsm_stack.systems import System


def write_restore(ruleset: Ruleset) -> str:
    """The script that an init container runs: a here-document for ``iptables-restore``.

    Args:
        ruleset: its values are printed as they are, nonsense included.

    Returns:
        The text, ending in one newline.
    """
    return render(
        "iptables/restore.sh.j2",
        comment=ruleset.comment,
        chains=ruleset.chains,
        lines=[step_line(step) for step in ruleset.steps],
    )


def write_commands(ruleset: Ruleset, *, program: str = "iptables") -> str:
    """One line of shell: a command per chain and rule, each run only if all before it succeeded.

    Args:
        ruleset: its values are printed as they are.
        program: the command's name; ``iptables-legacy`` and ``iptables-nft`` exist too.

    Returns:
        The text, ending in one newline.
    """
    head = f"{program} -t nat"
    created = [f"{head} -N {chain}" for chain in ruleset.chains]
    return render(
        "iptables/commands.sh.j2",
        commands=[*created, *(f"{head} {step_line(step)}" for step in ruleset.steps)],
    )


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
