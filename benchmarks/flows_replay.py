"""A million rows of flow logs replayed over the prod stack: time, memory, two processors.

Goals on one processor: 6 seconds for JSON, 3 for CSV and VPC text, 200 MB whatever the length;
two processors take at most 0.65 of one's time. Each replay is a process of its own.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).parent.parent
ROWS = 1_000_000
GOALS = {"hubble": 6.0, "csv": 3.0, "vpc": 3.0}
MEMORY = 200
TWO = 0.65
START = 1_794_787_200
WEEK = 604_800
V5 = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start "
    "end action log-status vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr "
    "region az-id sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service "
    "flow-direction traffic-path"
)
# Replays in a process of its own, and says its time and memory.
CHILD = """
import json, resource, sys
from pathlib import Path
from time import perf_counter, process_time
from datetime import date
from fsm_stack.flows.judge import Judge
from fsm_stack.flows.rulebook import Rulebook
from fsm_stack.project.flow_files import Logs, read_logs
from fsm_stack.project.project import find_project

def main():
    settings = find_project(Path(sys.argv[1])).load("prod").settings
    wall, start = perf_counter(), process_time()
    judge = Judge(Rulebook(settings, date(2026, 11, 28)))
    tally, _ = read_logs(Logs(paths=(sys.argv[2],), jobs=int(sys.argv[3])), judge)
    used = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF,
                                                          resource.RUSAGE_CHILDREN)]
    print(json.dumps({"cpu": process_time() - start, "wall": perf_counter() - wall,
                      "memory": max(used) // 1024, "rows": tally.total().rows}))

if __name__ == "__main__":
    main()
"""


def connections(source: random.Random) -> list[tuple[str, str, int]]:
    """What 2,000 pods talk to: each to ten destinations, some outside of the cluster."""
    outside = [f"52.{source.randrange(256)}.{source.randrange(256)}.9" for _ in range(200)]
    found = []
    for pod in range(2000):
        address = f"10.128.{pod // 250}.{pod % 250 + 1}"
        for _ in range(10):
            other = f"10.128.{source.randrange(8)}.{source.randrange(1, 251)}"
            target = source.choice([other, source.choice(outside), f"203.0.113.{pod % 3}"])
            found.append((address, target, source.choice([443, 8080, 5432, 6379, 9092])))
    return found


def line(kind: str, number: int, one: tuple[str, str, int], size: int, rows: int) -> str:
    """One row."""
    origin, target, port = one
    at = START + WEEK * number // rows
    if kind == "csv":
        return f"{at},{origin},{target},{port},tcp,outbound,{size}\n"
    if kind == "vpc":
        return (
            f"5 123456789010 eni-0a1b2c3d4e5f60{number % 90:02d} {origin} {target} "
            f"{32768 + number % 28000} {port} 6 {size // 900 + 1} {size} {at - 60} {at} ACCEPT OK "
            f"vpc-0abc subnet-0abc i-0abc 3 IPv4 {origin} {target} eu-central-1 euc1-az1 - - - - "
            "egress 8\n"
        )
    name = f"web-{origin[7:].replace('.', '-')}"
    flow = {
        "time": f"2026-11-{16 + (at - START) // 86400:02d}T{number % 24:02d}:00:00.123456789Z",
        "uuid": f"{number:036x}", "verdict": "FORWARDED",
        "ethernet": {"source": "aa:bb:cc:dd:ee:ff", "destination": "aa:bb:cc:dd:ee:00"},
        "IP": {"source": origin, "destination": target, "ipVersion": "IPv4"},
        "l4": {"TCP": {"source_port": 40000, "destination_port": port, "flags": {"SYN": True}}},
        "source": {"ID": 1, "identity": 4567, "cluster_name": "prod", "namespace": "shop",
                   "labels": ["k8s:app=web", "k8s:io.kubernetes.pod.namespace=shop"],
                   "pod_name": f"{name}-7f9c5d4b88-x2xwz",
                   "workloads": [{"name": name, "kind": "Deployment"}]},
        "destination": {"identity": 2, "labels": ["reserved:world"]},
        "Type": "L3_L4", "node_name": "prod/node-1", "event_type": {"type": 4, "sub_type": 3},
        "traffic_direction": "EGRESS", "trace_observation_point": "TO_STACK", "is_reply": False,
        "Summary": "TCP Flags: SYN",
    }  # fmt: skip
    return json.dumps({"flow": flow, "node_name": "prod/node-1", "time": flow["time"]}) + "\n"


def write(path: Path, kind: str, rows: int) -> None:
    """A log."""
    source = random.Random(1)  # noqa: S311  # reproducible, not secret
    known = connections(source)
    with path.open("w") as file:
        if kind == "vpc":
            file.write(f"{V5}\n")
        if kind == "csv":
            file.write("time,source,destination,port,protocol,direction,bytes\n")
        for number in range(rows):
            one = known[source.randrange(len(known))]
            file.write(line(kind, number, one, source.randrange(100, 90_000), rows))


def replayed(path: Path, jobs: int) -> dict[str, float]:
    """Time, memory and rows of one replay."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(ROOT), str(path), str(jobs)],
        check=True, capture_output=True, text=True, env=os.environ,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    """Print each format's figures; 1 when one misses its goal."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        for kind, goal in GOALS.items():
            path = Path(folder) / kind
            write(path, kind, rows)
            start = perf_counter()
            one = min((replayed(path, 1) for _ in range(3)), key=lambda found: found["cpu"])
            two = min(replayed(path, 2)["wall"] for _ in range(3))
            share = two / one["wall"]
            cpu = one["cpu"] * ROWS / rows
            print(
                f"{kind}: {cpu:.2f} s a million rows on one processor (goal {goal:.0f}), "
                f"{one['memory']:.0f} MB (goal {MEMORY}), two take {share:.2f} of its time "
                f"(goal {TWO}); {perf_counter() - start:.0f} s for all runs"
            )
            missed |= cpu > goal or one["memory"] > MEMORY or share > TWO
            path.unlink()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
