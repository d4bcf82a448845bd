"""The program part of ``pulumi preview``: a stack against the same number of bare resources.

Both are whole processes that declare to Pulumi's mock monitor, so no engine and no cluster is
needed. The bare program has its objects ready as JSON, and declares each with its typed class. The
two take turns in one run, so that a busy machine is busy for both, and the medians are compared.

Usage: python benchmarks/pulumi_preview.py [STACK] [ROUNDS]
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
LIMIT = 1.15

MOCKED = """
import asyncio, sys
import pulumi
from pulumi.runtime import mocks

class Engine(mocks.Mocks):
    def new_resource(self, args):
        return args.name, args.inputs
    def call(self, args):
        return {}, None

def run(program):
    asyncio.set_event_loop(asyncio.new_event_loop())
    mocks.set_mocks(Engine(), project="fsm-stack", stack=sys.argv[1], preview=True)
    pulumi.runtime.settings.SETTINGS.root_directory = sys.argv[2]
    pulumi.runtime.test(program)()
"""

STACK = """
def program():
    from fsm_stack.pulumi import run
    run()

run(program)
"""

BARE = """
def program():
    import importlib, json, re
    from pulumi_kubernetes import Provider
    opts = pulumi.ResourceOptions(provider=Provider("cluster"))
    for module, kind, name, body in json.load(open(sys.argv[3])):
        declare = getattr(importlib.import_module(module), kind)
        declare(name, **body, opts=opts)

run(program)
"""


def main() -> int:
    """Measure, print, and exit with 1 above the limit."""
    stack = sys.argv[1] if len(sys.argv) > 1 else "dev"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 11  # noqa: PLR2004  # the second argument
    with tempfile.TemporaryDirectory() as home:
        objects = Path(home) / "objects.json"
        count = _prepare(stack, objects)
        arguments = [stack, str(PROJECT), str(objects)]
        environment = {**os.environ, "PULUMI_CONFIG": json.dumps(_config(stack))}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a second preview has bytecode
        times: dict[str, list[float]] = {"stack": [], "bare": []}
        for _ in range(rounds + 1):
            for name, program in (("stack", STACK), ("bare", BARE)):
                times[name].append(_seconds(MOCKED + program, arguments, environment))
    medians = {name: statistics.median(found[1:]) for name, found in times.items()}
    ratio = medians["stack"] / medians["bare"]
    print(f"stack {stack}: {count} objects, medians of {rounds} processes each")
    print(f"  FsmStack        {medians['stack'] * 1000:7.1f} ms")
    print(f"  bare resources  {medians['bare'] * 1000:7.1f} ms")
    print(f"  ratio           {ratio:7.3f}    (limit {LIMIT})")
    return 0 if ratio <= LIMIT else 1


def _seconds(program: str, arguments: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", program, *arguments],
        check=True,
        env=environment,
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def _config(stack: str) -> dict[str, str]:
    """The stack file's config as the engine hands it over: objects as JSON, scalars as text."""
    import yaml  # noqa: PLC0415  # not in the measured programs

    data = yaml.safe_load((PROJECT / f"Pulumi.{stack}.yaml").read_text())
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in data["config"].items()
    }


def _prepare(stack: str, target: Path) -> int:
    """Write the objects for the bare program; their number."""
    from fsm_stack.manifests.bundle import bundle  # noqa: PLC0415
    from fsm_stack.project.release_asset import load_asset  # noqa: PLC0415
    from fsm_stack.pulumi import kinds  # noqa: PLC0415  # the measured are others
    from fsm_stack.redirection.scopes import redirection  # noqa: PLC0415
    from fsm_stack.settings.stack_file import load_text  # noqa: PLC0415

    file = f"Pulumi.{stack}.yaml"
    text = (PROJECT / file).read_text()
    settings = load_text(text, file=file, today=datetime.now(UTC).date()).require()
    objects: list[tuple[str, str, str, dict[str, Any]]] = []
    for manifest in bundle(
        settings, redirection(settings), asset=load_asset(PROJECT, settings.fsm_version)
    ):
        found = kinds.resource_class(manifest)
        module = found.__module__.rpartition(".")[0]
        custom = found.__name__ == "CustomResource"
        body = {
            kinds.python_name(key): value
            for key, value in manifest.object.items()
            if custom or key not in {"apiVersion", "kind"}
        }
        objects.append((module, found.__name__, manifest.slug, body))
    target.write_text(json.dumps(objects))
    return len(objects)


if __name__ == "__main__":
    sys.exit(main())
