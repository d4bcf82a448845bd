"""A small mesh as Kubernetes objects: clean as it stands, for tests to break one thing each."""

from __future__ import annotations

import base64
import copy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from fsm_stack.injector.annotations import interception
from fsm_stack.settings.stack_file import load_text
from fsm_stack.snapshot.allow import keep
from fsm_stack.snapshot.snapshot import Assembly, Part, Snapshot, Source
from fsm_stack.verify.check import Check, Context, Outcome, run_checks
from fsm_stack.verify.every import CHECKS
from fsm_stack.verify.expected import Expected, of_stack

if TYPE_CHECKING:
    from fsm_stack.iptables.read.text import Reading
    from fsm_stack.snapshot.objects import Pod

Json = dict[str, Any]

# A DaemonSet's counts of nodes.
NODES = ("desiredNumberScheduled", "currentNumberScheduled", "numberAvailable")
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
DEV = """\
config:
  fsm-stack:releaseAssets: {source: omit}
  fsm-stack:traffic:
    outboundPortExclusionList: [6379, 7070]
    outboundIPRangeExclusionList: [1.1.1.1/32]
    networkInterfaceExclusionList: [net1]
  fsm-stack:enrolledNamespaces:
    - {name: shop, create: true}
  fsm-stack:guard: {meshConfig: deny, pods: deny, bypasses: warn}
"""


def expected(text: str = DEV) -> Expected:
    settings = load_text(text, file="Pulumi.dev.yaml", today=date(2026, 7, 1)).settings
    assert settings is not None
    return of_stack(settings, title="dev")


def certificate(start: str = "260101000000Z", end: str = "360101000000Z") -> str:
    """A caBundle whose certificate has these dates and nothing else of interest."""

    def element(tag: int, content: bytes) -> bytes:
        assert len(content) < 128
        return bytes([tag, len(content)]) + content

    validity = element(0x30, element(0x17, start.encode()) + element(0x17, end.encode()))
    version = element(0xA0, element(0x02, b"\x02"))
    body = version + element(0x02, b"\x01") + element(0x30, b"") + element(0x30, b"") + validity
    der = element(0x30, element(0x30, body))
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(der)
    return base64.b64encode(pem + b"\n-----END CERTIFICATE-----\n").decode()


def pod_json(
    known: Expected, name: str = "web-7f9c5d-x2x", *, annotations: dict[str, str] | None = None
) -> Json:
    """A pod as the injector and the kubelet leave it."""
    annotated = annotations or {}
    system = known.system
    script = interception(annotated, known.mesh).script
    ended = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    running = {"running": {"startedAt": "2026-07-01T10:00:05Z"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "labels": {"app": "web", system.proxy_label: "0e8a"},
            "annotations": annotated,
            "creationTimestamp": "2026-07-01T10:00:00Z",
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-7f9c5d", "controller": True}],
        },
        "spec": {
            "initContainers": [
                {
                    "name": system.init_container,
                    "image": f"{system.init_image}:1.5.1",
                    "args": ["-c", script],
                }
            ],
            "containers": [
                {"name": "app", "image": "web:1", "ports": [{"containerPort": 8080}]},
                {"name": system.sidecar_container, "image": "flomesh/pipy:1.5.12",
                 "ports": [{"containerPort": 15003}], "securityContext": {"runAsUser": 1500}},
            ],
        },
        "status": {
            "phase": "Running",
            "podIP": "10.244.0.7",
            "initContainerStatuses": [
                {"name": system.init_container, "ready": True, "restartCount": 0, "state": ended}
            ],
            "containerStatuses": [
                {"name": "app", "ready": True, "restartCount": 0, "state": running},
                {"name": system.sidecar_container, "ready": True, "restartCount": 0,
                 "state": running},
            ],
        },
    }  # fmt: skip


