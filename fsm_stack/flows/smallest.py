"""The smallest set of CIDRs that holds given addresses, within a number of CIDRs: exact.

Of all ways to cover the addresses with at most so many CIDRs, each inside of what may be covered,
the one that holds the fewest addresses; of equal ones, the one with the fewest CIDRs.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm_stack.iptables.sets.ranges import cidrs, intersection, ipv4_range, merged

if TYPE_CHECKING:
    from collections.abc import Sequence

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Part:
    """Some neighbouring blocks: what covering them costs with one CIDR, two, ...

    Attributes:
        hull: the narrowest CIDR around them.
        costs: addresses, by the number of CIDRs less one; infinite: not allowed.
        lefts: of how many CIDRs the left half gets.
        halves: the two halves; empty: it is one block.
    """

    hull: Span
    costs: tuple[float, ...]
    lefts: tuple[int, ...]
    halves: tuple[_Part, ...]


def smallest(wanted: Sequence[Span], allowed: Sequence[Span], most: int) -> list[Span] | None:
    """The smallest cover; None: there is none with so few CIDRs.

    Cost: proportional to the number of blocks and to ``most``.

    Args:
        wanted: addresses that have to be covered.
        allowed: addresses that may be covered, the wanted ones among them.
        most: how many CIDRs there may be.
    """
    blocks = [
        bounds
        for start, end in merged(intersection(merged([*wanted]), merged([*allowed])))
        for text in cidrs(start, end)
        if (bounds := ipv4_range(text))
    ]
    if not blocks:
        return []
    whole = _part(blocks, 0, len(blocks), merged([*allowed]), max(most, 1))
    best = min(whole.costs)
    if best == float("inf") or most < 1:
        return None
    return _chosen(whole, whole.costs.index(best) + 1)


def _part(blocks: list[Span], low: int, high: int, allowed: list[Span], most: int) -> _Part:
    start, end = blocks[low][0], blocks[high - 1][1]
    size = 1 << (start ^ (end - 1)).bit_length()
    hull = (start & -size, (start & -size) + size)
    alone = float(size) if intersection([hull], allowed) == [hull] else float("inf")
    if high - low == 1:
        return _Part(hull, (float(end - start),), (0,), ())
    middle = bisect_left(blocks, (hull[0] + size // 2, 0), low, high)
    left = _part(blocks, low, middle, allowed, most)
    right = _part(blocks, middle, high, allowed, most)
    costs, lefts = [alone], [0]
    for count in range(2, min(most, len(left.costs) + len(right.costs)) + 1):
        first = max(1, count - len(right.costs))
        last = min(count - 1, len(left.costs))
        cost, chosen = min(
            (left.costs[at - 1] + right.costs[count - at - 1], at) for at in range(first, last + 1)
        )
        costs.append(cost)
        lefts.append(chosen)
    return _Part(hull, tuple(costs), tuple(lefts), (left, right))


def _chosen(part: _Part, count: int) -> list[Span]:
    at = part.lefts[count - 1]
    if not at:
        return [part.hull]
    left, right = part.halves
    return _chosen(left, at) + _chosen(right, count - at)
