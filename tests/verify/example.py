"""The mesh of docs/verify.md: the environment dev with a pod in each of three states.

    .venv/bin/python -m tests.verify.example

writes docs/examples/mesh.jsonl anew, as ``fsm-stack snapshot`` would save it.
"""

from __future__ import annotations

import copy
from datetime import date
from pathlib import Path
from typing import Any, Final

from fsm_stack.cluster.snapshot_file import saved_lines
from fsm_stack.settings.stack_file import load_text
from fsm_stack.snapshot.allow import keep
from fsm_stack.snapshot.snapshot import Assembly, Part, Source
from fsm_stack.verify.expected import Expected, of_stack

from .world import pod_json, program_pod

ROOT: Final = Path(__file__).parent.parent.parent
FILE: Final = ROOT / "docs" / "examples" / "mesh.jsonl"
BUNDLE: Final = ROOT / "tests" / "apiserver" / "ca-bundle.b64"
Json = dict[str, Any]


def stack(change: tuple[str, str] = ("", "")) -> Expected:
    """What the environment dev declares, with one text changed."""
    text = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8").replace(*change)
    settings = load_text(text, file="Pulumi.dev.yaml", today=date(2026, 7, 1)).require()
    return of_stack(settings, title="dev")


def objects() -> list[Json]:
    """Everything that ``fsm-stack snapshot`` reads."""
    known = stack()
    return [*_control_plane(known), *_owners(), *_pods(known)]


def _control_plane(known: Expected) -> list[Json]:
    bundle = BUNDLE.read_text(encoding="ascii").strip()
    items = [copy.deepcopy(dict(item)) for item in known.objects.values()]
    for item in items:
        for webhook in item.get("webhooks") or ():
            webhook["clientConfig"]["caBundle"] = bundle
        if item["kind"] == "Deployment":
            item["status"] = {"replicas": 1, "availableReplicas": 1}
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "fsm-injector-x", "namespace": "fsm-system",
                     "labels": {"kubernetes.io/service-name": "fsm-injector"}},
        "endpoints": [{"conditions": {"ready": True}}],
    }  # fmt: skip
    programs = [item["metadata"]["name"] for item in items if item["kind"] == "Deployment"]
    return [*items, endpoints, *map(program_pod, programs)]


def _owners() -> list[Json]:
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment",
         "metadata": {"name": name, "namespace": "demo"},
         "spec": {"replicas": 1, "template": {"metadata": {"annotations": {}}}},
         "status": {"replicas": 1}}
        for name in ("web", "cart", "mail")
    ]  # fmt: skip


def _pods(known: Expected) -> list[Json]:
    """One as it should be, one from before 7070 was excluded, one whose init container fails."""
    older = stack((" 7070]", " 9090]"))
    good = _pod(known, "web-7f9c5d-x2x", "2026-07-01T10:00:00Z")
    stale = _pod(older, "cart-5b8d6c-k4d", "2026-06-02T08:30:00Z")
    failing = _pod(known, "mail-6c9f7b-q7t", "2026-07-01T10:05:00Z")
    failing["status"]["initContainerStatuses"][0] |= {
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 2}},
        "restartCount": 4,
        "ready": False,
    }
    failing["status"]["phase"] = "Pending"
    for status in failing["status"]["containerStatuses"]:
        status |= {"ready": False, "state": {"waiting": {"reason": "PodInitializing"}}}
    log = {
        "kind": "PodLog",
        "metadata": {"namespace": "demo", "name": failing["metadata"]["name"]},
        "text": "iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table "
        "'nat'\n",
    }
    return [good, stale, failing, log]


def _pod(known: Expected, name: str, created: str) -> Json:
    item = pod_json(known, name)
    item["metadata"] |= {"namespace": "demo", "creationTimestamp": created}
    item["metadata"]["ownerReferences"][0]["name"] = name.rpartition("-")[0]
    return item


def content() -> bytes:
    """The file."""
    assembly = Assembly()
    kept = [one for item in objects() if (one := keep(item)) is not None]
    for item in kept:
        assembly.add(item)
    source = Source(context="dev", server="https://dev.example:6443", uid="",
                    taken="2026-07-01T12:00:00Z")  # fmt: skip
    return b"".join(saved_lines(assembly.snapshot(source, read=Part), kept))


if __name__ == "__main__":
    FILE.write_bytes(content())