@dataclass
class World:
    """Objects of a cluster, by kind and name; a test changes some and asks a check."""

    known: Expected
    objects: list[Json] = field(default_factory=list)
    not_read: dict[Part, str] = field(default_factory=dict)
    unread: set[Part] = field(default_factory=set)
    asked: str = "pod/web-7f9c5d-x2x -n shop"
    live_rules: Reading | None = None
    described: tuple[Pod, ...] = ()

    def the(self, kind: str, name: str = "") -> Json:
        """The first object of a kind, to change."""
        return next(
            item
            for item in self.objects
            if item["kind"] == kind and name in {"", item["metadata"]["name"]}
        )

    def remove(self, kind: str, name: str = "") -> None:
        self.objects.remove(self.the(kind, name))

    def snapshot(self) -> Snapshot:
        assembly = Assembly()
        for item in self.objects:
            kept = keep(copy.deepcopy(item))
            if kept is not None:
                assembly.add(kept)
        source = Source(context="test", server="https://127.0.0.1:6443", uid="u")
        return assembly.snapshot(source, read=set(Part) - self.unread, not_read=self.not_read)

    def context(self) -> Context:
        snapshot = self.snapshot()
        return Context(
            snapshot=snapshot,
            expected=self.known,
            now=NOW,
            pods=snapshot.pods + self.described,
            asked=self.asked,
            live_rules=self.live_rules,
        )

    def outcome(self, check_id: str) -> Outcome:
        (outcome,) = run_checks(self.context(), [check(check_id)])
        return outcome

    def messages(self, check_id: str) -> list[str]:
        return [item.message for item in self.outcome(check_id).findings]


def check(check_id: str) -> Check:
    return next(one for one in CHECKS if one.id == check_id)


def world(text: str = DEV) -> World:
    """The dev stack as it stands after ``pulumi up``, with one injected pod in namespace shop."""
    known = expected(text)
    objects = [copy.deepcopy(dict(item)) for item in known.objects.values()]
    for item in objects:
        if item["kind"].endswith("WebhookConfiguration"):
            for webhook in item.get("webhooks", []):
                webhook["clientConfig"]["caBundle"] = certificate()
        if item["kind"] == "Deployment":
            count = item["spec"].get("replicas", 1)
            item["status"] = {"replicas": count, "availableReplicas": count}
        if item["kind"] == "DaemonSet":
            counts = dict.fromkeys(NODES, 2)
            item["status"] = {"observedGeneration": 1, **counts}
    objects += [
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "fsm-injector-x",
                "namespace": "fsm-system",
                "labels": {"kubernetes.io/service-name": "fsm-injector"},
            },
            "endpoints": [{"addresses": ["10.244.0.3"], "conditions": {"ready": True}}],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"replicas": 1, "template": {"metadata": {"annotations": {}}}},
            "status": {"replicas": 1, "availableReplicas": 1},
        },
        pod_json(known),
    ]
    return World(known=known, objects=objects)


def program_pod(program: str, *, place: str = "fsm-system") -> Json:
    """A pod of the control plane that runs and is ready."""
    revision = "5d9c8d7f5b"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{program}-{revision}-x2xzq",
            "namespace": place,
            "uid": "u",
            "labels": {"app": program, "pod-template-hash": revision},
            "creationTimestamp": "2026-07-01T09:00:00Z",
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": f"{program}-{revision}", "controller": True}
            ],
        },
        "spec": {"containers": [{"name": program, "image": f"flomesh/{program}:1.5.1"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [
                {"name": program, "ready": True, "restartCount": 0, "state": {"running": {}}}
            ],
        },
    }


def managed(manager: str, path: str, *, operation: str = "Update") -> Json:
    """An entry of metadata.managedFields: who owns a field, and how it was written."""
    fields: Json = {}
    for step in reversed(path.split(".")):
        fields = {f"f:{step}": fields}
    return {
        "manager": manager,
        "operation": operation,
        "time": "2026-06-30T09:00:00Z",
        "fieldsV1": fields,
    }
