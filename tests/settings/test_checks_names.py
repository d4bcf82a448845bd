from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.manifests.bundle import bundle
from fsm_stack.redirection.scopes import redirection

from .loading import found, settings

TAKEN = [
    ({"mesh": {"webhookNamePrefix": "flomesh-mutating", "name": "webhook-configuration"}},
     "mesh.webhookNamePrefix"),
    ({"mesh": {"validatorWebhookName": "flomesh-validating-webhook-configuration"}},
     "mesh.validatorWebhookName"),
    ({"releaseAssets": {"configMapName": "preset-mesh-config"}}, "releaseAssets.configMapName"),
    ({"releaseAssets": {"configMapName": "fsm-redirection"}}, "releaseAssets.configMapName"),
    ({"releaseAssets": {"configMapName": "kube-root-ca.crt"}}, "releaseAssets.configMapName"),
    ({"enrolledNamespaces": [{"name": "a"}, {"name": "a", "create": True}]},
     "enrolledNamespaces[1].name"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "path"), TAKEN)
def test_two_objects_never_get_one_name(data: dict[str, Any], path: str) -> None:
    """The engine would refuse two resources of one name; plain YAML would keep the last."""
    assert [item[:2] for item in found(data)] == [("name-taken", path)]


def test_objects_of_a_full_stack_have_different_names() -> None:
    data = {
        "releaseAssets": {"source": "existingConfigMap"},
        "enrolledNamespaces": [{"name": "a"}, {"name": "b", "create": True}],
    }
    stack = settings(data)
    manifests = bundle(stack, redirection(stack))
    names = [(item.kind, item.namespace, item.name) for item in manifests]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public", "kube-node-lease"])
def test_the_clusters_own_namespaces_are_not_created(name: str) -> None:
    """Destroying the stack would ask for their deletion."""
    assert ("invalid-value", "mesh.createNamespace") in [
        item[:2] for item in found({"mesh": {"namespace": name}})
    ]
    data: dict[str, Any] = {"mesh": {"namespace": name, "createNamespace": False}}
    assert found(data) == []


def test_an_enrolled_namespace_of_the_cluster_is_only_patched() -> None:
    data = {"enrolledNamespaces": [{"name": "default", "create": True}]}
    assert [item[:2] for item in found(data)] == [
        ("invalid-value", "enrolledNamespaces[0].create")
    ]
    assert found({"enrolledNamespaces": [{"name": "default"}]}) == []
