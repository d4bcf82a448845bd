"""A stack's life on a real cluster: up, unchanged, refreshed, destroyed, up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fsm_stack.manifests.manifest import FOLLOWED, without_sync_annotations
from fsm_stack.pulumi.kinds import OWNER

from .engine import REPOSITORY
from .project import committed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.apiserver.client import Api

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

SCRIPTS = ("ConfigMap", "fsm-system", "fsm-init-repo-scripts")


def namespace(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}}


def kinds(run: Run) -> list[str]:
    """The kind of every object of Kubernetes that a run has finished, in its order."""
    types = (step.type for step in run.done if step.type.startswith("kubernetes:"))
    return [one.rpartition(":")[2] for one in types]


def rendered(stack: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The objects of the committed tree, by kind, namespace and name."""
    tree = REPOSITORY / "rendered" / stack
    files = [*tree.glob("objects/*/*.yaml"), *tree.glob("others/*.yaml")]
    objects = (yaml.safe_load(file.read_text("utf-8")) for file in files)
    return {key(one): without_sync_annotations(one) for one in objects}


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
    if isinstance(item, list):
        return [without_notes(one) for one in item]
    if not isinstance(item, dict):
        return item
    kept = {name: without_notes(value) for name, value in item.items()}
    notes = kept.get("annotations")
    if isinstance(notes, dict) and any(map(is_note, notes)):
        kept["annotations"] = {name: notes[name] for name in notes if not is_note(name)}
        if not kept["annotations"]:
            del kept["annotations"]
    return kept


def is_note(name: str) -> bool:
    return name.startswith("pulumi.com/") or name in {FOLLOWED, OWNER}


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_an_environment_comes_up_stays_and_goes(api: Api, project: Project, stack: str) -> None:
    """What was reviewed is what runs, and no webhook is left over living namespaces."""
    api.apply(namespace("payments", labels={"team": "payments"}), manager="others")
    engine = project.stack(stack, committed(stack))

    up = engine.up().succeeded()

    objects = sent(up)
    scripts = objects.pop(SCRIPTS, None)  # committed trees are without the release's files
    assert (scripts is None) == (stack == "dev")
    assert objects == rendered(stack)
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


PROGRAMS: dict[str, Any] = {
    "deployment": {"skipAwait": True},
    "traffic": {"interceptionMode": "NodeLevel"},
    "ingress": {"enabled": True},
    "egressGateway": {"enabled": True},
    "certificateProvider": {"meshRootCertificate": True},
    "components": {
        "prometheus": {"enabled": True},
        "grafana": {"enabled": True, "remoteRendering": True},
        "jaeger": {"enabled": True},
        "fluentBit": {"enabled": True},
    },
}


def test_every_program_beside_the_control_plane_comes_up_stays_and_goes(
    api: Api, project: Project
) -> None:
    """Their kinds are typed resources, and nothing that the server adds is a change."""
    engine = project.stack("programs", PROGRAMS)

    up = engine.up().succeeded()

    made = sent(up)
    assert {"DaemonSet", "IngressClass"} <= {kind for kind, _, _ in made}
    assert len([name for kind, _, name in made if kind == "Deployment"]) == 3 + 5
    assert engine.up().succeeded().changes() == []
    assert engine.refresh().succeeded().changes() == []
    assert engine.preview().succeeded().changes() == []

    engine.destroy().succeeded()

    left = [item for item in made.values() if item["kind"] not in KEPT and api.exists(item)]
    assert left == []


# What a stack that is destroyed leaves: policies of others stand under the CRD.
KEPT = {"CustomResourceDefinition", "Namespace"}
