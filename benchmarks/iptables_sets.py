"""What a policy does to all packets: the exact sets, and a million connections through them.

Goals: the redirected traffic of 1,000 ranges and 15 ports in 0.2 s, growing as n log n; a million
connections classified through one policy in 1 s, the policy's own analysis included.
"""

from __future__ import annotations

import math
import random
import sys
import time
from typing import TYPE_CHECKING

from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.judge.classify import Flows, classify
from fsm_stack.iptables.packet import verdict_text
from fsm_stack.iptables.sets.coverage import coverage
from fsm_stack.iptables.sets.ranges import dotted
from fsm_stack.iptables.sets.reach import reach
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import FSM

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsm_stack.iptables.rule import Ruleset

REACH_GOAL = 0.2
SIZES = (1_000, 2_000, 4_000, 8_000, 16_000)
# How much faster than n log n the time may seem to grow: caches and the machine's other work.
SLACK = 1.6
FLOWS_GOAL = 1.0
FLOWS = 1_000_000
ROUNDS = 3


def policy(source: random.Random, count: int, *included: str) -> Ruleset:
    """The rules of so many ranges, half of them excluded, and of 15 ports either way."""
    some = [f"{dotted(source.getrandbits(32))}/{source.randint(12, 28)}" for _ in range(count)]
    lists = InterceptLists(
        interfaces=("eth1", "veth+"),
        excluded_ranges=tuple(some[: count // 2]),
        included_ranges=(*some[count // 2 :], *included),
        outbound_ports=tuple(range(8000, 8030, 2)),
        inbound_ports=tuple(range(9000, 9030, 2)),
    )
    return intercept(lists, FSM)


def best(work: Callable[[], object]) -> float:
    """Processor seconds of the best of a few rounds."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def sets() -> bool:
    """Print the times of the exact sets; whether they meet the goals."""
    times: dict[int, float] = {}
    for count in SIZES:
        ruleset = policy(random.Random(1), count)  # noqa: S311  # reproducible, not secret
        times[count] = best(lambda known=ruleset: reach(known))  # type: ignore[misc]
        print(f"  {count:,} ranges: {times[count] * 1000:.0f} ms")
    first, last = SIZES[0], SIZES[-1]
    allowed = (last * math.log(last)) / (first * math.log(first))
    growth = times[last] / times[first]
    print(f"reach: {times[first]:.3f} s for {first:,} ranges (goal {REACH_GOAL} s)")
    print(
        f"  {last // first} times the ranges: {growth:.1f} times the time, n log n {allowed:.1f}"
    )
    return times[first] <= REACH_GOAL and growth <= allowed * SLACK


def flows() -> bool:
    """Print the time of a million connections; whether it meets the goal."""
    source = random.Random(1)  # noqa: S311  # reproducible, not secret
    ruleset = policy(source, SIZES[0], "0.0.0.0/1")
    connections = Flows(
        direction="outbound",
        protocols=source.choices((6, 17, 1), (8, 1, 1), k=FLOWS),
        interfaces=source.choices(("eth0", "eth1", "lo", "veth3"), (8, 1, 1, 1), k=FLOWS),
        uids=source.choices((0, 1000, 1500), k=FLOWS),
        ports=source.choices(range(65536), k=FLOWS),
        destinations=[source.getrandbits(32) for _ in range(FLOWS)],
    )
    seconds = best(lambda: classify(coverage(ruleset), connections))
    for verdict, count in classify(coverage(ruleset), connections).counts().items():
        print(f"  {verdict_text(verdict)}: {count:,}")
    print(f"flows: {FLOWS:,} through {SIZES[0]:,} ranges in {seconds:.2f} s (goal {FLOWS_GOAL} s)")
    return seconds <= FLOWS_GOAL


def main() -> int:
    """Both; 1 when one misses a goal."""
    return 0 if all([sets(), flows()]) else 1


if __name__ == "__main__":
    sys.exit(main())
