"""What is refused before any check: another cluster than the stack's, names that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.edges.spelling import did_you_mean
from fsm_stack.errors import CouldNotCheckError, InputError
from fsm_stack.verify.snapshot import ANONYMIZED, Part

if TYPE_CHECKING:
    from fsm_stack.edges.cluster_subject import Subject
    from fsm_stack.verify.expected import Expected
    from fsm_stack.verify.snapshot import Snapshot


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
