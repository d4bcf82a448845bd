"""What work costs as its input grows: each curve twice as long, and twice as long again.

Goal: four times the input costs at most six times the processor's time (n log n, and noise), for
input that is right, and for input that is wrong on purpose.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from fsm_stack.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Callable

GROWTH = 4
GOAL = 6.0
ROUNDS = 3
PROFILES = 20
STACK = "config:\n  fsm-stack:releaseAssets: {source: existingConfigMap}\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web{0}, namespace: demo}}
spec:
  selector: {{matchLabels: {{app: web{0}}}}}
  template:
    metadata:
      labels: {{app: web{0}}}
    spec:
      containers:
      - {{name: web, image: "example.com/web:1", ports: [{{containerPort: 8080}}]}}
"""
RULE = "-A C -p tcp -d 11.{0}.{1}.0/24 ! --dport {2}:{3} -m owner ! --uid-owner {2} -j RETURN"


def workloads(count: int) -> str:
    """Deployments, a document each."""
    return "---\n".join(DEPLOYMENT.format(number) for number in range(count))


def listed(count: int) -> str:
    """The same as one list, in one document."""
    items = [yaml.safe_load(DEPLOYMENT.format(number)) for number in range(count)]
    return yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items})


def rules(count: int) -> str:
    """Rules that all differ, in one chain."""
    lines = [RULE.format(n >> 8, n & 255, 1 + 7 * n % 60000, 60001) for n in range(count)]
    head = ["*nat", ":C - [0:0]", "-A OUTPUT -p tcp -j C"]
    return "\n".join([*head, *lines, "COMMIT", ""])


def shared(count: int) -> str:
    """Chains that each jump to the next one four times."""
    chains = count // 4
    lines = ["*nat", *(f":C{n} - [0:0]" for n in range(chains)), "-A OUTPUT -p tcp -j C0"]
    lines += [
        f"-A C{n} -p tcp --dport {k + 1} -j C{n + 1}" for n in range(chains - 1) for k in range(4)
    ]
    return "\n".join([*lines, "COMMIT", ""])


def bad_ports(count: int) -> str:
    """A list of ports that are none."""
    ports = list(map(str, range(count)))
    return f"{STACK}  fsm-stack:traffic:\n    outboundPortExclusionList: {ports}\n"


def unknown_keys(count: int) -> str:
    """Keys that no setting has."""
    keys = "".join(f"    keyNumber{number}: 1\n" for number in range(count))
    return f"{STACK}  fsm-stack:traffic:\n{keys}"


def profiles(count: int) -> str:
    """Ranges of the mesh, which the pods of every profile get."""
    ranges = [f"10.{n >> 8}.{n & 255}.0/24" for n in range(count)]
    own = {f"p{n}": {"outboundPortExclusionList": [n % 60000 + 1]} for n in range(PROFILES)}
    config = {
        "fsm-stack:releaseAssets": {"source": "existingConfigMap"},
        "fsm-stack:traffic": {"outboundIPRangeExclusionList": ranges},
        "fsm-stack:annotationProfiles": own,
    }
    return yaml.safe_dump({"config": config})


# Of each: what makes its input, the smaller size, the file's name, the command.
CURVES: dict[str, tuple[Callable[[int], str], int, str, tuple[str, ...]]] = {
    "lint, documents": (workloads, 300, "x.yaml", ("lint", "dev", "-f")),
    "lint, one list": (listed, 600, "x.yaml", ("lint", "dev", "-f")),
    "annotate, documents": (
        workloads,
        300,
        "x.yaml",
        ("annotate", "dev", "--inbound-port", "81", "-f"),
    ),
    # Below these two sizes every pair of rules is compared; from some hundred on `read` says that
    # they differ too much, and its cost may grow with the text alone.
    "read, rules": (rules, 240, "x.txt", ("read",)),
    "read, shared chains": (shared, 240, "x.txt", ("read",)),
    "validate, bad ports": (bad_ports, 2000, "Pulumi.x.yaml", ("validate", "x")),
    "validate, unknown keys": (unknown_keys, 500, "Pulumi.x.yaml", ("validate", "x")),
    "validate, profiles and ranges": (profiles, 500, "Pulumi.x.yaml", ("validate", "x")),
}


def seconds(folder: Path, title: str, count: int) -> tuple[float, int]:
    """Processor time of one run, the best of some; and how it ended."""
    make, _, name, words = CURVES[title]
    file = folder / name
    file.write_text(make(count), encoding="utf-8")
    command = [*words] if words[0] == "validate" else [*words, str(file)]
    if words[0] != "read":
        command += ["-C", str(folder)]
    best, ended = float("inf"), 0
    for _ in range(ROUNDS):
        out, err = io.StringIO(), io.StringIO()
        started = time.process_time()
        with redirect_stdout(out), redirect_stderr(err):
            try:
                cli.main(command)
            except SystemExit as end:
                ended = int(end.code or 0)
        best = min(best, time.process_time() - started)
    return best, ended


def main() -> int:
    """Print each curve; 1 when one of them is too steep."""
    missed = False
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "Pulumi.yaml").write_text("name: fsm-stack\n", encoding="utf-8")
        (folder / "Pulumi.dev.yaml").write_text(STACK, encoding="utf-8")
        for title, (_, count, *_) in CURVES.items():
            nothing, _ = seconds(folder, title, 4)  # what any run costs
            sizes = (count, count * GROWTH)
            times, ends = zip(*(seconds(folder, title, n) for n in sizes), strict=True)
            if len(set(ends)) > 1:
                raise SystemExit(f"{title}: {sizes} ended with {ends}: two answers, no curve")
            first, last = (max(one - nothing, 1e-3) for one in times)
            steep = last / first > GOAL and last > nothing
            missed = missed or steep
            print(
                f"{title:30} {count:5} {first:6.2f} s, {count * GROWTH:5} {last:6.2f} s: "
                f"{last / first:4.1f} times{'  TOO STEEP' if steep else ''}"
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
