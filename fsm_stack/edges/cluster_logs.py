"""Logs of what does not run: a few, their last lines, and none where a node does not answer."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.edges.cluster import Refused
from fsm_stack.verify.allow_pod import INIT_CONTAINERS
from fsm_stack.verify.programs.log import denied, telling
from fsm_stack.verify.shape import mapping, mappings, text
from fsm_stack.verify.snapshot import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fsm_stack.edges.cluster import Cluster
    from fsm_stack.verify.programs.pod import ProgramContainer, ProgramPod

Json = dict[str, Any]
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
            content = self._cluster.content(path, attempts=1, **query)
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
    cluster: Cluster, pods: tuple[ProgramPod, ...], note: Callable[[Part, Refused], None]
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


def _wrote(one: ProgramContainer) -> bool:
    """Whether it was started, so that there is a log of it."""
    return one.state.name in {"running", "terminated"} or one.last.name == "terminated"


def _instances(one: ProgramContainer) -> tuple[bool, ...]:
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
