"""10,000 pods in one YAML file: time against the bare C load and dump, and memory.

Goals: at most 1.3 times the bare load and dump of the same documents; at most 80 MB, whatever the
length of the stream.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import injection_pods
import yaml

from fsm_stack.project.workload_files import context_of, documents
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.workloads.stream import run

COUNT = 10_000
RATIO = 1.3
MEMORY = 80  # MB


def write(path: Path, count: int) -> None:
    """A file of synthetic pods."""
    with path.open("w", encoding="utf-8") as out:
        for pod in injection_pods.synthetic(count):
            out.write("---\n")
            yaml.dump(json.loads(pod), out, Dumper=yaml.CSafeDumper)


def ours(path: Path) -> None:
    """The file through the injector, written nowhere."""
    context = context_of(StackSettings(), check=False)
    for outcome in run(documents(path), context):
        len(outcome.text)


def bare(path: Path) -> None:
    """The same documents through libyaml, and nothing else."""
    with path.open(encoding="utf-8") as text:
        for document in yaml.load_all(text, Loader=yaml.CSafeLoader):
            yaml.dump(document, Dumper=yaml.CSafeDumper)


def seconds(path: Path) -> tuple[float, float]:
    """Processor time of both, the best of three rounds each, in turns."""
    best = [float("inf"), float("inf")]
    for _ in range(3):
        for index, function in enumerate((ours, bare)):
            started = time.process_time()
            function(path)
            best[index] = min(best[index], time.process_time() - started)
    return best[0], best[1]


def main() -> int:
    """Print the figures; 1 when one misses its goal."""
    if sys.argv[1:2] == ["--memory"]:
        ours(Path(sys.argv[2]))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pods.yaml"
        write(path, COUNT)
        mine, floor = seconds(path)
        command = [sys.executable, __file__, "--memory", str(path)]
        memory = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    ratio = mine / floor
    print(f"{COUNT:,} pods: {mine:.2f} s, bare {floor:.2f} s: {ratio:.2f} times (goal {RATIO})")
    print(f"streamed: {memory} MB (goal {MEMORY})")
    return 0 if ratio <= RATIO and memory <= MEMORY else 1


if __name__ == "__main__":
    sys.exit(main())
