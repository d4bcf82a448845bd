"""Rules as the packets of one hook see them: they have one interface, of their own direction.

iptables refuses ``-i`` in OUTPUT itself, and takes it in a chain that OUTPUT jumps to. There the
name of the interface is empty: ``-i eth0`` matches nothing, ``! -i eth0`` and ``-i +`` everything.
Seen in the kernel with both back ends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.rule import (
    OUTPUT,
    PREROUTING,
    Destination,
    InInterface,
    Jump,
    OutInterface,
)
from fsm_stack.iptables.sets.ranges import interface_matches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.iptables.rule import Rule

# The interface that packets of a hook do not have.
LACKING: Final = {OUTPUT: InInterface, PREROUTING: OutInterface}
_NOTHING: Final = Destination(cidr="0.0.0.0/0", negated=True)


def entered(chains: Mapping[str, tuple[Rule, ...]], hook: str) -> set[str]:
    """The hook and every chain that its jumps lead to."""
    found, todo = {hook}, [hook]
    while todo:
        for rule in chains.get(todo.pop(), ()):
            if isinstance(rule.target, Jump) and rule.target.chain not in found:
                found.add(rule.target.chain)
                todo.append(rule.target.chain)
    return found


def seen_from(chains: Mapping[str, tuple[Rule, ...]], hook: str) -> Mapping[str, tuple[Rule, ...]]:
    """The chains that a hook enters, without matches of the interface that its packets lack.

    Rules keep their places; one that matches nothing says so. The same mapping comes back when
    there is nothing to change.
    """
    inside = {name: chains[name] for name in entered(chains, hook) if name in chains}
    if not any(_lacking(rule, hook) for rules in inside.values() for rule in rules):
        return chains
    return {name: tuple(_seen(rule, hook) for rule in rules) for name, rules in inside.items()}


def _lacking(rule: Rule, hook: str) -> bool:
    return any(isinstance(match, LACKING[hook]) for match in rule.matches)


def _seen(rule: Rule, hook: str) -> Rule:
    if not _lacking(rule, hook):
        return rule
    rest = []
    for match in rule.matches:
        if not isinstance(match, InInterface | OutInterface) or not isinstance(
            match, LACKING[hook]
        ):
            rest.append(match)
        elif interface_matches(match.name, "") == match.negated:
            rest.append(_NOTHING)
    return replace(rule, matches=tuple(rest))
