"""What is read of a control plane: programs, rights, and warnings where it does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.edges.cluster import PAGE
from fsm_stack.verify.programs.names import APP_LABEL, NAME_LABEL, PRODUCTS, PROGRAMS
from fsm_stack.verify.shape import mapping, mappings

if TYPE_CHECKING:
    from fsm_stack.edges.cluster import Cluster
    from fsm_stack.verify.snapshot import Snapshot

Json = dict[str, Any]

OF_PROGRAMS: Final = f"{APP_LABEL} in ({','.join(sorted(PROGRAMS))})"
OF_PRODUCTS: Final = f"{NAME_LABEL} in ({','.join(PRODUCTS)})"
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
RIGHTS: Final = {
    "ClusterRole": (_RBAC, "clusterroles"),
    "ClusterRoleBinding": (_RBAC, "clusterrolebindings"),
    "Role": (_RBAC, "roles"),
    "RoleBinding": (_RBAC, "rolebindings"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
}


def unwell(snapshot: Snapshot, namespace: str) -> bool:
    """Whether a program of this control plane lacks pods, or one of its pods is not ready."""
    programs = [item for (place, _), item in snapshot.programs.items() if place == namespace]
    pods = [pod for pod in snapshot.program_pods if pod.namespace == namespace]
    return any(map(_lacks, programs)) or any(pod.waiting for pod in pods if not pod.deleted)


def _lacks(item: Json) -> bool:
    wanted = mapping(item.get("spec")).get("replicas")
    available = mapping(item.get("status")).get("availableReplicas")
    return (available or 0) != (1 if wanted is None else wanted)


def warnings(cluster: Cluster, namespace: str, reason: str = "") -> list[Json]:
    """The warnings of a namespace, one page of them.

    Args:
        cluster: the connection.
        namespace: which.
        reason: only these; empty: any.

    Raises:
        Refused: the server's no.
    """
    chosen = f"type=Warning{',reason=' if reason else ''}{reason}"
    page = cluster.read(f"/api/v1/namespaces/{namespace}/events", limit=PAGE, fieldSelector=chosen)
    return [{**item, "kind": "Event"} for item in mappings(page.get("items"))]
