"""Webhook configurations as injector and controller write them: once, when they start."""

from __future__ import annotations

import base64
from typing import Any

from standins.api import create, get, request

Json = dict[str, Any]
API = "admissionregistration.k8s.io/v1"


def write(kind: str, name: str, *, labels: dict[str, str], webhook: Json, ca: bytes) -> None:
    """Create the configuration, or overwrite the webhooks of the one that is there."""
    webhook["clientConfig"]["caBundle"] = base64.b64encode(ca).decode()
    path = f"/apis/{API}/{kind.lower()}s"
    made = {
        "apiVersion": API,
        "kind": kind,
        "metadata": {"name": name, "labels": labels},
        "webhooks": [webhook],
    }
    if create(path, made):
        return
    live = get(f"{path}/{name}")
    assert live is not None
    live["webhooks"] = made["webhooks"]
    request("PUT", f"{path}/{name}", live)


def webhook(
    name: str, service: Json, rules: list[Json], selector: Json, *, timeout: int = 10
) -> Json:
    """One webhook with what the programs never vary."""
    return {
        "name": name,
        "clientConfig": {"service": service},
        "rules": rules,
        "failurePolicy": "Fail",
        "matchPolicy": "Exact",
        "namespaceSelector": selector,
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": timeout,
        "admissionReviewVersions": ["v1"],
    }


def rule(operations: str, group: str, version: str, resources: str) -> Json:
    """One rule; lists are words."""
    return {
        "operations": operations.split(),
        "apiGroups": [group],
        "apiVersions": [version],
        "resources": resources.split(),
    }


def monitored(prefix: str, mesh: str, name_label: str, namespace: str) -> Json:
    """The namespaces of a mesh, without those that opt out and the control plane's own."""
    return {
        "matchLabels": {f"{prefix}/monitored-by": mesh},
        "matchExpressions": [
            {"key": f"{prefix}/ignore", "operator": "DoesNotExist"},
            {"key": name_label, "operator": "NotIn", "values": [namespace]},
            {"key": "control-plane", "operator": "DoesNotExist"},
        ],
    }


def labels(prefix: str, given: dict[str, str], app: str) -> dict[str, str]:
    """What marks an object as the mesh's."""
    system = "fsm" if "fsm-version" in given else "osm"
    return {
        "app.kubernetes.io/name": prefix,
        "app.kubernetes.io/instance": given["mesh-name"],
        "app.kubernetes.io/version": given[f"{system}-version"],
        "app": app,
    }
