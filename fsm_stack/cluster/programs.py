"""What is read of a control plane: programs, rights, warnings, and a few last lines of logs."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from fsm_stack.cluster.api import PAGE, Refused
from fsm_stack.snapshot.allow_pod import INIT_CONTAINERS
from fsm_stack.snapshot.programs import (
    APP_LABEL,
    NAME_LABEL,
    PRODUCTS,
    PROGRAMS,
    XNETWORK,
    denied,
    telling,
)
from fsm_stack.snapshot.shape import mapping, mappings, text
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.drift import shortfall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fsm_stack.cluster.api import Cluster
    from fsm_stack.snapshot.objects import Container, Pod
    from fsm_stack.snapshot.snapshot import Snapshot
    from fsm_stack.yaml import Json

_INIT_LINES: Final = 20
_INIT_BYTES: Final = 4096
_INIT_MAX: Final = 20
_LINES: Final = 50
_BYTES: Final = 64 * 1024
_MAX: Final = 12
_FAILED_MAX: Final = 3  # each may take the server half a minute: its node is down


class _Door:
    """Asks for logs until one may not be read, or too many nodes do not answer."""

    def __init__(
        self, cluster: Cluster, part: Part, note: Callable[[Part, Refused], None]
    ) -> None:
        self._cluster, self._part, self._note = cluster, part, note
        self._failed = 0
        self.shut = False

    def log(self, namespace: str, pod: str, **query: str | int) -> str | None:
        """What a container wrote; None: nothing to be had, which the state says well enough."""
        if self.shut:
            return None
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        try:
            content = self._cluster.content(path, query, attempts=1)
        except Refused as refused:
            self._failed += refused.failed
            if refused.forbidden or refused.failed or not refused.code:
                self._note(self._part, refused)
            self.shut = refused.forbidden or self._failed == _FAILED_MAX or not refused.code
            return None
        return content.decode(errors="replace")


def init_logs(
    cluster: Cluster,
    failing: Iterable[tuple[str, str, str]],
    note: Callable[[Part, Refused], None],
) -> Iterator[Json]:
    """The last lines of init containers that failed, as objects to keep.

    Args:
        cluster: the connection.
        failing: namespace, pod and container.
        note: gets what was refused.
    """
    door = _Door(cluster, Part.LOGS, note)
    for namespace, name, container in islice(failing, _INIT_MAX):
        words = door.log(
            namespace, name, container=container, tailLines=_INIT_LINES, limitBytes=_INIT_BYTES
        )
        if words is not None:
            yield {
                "kind": "PodLog",
                "metadata": {"namespace": namespace, "name": name},
                "text": words,
            }


def program_logs(
    cluster: Cluster, pods: tuple[Pod, ...], note: Callable[[Part, Refused], None]
) -> Iterator[Json]:
    """The telling lines of every container that is not ready, as objects to keep.

    Args:
        cluster: the connection.
        pods: of the control plane.
        note: gets what was refused.
    """
    door = _Door(cluster, Part.PROGRAM_LOGS, note)
    asked = ((pod, one) for pod in pods if not pod.deleted for one in pod.waiting if _wrote(one))
    for pod, one in islice(asked, _MAX):
        for previous in _instances(one):
            before = {"previous": "true"} if previous else {}
            words = telling(
                door.log(pod.namespace, pod.name, container=one.name, tailLines=_LINES,
                         limitBytes=_BYTES, **before) or ""
            )  # fmt: skip
            if words:
                yield {
                    "kind": "PodLog",
                    "metadata": {"namespace": pod.namespace, "name": pod.name},
                    "container": one.name,
                    "text": words,
                }
            if denied(words):
                break


def _wrote(one: Container) -> bool:
    """Whether it was started, so that there is a log of it."""
    return one.state.name in {"running", "terminated"} or one.last.name == "terminated"


def _instances(one: Container) -> tuple[bool, ...]:
    """Which logs: the newest; of one that was started again also the one before."""
    again = one.state.name == "running" and one.last.name == "terminated"
    return (False, True) if again else (False,)


def failed_init(pod: Json) -> Iterator[tuple[str, str, str]]:
    """The injector's init container, where it has not ended well."""
    about = mapping(pod.get("metadata"))
    for status in mappings(mapping(pod.get("status")).get("initContainerStatuses")):
        ended = mapping(mapping(status.get("state")).get("terminated"))
        if text(status.get("name")) in INIT_CONTAINERS and (
            ended.get("exitCode") or (status.get("restartCount") and not ended)
        ):
            yield str(about.get("namespace")), str(about.get("name")), str(status["name"])


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
    daemons = snapshot.owners.get(("DaemonSet", namespace, XNETWORK))
    if daemons is not None and shortfall("DaemonSet", daemons) is not None:
        return True
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
