"""Several meshes in one program: in one cluster under their own names, or in several clusters."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from fsm_stack import FsmStack, cluster_provider
from fsm_stack.pulumi.kinds import ObjectTakenError

from .recorder import Recorder, run
from .samples import ASSET, settings

MESH = {"releaseName": "blue", "name": "blue", "namespace": "blue-system"}
SECOND: dict[str, Any] = {
    "mesh": MESH,
    "enrolledNamespaces": [{"name": "blue-shop"}],
}
CLUSTER_WIDE = {
    "ClusterRole",
    "ClusterRoleBinding",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "Namespace",
}


OBSERVED: dict[str, Any] = {
    "components": {name: {"enabled": True} for name in ("prometheus", "jaeger")},
    "verify": {"schedule": "0 * * * *", "image": "example.com/fsm-stack:1"},
}


def two(second: dict[str, Any], *, provider: bool = False, **first: Any) -> Recorder:
    def program() -> None:
        FsmStack("first", settings(**first), asset=ASSET)
        other = kubernetes.Provider("elsewhere") if provider else None
        opts = pulumi.ResourceOptions(provider=other)
        FsmStack("second", settings(**second), asset=ASSET, opts=opts)

    return run(program)


def by_object(recorder: Recorder) -> dict[tuple[str, str, str], list[str]]:
    """The resources of each object: kind, namespace, name."""
    objects: dict[tuple[str, str, str], list[str]] = {}
    for one in recorder.registrations:
        about = one.inputs.get("metadata")
        if one.type.startswith("kubernetes:") and about:
            kind = one.type.rpartition(":")[2].removesuffix("Patch")
            key = (kind, about.get("namespace", ""), about["name"])
            objects.setdefault(key, []).append(one.name)
    return objects


CRD = ("CustomResourceDefinition", "", "meshconfigs.config.flomesh.io")


def test_two_meshes_with_programs_beside_them_declare_no_object_twice() -> None:
    """Their roles are cluster-wide, too."""
    objects = by_object(two(SECOND | OBSERVED, **OBSERVED))
    assert [key for key, names in objects.items() if len(names) > 1] == [CRD]
    assert {"blue-prometheus", "blue-jaeger", "fsm-prometheus", "fsm-jaeger"} <= {
        name for kind, _, name in objects if kind == "ClusterRole"
    }


def test_two_meshes_of_one_cluster_declare_no_object_twice() -> None:
    """The CRD alone is both's: it outlives either of them."""
    objects = by_object(two(SECOND))
    assert [key for key, names in objects.items() if len(names) > 1] == [CRD]
    names = sorted(
        (kind, name)
        for (kind, _, name), by in objects.items()
        if kind in CLUSTER_WIDE and by[0].startswith("second-")
    )
    assert names == [
        ("ClusterRole", "blue"),
        ("ClusterRole", "blue-leader-election-role"),
        ("ClusterRoleBinding", "blue"),
        ("ClusterRoleBinding", "blue-leader-election-rolebinding"),
        ("MutatingWebhookConfiguration", "fsm-webhook-blue"),
        ("Namespace", "blue-shop"),
        ("Namespace", "blue-system"),
        ("ValidatingWebhookConfiguration", "fsm-validator-mesh-blue"),
    ]


def test_the_account_of_a_second_mesh_is_its_own_everywhere() -> None:
    """Else its pods would have an account that nobody bound, and nothing would start."""
    recorder = two(SECOND)
    assert recorder["second-serviceaccount-blue"].inputs["metadata"]["namespace"] == "blue-system"
    binding = recorder["second-clusterrolebinding-blue"].inputs
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "blue", "namespace": "blue-system"}
    ]
    for app in ("bootstrap", "controller", "injector"):
        pod = recorder[f"second-deployment-fsm-{app}"].inputs["spec"]["template"]["spec"]
        assert pod["serviceAccountName"] == "blue", app
    controller = recorder["second-deployment-fsm-controller"].inputs["spec"]["template"]["spec"]
    (arguments,) = (
        one["args"] for one in controller["containers"] if one["name"] == "fsm-controller"
    )
    assert arguments[arguments.index("--fsm-service-account") + 1] == "blue"


@pytest.mark.parametrize(
    ("second", "taken"),
    [
        ({}, "Namespace/fsm-system"),
        ({**SECOND, "mesh": {**MESH, "releaseName": "fsm"}}, "ClusterRole/fsm"),
        ({**SECOND, "enrolledNamespaces": [{"name": "shop"}]}, "Namespace/shop"),
    ],
)
def test_a_second_mesh_with_an_object_of_the_first_is_refused(
    second: dict[str, Any], taken: str
) -> None:
    """The API server would merge both, and destroying one would take it from the other."""
    with pytest.raises(ObjectTakenError) as refused:
        two(second)
    assert str(refused.value) == (
        f"second: {taken} is an object of first, in the same cluster; expected a "
        "mesh.releaseName, mesh.name and mesh.namespace of its own, and other namespaces in "
        "enrolledNamespaces, or another cluster's provider in opts"
    )


def test_two_clusters_may_hold_the_same_mesh() -> None:
    recorder = two({}, provider=True)
    assert recorder["second-clusterrole-fsm"].provider == "elsewhere"
    assert recorder["first-clusterrole-fsm"].provider != "elsewhere"


def test_a_second_run_of_the_program_declares_the_same_objects_again() -> None:
    """The Automation API runs a program many times in one process."""
    assert sorted(two(SECOND).names()) == sorted(two(SECOND).names())


def test_a_program_of_two_clusters_makes_each_provider_of_its_settings() -> None:
    def program() -> None:
        for context in ("east", "west"):
            mesh = settings(cluster={"context": context})
            opts = pulumi.ResourceOptions(provider=cluster_provider(mesh, name=context))
            FsmStack(f"mesh-{context}", mesh, asset=ASSET, opts=opts)

    recorder = run(program)

    assert [recorder[name].inputs["context"] for name in ("east", "west")] == ["east", "west"]
    assert recorder["mesh-west-clusterrole-fsm"].provider == "west"
