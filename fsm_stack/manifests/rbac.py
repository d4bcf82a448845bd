"""The account of the control plane, and its roles and bindings."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.manifests.labels import RELEASE, metadata
from fsm_stack.manifests.manifest import Manifest, Part, Wave
from fsm_stack.manifests.rbac_rules import (
    LEADER_ELECTION_RULES,
    MESH_CONFIG_RULES,
    control_plane_rules,
)

if TYPE_CHECKING:
    from fsm_stack.manifests.rbac_rules import Rule
    from fsm_stack.settings.stack import StackSettings

_API: Final = "rbac.authorization.k8s.io"


def _role(
    settings: StackSettings, kind: str, name: str, rules: tuple[Rule, ...]
) -> dict[str, Any]:
    return {
        "apiVersion": f"{_API}/v1",
        "kind": kind,
        "metadata": metadata(settings, name, namespaced=kind == "Role"),
        "rules": deepcopy(list(rules)),
    }


def _cluster_binding(settings: StackSettings, name: str, role: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{_API}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata(settings, name, namespaced=False),
        "roleRef": {"apiGroup": _API, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": RELEASE, "namespace": settings.namespace}],
    }


def rbac(settings: StackSettings) -> tuple[Manifest, ...]:
    """The ServiceAccount, its cluster role and binding, leader election, and the mesh config role.

    ``fsm-mesh-config-role`` is bound by nobody upstream: it is there for people to bind.
    Source: flomesh-io/fsm charts/fsm/templates fsm-rbac.yaml, leader-election-*.yaml,
    fsm-mesh-config-role.yaml.
    """
    rules = control_plane_rules(endpoint_slices=settings.cluster.serves_endpoint_slices)
    objects: tuple[dict[str, Any], ...] = (
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(settings, RELEASE),
        },
        _role(settings, "ClusterRole", RELEASE, rules),
        _cluster_binding(settings, RELEASE, RELEASE),
        _role(settings, "ClusterRole", "fsm-leader-election-role", LEADER_ELECTION_RULES),
        _cluster_binding(settings, "fsm-leader-election-rolebinding", "fsm-leader-election-role"),
        _role(settings, "Role", "fsm-mesh-config-role", MESH_CONFIG_RULES),
    )
    return tuple(
        Manifest(object=item, part=Part.CONTROL_PLANE, wave=Wave.FOUNDATION) for item in objects
    )
