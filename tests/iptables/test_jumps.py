"""Loops and depth of jumps, against a walk along every path."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.iptables.judge.loadable import Jumps, beyond, loops_and_depth

names = st.sampled_from("abcdef")
graphs = st.dictionaries(names, st.sets(names, min_size=1), max_size=6)


def deepest(jumps: Jumps, chain: str) -> int:
    """The longest way of jumps from a chain that leads into no loop."""
    return max((1 + deepest(jumps, target) for target in jumps.get(chain, ())), default=0)


@given(graphs)
def test_loops_and_depth_are_those_of_every_path(jumps: Jumps) -> None:
    looping = [chain for chain in sorted(jumps) if chain in beyond(jumps, jumps[chain])]
    straight = [chain for chain in jumps if not beyond(jumps, {chain}) & set(looping)]
    assert loops_and_depth(jumps) == (
        looping,
        max((deepest(jumps, chain) for chain in straight), default=0),
    )


def test_long_ways_and_long_loops_are_walked_at_once() -> None:
    """Neither a recursion as deep as the chains nor a walk from each of them."""
    way = {str(number): {str(number + 1)} for number in range(50_000)}
    assert loops_and_depth(way) == ([], 50_000)
    loop = {**way, "50000": {"0"}, "in": {"7"}}
    looping, depth = loops_and_depth(loop)
    assert (len(looping), depth) == (50_001, 0)
