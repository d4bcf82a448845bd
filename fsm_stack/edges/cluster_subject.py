"""What a user asks about, written as kubectl has it: ``pod/web-7f9c``, ``deploy/web``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fsm_stack.errors import InputError

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
