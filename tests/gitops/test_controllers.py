"""What the components of both controllers say, and that kustomize puts it where it belongs."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fsm_stack.gitops.controllers import components, jq_path, json_pointers
from fsm_stack.manifests.bundle import bundle
from fsm_stack.redirection.scopes import redirection
from tests.settings.loading import settings

if TYPE_CHECKING:
    from pathlib import Path

    from fsm_stack.manifests.manifest import Manifest

INJECTOR = {
    "group": "admissionregistration.k8s.io",
    "kind": "MutatingWebhookConfiguration",
    "name": "fsm-webhook-fsm",
}


def manifests(**more: Any) -> tuple[Manifest, ...]:
    stack = settings(more or {"releaseAssets": {"source": "existingConfigMap"}})
    return bundle(stack, redirection(stack))


def patched(component: str) -> Any:
    (patch,) = yaml.safe_load(component)["patches"]
    return yaml.safe_load(patch["patch"])["spec"]


def test_property_paths_become_jq_paths() -> None:
    assert jq_path("webhooks[*].clientConfig.caBundle") == ".webhooks[]?.clientConfig.caBundle"
    assert jq_path('metadata.annotations["a/b"]') == '.metadata.annotations["a/b"]'


@pytest.mark.parametrize(
    ("path", "pointers"),
    [
        ("spec.connector.viaGateway", ("/spec/connector/viaGateway",)),
        ('metadata.annotations["a.io/b~c"]', ("/metadata/annotations/a.io~1b~0c",)),
        ("webhooks[*].clientConfig.caBundle",
         ("/webhooks/0/clientConfig/caBundle", "/webhooks/1/clientConfig/caBundle")),
        ("absent[*].x", ()),
    ],
)  # fmt: skip
def test_property_paths_become_json_pointers_of_the_declared_items(
    path: str, pointers: tuple[str, ...]
) -> None:
    """A pointer has no word for every item of a list."""
    assert json_pointers(path, {"webhooks": [{}, {}]}) == pointers


def test_every_foreign_path_of_a_stack_is_ignored_by_both() -> None:
    """Else they would revert the CA bundle that the injector writes once, at its start."""
    found = components(manifests())
    argo = patched(found["argo-cd/kustomization.yaml"])
    expressions = [".webhooks[]?.clientConfig.caBundle"]
    assert {**INJECTOR, "jqPathExpressions": expressions} in argo["ignoreDifferences"]
    assert argo["syncPolicy"]["syncOptions"] == [
        "ServerSideApply=true",
        "RespectIgnoreDifferences=true",
    ]
    flux = patched(found["flux/kustomization.yaml"])["ignore"]
    pointers = ["/webhooks/0/clientConfig/caBundle"]
    assert {"target": INJECTOR, "paths": pointers} in flux
    foreign = [one for one in manifests() if one.foreign_paths]
    assert len(flux) == len(argo["ignoreDifferences"]) == len(foreign)


def test_a_stack_without_foreign_writers_has_no_components() -> None:
    assert components(manifests(system="osm")) == {}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize(
    ("folder", "version", "key"),
    [
        ("argo-cd", "argoproj.io/v1alpha1", "ignoreDifferences"),
        ("flux", "kustomize.toolkit.fluxcd.io/v1", "ignore"),
    ],
)
def test_kustomize_puts_the_fields_into_the_owner_s_own_object(
    tmp_path: Path, folder: str, version: str, key: str
) -> None:
    """Nobody pastes a list that the next setting changes; what is of other kinds stays as it is."""
    kind = "Application" if folder == "argo-cd" else "Kustomization"
    component = components(manifests())[f"{folder}/kustomization.yaml"]
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "kustomization.yaml").write_text(component)
    own = {"apiVersion": version, "kind": kind, "metadata": {"name": "mesh"}, "spec": {"a": "b"}}
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "any"}}
    top = tmp_path / "top"
    top.mkdir()
    (top / "own.yaml").write_text(yaml.safe_dump_all([own, other]))
    (top / "kustomization.yaml").write_text(f"resources: [own.yaml]\ncomponents: [../{folder}]\n")
    built = subprocess.run(
        ["kubectl", "kustomize", top], check=True, capture_output=True, text=True
    )
    found = {item["kind"]: item for item in yaml.safe_load_all(built.stdout)}
    assert found["ConfigMap"] == other
    assert found[kind] == {**own, "spec": {"a": "b", **patched(component)}}
    assert key in found[kind]["spec"]
