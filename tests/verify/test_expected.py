"""Which mesh a cluster's own objects tell, where nothing declares it."""

from __future__ import annotations

import copy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from fsm_stack.errors import CouldNotCheckError
from fsm_stack.settings.stack_file import load_text
from fsm_stack.verify.expected import Expected, of_cluster, of_stack

from .world import World, world

ROOT = Path(__file__).parent.parent.parent
CONFIGURATION = "MutatingWebhookConfiguration"
OURS = "fsm-webhook-fsm"


def known(mesh: World) -> Expected:
    found = of_cluster(mesh.snapshot())
    assert found is not None
    return found


def second_webhook(mesh: World, *, namespace: str) -> dict[str, Any]:
    """A copy of the webhook for mesh alpha; its name sorts, and is read, before ours."""
    item = copy.deepcopy(mesh.the(CONFIGURATION, OURS))
    item["metadata"]["name"] = "fsm-webhook-alpha"
    (webhook,) = item["webhooks"]
    webhook["namespaceSelector"]["matchLabels"]["flomesh.io/monitored-by"] = "alpha"
    webhook["clientConfig"]["service"]["namespace"] = namespace
    mesh.objects.insert(0, item)
    return item


def second_mesh_config(mesh: World) -> None:
    item = copy.deepcopy(mesh.the("MeshConfig"))
    item["metadata"]["namespace"] = "alpha-system"
    mesh.objects.insert(0, item)


@pytest.mark.parametrize("namespace", ["alpha-system", "fsm-system"])
def test_the_webhook_of_a_second_mesh_does_not_hide_the_first(namespace: str) -> None:
    """Else no namespace is enrolled in the mesh that is looked at, and every check is green."""
    mesh = world()
    second_webhook(mesh, namespace=namespace)
    assert known(mesh).mesh.name == "fsm"
    mesh.known = known(mesh)
    pod = mesh.the("Pod")
    pod["spec"]["initContainers"] = []
    assert len(mesh.messages("pod-init")) == 1
    assert mesh.messages("cluster-webhook-stray") == []


def test_a_mesh_of_another_name_is_found_by_its_webhook() -> None:
    mesh = world()
    item = second_webhook(mesh, namespace="fsm-system")
    mesh.remove(CONFIGURATION, OURS)
    assert known(mesh).mesh.name == "alpha"
    mesh.objects.remove(item)
    assert known(mesh).mesh.name == "fsm"


def test_where_nothing_tells_the_mesh_none_is_guessed() -> None:
    mesh = world()
    second_webhook(mesh, namespace="fsm-system")
    mesh.remove("Deployment", "fsm-injector")
    with pytest.raises(CouldNotCheckError) as caught:
        known(mesh)
    assert str(caught.value) == (
        "webhooks of several meshes lead to namespace fsm-system: alpha, fsm; name a STACK"
    )


def test_of_two_mesh_configs_the_one_with_a_webhook_counts() -> None:
    mesh = world()
    second_mesh_config(mesh)
    assert known(mesh).mesh.namespace == "fsm-system"
    second_webhook(mesh, namespace="alpha-system")
    with pytest.raises(CouldNotCheckError) as caught:
        known(mesh)
    assert str(caught.value) == (
        "MeshConfigs fsm-mesh-config of several meshes were read, in namespaces alpha-system, "
        "fsm-system: name a STACK"
    )


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_a_stack_and_its_rendered_files_are_the_same_to_every_check(name: str) -> None:
    """A cluster that the files made is not told to differ from the stack: no warning, no note."""
    directory = ROOT / "rendered" / name
    text = (ROOT / f"Pulumi.{name}.yaml").read_text(encoding="utf-8")
    settings = load_text(text, file=name, today=date(2026, 7, 1)).require()
    objects = [
        item
        for file in sorted(directory.rglob("*.yaml"))
        for item in yaml.safe_load_all(file.read_text(encoding="utf-8"))
        if item and "metadata" in item
    ]
    mesh = World(known=of_stack(settings, title=name), objects=objects, asked="")
    for item in objects:
        if item["kind"] == "Deployment":
            item["status"] = {"availableReplicas": item["spec"].get("replicas", 1)}
    answers = {
        check_id: [item.message for item in mesh.outcome(check_id).findings]
        for check_id in ("cluster-lists", "cluster-mesh-config-drift", "cluster-images",
                         "cluster-redirection", "cluster-control-plane", "cluster-webhook",
                         "cluster-webhook-drift", "cluster-webhook-rules", "namespace-enrolled",
                         "namespace-selected")
    }  # fmt: skip
    assert {check_id: told for check_id, told in answers.items() if told} == {}
    by_kind = {one["kind"] for one in objects}
    assert {"MeshConfig", "Deployment", "ConfigMap", "MutatingWebhookConfiguration"} <= by_kind
