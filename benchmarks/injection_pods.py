"""Pods a second through the injector, JSON in, JSON out, on one core; goal: 15,000.

The recorded pods of the real injectors where they are at hand, and 10,000 synthetic ones.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from fsm_stack.injector.decision import admit, assumed_namespace
from fsm_stack.injector.of_settings import mesh_of
from fsm_stack.injector.profile import Refusal
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.yaml.decode import decode_json

GOAL = 15_000
ROUNDS = 15
ROOT = Path(__file__).parent.parent
CORPUS = Path(os.environ.get("FSM_STACK_CORPUS", ROOT.parent / "shared" / "corpus"))
MESH = mesh_of(StackSettings())
NAMESPACE = assumed_namespace("shop", MESH)


def injected(text: str, proxy_id: str) -> str:
    """One pod's JSON after the injector."""
    try:
        _, mutation = admit(decode_json(text), mesh=MESH, namespace=NAMESPACE, proxy_id=proxy_id)
    except Refusal:
        return text
    return text if mutation is None else mutation.text()


def recorded() -> list[str]:
    """The pods of the recorded admissions that the injector accepts."""
    path = CORPUS / "fsm-pods.jsonl"
    if not path.is_file():
        return []
    rows = [json.loads(line)["in"] for line in path.read_text(encoding="utf-8").splitlines()]
    return [json.dumps(row["pod"]) for row in rows if row["pod"].get("kind") == "Pod"]


def synthetic(count: int) -> list[str]:
    """Pods of one to three containers with probes, resources and sometimes annotations."""
    return [json.dumps(_pod(number)) for number in range(count)]


def _pod(number: int) -> dict[str, Any]:
    annotations = {"example.com/team": f"team-{number % 40}"}
    if number % 4 == 0:
        ports = f"{6000 + number % 50}, {7000 + number % 50}"
        annotations["flomesh.io/outbound-port-exclusion-list"] = ports
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"web-{number}",
            "labels": {"app": "web", "pod-template-hash": f"{number:x}"},
            "annotations": annotations,
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d6c", "controller": True}],
        },
        "spec": {
            "serviceAccountName": "web",
            "containers": [_container(index) for index in range(1 + number % 3)],
        },
    }


def _container(index: int) -> dict[str, Any]:
    return {
        "name": f"web-{index}",
        "image": "registry.example.com/shop/web:1.2.3",
        "ports": [{"name": "http", "containerPort": 8080 + index}],
        "env": [{"name": "MODE", "value": "production"}],
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
    }


def measure(pods: list[str]) -> float:
    """Pods a second of processor time, the best of several rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for number, pod in enumerate(pods):
            injected(pod, f"00000000-0000-4000-8000-{number:012}")
        best = min(best, time.process_time() - started)
    return len(pods) / best


def main() -> int:
    """Print both figures; 1 when one misses the goal."""
    gc.set_threshold(100_000)  # as the command line sets it
    figures = {"synthetic": measure(synthetic(10_000))}
    if corpus := recorded():
        figures["recorded"] = measure(corpus)
    for name, figure in figures.items():
        print(f"{name:10} {figure:8,.0f} pods/s (goal {GOAL:,})")
    return 0 if min(figures.values()) >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
