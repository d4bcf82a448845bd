"""How long a first answer takes as a whole process, and how much memory.

Goals, on two idle cores: ``render dev`` within 0.30 s and 60 MB, each further environment in the
same run within 15 ms, ``--help`` and ``--version`` within 0.1 s. Machines differ, and are busy: a
time is judged as a ratio to ``python -c "import pulumi"``, which is measured in turn with it and
takes 0.23 s on the two idle cores. Memory is judged as it is.

Processor time, whatever else the machine does, is 0.25 s there for ``validate``, ``render`` and
``trace``: 2.2 times that of a program of one pydantic model, which is measured in turn with them.
(A bare ``import pydantic`` loads half of pydantic; the other half comes with the first model.)

    python benchmarks/render.py [RUNS]

Exits with 1 when a goal is missed.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
RUNS = 15
FURTHER = 8
MIB = 1024 * 1024

# Seconds of `import pulumi` on the machine that the goals are for, and the goals there.
REFERENCE = 0.23
RENDER, FURTHER_ENVIRONMENT, INSTANT = 0.30, 0.015, 0.10
MEMORY_MIB = 60
ANSWER = 2.2  # processor time, of that of a first model
A_MODEL = "from pydantic import BaseModel\nclass Model(BaseModel):\n    value: int = 1"

MAIN = "from fsm_stack.cli.main import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Medians over the runs of one command.

    Attributes:
        seconds: wall time of the whole process.
        cpu: seconds of processor time, user and system.
        mib: peak resident memory.
    """

    seconds: float
    cpu: float
    mib: float


def run(arguments: list[str], environment: dict[str, str]) -> Figure:
    """Start one process and wait for it."""
    sink = os.open(os.devnull, os.O_WRONLY)
    started = time.perf_counter()
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, *arguments],
        environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, sink, 1)],
    )
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - started
    os.close(sink)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"failed: {' '.join(arguments)}")
    scale = 1 if sys.platform == "darwin" else 1024
    return Figure(
        seconds=seconds,
        cpu=usage.ru_utime + usage.ru_stime,
        mib=usage.ru_maxrss * scale / MIB,
    )


def measured(commands: dict[str, list[str]], runs: int) -> dict[str, Figure]:
    """Every command in turn, so that a busy moment hits all of them."""
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's second run has bytecode
    samples: dict[str, list[Figure]] = {name: [] for name in commands}
    for count in range(runs + 1):
        for name, arguments in commands.items():
            sample = run(arguments, environment)
            if count:  # the first one fills caches
                samples[name].append(sample)
    return {
        name: Figure(
            seconds=statistics.median(sample.seconds for sample in taken),
            cpu=statistics.median(sample.cpu for sample in taken),
            mib=statistics.median(sample.mib for sample in taken),
        )
        for name, taken in samples.items()
    }


def environments(folder: Path) -> list[str]:
    """A project with ``dev`` and some copies of it; their names."""
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(HERE / name, folder / name)
    names = ["dev", *(f"dev-{count}" for count in range(FURTHER))]
    for name in names[1:]:
        shutil.copy(HERE / "Pulumi.dev.yaml", folder / f"Pulumi.{name}.yaml")
    return names


def main() -> int:
    """Measure, print, judge."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with tempfile.TemporaryDirectory() as folder:
        names = environments(Path(folder))
        verb = ["-c", MAIN, "render", "-C", folder]
        figures = measured(
            {
                "import pulumi": ["-c", "import pulumi"],
                "a pydantic model": ["-c", A_MODEL],
                "validate dev": ["-c", MAIN, "validate", "-C", folder, "dev"],
                "trace dev": ["-c", MAIN, "trace", "-C", folder, "dev", "--to", "10.1.2.3:6379"],
                "render dev": [*verb, "dev"],
                "render all": [*verb, *names],
                "--help": ["-c", MAIN, "--help"],
                "--version": ["-c", MAIN, "--version"],
            },
            runs,
        )
    one, all_of_them = figures["render dev"], figures["render all"]
    figures["further environment"] = Figure(
        seconds=(all_of_them.seconds - one.seconds) / FURTHER,
        cpu=(all_of_them.cpu - one.cpu) / FURTHER,
        mib=all_of_them.mib,
    )
    goals = {
        "render dev": RENDER,
        "further environment": FURTHER_ENVIRONMENT,
        "--help": INSTANT,
        "--version": INSTANT,
    }
    missed = 0
    base = figures["import pulumi"]
    print(f"{'import pulumi':20} {base.seconds * 1000:6.1f} ms, cpu {base.cpu * 1000:5.1f} ms")
    for name, goal in goals.items():
        figure = figures[name]
        ratio, allowed = figure.seconds / base.seconds, goal / REFERENCE
        missed += ratio > allowed
        print(
            f"{name:20} {figure.seconds * 1000:6.1f} ms, cpu {figure.cpu * 1000:5.1f} ms, "
            f"{ratio:.3f} of it, at most {allowed:.3f}: {'MISSED' if ratio > allowed else 'good'}"
        )
    base = figures["a pydantic model"]
    print(f"{'a pydantic model':20} cpu {base.cpu * 1000:5.1f} ms")
    for name in ("validate dev", "render dev", "trace dev"):
        ratio = figures[name].cpu / base.cpu
        missed += ratio > ANSWER
        print(
            f"{name:20} cpu {figures[name].cpu * 1000:5.1f} ms, {ratio:.3f} of it, "
            f"at most {ANSWER:.3f}: {'MISSED' if ratio > ANSWER else 'good'}"
        )
    memory = max(figures[name].mib for name in ("render dev", "render all"))
    missed += memory > MEMORY_MIB
    print(
        f"{'memory':20} {memory:6.1f} MiB, at most {MEMORY_MIB}: "
        f"{'MISSED' if memory > MEMORY_MIB else 'good'}"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
