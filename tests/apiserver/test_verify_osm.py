"""``fsm-stack verify`` for OSM and osm-edge, whose control planes others install."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from fsm_stack.cli.main import cli
from fsm_stack.injector.annotations import interception
from fsm_stack.verify.every import CHECKS
from tests.verify.world import expected

from .test_verify import BUNDLE, answers, ref

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fsm_stack.verify.expected import Expected

    from .client import Api

pytestmark = pytest.mark.cluster

Json = dict[str, Any]
PORTS = "openservicemesh.io/outbound-port-exclusion-list"
POD = ("pod/web", "-n", "shop")
# What no file of these systems declares: they are installed by their own charts.
UNDECLARED = {
    "cluster-rights", "cluster-services", "cluster-webhook-drift", "pod-live-rules",
    "cluster-guard", "cluster-guard-refused",
}  # fmt: skip
# Nobody pasted an event or a log, and the namespace has no quota.
ABSENT = {"told-cause", "namespace-quota"}
# osm-edge's MeshConfig names the sidecar's image; OSM's injector has it in its environment.
SIDECARS = {"osm-edge": "flomesh/pipy:0.90.3-38", "osm": "envoyproxy/envoy-distroless:v1.22.2"}
INIT = "openservicemesh/init:v1.2.0"


def stack(system: str) -> str:
    return (
        f"config:\n  fsm-stack:system: {system}\n  fsm-stack:traffic:\n"
        "    outboundPortExclusionList: [6379, 7070]\n"
    )


def control_plane(known: Expected) -> list[Json]:
    """As the charts leave it, in small."""
    place = known.mesh.namespace
    labels = {"app": "x"}
    made = []
    for name in ("osm-injector", "osm-controller", "osm-bootstrap"):
        environment = [
            {"name": "OSM_DEFAULT_ENVOY_IMAGE", "value": SIDECARS["osm"]},
            {"name": "OSM_DEFAULT_INIT_CONTAINER_IMAGE", "value": INIT},
        ]
        container = {"name": name, "image": f"x/{name}:1", "env": environment}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        made.append(ref("Deployment", name, place, "apps/v1") | {
            "spec": {"selector": {"matchLabels": labels}, "template": template}
        })  # fmt: skip
    service = ref("Service", "osm-injector", place) | {"spec": {"ports": [{"port": 9090}]}}
    endpoints = ref("EndpointSlice", "osm-injector-x", place, "discovery.k8s.io/v1")
    endpoints["metadata"]["labels"] = {"kubernetes.io/service-name": "osm-injector"}
    ready = {"addresses": ["10.244.0.3"], "conditions": {"ready": True}}
    return [*made, service, endpoints | {"addressType": "IPv4", "endpoints": [ready]}]


def webhook(known: Expected) -> Json:
    version = "admissionregistration.k8s.io/v1"
    where = {"namespace": known.mesh.namespace, "name": "osm-injector", "port": 9090,
             "path": "/mutate-pod-creation"}  # fmt: skip
    rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"],
            "resources": ["pods"]}  # fmt: skip
    return ref("MutatingWebhookConfiguration", "osm-webhook-osm", None, version) | {
        "webhooks": [{
            "name": "osm-inject.k8s.io", "clientConfig": {"service": where, "caBundle": BUNDLE},
            "rules": [rule], "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {known.system.monitored_by_label: "osm"}},
        }]
    }  # fmt: skip


def pod(known: Expected) -> Json:
    script = interception({}, known.mesh).script
    return ref("Pod", "web", "shop") | {"spec": {
        "initContainers": [{"name": "osm-init", "image": INIT, "args": ["-c", script]}],
        "containers": [{"name": "app", "image": "web:1"},
                       {"name": known.system.sidecar_container,
                        "image": SIDECARS[known.system.name]}],
    }}  # fmt: skip


def status(known: Expected) -> Json:
    about = {"image": "x", "imageID": "x", "restartCount": 0, "ready": True}
    running = {"running": {"startedAt": "2026-07-01T10:00:00Z"}}
    return {"status": {
        "phase": "Running",
        "initContainerStatuses": [about | {"name": "osm-init",
                                           "state": {"terminated": {"exitCode": 0}}}],
        "containerStatuses": [about | {"name": name, "state": running}
                              for name in ("app", known.system.sidecar_container)],
    }}  # fmt: skip


def crd() -> Json:
    """Neither system's CRD is part of the tests: one that takes everything stands for it."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    group = "config.openservicemesh.io"
    return ref("CustomResourceDefinition", f"meshconfigs.{group}", None,
               "apiextensions.k8s.io/v1") | {"spec": {
        "group": group, "scope": "Namespaced",
        "names": {"kind": "MeshConfig", "listKind": "MeshConfigList", "plural": "meshconfigs",
                  "singular": "meshconfig"},
        "versions": [{"name": "v1alpha2", "served": True, "storage": True,
                      "schema": {"openAPIV3Schema": schema}}],
    }}  # fmt: skip


