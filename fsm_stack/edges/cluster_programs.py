"""What is read of a control plane that does not run: events, and the logs of what is not ready.

Of a healthy one nothing is: its Deployments and pods say so.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.edges.cluster import PAGE, Refused
from fsm_stack.verify.programs.log import denied, telling
from fsm_stack.verify.shape import mapping, mappings
from fsm_stack.verify.snapshot import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsm_stack.edges.cluster import Cluster
    from fsm_stack.verify.programs.pod import ProgramContainer, ProgramPod
    from fsm_stack.verify.snapshot import Snapshot

Json = dict[str, Any]
_LINES: Final = 50
_BYTES: Final = 64 * 1024
_LOGS_MAX: Final = 12
_LOGS_FAILED_MAX: Final = 3  # each may take the server half a minute: its node is down


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


def logs(
    cluster: Cluster, pods: tuple[ProgramPod, ...], note: Callable[[Part, Refused], None]
) -> Iterator[Json]:
    """The telling lines of every container that is not ready, as objects to keep.

    Args:
        cluster: the connection.
        pods: of the control plane.
        note: gets what was refused.
    """
    failed = 0
    asked = ((pod, one) for pod in pods if not pod.deleted for one in pod.waiting if _wrote(one))
    for pod, one in islice(asked, _LOGS_MAX):
        words = ""
        for previous in _instances(one):
            try:
                words = _log(cluster, pod, one, previous=previous)
            except Refused as refused:
                failed += refused.failed
                if refused.forbidden or refused.failed or not refused.code:
                    note(Part.PROGRAM_LOGS, refused)
                if refused.forbidden or failed == _LOGS_FAILED_MAX or not refused.code:
                    return
                continue  # deleted meanwhile, or no log yet: the state says enough
            if words:
                yield {
                    "kind": "PodLog",
                    "metadata": {"namespace": pod.namespace, "name": pod.name},
                    "container": one.name,
                    "text": words,
                }
            if denied(words):
                break


def _wrote(one: ProgramContainer) -> bool:
    """Whether it was started, so that there is a log of it."""
    return one.state.name in {"running", "terminated"} or one.last.name == "terminated"


def _instances(one: ProgramContainer) -> tuple[bool, ...]:
    """Which logs: the newest; of one that was started again also the one before."""
    again = one.state.name == "running" and one.last.name == "terminated"
    return (False, True) if again else (False,)


def _log(cluster: Cluster, pod: ProgramPod, one: ProgramContainer, *, previous: bool) -> str:
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/log"
    content = cluster.content(
        path, attempts=1, container=one.name, tailLines=_LINES, limitBytes=_BYTES,
        **({"previous": "true"} if previous else {}),
    )  # fmt: skip
    return telling(content.decode(errors="replace"))
