"""How long a review takes: a pull request, large lists, a long history, half a million pods.

Goals, on two idle cores: ``diff dev --against HEAD~1`` within 0.6 s as a whole process; two
settings with 1,000 ranges each within 1 s, and ten times the ranges within 15 times that, as
n log n has it; ``blame`` over 10,000 commits within 3 s; the classes of 500,000 pods of 50 saved
clusters within 60 s and 1 GB. Machines differ, and are busy: a time is judged as a ratio to
``python -c "import pulumi"``, which takes 0.23 s on the two idle cores.

    python benchmarks/review.py [pods]

With ``pods`` the last one, too, which takes a minute and 1 GB of disk. Exits with 1 when a goal
is missed.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verify_saved import LISTS, pod

from fsm_stack.injector.annotations import interception
from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.sets.coverage import coverage
from fsm_stack.iptables.sets.difference import shifts
from fsm_stack.lists import InterceptLists
from fsm_stack.settings.stack_file import load_text
from fsm_stack.snapshot.allow import keep
from fsm_stack.systems import FSM
from fsm_stack.verify.expected import of_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.injector.mesh import MeshView

ROOT = Path(__file__).resolve().parent.parent
MAIN = "from fsm_stack.cli.main import main; main()"
REFERENCE = 0.23
DIFF, RANGES, BLAME, PODS_SECONDS = 0.6, 1.0, 3.0, 60.0
GROWTH = 15
MEGABYTES = 1000
COMMITS = 10_000
# One commit in so many changes the stack's file, as in a repository with other work in it.
TOUCHING = 10
CLUSTERS, PODS = 50, 10_000
ROUNDS = 5


def processor(*words: str, cwd: Path = ROOT, good: tuple[int, ...] = (0,)) -> float:
    """Seconds of processor time of one whole process and its children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, check=False)
    if done.returncode not in good:
        sys.exit(f"failed: {' '.join(words)}\n{done.stderr.decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime


def reference() -> float:
    """What ``import pulumi`` takes here and now."""
    return min(processor("-c", "import pulumi") for _ in range(ROUNDS))


def git(folder: Path, *words: str, given: bytes = b"") -> None:
    """A command of Git in a repository of its own."""
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *words], cwd=folder, input=given, check=True, env=environment,
                   capture_output=True)  # fmt: skip


def history(folder: Path) -> None:
    """A repository whose file changes in one commit of ten, and excludes 443 in the fifth."""
    text = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    opened = text.replace("[6379, 7070]", "[6379, 7070, 443]")
    git(folder, "init", "-q", "-b", "main")

    def stream() -> Iterator[bytes]:
        yield _commit("Pulumi.yaml", "name: fsm-stack\n")
        for number in range(COMMITS):
            touched = number % TOUCHING == 0
            content = f"{opened if number > 5 * TOUCHING else text}# {number}\n"
            yield _commit("Pulumi.dev.yaml" if touched else "other", content)

    git(folder, "fast-import", "--quiet", given=b"".join(stream()))
    git(folder, "reset", "-q", "--hard")


def _commit(path: str, content: str) -> bytes:
    data = content.encode()
    return (
        b"commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\ndata 1\nx\n"
        + f"M 100644 inline {path}\ndata {len(data)}\n".encode()
        + data
        + b"\n"
    )


def ranges(count: int, seed: int) -> tuple[str, ...]:
    """Ranges as people exclude them."""
    draw = random.Random(seed)  # noqa: S311  # no secret
    return tuple(
        f"{draw.randrange(1, 223)}.{draw.randrange(256)}.{draw.randrange(256)}.0/"
        f"{draw.choice((20, 22, 24, 26, 30))}"
        for _ in range(count)
    )


def compared(count: int) -> float:
    """Seconds to judge and compare two lists of so many ranges."""
    policies = [InterceptLists(excluded_ranges=ranges(count, seed)) for seed in (1, 2)]
    start = time.process_time()
    one, two = (coverage(intercept(policy, FSM)) for policy in policies)
    found = shifts(one, two)
    if len(found) != 2:  # noqa: PLR2004  # what leaves and what comes back
        sys.exit(f"expected 2 regions, got {len(found)}")
    return time.process_time() - start


