"""Which chains lead to which: loops, depth and what lies behind a hook, in linear time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.iptables.rule import Jump

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.iptables.rule import Ruleset

Jumps = dict[str, set[str]]


def jumps_of(ruleset: Ruleset) -> Jumps:
    """Each chain that jumps, with the chains that it jumps to."""
    jumps: Jumps = {}
    for step in ruleset.steps:
        if isinstance(step.rule.target, Jump):
            jumps.setdefault(step.chain, set()).add(step.rule.target.chain)
    return jumps


def beyond(jumps: Mapping[str, set[str]], starts: Iterable[str]) -> set[str]:
    """The starts and every chain that jumps lead to from them."""
    seen = set(starts)
    todo = list(seen)
    while todo:
        new = jumps.get(todo.pop(), set()) - seen
        seen |= new
        todo += new
    return seen


def loops_and_depth(jumps: Mapping[str, set[str]]) -> tuple[list[str], int]:
    """The chains that lead back to themselves, sorted, and how deep the other jumps are nested."""
    looping: list[str] = []
    depths: dict[str, int | None] = {}  # None: leads into a loop
    for component in _components(jumps):
        alone = component[0]
        if len(component) > 1 or alone in jumps.get(alone, ()):
            looping += component
            depths.update(dict.fromkeys(component))
            continue
        below = [depths[target] for target in jumps.get(alone, ())]
        known = [depth + 1 for depth in below if depth is not None]
        depths[alone] = max(known, default=0) if len(known) == len(below) else None
    return (sorted(looping), max((depth or 0 for depth in depths.values()), default=0))


def _components(jumps: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """Groups of chains that all lead to one another; what they jump to comes first.

    Kosaraju's algorithm, with the two directions changed over.
    """
    backwards: Jumps = {}
    for chain, targets in jumps.items():
        for target in targets:
            backwards.setdefault(target, set()).add(chain)
    seen: set[str] = set()
    for chain in reversed(_left(backwards)):
        if chain not in seen:
            component = [chain]
            seen.add(chain)
            for member in component:  # it grows
                new = jumps.get(member, set()) - seen
                seen |= new
                component += new
            yield component


def _left(graph: Mapping[str, set[str]]) -> list[str]:
    """Every node in the order in which a walk in depth leaves it for good."""
    left: list[str] = []
    seen: set[str] = set()
    for root in graph:
        path = [] if root in seen else [(root, iter(graph[root]))]
        seen.add(root)
        while path:
            node, following = path[-1]
            new = next((one for one in following if one not in seen), None)
            if new is None:
                left.append(node)
                path.pop()
            else:
                seen.add(new)
                path.append((new, iter(graph.get(new, ()))))
    return left
