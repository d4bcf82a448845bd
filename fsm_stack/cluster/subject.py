"""What a user asks about, as kubectl writes it, and what is refused before any check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import CouldNotCheckError, InputError, did_you_mean
from fsm_stack.snapshot.snapshot import ANONYMIZED, Part

if TYPE_CHECKING:
    from fsm_stack.snapshot.snapshot import Snapshot
    from fsm_stack.verify.expected import Expected

_SHORT: Final = {
    "pod": "Pod", "pods": "Pod", "po": "Pod",
    "deployment": "Deployment", "deployments": "Deployment", "deploy": "Deployment",
    "statefulset": "StatefulSet", "statefulsets": "StatefulSet", "sts": "StatefulSet",
    "daemonset": "DaemonSet", "daemonsets": "DaemonSet", "ds": "DaemonSet",
    "replicaset": "ReplicaSet", "replicasets": "ReplicaSet", "rs": "ReplicaSet",
    "job": "Job", "jobs": "Job",
    "namespace": "Namespace", "namespaces": "Namespace", "ns": "Namespace",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a user asked about: ``pod/web-7f9c``, ``deploy/web``.

    Attributes:
        kind: ``Pod``, what owns pods (``Deployment``, ``StatefulSet``, ``DaemonSet``,
            ``ReplicaSet``, ``Job``), or ``Namespace`` for all of its pods.
        name: its name.
        namespace: its namespace; empty: any, in files.
    """

    kind: str
    name: str
    namespace: str

    def __str__(self) -> str:
        """``pod/web-7f9c -n shop``."""
        plain = f"{self.kind.lower()}/{self.name}"
        alone = self.kind == "Namespace" or not self.namespace
        return plain if alone else f"{plain} -n {self.namespace}"


def subject(text: str, namespace: str) -> Subject:
    """Read ``KIND/NAME``.

    Raises:
        InputError: a kind that makes no pods, or no name.
    """
    word, _, name = text.partition("/")
    kind = _SHORT.get(word.lower())
    if kind is None or not name or "/" in name:
        raise InputError(
            f"{text!r}: expected pod/NAME, deployment/NAME, statefulset/NAME, daemonset/NAME, "
            "replicaset/NAME, job/NAME or namespace/NAME"
        )
    place = name if kind == "Namespace" else namespace
    return Subject(kind=kind, name=name, namespace=place)


def require_same_cluster(expected: Expected, *, context: str, uid: str) -> None:
    """Refuse another cluster than the one that the stack names.

    Args:
        expected: the stack.
        context: of the kubeconfig; empty: there is none, in a pod or for files.
        uid: the cluster's; empty: unknown.

    Raises:
        InputError: the context or the UID is another one.
    """
    if expected.context and context and expected.context != context:
        raise InputError(
            f"stack {expected.title} is meant for context {expected.context!r}, got {context!r}: "
            f"name it with --context {expected.context}, or correct cluster.context"
        )
    if expected.uid and uid and expected.uid != uid:
        raise InputError(
            f"stack {expected.title} is meant for the cluster whose namespace kube-system has UID "
            f"{expected.uid}, got {uid}: this is another cluster"
        )


def require_known(expected: Expected, *, context: str, uid: str) -> None:
    """Refuse a cluster that the stack's own words cannot be compared with.

    Raises:
        CouldNotCheckError: it names a cluster, and nothing tells whether this is the one.
    """
    if expected.uid and not uid:
        raise CouldNotCheckError(
            f"the stack is meant for cluster {expected.uid}, and the account may not read "
            "namespace kube-system, whose UID identifies a cluster"
        )
    if expected.context and not expected.uid and not context:
        raise CouldNotCheckError(
            f"the stack is meant for context {expected.context!r}, and a pod's own account has no "
            "context: declare cluster.uid, too"
        )


def require_names(snapshot: Snapshot, expected: Expected | None) -> None:
    """Refuse to compare a stack's names with words that stand for names.

    Raises:
        InputError: the snapshot is anonymous, and something declares names.
    """
    if expected is not None and snapshot.source.context == ANONYMIZED:
        raise InputError(
            f"--from: the snapshot is anonymized, so its namespaces are not those of "
            f"{expected.title}: expected none declared; leave the STACK or --against out, or take "
            "the snapshot without --anonymize"
        )


def require_namespace(asked: Subject, snapshot: Snapshot, expected: Expected) -> None:
    """Refuse a namespace that is not there: a name that was mistyped.

    Raises:
        InputError: it was looked for, is not there, and nothing declares it: a check would say so.
    """
    looked_for = Part.NAMESPACES in snapshot.read and Part.NAMESPACES not in snapshot.not_read
    if looked_for and asked.name not in {*snapshot.namespaces, *expected.namespaces}:
        raise InputError(
            f"{asked}: no such namespace was read{did_you_mean(asked.name, snapshot.namespaces)}"
        )
