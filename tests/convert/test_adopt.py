"""What adopting an installation would change: objects, field managers, the traffic of pods."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from fsm_stack.convert.adopt import Adoption, adoption, differences
from fsm_stack.convert.chart.release import Release
from fsm_stack.manifests.bundle import bundle
from fsm_stack.redirection.scopes import redirection
from tests.settings.loading import settings

Json = dict[str, Any]
STACK = settings({
    "releaseAssets": {"source": "existingConfigMap"},
    "traffic": {"outboundPortExclusionList": [6379]},
    "annotationProfiles": {"batch": {"outboundPortExclusionList": [25]}},
    "enrolledNamespaces": [{"name": "shop"}],
})  # fmt: skip
MANIFESTS = bundle(STACK, redirection(STACK))
MESH_CONFIG = ("MeshConfig", "fsm-system", "fsm-mesh-config")
INJECTOR = ("Deployment", "fsm-system", "fsm-injector")


def installed() -> dict[Any, Json]:
    """Every object of the stack as it is declared, written by Helm."""
    live = {one.key: json.loads(json.dumps(dict(one.object))) for one in MANIFESTS}
    for item in live.values():
        owned(item, "helm", {"f:spec": {}, "f:data": {}, "f:rules": {}})
    return live


def owned(item: Json, manager: str, fields: Json, operation: str = "Update") -> None:
    entries = item["metadata"].setdefault("managedFields", [])
    entries.append({"manager": manager, "operation": operation, "time": "2026-06-30T09:00:00Z",
                    "fieldsV1": fields})  # fmt: skip


def adopted(live: dict[Any, Json], **more: Any) -> Adoption:
    return adoption(STACK, MANIFESTS, live, **more)


def states(result: Adoption) -> dict[str, str]:
    return {str(one.name): one.state for one in result.objects}


def test_an_installation_that_is_as_declared_is_taken_without_a_change() -> None:
    result = adopted(installed())
    assert {one.state for one in result.objects} == {"same", "patched"}
    assert [one.title for one in result.traffic] == [
        "every pod without annotations", "profile batch",
    ]  # fmt: skip
    assert not any(one.changes for one in result.traffic)
    assert result.findings == []
    assert "Deployment/fsm-system/fsm-injector" in result.names
    # Written into, never owned: they are no objects to take over.
    assert "Namespace/shop" not in result.names
    assert "CustomResourceDefinition/meshconfigs.config.flomesh.io" not in result.names


def test_the_pods_that_the_next_update_makes_anew_are_named() -> None:
    """Injector and controller follow the webhook configurations; others, where a template differs."""
    live = installed()
    for item in live.values():
        item["metadata"]["uid"] = item["metadata"]["name"]
    assert restarted(live) == ["fsm-controller", "fsm-injector"]
    live["Deployment", "fsm-system", "fsm-bootstrap"]["spec"]["template"]["spec"]["containers"][0][
        "image"
    ] = "fsm-bootstrap:1.0"
    live[INJECTOR]["spec"]["template"]["metadata"]["annotations"] |= {
        "fsm-stack.flomesh.io/follows": "fsm-webhook-fsm"
    }
    assert restarted(live) == ["fsm-bootstrap", "fsm-controller"]


def restarted(live: dict[Any, Json]) -> list[str]:
    return sorted(one.name.name for one in adopted(live).objects if one.restarts)


def test_what_is_missing_and_what_differs_is_named() -> None:
    live = installed()
    del live["Service", "fsm-system", "fsm-validator"]
    live[INJECTOR]["spec"]["replicas"] = 3
    result = adopted(live)
    assert states(result)["Service/fsm-system/fsm-validator"] == "missing"
    (changed,) = [one for one in result.objects if one.state == "differs"]
    (difference,) = changed.differences
    assert (difference.path, difference.declared, difference.live) == ("spec.replicas", 1, 3)
    assert [one.name for one in difference.managers] == ["helm"]
    assert changed.takeable
    assert "Service/fsm-system/fsm-validator" not in result.names


@pytest.mark.parametrize("operation", ["Update", "Apply"])
def test_helms_fields_are_taken_whether_it_updates_or_applies(operation: str) -> None:
    """Helm 3 updates, Helm 4 applies; both call themselves helm."""
    live = installed()
    live[INJECTOR]["metadata"]["managedFields"] = []
    owned(live[INJECTOR], "helm", {"f:spec": {"f:replicas": {}}}, operation)
    live[INJECTOR]["spec"]["replicas"] = 3
    result = adopted(live)
    assert result.findings == []
    assert "Deployment/fsm-system/fsm-injector" in result.names


def test_a_person_is_named_with_both_remedies_and_never_overruled() -> None:
    live = installed()
    live[MESH_CONFIG]["metadata"]["managedFields"] = []
    fields = {"f:spec": {"f:traffic": {"f:outboundPortExclusionList": {}}}}
    owned(live[MESH_CONFIG], "kubectl-patch", fields)
    live[MESH_CONFIG]["spec"]["traffic"]["outboundPortExclusionList"] = [1]
    result = adopted(live)
    foreign, *traffic = result.findings
    assert (foreign.id, str(foreign.place.object)) == (
        "adopt-foreign-manager",
        "MeshConfig/fsm-system/fsm-mesh-config",
    )
    assert foreign.message == (
        "kubectl-patch at 2026-06-30T09:00:00Z wrote [1], the stack declares [6379]"
    )
    assert foreign.fix == (
        "Take its value into the stack file; or, to take the field from it, name "
        "MeshConfig/fsm-system/fsm-mesh-config in deployment.adopt yourself, or set "
        "deployment.forceMeshConfig."
    )
    assert "MeshConfig/fsm-system/fsm-mesh-config" not in result.names
    assert [one.id for one in traffic] == ["adopt-changes-traffic"] * 2


def test_a_persons_field_with_the_declared_value_is_in_nobodys_way() -> None:
    live = installed()
    fields = {"f:spec": {"f:traffic": {"f:outboundPortExclusionList": {}}}}
    owned(live[MESH_CONFIG], "kubectl-patch", fields)
    assert adopted(live).findings == []


def test_the_scripts_of_pods_in_the_cluster_are_compared_too() -> None:
    live = installed()
    live[MESH_CONFIG]["spec"]["traffic"]["outboundPortExclusionList"] = [6379, 25]
    own = {"flomesh.io/outbound-port-exclusion-list": "25,6379"}
    result = adopted(live, annotations={"shop/web": own, "shop/copy": own, "shop/plain": {}})
    assert {one.title: one.changes for one in result.traffic} == {
        "every pod without annotations": True,
        "profile batch": False,
        "pods annotated as shop/web": False,
    }


def test_a_pod_that_the_injector_refuses_stays_refused() -> None:
    notes = {"flomesh.io/outbound-port-exclusion-list": "x"}
    result = adopted(installed(), annotations={"shop/web": notes})
    refused = result.traffic[-1]
    assert refused.before.startswith("refused: ")
    assert not refused.changes


def test_without_a_mesh_config_there_is_no_traffic_to_compare() -> None:
    live = installed()
    del live[MESH_CONFIG]
    assert adopted(live).traffic == []


def test_helms_release_is_said_loudly_with_the_command() -> None:
    release = Release(name="fsm", namespace="fsm-system", revision=1, status="deployed",
                      chart="fsm", version="1.5.1", values={}, manifest="", record="s")  # fmt: skip
    (found,) = adopted(installed(), releases=[release, release]).findings
    assert (found.id, found.severity.value) == ("helm-release-there", "warning")
    assert "helm uninstall would delete what the stack owns" in found.message
    assert found.fix.endswith("kubectl delete secret -n fsm-system -l owner=helm,name=fsm")


@pytest.mark.parametrize(
    ("declared", "live", "paths"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),  # what the server adds
        ({"a": {}}, {}, []),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a"]),
        ({"a": [{"name": "x", "v": 1}]}, {"a": [{"name": "y"}, {"name": "x", "v": 2}]}, ["a[x].v"]),
        ({"a": [{"name": "x", "v": 1}]}, {"a": []}, ["a[x]"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, []),
        ({"resources": {"limits": {"cpu": "0.5"}}}, {"resources": {"limits": {"cpu": "500m"}}}, []),
        ({"resources": {"limits": {"cpu": "1"}}}, {"resources": {"limits": {"cpu": "2"}}},
         ["resources.limits.cpu"]),
        ({"binaryData": {"x": "aGk="}}, {"binaryData": {"x": "aG\nk="}}, []),
        ({"d": "90s"}, {"d": "1m30s"}, []),
        ({"a": "x"}, {"a": 3}, ["a"]),
    ],
)  # fmt: skip
def test_fields_are_compared_by_meaning(declared: Json, live: Json, paths: list[str]) -> None:
    assert [one.path for one in differences(declared, copy.deepcopy(live))] == paths


def test_a_webhook_of_another_version_is_named() -> None:
    """FSM's chart leaves it behind after an upgrade."""
    old = {"kind": "MutatingWebhookConfiguration", "metadata": {"name": "fsm-webhook-old"},
           "webhooks": [{"name": "fsm-inject.k8s.io"}]}  # fmt: skip
    theirs = {"kind": "MutatingWebhookConfiguration", "metadata": {"name": "cert-manager"}}
    ours = {"kind": "MutatingWebhookConfiguration", "metadata": {"name": "fsm-webhook-fsm"},
            "webhooks": [{"name": "fsm-inject.k8s.io"}]}  # fmt: skip
    (found,) = adopted(installed(), webhooks=[old, theirs, ours]).findings
    assert (found.id, found.place.path) == (
        "adopt-leftover",
        "MutatingWebhookConfiguration/fsm-webhook-old",
    )
    assert found.fix.endswith("kubectl delete mutatingwebhookconfiguration fsm-webhook-old")
