"""Whether what makes pods has as many as it asks for: nobody sees a pod that was never made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fsm_stack.snapshot.allow import REPLICA_FAILURE
from fsm_stack.snapshot.shape import Json, mapping, mappings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Key = tuple[str, str, str]  # kind, namespace, name


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Pods of an owner that are not there.

    Attributes:
        exist: so many are.
        wanted: so many should be.
        refused: what its controller was told when it made one; empty: nothing, yet.
    """

    exist: int
    wanted: int
    refused: str = ""

    def __str__(self) -> str:
        """``0 of 2 pods exist``."""
        if self.exist >= self.wanted:
            return "no new pod can be made"
        return f"{self.exist} of {self.wanted} pods exist"


def shortfall(kind: str, owner: Mapping[str, Any]) -> Shortfall | None:
    """The pods that an owner lacks.

    Returns:
        None where it lacks none, is being deleted, or no controller has looked at it.

    Source: Kubernetes, pkg/controller/deployment progress.go copies the condition of the
    ReplicaSet that failed. A status leaves zeros out.
    """
    status = mapping(owner.get("status"))
    if not status or mapping(owner.get("metadata")).get("deletionTimestamp"):
        return None
    if kind == "DaemonSet":
        exist, wanted = status.get("currentNumberScheduled"), status.get("desiredNumberScheduled")
    else:
        replicas = mapping(owner.get("spec")).get("replicas")
        exist, wanted = status.get("replicas"), 1 if replicas is None else replicas
    refused = refusal_of(mappings(status.get("conditions")))
    known = Shortfall(exist=_count(exist), wanted=_count(wanted), refused=refused)
    return known if known.refused or known.exist < known.wanted else None


def unexplained(kind: str, owner: Mapping[str, Any]) -> bool:
    """Whether an owner lacks pods, and its status does not say why: only a Deployment's does."""
    lack = shortfall(kind, owner)
    return lack is not None and not lack.refused


def asked_about(key: Key, asked: str) -> bool:
    """Whether a user named this owner: ``deployment/web -n shop``; in files without ``-n``."""
    kind, namespace, name = key
    plain = f"{kind.lower()}/{name}"
    return asked in {plain, f"{plain} -n {namespace}"}


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def refusal_of(conditions: Iterable[Json]) -> str:
    """What a controller was told when it made a pod; empty: it was not refused."""
    for one in conditions:
        if one.get("type") == REPLICA_FAILURE and one.get("status") == "True":
            return str(one.get("message") or one.get("reason") or REPLICA_FAILURE)
    return ""