@pytest.fixture(params=["osm-edge", "osm"])
def mesh(api: Api, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Api, Path]]:
    known = expected(stack(request.param))
    (tmp_path / "Pulumi.yaml").write_text("name: fsm-stack\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(stack(request.param))
    for name in ("shop", known.mesh.namespace):
        api.apply(ref("Namespace", name))
    enrolled = ref("Namespace", "shop")
    enrolled["metadata"]["labels"] = {known.system.monitored_by_label: "osm"}
    enrolled["metadata"]["annotations"] = {"openservicemesh.io/sidecar-injection": "enabled"}
    api.apply(pod(known))
    api.patch(pod(known), status(known), subresource="status")
    api.apply(enrolled)
    # Other tests' meshes in this cluster left keys that would be another system's here.
    live = api.get(enrolled)["metadata"]
    others = {
        field: {
            key: None
            for key in live.get(field, {})
            if "kubernetes.io/" not in key and key not in enrolled["metadata"][field]
        }
        for field in ("labels", "annotations")
    }
    api.patch(enrolled, {"metadata": others})
    api.apply(crd())
    for item in (*(dict(one) for one in known.objects.values()), *control_plane(known)):
        api.apply(item, force=True)
        if item["kind"] == "Deployment":
            there = {"replicas": 1, "availableReplicas": 1, "readyReplicas": 1}
            api.patch(item, {"status": there}, subresource="status")
    api.apply(webhook(known))
    yield api, tmp_path
    api.delete(webhook(known))
    api.request("DELETE", api.path(pod(known)), query={"gracePeriodSeconds": "0"})
    api.delete(ref("MeshConfig", "osm-mesh-config", known.mesh.namespace,
                   known.system.mesh_config_api_version))  # fmt: skip
    api.patch(enrolled, {"metadata": {"labels": {known.system.monitored_by_label: None}}})


def verify(mesh: tuple[Api, Path], *words: str) -> Json:
    api, folder = mesh
    place = ["-C", str(folder), "--kubeconfig", str(api.kubeconfig), "-o", "json"]
    result = CliRunner().invoke(cli, ["verify", *words, *place])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return {**json.loads(result.stdout), "exit": result.exit_code, "checks": answers(result)}


@pytest.mark.requirement("C37")
@pytest.mark.parametrize("words", [("dev",), ()], ids=["stack", "cluster"])
def test_every_check_passes_and_the_ports_check_fails_when_broken(
    mesh: tuple[Api, Path], words: tuple[str, ...]
) -> None:
    """With the stack, and with nothing but the cluster: the system is told by its MeshConfig."""
    found = verify(mesh, *words, *POD)
    assert {
        name: (one["status"], one.get("why"))
        for name, one in found["checks"].items()
        if one["status"] not in {"passed", "not applicable"}
    } == {}
    assert found["exit"] == 0
    assert found["system"] == (mesh[1] / "Pulumi.dev.yaml").read_text().split()[2]
    assert len(found["checks"]) == len(CHECKS)
    containers = mesh[0].get(ref("Pod", "web", "shop"))["spec"]["containers"]
    sidecar = containers[1]["image"]
    containers[1]["image"] = f"{sidecar.rpartition(':')[0]}:older"
    mesh[0].patch(ref("Pod", "web", "shop"), {"spec": {"containers": containers}})
    (old,) = verify(mesh, *words, *POD, "--check", "pod-images")["checks"]["pod-images"][
        "findings"
    ]
    assert old["message"].endswith(f":older, not {sidecar}: it was made before that counted")
    mesh[0].patch(ref("Pod", "web", "shop"), {"metadata": {"annotations": {PORTS: "8080"}}})
    broken = verify(mesh, *words, *POD, "--check", "pod-rules")
    assert [item["message"] for item in broken["checks"]["pod-rules"]["findings"]] == [
        "outbound ports 8080: the script has no rule for them"
    ]
    assert broken["exit"] == 1


def test_what_these_systems_do_not_declare_is_not_counted_as_passed(
    mesh: tuple[Api, Path],
) -> None:
    found = verify(mesh, "dev", *POD)["checks"]
    assert {name for name, one in found.items() if one["status"] == "not applicable"} - {
        "owner-annotations",
        "owner-pods",
    } == UNDECLARED | ABSENT