def saved_clusters(folder: Path) -> list[Path]:
    """Saved clusters of the same pods under names of their own."""
    text = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    mesh = of_stack(load_text(text, file="x", today=date(2026, 7, 1)).require(), title="x").mesh
    body = b"".join(
        json.dumps(kept, separators=(",", ":")).encode() + b"\n"
        for number in range(PODS)
        if (kept := keep(_pod(mesh, number))) is not None
    )
    files = []
    for number in range(CLUSTERS):
        path = folder / f"cluster-{number}"
        head = {"fsmStackSnapshot": 1, "context": f"cluster-{number}", "read": [], "notRead": {}}
        path.write_bytes(json.dumps(head, separators=(",", ":")).encode() + b"\n" + body)
        files.append(path)
    return files


def _pod(mesh: MeshView, number: int) -> dict[str, Any]:
    annotations = LISTS[number % len(LISTS)]
    script = interception(annotations, mesh).script
    return pod(f"web-{number // 5:05d}", f"{number:06x}", annotations, script)


def classes(folder: Path) -> tuple[float, float]:
    """Seconds and megabytes of one review of all pods."""
    words = [word for path in saved_clusters(folder) for word in ("--workloads", str(path))]
    program = (
        "import re, sys\n"
        "from fsm_stack.cli.main import cli\n"
        "try:\n    cli(sys.argv[1:])\n"
        "finally:\n"  # not ru_maxrss, which starts with the parent's
        "    status = open('/proc/self/status').read()\n"
        "    print(re.search(r'VmHWM:\\s+(\\d+)', status)[1], file=sys.stderr)\n"
    )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", program, "diff", "dev", "--against", "HEAD~1", "-o", "json",
         *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    restarts = json.loads(done.stdout)["restarts"]
    if restarts["of"] != CLUSTERS * PODS:
        sys.exit(f"expected {CLUSTERS * PODS} pods, got {restarts['of']}")
    seconds = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return seconds, int(done.stderr.split()[-1]) / 1024


def pull_request(folder: Path) -> None:
    """A repository whose last commit excludes 443."""
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / name, folder)
    git(folder, "init", "-q", "-b", "main")
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    git(folder, "add", ".")
    git(folder, *who, "commit", "-qm", "Begin")
    path = folder / "Pulumi.dev.yaml"
    path.write_text(path.read_text().replace("[6379, 7070]", "[6379, 7070, 443]"))
    git(folder, *who, "commit", "-qam", "Exclude 443")


def judged(name: str, seconds: float, goal: float, base: float) -> bool:
    """Print a figure and whether it meets its goal."""
    ratio, allowed = seconds / base, goal / REFERENCE
    word = "good" if ratio <= allowed else "MISSED"
    print(f"{name:44} {seconds:7.3f} s, {ratio:6.2f} of it, at most {allowed:6.2f}: {word}")
    return ratio <= allowed


def main() -> int:
    """Measure, print, judge."""
    good = True
    base = reference()
    print(f"{'import pulumi':44} {base:7.3f} s of processor time")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        pull_request(place)
        words = ("-c", MAIN, "diff", "dev", "--against", "HEAD~1")
        seconds = min(processor(*words, cwd=place, good=(1,)) for _ in range(ROUNDS))
        good &= judged("diff dev --against HEAD~1", seconds, DIFF, base)
        if sys.argv[1:] == ["pods"]:
            seconds, memory = classes(place)
            good &= judged(f"classes of {CLUSTERS * PODS:,} pods", seconds, PODS_SECONDS, base)
            fits = memory <= MEGABYTES
            good &= fits
            print(f"  {memory:.0f} MB, at most {MEGABYTES}: {'good' if fits else 'MISSED'}")
    small = min(compared(1000) for _ in range(ROUNDS))
    good &= judged("two settings with 1,000 ranges each", small, RANGES, base)
    growth = min(compared(10_000) for _ in range(2)) / small
    good &= growth <= GROWTH
    print(f"  ten times the ranges: {growth:.1f} times as long, at most {GROWTH}")
    with tempfile.TemporaryDirectory() as folder:
        history(Path(folder))
        words = ("-c", MAIN, "blame", "dev", "--to", "10.0.0.8:443")
        seconds = min(processor(*words, cwd=Path(folder)) for _ in range(3))
        good &= judged(f"blame over {COMMITS:,} commits", seconds, BLAME, base)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
