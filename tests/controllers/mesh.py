"""The committed tree of `dev`, copied and cut; its objects in a cluster; what FSM's programs write.

The writes are replayed as the programs make them: whole updates, under their own field managers.
Source: fsm_stack.manifests.foreign, which names each with its writer.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.manifest import Wave
from fsm_stack.project.project import find_project
from fsm_stack.redirection.scopes import redirection
from tests.apiserver.apiserver import find
from tests.apiserver.client import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_stack.manifests.manifest import Manifest
    from tests.apiserver.client import Api

Json = dict[str, Any]
ROOT: Final = Path(__file__).parents[2]
TARGET: Final = "test-gitops"
AUTHORITY: Final = "YW4gYXV0aG9yaXR5IG9mIGl0cyBvd24="
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_REPLICAS: Final = 3


def manifests() -> tuple[Manifest, ...]:
    """What `rendered/dev` holds, as values."""
    settings = find_project(ROOT).load("dev").settings
    assert settings is not None
    return bundle(settings, redirection(settings))


def tree(target: Path) -> Path:
    """A copy of `rendered/dev` as a repository has it, to change."""
    return Path(shutil.copytree(ROOT / "rendered/dev", target / "rendered/dev"))


def built(folder: Path) -> str:
    """The output of kustomize for a folder."""
    kubectl = find("kubectl", target=TARGET)
    done = subprocess.run(
        [kubectl, "kustomize", folder], check=True, capture_output=True, text=True
    )
    return done.stdout


def live(api: Api) -> dict[str, Json]:
    """Every object of the stack that is in the cluster, by `Kind/name`."""
    found = {}
    for manifest in manifests():
        try:
            found[f"{manifest.kind}/{manifest.name}"] = api.get(dict(manifest.object))
        except (ApiError, TimeoutError) as error:
            if isinstance(error, ApiError) and error.code != 404:
                raise
    return found


def versions(api: Api) -> dict[str, str]:
    """What changes with every write to an object; a Deployment's status is written all the time."""
    return {
        name: json.dumps(_plain(item), sort_keys=True)
        if item["kind"] == "Deployment"
        else item["metadata"]["resourceVersion"]
        for name, item in live(api).items()
    }


def creations(api: Api) -> list[tuple[Wave, set[str]]]:
    """The waves in their order, each with the times at which its objects were made."""
    found = live(api)
    times: dict[Wave, set[str]] = {}
    for manifest in manifests():
        made = found[f"{manifest.kind}/{manifest.name}"]["metadata"]["creationTimestamp"]
        times.setdefault(manifest.wave, set()).add(made)
    return sorted(times.items())


def replay(api: Api) -> list[str]:
    """Everything that FSM's programs write into the stack's objects; the objects that now differ."""
    changed = []
    for manifest in manifests():
        before = api.get(dict(manifest.object))
        manager = "fsm-bootstrap" if manifest.wave <= Wave.MESH_CONFIG else "fsm-controller"
        for path in manifest.foreign_paths:
            _update(api, dict(manifest.object), path, manager)
        if _plain(api.get(dict(manifest.object))) != _plain(before):
            changed.append(f"{manifest.kind}/{manifest.name}")
    return changed


def _update(api: Api, item: Json, path: str, manager: str) -> None:
    """One write, again where the server's own controllers wrote meanwhile: a CRD's status."""
    for last in (False, False, False, True):
        now = api.get(item)
        _write(now, path)
        try:
            api.request("PUT", api.path(now), body=now, query={"fieldManager": manager})
        except ApiError as error:
            if last or error.reason != "Conflict":
                raise
        else:
            return


def _plain(item: Json) -> Json:
    volatile = ("resourceVersion", "generation", "managedFields")
    about = {key: value for key, value in item["metadata"].items() if key not in volatile}
    return {**item, "metadata": about, "status": None}


def _write(item: Json, path: str) -> None:
    """One foreign field, as its writer leaves it."""
    about, spec = item["metadata"], item.get("spec", {})
    if path == "spec.versions":  # of its own release: another schema, and one version more
        (stored,) = [one for one in spec["versions"] if one["storage"]]
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        stored["schema"] = {"openAPIV3Schema": schema}
        older = {**stored, "name": "v1alpha1", "storage": False}
        spec["versions"] = [older, stored]
    elif path == "spec.names":
        spec["names"]["shortNames"] = ["mc"]
    elif path == "spec.conversion":
        spec["conversion"] = {"strategy": "None"}
    elif path.startswith("metadata.labels"):
        about["labels"] = {**about.get("labels", {}), "flomesh.io/reconcile": "true"}
    elif path.startswith("metadata.annotations"):
        plain = {key: value for key, value in item.items() if key != "status"}
        about["annotations"] = {**about.get("annotations", {}), _LAST_APPLIED: json.dumps(plain)}
    elif path == "spec.connector.viaGateway":
        spec["connector"]["viaGateway"] = {
            **spec["connector"]["viaGateway"],
            "clusterIP": "10.96.7.7",
            "externalIP": "192.0.2.7",
        }
    elif path == "webhooks":
        client = {"url": "https://192.0.2.1/validate", "caBundle": AUTHORITY}
        item["webhooks"] = [
            {
                "name": "vgateway.kb.flomesh.io",
                "clientConfig": client,
                "failurePolicy": "Ignore",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "rules": [
                    {
                        "apiGroups": ["gateway.flomesh.io"],
                        "apiVersions": ["v1alpha1"],
                        "operations": ["CREATE"],
                        "resources": ["gateways"],
                    }
                ],
            }
        ]
    elif path == "webhooks[*].clientConfig.caBundle":
        for webhook in item["webhooks"]:
            webhook["clientConfig"]["caBundle"] = AUTHORITY
    else:
        assert path == "spec.replicas", path
        spec["replicas"] = _REPLICAS


def foreign() -> list[str]:
    """The objects that `replay` has to change."""
    return [f"{one.kind}/{one.name}" for one in manifests() if one.foreign_paths]


def cut(objects: Path, kinds: Iterable[str]) -> list[str]:
    """Take every object of these kinds out of the tree; their files' names."""
    gone = []
    for file in sorted(objects.rglob("*.yaml")):
        if yaml.safe_load(file.read_text(encoding="utf-8"))["kind"] in set(kinds):
            file.unlink()
            gone.append(file.name)
    return gone
