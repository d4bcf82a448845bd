"""docs/gitops: its examples name what is there, and its pages name the examples."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fsm_stack.manifests.manifest import Wave

ROOT = Path(__file__).parents[2]
GITOPS = ROOT / "docs/gitops"


def items(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((GITOPS / name).read_text(encoding="utf-8")))


def test_the_application_is_of_the_control_plane_s_namespace() -> None:
    """Argo CD makes only this one before its dry run of what lies in it."""
    (application,) = items("argo-cd/application.yaml")
    spec = application["spec"]
    assert (ROOT / spec["source"]["path"] / "kustomization.yaml").is_file()
    namespaces = ROOT / spec["source"]["path"] / "objects/0-namespace"
    (namespace,) = namespaces.iterdir()
    made = yaml.safe_load(namespace.read_text(encoding="utf-8"))["metadata"]["name"]
    assert spec["destination"]["namespace"] == made
    assert "finalizers" not in application["metadata"]


def test_every_wave_has_its_kustomization_and_waits_for_the_one_before() -> None:
    found = items("flux/mesh.yaml")
    folders = [f"{int(wave)}-{wave.name.lower().replace('_', '-')}" for wave in Wave]
    assert [item["spec"]["path"] for item in found] == [
        f"./rendered/dev/objects/{folder}" for folder in folders
    ]
    assert {path.name for path in (ROOT / "rendered/dev/objects").iterdir()} == set(folders)
    names = [item["metadata"]["name"] for item in found]
    before = [item["spec"].get("dependsOn", []) for item in found]
    assert before == [[], *([{"name": name}] for name in names[:-1])]
    (source,) = items("flux/source.yaml")
    for item in found:
        assert item["spec"]["sourceRef"]["name"] == source["metadata"]["name"]
        assert (item["spec"]["wait"], item["spec"]["deletionPolicy"]) == (True, "Orphan")


@pytest.mark.parametrize("folder", ["argo-cd", "flux"])
def test_an_example_takes_the_component_that_render_writes(folder: str) -> None:
    (found,) = items(f"{folder}/kustomization.yaml")
    (component,) = found["components"]
    place = (GITOPS / folder / component).resolve()
    assert place == ROOT / "rendered/dev" / folder
    assert (place / "kustomization.yaml").is_file()


def test_the_operator_does_not_destroy_the_mesh_with_its_own_object() -> None:
    account, *_, stack = items("pulumi-operator/stack.yaml")
    assert stack["spec"]["serviceAccountName"] == account["metadata"]["name"]
    assert stack["spec"]["destroyOnFinalize"] is False
    organization, project, name = stack["spec"]["stack"].split("/")
    assert (ROOT / f"Pulumi.{name}.yaml").is_file()
    program = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert (organization, project) == ("example", program["name"])


@pytest.mark.parametrize("page", ["argo-cd.md", "flux.md", "pulumi-operator.md"])
def test_a_page_leads_to_files_that_are_there(page: str) -> None:
    text = (GITOPS / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert targets
    for target in targets:
        assert (GITOPS / target).exists(), target
    for target in re.findall(r"kubectl apply -[kf] ([\w./-]*\w)", text):  # the reader's copies
        assert (GITOPS / target).exists() or (ROOT / target).exists(), target
