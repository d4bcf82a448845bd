"""An installation as a cluster holds it: MeshConfig, Helm's release, enrolled namespaces.

Helm keeps what a release was installed with in Secrets; they are read because the user asks for
it here, and by nothing else of this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsm_stack.cluster.api import Refused
from fsm_stack.convert.result import at
from fsm_stack.errors import CouldNotCheckError
from fsm_stack.systems import SYSTEMS

if TYPE_CHECKING:
    from fsm_stack.cluster.api import Cluster

Json = dict[str, Any]


def read_installation(cluster: Cluster, *, namespace: str | None = None) -> dict[str, Json]:
    """The objects that say how a mesh was installed, and what runs, by their names for people.

    Args:
        cluster: the connection.
        namespace: the control plane's; None: where the MeshConfig is.

    Raises:
        CouldNotCheckError: the account may not read a MeshConfig.
    """
    found: dict[str, Json] = {}
    places: dict[str, None] = {namespace: None} if namespace else {}
    for version in dict.fromkeys(one.mesh_config_api_version for one in SYSTEMS.values()):
        for item in _list(cluster, f"/apis/{version}/meshconfigs", version, "MeshConfig"):
            place = str(at(item, "metadata.namespace") or "")
            if namespace in {None, place}:
                places[place] = None
                found[f"MeshConfig {place}/{at(item, 'metadata.name')}"] = item
    for place in places:
        path = f"/api/v1/namespaces/{place}/secrets"
        try:
            for item in cluster.pages(path, labelSelector="owner=helm"):
                secret = {**item, "apiVersion": "v1", "kind": "Secret"}
                found[f"Secret {place}/{at(secret, 'metadata.name')}"] = secret
        except Refused as refused:
            if not refused.absent:
                raise CouldNotCheckError(f"Helm's releases: not read: {refused}") from None
    for label in dict.fromkeys(one.monitored_by_label for one in SYSTEMS.values()):
        for item in _list(cluster, "/api/v1/namespaces", "v1", "Namespace", label):
            found[f"Namespace {at(item, 'metadata.name')}"] = item
    return found


def _list(cluster: Cluster, path: str, version: str, kind: str, label: str = "") -> list[Json]:
    query = {"labelSelector": label} if label else {}
    try:
        return [
            {**item, "apiVersion": version, "kind": kind} for item in cluster.pages(path, **query)
        ]
    except Refused as refused:
        if refused.absent:
            return []
        raise CouldNotCheckError(f"{kind}: not read: {refused}") from None
