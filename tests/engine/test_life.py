"""A stack's life on a real cluster: up, unchanged, refreshed, destroyed, up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fsm_stack.edges.project import find_project
from fsm_stack.edges.pulumi_kinds import FOLLOWED, OWNER
from fsm_stack.edges.rendering import rendering

from .project import committed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.cluster.client import Api

    from .engine import Run
    from .project import Project

pytestmark = pytest.mark.engine

# What destroying takes away, in this order; the CRD is kept, and only forgotten.
ORDER = (
    {"NamespacePatch"},
    {"Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget"},
    {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"},
    {
        *("ServiceAccount", "Service", "ConfigMap"),
        *("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
    },
    {"MeshConfig"},
    {"CustomResourceDefinitionPatch"},
    {"Namespace"},
)


def namespace(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}}


def kinds(run: Run) -> list[str]:
    """The kind of every object of Kubernetes that a run has finished, in its order."""
    types = (step.type for step in run.done if step.type.startswith("kubernetes:"))
    return [one.rpartition(":")[2] for one in types]


def objects(directory: Path, stack: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The objects that ``fsm-stack render`` writes, by kind, namespace and name."""
    settings = find_project(directory).load(stack).settings
    assert settings is not None
    files = rendering(settings, directory).files
    texts = (files[path] for path in files if path[0].isdigit() and path.endswith(".yaml"))
    return {key(one): one for one in map(yaml.safe_load, texts)}


def sent(run: Run) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The objects that the engine gave to the provider, without what speaks to the provider."""
    return {
        key(step.inputs): without_notes(step.inputs)
        for step in run.steps
        if step.op == "create" and step.type.startswith("kubernetes:")
    }


def key(item: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = item["metadata"]
    return item["kind"], metadata.get("namespace", ""), metadata["name"]


def without_notes(item: Any) -> Any:
    """The object without annotations for the provider, and without the pods' link to a webhook."""
    if isinstance(item, dict):
        kept = {name: without_notes(value) for name, value in item.items() if not is_note(name)}
        if kept.get("annotations") == {} and "labels" in item:
            del kept["annotations"]
        return kept
    return [without_notes(one) for one in item] if isinstance(item, list) else item


def is_note(name: str) -> bool:
    return name.startswith("pulumi.com/") or name in {FOLLOWED, OWNER}


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_an_environment_comes_up_stays_and_goes(api: Api, project: Project, stack: str) -> None:
    """What was reviewed is what runs, and no webhook is left over living namespaces."""
    api.apply(namespace("payments", labels={"team": "payments"}), manager="others")
    engine = project.stack(stack, committed(stack))

    up = engine.up().succeeded()

    assert sent(up) == objects(project.directory, stack)
    assert engine.up().succeeded().changes() == []
    assert engine.refresh().succeeded().changes() == []
    assert engine.preview().succeeded().changes() == []

    destroyed = engine.destroy().succeeded()

    order = [next(n for n, some in enumerate(ORDER) if one in some) for one in kinds(destroyed)]
    assert order == sorted(order), kinds(destroyed)
    assert len(order) == len(sent(up))
    live = api.get(namespace("payments"))["metadata"]
    assert "flomesh.io/monitored-by" not in live["labels"]
    assert live["labels"]["team"] == "payments"
    assert not live.get("annotations")


def test_a_destroyed_stack_comes_up_again(api: Api, project: Project) -> None:
    """The CRD and the enrolled namespaces are still there, and are taken as they are."""
    engine = project.stack("dev", committed("dev"))
    first = engine.up().succeeded()
    engine.destroy().succeeded()
    assert api.exists(namespace("demo"))

    again = engine.up().succeeded()

    assert again.changes() == first.changes()
    assert engine.preview().succeeded().changes() == []
    assert api.get(namespace("demo"))["metadata"]["labels"]["flomesh.io/monitored-by"] == "fsm"
    engine.destroy().succeeded()
