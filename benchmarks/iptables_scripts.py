"""Scripts from distinct policies on one core, five entries a list. Goal: 30,000 a second."""

from __future__ import annotations

import random
import sys
import time

from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.sets.ranges import dotted
from fsm_stack.iptables.write import script, write_restore
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import FSM

GOAL = 30_000
POLICIES = 20_000
ENTRIES = 5
ROUNDS = 3


def policies() -> list[InterceptLists]:
    """Distinct ones, always the same."""
    source = random.Random(1)  # noqa: S311  # reproducible, not secret

    def ranges() -> tuple[str, ...]:
        return tuple(f"{dotted(source.getrandbits(32))}/32" for _ in range(ENTRIES))

    def ports() -> tuple[int, ...]:
        return tuple(source.randint(1, 65535) for _ in range(ENTRIES))

    return [
        InterceptLists(
            local_proxy_mode=source.choice(("Localhost", "PodIP")),
            interfaces=tuple(f"net{n}" for n in range(ENTRIES)),
            excluded_ranges=ranges(),
            included_ranges=ranges(),
            outbound_ports=ports(),
            inbound_ports=ports(),
        )
        for _ in range(POLICIES)
    ]


def main() -> int:
    """Print the rate; 1 when it misses the goal."""
    made = policies()
    if script(made[0], FSM) != write_restore(intercept(made[0], FSM)):
        print("scripts: the quick way writes another text")
        return 1
    best = 0.0
    for _ in range(ROUNDS):
        start = time.process_time()
        for lists in made:
            script(lists, FSM)
        best = max(best, POLICIES / (time.process_time() - start))
    print(f"scripts: {best:,.0f} a second on one core (goal {GOAL:,})")
    return 0 if best >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
