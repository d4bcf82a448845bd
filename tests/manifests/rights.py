"""Rights as triples: what the rendered roles grant, and what FSM's programs asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.manifests.manifest import Manifest

REQUESTS = Path(__file__).with_name("requests.yaml")

# API group ("" is the core one), resource, verb.
Right = tuple[str, str, str]


def granted(manifests: Iterable[Manifest]) -> set[Right]:
    """Every right that a ClusterRole bound to the control plane's account gives."""
    objects = [dict(item.object) for item in manifests]
    bound = {
        item["roleRef"]["name"]
        for item in objects
        if item["kind"] == "ClusterRoleBinding" and item["subjects"] == [_account(objects)]
    }
    return {
        right
        for item in objects
        if item["kind"] == "ClusterRole" and item["metadata"]["name"] in bound
        for rule in item["rules"]
        for right in _rights(rule["apiGroups"], rule["resources"], rule["verbs"])
    }


def _account(objects: list[dict[str, Any]]) -> dict[str, str]:
    """The account that the programs run as, as a binding's subject."""
    pods = [item["spec"]["template"]["spec"] for item in objects if item["kind"] == "Deployment"]
    (name,) = {pod["serviceAccountName"] for pod in pods}
    (namespace,) = {
        item["metadata"]["namespace"] for item in objects if item["kind"] == "Deployment"
    }
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def recorded() -> list[dict[str, Any]]:
    """Each recorded request as a row: group, resource, verb, namespace ("" the whole cluster)."""
    parts = yaml.safe_load(REQUESTS.read_text(encoding="utf-8"))
    return [
        {"group": group, "resource": resource, "verb": verb, "namespace": row.get("namespace", "")}
        for rows in parts.values()
        for row in rows
        for group, resource, verb in _rights(
            ["" if row["group"] == "core" else row["group"]], row["resources"], row["verbs"]
        )
    ]


def requested() -> set[Right]:
    """Every right that FSM's programs were seen to use."""
    return {(row["group"], row["resource"], row["verb"]) for row in recorded()}


def _rights(groups: list[str], resources: list[str], verbs: list[str]) -> Iterator[Right]:
    for group in groups:
        for resource in resources:
            for verb in verbs:
                yield group, resource, verb
