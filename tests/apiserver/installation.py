"""An installation as Helm and FSM's programs leave it: the chart's objects, and what runs on top.

Helm 3 writes by updates, Helm 4 by server-side apply, both as ``helm``. Bootstrap makes the
MeshConfig of the chart's preset, under upstream's CRD; injector and controller make webhooks.
"""

from __future__ import annotations

import base64
import gzip
import json
import shlex
from typing import TYPE_CHECKING, Any

import yaml

from fsm_stack.manifests.mesh import mesh_config
from fsm_stack.manifests.services import injector_webhook, validator_webhook
from fsm_stack.settings.models.stack import StackSettings
from tests.parity.meaning import objects_of
from tests.recordings import recordings

if TYPE_CHECKING:
    from pathlib import Path

    from .client import Api

Json = dict[str, Any]
RELEASE = {"meta.helm.sh/release-name": "fsm", "meta.helm.sh/release-namespace": "fsm-system"}
HOOKS = ("fsm-preinstall", "fsm-cleanup")
NAMESPACE = "fsm-system"
CA_BUNDLE = base64.b64encode(b"an authority of its own").decode()
VERSION = "1.6.0"  # of the recorded chart
DEMO = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": "demo",
        "labels": {"flomesh.io/monitored-by": "fsm"},
        "annotations": {"flomesh.io/sidecar-injection": "enabled"},
    },
}
MESH_CONFIG = {
    "apiVersion": "config.flomesh.io/v1alpha3",
    "kind": "MeshConfig",
    "metadata": {"name": "fsm-mesh-config", "namespace": NAMESPACE},
}


def chart() -> dict[str, Json]:
    """The recorded chart's objects, as Helm applies them; hooks are gone after the install."""
    folder: Path = recordings("FSM_STACK_CHART_CORPUS", "chart")
    objects = objects_of((folder / "default.objects.yaml").read_text(encoding="utf-8"))
    kept = {}
    for name, item in objects.items():
        if item["metadata"]["name"] in HOOKS:
            continue
        about = item["metadata"]
        about["labels"] = {**about.get("labels", {}), "app.kubernetes.io/managed-by": "Helm"}
        about["annotations"] = {**about.get("annotations", {}), **RELEASE}
        for old in ("autoscaling/v2beta2", "policy/v1beta1"):
            assert item["apiVersion"] != old, name
        kept[name] = item
    return kept


def write(api: Api, item: Json, manager: str, *, applied: bool = False) -> None:
    """Create an object as a field manager, by update or by server-side apply."""
    if applied:
        api.apply(item, manager=manager)
        return
    path = api.path(item).rpartition("/")[0]
    api.request("POST", path, body=item, query={"fieldManager": manager})


def patch(api: Api, which: Json, change: Json, manager: str) -> Json:
    """A merge patch as somebody: ``kubectl-patch`` is a person."""
    return api.request(
        "PATCH",
        api.path(which),
        body=change,
        query={"fieldManager": manager},
        content_type="application/merge-patch+json",
    )


def install(api: Api, *, helm: int = 3) -> None:
    """Bring the installation up, as ``fsm install`` and the programs do."""
    crd = recordings("FSM_STACK_CRD", "crd") / "config.flomesh.io_meshconfigs.yaml"
    api.apply(yaml.safe_load(crd.read_text(encoding="utf-8")), manager="fsm-bootstrap", force=True)
    write(api, {"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": NAMESPACE, "labels": {"name": NAMESPACE}}}, "helm")  # fmt: skip
    objects = chart()
    for item in objects.values():
        if item["kind"].endswith("WebhookConfiguration"):
            item.pop("webhooks", None)
        write(api, item, "helm", applied=helm == 4)  # the version
    write(api, release(), "helm")
    # The preset through FSM's Go types, as bootstrap writes it: a stack's own is the same.
    data = {"fsmVersion": VERSION, "clusterSet": {"uid": "an-identity"}}
    settings = StackSettings.model_validate_json(json.dumps(data))
    write(api, dict(mesh_config(settings).object), "fsm-bootstrap")
    for hook, manager in (
        (injector_webhook(settings), "fsm-injector"),
        (validator_webhook(settings), "fsm-controller"),
    ):
        for one in hook["webhooks"]:
            one["clientConfig"]["caBundle"] = CA_BUNDLE
        write(api, hook, manager)
    if api.exists(DEMO):
        patch(api, DEMO, {"metadata": DEMO["metadata"]}, "kubectl-label")
    else:
        write(api, DEMO, "kubectl-create")


def release() -> Json:
    """Helm's record of the release."""
    content = {
        "name": "fsm",
        "namespace": NAMESPACE,
        "version": 1,
        "info": {"status": "deployed"},
        "chart": {"metadata": {"name": "fsm", "version": VERSION}},
        "config": {},
        "manifest": "",
    }
    packed = base64.b64encode(gzip.compress(json.dumps(content).encode()))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": "sh.helm.release.v1.fsm.v1",
            "namespace": NAMESPACE,
            "labels": {"owner": "helm", "name": "fsm", "status": "deployed", "version": "1"},
        },
        "data": {"release": base64.b64encode(packed).decode()},
    }


# Where kubectl finds what its words name.
_NAMED = {
    "secret": ("v1", "Secret"),
    "pod": ("v1", "Pod"),
    "namespace": ("v1", "Namespace"),
    "crd": ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    "clusterrole": ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    "clusterrolebinding": ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    "mutatingwebhookconfiguration": (
        "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration",
    ),
    "validatingwebhookconfiguration": (
        "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration",
    ),
}  # fmt: skip


def carry_out(api: Api, command: str) -> None:
    """A command that ``leftovers`` prints, as kubectl would do it."""
    words = shlex.split(command)
    place = words[words.index("-n") + 1] if "-n" in words else None
    words = words[: words.index("-n")] if "-n" in words else words
    assert words[0] == "kubectl", command
    verb, kind, name, *keys = words[1:]
    version, kind = _NAMED[kind]
    about = {"name": name} | ({"namespace": place} if place else {})
    which = {"apiVersion": version, "kind": kind, "metadata": about}
    if verb == "delete":
        assert not keys, command
        api.delete(which)
        return
    assert verb in {"label", "annotate"}, command
    part = {"label": "labels", "annotate": "annotations"}[verb]
    assert all(key.endswith("-") for key in keys), command
    patch(api, which, {"metadata": {part: {key[:-1]: None for key in keys}}}, "kubectl-label")
