"""osm-edge and OSM on the node: a stack gives their MeshConfig; the rest is the suite's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from fsm_stack.injector.of_settings import injector_environment

from .image import ROOT
from .stack import OTHER_TAG, STACK, Stack, objects_of, settings_of
from .workloads import wait_deployment, wait_injection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fsm_stack.settings.models.stack import StackSettings

    from .node import Node

Json = dict[str, Any]
GROUP, VERSION = "config.openservicemesh.io", "v1alpha2"


def make_project(folder: Path, system: str) -> None:
    """A stack of that system, with a mesh and a namespace of its own name."""
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    mesh = {"name": system, "namespace": f"{system}-system"}
    config = {"fsm-stack:system": system, "fsm-stack:mesh": mesh}
    (folder / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": config}))


def image_names(project: Path) -> Iterator[str]:
    """What the injector runs from, and what it injects."""
    settings = settings_of(project)
    yield _injector_image(settings)
    for name, value in injector_environment(settings).items():
        if name.endswith("_IMAGE") and "WINDOWS" not in name:
            yield value
    (mesh_config,) = (one for one in objects_of(project) if one.kind == "MeshConfig")
    for driver in mesh_config.object["spec"]["sidecar"].get("sidecarDrivers", ()):
        yield driver["sidecarImage"]


def bring_up(node: Node, project: Path) -> Stack:
    """MeshConfig, injector, and one enrolled namespace; ready when it returns."""
    stack = Stack(node=node, project=project)
    settings = stack.settings
    for manifest in _foundation(settings):
        node.api.apply(manifest)
    stack.apply()
    deployment = _injector(settings)
    node.api.apply(deployment)
    wait_deployment(node.api, deployment)
    place = namespace(settings)
    node.api.apply(place)
    wait_injection(node.api, place["metadata"]["name"])
    return stack


def namespace(settings: StackSettings) -> Json:
    """The namespace whose pods are injected, as the system's own command enrols it."""
    system = settings.profile
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": f"{system.name}-apps",
            "labels": {system.monitored_by_label: settings.mesh_name},
            "annotations": {system.annotation("sidecar-injection"): "enabled"},
        },
    }


# Source: charts/osm/values.yaml of either.
INJECTOR_IMAGES = {"osm-edge": "flomesh/osm-edge-injector", "osm": "openservicemesh/osm-injector"}


def _injector_image(settings: StackSettings) -> str:
    return f"{INJECTOR_IMAGES[settings.system]}:{OTHER_TAG}"


def _foundation(settings: StackSettings) -> Iterator[Json]:
    place, name = settings.namespace, f"{settings.mesh_name}-injector"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    yield {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"meshconfigs.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": "meshconfigs", "singular": "meshconfig", "kind": "MeshConfig"},
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}}
    account = {"name": name, "namespace": place}
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}}
    granted = {
        "": ("namespaces secrets services", "get list create"),
        GROUP: ("meshconfigs", "get"),
        "admissionregistration.k8s.io": (
            "mutatingwebhookconfigurations", "get create update",
        ),
    }  # fmt: skip
    rules = [
        {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}
        for group, (resources, verbs) in granted.items()
    ]
    yield {**rbac, "kind": "ClusterRole", "rules": rules}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    subject = {"kind": "ServiceAccount", **account}
    yield {**rbac, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": [subject]}
    injector = settings.profile.injector_name
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": injector, "namespace": place},
        "spec": {
            "selector": {"app": injector},
            "ports": [{"port": 9090, "targetPort": 9090}],
        },
    }


def _injector(settings: StackSettings) -> Json:
    name, place = settings.profile.injector_name, settings.namespace
    arguments = {
        "osm-namespace": place,
        "osm-version": f"v{OTHER_TAG}",
        "mesh-name": settings.mesh_name,
        "webhook-config-name": f"osm-webhook-{settings.mesh_name}",
        "webhook-timeout": "20",
        "ca-bundle-secret-name": "osm-ca-bundle",
        "trust-domain": settings.mesh.trust_domain,
        "osm-container-pull-policy": "IfNotPresent",
    }
    environment = {**injector_environment(settings), "MESH_SYSTEM": settings.profile.name}
    container = {
        "name": name,
        "image": _injector_image(settings),
        "imagePullPolicy": "IfNotPresent",
        "command": ["/osm-injector"],
        "args": [word for key, value in arguments.items() for word in (f"--{key}", value)],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 9091}, "periodSeconds": 1},
    }
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": place, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": f"{settings.mesh_name}-injector",
                    "containers": [container],
                },
            },
        },
    }
