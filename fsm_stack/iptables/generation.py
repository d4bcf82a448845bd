"""Which generation of scripts a rule set belongs to, told by its chains and by what it lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.rule import (
    DestinationPort,
    OutInterface,
    Ruleset,
    kernel_order,
)
from fsm_stack.systems import FSM, SYSTEMS, ChainNames
from fsm_stack.well_known import HEALTHCHECK_PORT

if TYPE_CHECKING:
    from fsm_stack.iptables.rule import Rule

# The troubleshooting page of FSM shows these; chain names are case-sensitive, the program writes
# FSM_.
LOWER_CASE_CHAINS: Final = ChainNames(
    inbound="fsm_PROXY_INBOUND",
    in_redirect="fsm_PROXY_IN_REDIRECT",
    outbound="fsm_PROXY_OUTBOUND",
    out_redirect="fsm_PROXY_OUT_REDIRECT",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A family of scripts.

    Attributes:
        name: ``PROXY_*``, ``fsm_PROXY_*``, ``FSM_PROXY_*`` or ``OSM_PROXY_*``.
        title: where it comes from.
        chains: its chain names.
        systems: names of the systems that write it, or whose documents show it.
        current: whether a system writes these chain names today.
        lacks: what today's scripts have and this rule set does not.
    """

    name: str
    title: str
    chains: ChainNames
    systems: tuple[str, ...]
    current: bool
    lacks: tuple[str, ...] = ()

    def describe(self) -> str:
        """One line for people."""
        missing = f"; lacks {', '.join(self.lacks)}" if self.lacks else ""
        return f"{self.name}: {self.title}{missing}"


def generation(ruleset: Ruleset) -> Generation | None:
    """The generation of a rule set; None when no known chain of an injector is in it."""
    present = {*ruleset.chains, *(step.chain for step in ruleset.steps)}
    for chains, title, systems, current in _known():
        if present.intersection(chains.all()):
            prefix = chains.inbound.removesuffix("INBOUND")
            return Generation(
                name=f"{prefix}*",
                title=title,
                chains=chains,
                systems=systems,
                current=current,
                lacks=_lacks(ruleset, chains),
            )
    return None


def _known() -> list[tuple[ChainNames, str, tuple[str, ...], bool]]:
    every = tuple(SYSTEMS)
    families: dict[ChainNames, tuple[str, ...]] = {}
    for system in SYSTEMS.values():
        families[system.chains] = (*families.get(system.chains, ()), system.name)
    today = [
        (
            chains,
            f"written by {' and '.join(SYSTEMS[name].title for name in names)} today",
            names,
            True,
        )
        for chains, names in families.items()
    ]
    lower = "shown by a page of FSM; the program writes FSM_, and names are case-sensitive"
    return [
        *today,
        (LOWER_CASE_CHAINS, lower, (FSM.name,), False),
        (FSM.document_chains, "documents of 2021, one command a rule", every, False),
    ]


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
