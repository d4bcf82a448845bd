"""A saved mesh of 10,000 pods as a whole process: `fsm-stack verify dev --from FILE`.

About 4.6 kB a pod as the API sends it, three annotation profiles, one pod in twenty made under
older settings. Goals: 4 s and 400 MB. A dump of three times the pods shows that files are
streamed: it may take three times as long, and little more memory than its pods need.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsm_stack.injector.annotations import interception
from fsm_stack.settings.stack_file import load_text
from fsm_stack.snapshot.allow import keep
from fsm_stack.verify.expected import of_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.injector.mesh import MeshView

ROOT = Path(__file__).parent.parent
PODS = 10_000
STALE = 20  # one in so many
SECONDS = 4.0
MEGABYTES = 400
ROUNDS = 3
LISTS = (
    {},
    {"flomesh.io/outbound-port-exclusion-list": "6379,8443"},
    {"flomesh.io/outbound-ip-range-exclusion-list": "10.96.0.1/32"},
)
Json = dict[str, Any]


def pods(mesh: MeshView, older: MeshView, count: int) -> Iterator[Json]:
    """Pods as ``kubectl get pods -o json`` has them."""
    for number in range(count):
        annotations = LISTS[number % len(LISTS)]
        view = mesh if number % STALE else older
        name, tail = f"web-{number // 5:05d}", f"{number:06x}"
        yield pod(name, tail, annotations, interception(annotations, view).script)


def pod(name: str, tail: str, annotations: dict[str, str], script: str) -> Json:
    """One pod that runs."""
    ended = {"terminated": {"exitCode": 0, "reason": "Completed",
                            "startedAt": "2026-07-01T10:00:01Z"}}  # fmt: skip
    running = {"running": {"startedAt": "2026-07-01T10:00:05Z"}}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{name}-7f9c5d",
             "uid": f"11111111-1111-1111-1111-{tail:0>12}", "controller": True}  # fmt: skip
    environment = [{"name": f"SETTING_{number}", "value": "x" * 12} for number in range(28)]
    status = {"ready": True, "restartCount": 0, "image": "registry.example/x:1", "imageID": "x"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-7f9c5d-{tail}", "namespace": "demo",
            "uid": f"22222222-2222-2222-2222-{tail:0>12}",
            "labels": {"app": name, "fsm-proxy-uuid": f"33333333-3333-3333-3333-{tail:0>12}"},
            "annotations": dict(annotations), "creationTimestamp": "2026-07-01T10:00:00Z",
            "ownerReferences": [owner],
        },
        "spec": {
            "initContainers": [{"name": "fsm-init", "image": "flomesh/fsm-sidecar-init:1.5.1",
                                "command": ["/bin/sh"], "args": ["-c", script]}],
            "containers": [
                {"name": "app", "image": f"registry.example/{name}:1",
                 "ports": [{"containerPort": 8080}], "env": environment},
                {"name": "sidecar", "image": "flomesh/pipy:1.5.12", "args": ["pipy", "x" * 40],
                 "ports": [{"containerPort": 15003}], "securityContext": {"runAsUser": 1500}},
            ],
        },
        "status": {
            "phase": "Running", "podIP": "10.244.0.7",
            "initContainerStatuses": [{"name": "fsm-init", "state": ended, **status}],
            "containerStatuses": [
                {"name": one, "state": running, "started": True, **status}
                for one in ("app", "sidecar")
            ],
        },
    }  # fmt: skip


def write(path: Path, count: int, *, dump: bool) -> int:
    """A saved snapshot, or a dump as kubectl prints it; returns its bytes."""
    text = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    settings = load_text(text, file="Pulumi.dev.yaml", today=date(2026, 7, 1)).require()
    declared = of_stack(settings, title="dev")
    older = text.replace("[6379, 7070]", "[6379]")
    before = of_stack(load_text(older, file="x", today=date(2026, 7, 1)).require(), title="older")
    objects: list[Json] = [dict(item) for item in declared.objects.values()]
    made = pods(declared.mesh, before.mesh, count)
    with path.open("w", encoding="utf-8") as file:
        if dump:
            file.write('{\n    "apiVersion": "v1",\n    "items": [\n')
            for item in objects:
                file.write(f"{json.dumps(item, indent=4)},\n")
            for number, item in enumerate(made):
                file.write(f"{',' if number else ''}{json.dumps(item, indent=4)}\n")
            file.write('    ],\n    "kind": "List",\n    "metadata": {}\n}\n')
        else:
            head = {"fsmStackSnapshot": 1, "context": "bench", "read": [], "notRead": {}}
            file.write(f"{json.dumps(head)}\n")
            for item in (*objects, *made):
                if (kept := keep(item)) is not None:
                    file.write(f"{json.dumps(kept, separators=(',', ':'))}\n")
    return path.stat().st_size


def run(path: Path) -> tuple[float, float, int]:
    """Seconds and megabytes of one whole process, and the stale pods that it found."""
    program = (
        "import re, sys\n"
        "from fsm_stack.cli.main import cli\n"
        "try:\n    cli(sys.argv[1:])\n"
        "finally:\n"  # not ru_maxrss, which starts with the parent's
        "    status = open('/proc/self/status').read()\n"
        "    print(re.search(r'VmHWM:\\s+(\\d+)', status)[1], file=sys.stderr)\n"
    )
    words = ["verify", "dev", "-C", str(ROOT), "--from", str(path)]
    before, start = _children(), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )
    wall, used = time.monotonic() - start, _children() - before
    found = re.search(r"\n {4}and (\d+) more; --output", done.stdout)
    memory = int(done.stderr.split()[-1]) / 1024
    return min(wall, used) if used else wall, memory, int(found[1]) + 10 if found else 0


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Print time and memory; 1 when they miss the goals."""
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for title, count, dump in (
            ("snapshot", PODS, False),
            ("kubectl dump", PODS, True),
            ("kubectl dump", 3 * PODS, True),
        ):
            path = Path(folder) / "mesh"
            size = write(path, count, dump=dump)
            results = [run(path) for _ in range(ROUNDS)]
            seconds, memory = min(one[0] for one in results), max(one[1] for one in results)
            if results[0][2] != count // STALE:
                print(f"{title}: {results[0][2]} stale pods found, expected {count // STALE}")
                return 1
            goal = SECONDS * count / PODS
            print(
                f"verify --from {title}, {count} pods, {size / 1e6:.0f} MB: {seconds:.2f} s of "
                f"processor time (goal {goal:.0f} s), {memory:.0f} MB "
                + (f"(goal {MEGABYTES} MB)" if count == PODS else "(no goal)")
            )
            good = good and seconds <= goal and (memory <= MEGABYTES or count != PODS)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
