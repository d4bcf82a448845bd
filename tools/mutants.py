"""Would the tests notice? Mutants of a room's functions, a sample of them run against its tests.

Usage: ``python tools/mutants.py [--sample 60] [--seed 1] [ROOM ...]``, by default every room that
decides about traffic. Each room is copied with what its tests read into a temporary folder, where
mutmut makes the mutants; the work tree is not touched. Exit code 1 when a score is under the goal.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
GOAL: Final = 0.9
# The room's own tests: what only another room's tests notice counts as a survivor. Injector
# and manifests are ports, whose tests are the recordings of the programs and the chart.
ROOMS: Final = {
    "iptables": ("iptables", "redirection"),
    "injector": ("injector", "workloads", "parity"),
    "manifests": ("manifests", "gitops", "parity"),
    "settings": ("settings",),
}
# Recordings beside the checkout, which tests compare with.
RECORDINGS: Final = {
    "FSM_STACK_CORPUS": "corpus",
    "FSM_STACK_CHART_CORPUS": "chart",
    "FSM_STACK_CRD": "crd",
}
# mutmut's exit codes of a mutant that the tests (or their time limit) noticed, and of one that no
# test calls; everything else survived. Source: mutmut, utils/format_utils.py.
KILLED: Final = frozenset({1, 3, 24, 36, 152, 255, -24, -9})
# A mutant's call goes through frames of mutmut's own: tests of depth and of time see those, too.
DESELECTED: Final = (
    "injector/test_laws.py",
    "iptables/test_cases.py::test_rules_that_all_differ_are_read_and_said_to_be_too_many_to_compare",
    "iptables/test_dead.py::test_time_grows_with_the_rules",
    "iptables/test_jumps.py::test_long_ways_and_long_loops_are_walked_at_once",
    "iptables/test_laws.py::test_reading_takes_memory_and_time_in_proportion",
    "iptables/test_lint.py::test_ten_thousand_rules_are_checked_in_time",
    "iptables/test_lint.py::test_rules_that_differ_in_everything_are_given_up_in_time",
)

CONFIG: Final = """
[tool.mutmut]
source_paths = ["fsm_stack"]
only_mutate = ["fsm_stack/{room}/*"]
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = {arguments}
also_copy = {copied}
process_isolation = "forkserver"
forkserver_warmup = "none"
timeout_multiplier = 4.0
timeout_constant = 15.0
use_git_change_detection = false
"""

# A pytest plugin of the copy. mutmut runs the tests that call a function in no order: the quick
# ones first, most mutants meet no slow one. And it takes a call while a module is imported for
# one of the first test's: every test depends on what importing made. An example that hypothesis
# finds counts as it is, and the same ones are tried each time.
PLUGIN: Final = """
import pytest
from hypothesis import Phase, settings
from mutmut.state import state

imported = set()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: state().duration_by_test.get(item.nodeid, 0))


def pytest_collection_finish():
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("mutants", settings(), derandomize=True, phases=phases)
    settings.load_profile("mutants")
    imported.update(state()._stats)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown():
    state()._stats.update(imported)
"""

# mutmut makes its mutants only on the way to running them; a sample is drawn in between.
MAKE: Final = """
from mutmut.__main__ import *
copy_src_dir(); copy_also_copy_files(); setup_source_paths(); create_mutants(2)
"""


def prepare(folder: Path, room: str) -> None:
    """The tracked files as they stand, and mutmut's settings for the room."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    (folder / "mutants_tests.py").write_text(PLUGIN)
    heavy = "not kernel and not cluster and not engine and not gitops and not node"
    tests = [f"tests/{one}" for one in ROOMS[room]]
    options = ["-m", heavy, "-p", "no:cacheprovider", "-p", "mutants_tests"]
    options += [f"--deselect=tests/{test}" for test in DESELECTED]
    copied = sorted(one.name for one in folder.iterdir() if one.name != "fsm_stack")
    with (folder / "pyproject.toml").open("a") as file:
        file.write(
            CONFIG.format(
                room=room,
                tests=json.dumps(tests),
                arguments=json.dumps(options),
                copied=json.dumps(copied),
            )
        )


def python(folder: Path, *words: str) -> str:
    """What a Python program prints that works in the copy; it must succeed."""
    beside = {name: ROOT.parent / "shared" / one for name, one in RECORDINGS.items()}
    recordings = {name: str(one) for name, one in beside.items() if one.is_dir()}
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    ran = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**recordings, **os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise SystemExit(f"{words[0]} {words[1]}: {ran.stdout[-4000:]}{ran.stderr[-2000:]}")
    return ran.stdout


def verdicts(folder: Path) -> dict[str, int | None]:
    """Each mutant's exit code; ``None``: it was not run."""
    found: dict[str, int | None] = {}
    for file in (folder / "mutants").rglob("*.meta"):
        found |= json.loads(file.read_text())["exit_code_by_key"]
    return found


def judge(room: str, size: int, seed: int) -> bool:
    """Run one room's sample and say its score; whether it reaches the goal."""
    with tempfile.TemporaryDirectory(prefix="fsm-stack-mutants-") as name:
        folder = Path(name)
        prepare(folder, room)
        python(folder, "-c", MAKE)
        every = sorted(verdicts(folder))
        sample = random.Random(seed).sample(  # noqa: S311  # no secret
            every, min(size, len(every))
        )
        python(
            folder,
            "-m",
            "mutmut",
            "run",
            "--max-children",
            str(len(os.sched_getaffinity(0))),
            *sample,
        )
        known = verdicts(folder)
        survived = [one for one in sample if known[one] not in KILLED]
        score = 1 - len(survived) / len(sample)
        sys.stdout.write(f"{room}: {len(every)} mutants, {len(sample)} run, {score:.0%} noticed\n")
        for one in survived:
            shown = python(folder, "-m", "mutmut", "show", one)
            sys.stdout.write(f"\n# {one}: exit code {known[one]}\n{shown}\n")
    return score >= GOAL


def main() -> int:
    """Judge the rooms that were named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=", ".join(ROOMS))
    parser.add_argument("--sample", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    unknown = [one for one in asked.rooms if one not in ROOMS]
    if unknown:
        parser.error(f"expected {', '.join(ROOMS)}, got {', '.join(unknown)}")
    good = [judge(room, asked.sample, asked.seed) for room in asked.rooms or ROOMS]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
