"""The fields of pods that checks read, and the labels and annotations that every object keeps.

Never an application's environment, arguments or volumes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.snapshot.programs import telling
from fsm_stack.snapshot.shape import Shape, mapping, mappings, pruned, text
from fsm_stack.systems import SYSTEMS
from fsm_stack.well_known import CANARY_BEFORE, CANARY_LABEL

if TYPE_CHECKING:
    from fsm_stack.yaml import Json

PREFIXES: Final = tuple(sorted({f"{known.annotation_prefix}/" for known in SYSTEMS.values()}))
INIT_CONTAINERS: Final = frozenset(known.init_container for known in SYSTEMS.values())
SIDECARS: Final = frozenset(
    name
    for known in SYSTEMS.values()
    for name in (known.sidecar_container, known.healthcheck_container)
)
MESH_CONTAINERS: Final = INIT_CONTAINERS | SIDECARS
_LABELS: Final = frozenset(
    {
        "ignore",
        "name",
        "control-plane",
        "pod-security.kubernetes.io/enforce",
        "kubernetes.io/metadata.name",
        "app.kubernetes.io/instance",  # of a program of the control plane: the mesh's name
        "app.kubernetes.io/version",  # of a webhook configuration, and of who writes it
        "pod-template-hash",  # tells a Deployment's ReplicaSet from one of its own
        "rollouts-pod-template-hash",
        CANARY_LABEL,
        CANARY_BEFORE,
    }
)


def ours(values: Any) -> Json:  # noqa: ANN401  # decoded JSON
    """The annotations or labels of the meshes, and the labels that webhooks select by."""
    if not isinstance(values, dict):
        return {}
    return {
        key: value
        for key, value in values.items()
        if (key in _LABELS or key.startswith(PREFIXES) or key.endswith("-proxy-uuid"))
        and isinstance(value, str)
    }


META: Final[Shape] = {
    "name": True,
    "namespace": True,
    "uid": True,
    "creationTimestamp": True,
    "deletionTimestamp": True,
    "labels": ours,
    "annotations": ours,
}
OWNED: Final[Shape] = {
    **META,
    "ownerReferences": [{"kind": True, "name": True, "controller": True}],
}
_STATE: Final[Shape] = {
    "waiting": {"reason": True, "message": True},
    "running": {},
    "terminated": {"exitCode": True, "reason": True, "message": True},
}


_CONTAINER: Final[Shape] = {
    "name": True,
    "ports": [{"containerPort": True, "hostPort": True}],
    "securityContext": {"runAsUser": True},
    "restartPolicy": True,
}
_STATUS: Final[Shape] = {
    "name": True,
    "ready": True,
    "restartCount": True,
    "state": _STATE,
    "lastState": _STATE,
}


def _container(value: Any) -> Json:  # noqa: ANN401  # decoded JSON
    """A container; the script of an injector's own init container is its last argument."""
    if not isinstance(value, dict):
        return {}
    kept: Json = pruned(value, _CONTAINER)
    name = str(value.get("name"))
    if name in MESH_CONTAINERS and "image" in value:
        kept["image"] = value["image"]
    if name in INIT_CONTAINERS and "args" in value:
        kept["args"] = value["args"]
    return kept


def _status(value: Any) -> Json:  # noqa: ANN401  # decoded JSON
    """A container's status; what an application left as its last message is not kept."""
    if not isinstance(value, dict):
        return {}
    kept: Json = pruned(value, _STATUS)
    if str(value.get("name")) not in MESH_CONTAINERS:
        for part in ("state", "lastState"):
            for state in kept.get(part, {}).values():
                state.pop("message", None)
    return kept


def _pod(container: Shape, status: Shape) -> Shape:
    return {
        "metadata": OWNED,
        "spec": {
            "hostNetwork": True,
            "securityContext": {"runAsUser": True},
            "initContainers": [container],
            "containers": [container],
        },
        "status": {
            "phase": True,
            "reason": True,
            "podIP": True,
            "initContainerStatuses": [status],
            "containerStatuses": [status],
        },
    }


POD: Final = _pod(_container, _status)
# Everything of a pod that may be kept, whatever its containers are called: what a decoder needs.
POD_FIELDS: Final = _pod({**_CONTAINER, "image": True, "args": True}, _STATUS)
CONDITION: Final[Shape] = {"type": True, "status": True, "reason": True, "message": True}
# Of a pod of the control plane also whether it has a node, and why it ended.
POD_FIELDS["status"] |= {"message": True, "conditions": [CONDITION]}


def _program_status(value: Any) -> Json:  # noqa: ANN401  # decoded JSON
    """A container's status of the control plane, whose last message tells why it ended."""
    kept: Json = pruned(value, _STATUS)
    for part in ("state", "lastState"):
        for state in mapping(kept.get(part)).values():
            if "message" in mapping(state):
                state["message"] = telling(text(state["message"]))
    return kept


def _scheduled(values: Any) -> list[Json]:  # noqa: ANN401  # decoded JSON
    """Of a pod's conditions only whether it has a node."""
    return [pruned(one, CONDITION) for one in mappings(values)
            if one.get("type") == "PodScheduled"]  # fmt: skip


# Of a pod of the control plane: its images, and why it does not run.
PROGRAM_POD: Final[Shape] = _pod({**_CONTAINER, "image": True}, _program_status)
PROGRAM_POD["status"] |= {"message": True, "conditions": _scheduled}
