"""The fields of Kubernetes objects that checks read: the only ones that are kept or saved.

An allow-list, not a list of secrets: what nobody thought of stays out. Never an application's
environment, arguments or volumes, and never a Secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.systems import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Json = dict[str, Any]
Shape = Any  # True: kept whole; a mapping: its keys; a one-item list: each item; a function

PREFIXES: Final = tuple(sorted({f"{known.annotation_prefix}/" for known in SYSTEMS.values()}))
INIT_CONTAINERS: Final = frozenset(known.init_container for known in SYSTEMS.values())
SIDECARS: Final = frozenset(
    name
    for known in SYSTEMS.values()
    for name in (known.sidecar_container, known.healthcheck_container)
)
_MESH_CONTAINERS: Final = INIT_CONTAINERS | SIDECARS
# Keys of MeshConfigs that carry credentials: observability.remoteLogging.authorization, FLB's.
_CREDENTIALS: Final = frozenset({"authorization", "password", "username", "token", "secretkey"})
_LABELS: Final = frozenset({"ignore", "name", "control-plane", "kubernetes.io/metadata.name"})


def _texts(values: Any) -> Json:  # noqa: ANN401  # decoded JSON
    if not isinstance(values, dict):
        return {}
    return {key: item for key, item in values.items() if isinstance(item, str)}


def ours(values: Any) -> Json:  # noqa: ANN401  # decoded JSON
    """The annotations or labels of the meshes, and the labels that webhooks select by."""
    return {
        key: value
        for key, value in _texts(values).items()
        if key.startswith((*PREFIXES, "app.kubernetes.io/"))
        or key in _LABELS
        or key.endswith("-proxy-uuid")
    }


def _spec(value: Any) -> Any:  # noqa: ANN401  # decoded JSON
    """A MeshConfig's sections; a list that is none is left out, as its CRD would refuse it."""
    sections = _settings(value if isinstance(value, dict) else {})
    kept = {key: item for key, item in sections.items() if isinstance(item, dict)}
    traffic = kept.get("traffic", {})
    for key in [key for key in traffic if key.endswith("List")]:
        if not isinstance(traffic[key], list):
            del traffic[key]
    return kept


def _settings(value: Any) -> Any:  # noqa: ANN401  # decoded JSON
    """Settings without what their authors may have put there as credentials."""
    if isinstance(value, dict):
        return {
            key: _settings(item) for key, item in value.items() if key.lower() not in _CREDENTIALS
        }
    return [_settings(item) for item in value] if isinstance(value, list) else value


_META: Final[Shape] = {
    "name": True,
    "namespace": True,
    "uid": True,
    "creationTimestamp": True,
    "deletionTimestamp": True,
    "labels": ours,
    "annotations": ours,
}
_OWNED: Final[Shape] = {
    **_META,
    "ownerReferences": [{"kind": True, "name": True, "controller": True}],
}
_MANAGED: Final[Shape] = {**_META, "managedFields": True}  # names of fields, no values
_STATE: Final[Shape] = {
    "waiting": {"reason": True, "message": True},
    "running": {"startedAt": True},
    "terminated": {
        "exitCode": True,
        "reason": True,
        "message": True,
        "startedAt": True,
        "finishedAt": True,
    },
}


def _container(value: Any) -> Json:  # noqa: ANN401  # decoded JSON
    """A container; the script of an injector's own init container is its last argument."""
    if not isinstance(value, dict):
        return {}
    kept: Json = _pruned(
        value,
        {
            "name": True,
            "ports": [{"containerPort": True, "hostPort": True}],
            "securityContext": {"runAsUser": True},
            "restartPolicy": True,
        },
    )
    name = value.get("name")
    if name in _MESH_CONTAINERS and "image" in value:
        kept["image"] = value["image"]
    if name in INIT_CONTAINERS and "args" in value:
        kept["args"] = value["args"]
    return kept


def _status(value: Any) -> Json:  # noqa: ANN401  # decoded JSON
    """A container's status; what an application left as its last message is not kept."""
    if not isinstance(value, dict):
        return {}
    kept: Json = _pruned(
        value,
        {
            "name": True,
            "ready": True,
            "started": True,
            "restartCount": True,
            "state": _STATE,
            "lastState": _STATE,
        },
    )
    if value.get("name") not in _MESH_CONTAINERS:
        for part in ("state", "lastState"):
            for state in kept.get(part, {}).values():
                state.pop("message", None)
    return kept


_POD: Final[Shape] = {
    "metadata": _OWNED,
    "spec": {
        "hostNetwork": True,
        "securityContext": {"runAsUser": True},
        "initContainers": [_container],
        "containers": [_container],
    },
    "status": {
        "phase": True,
        "reason": True,
        "podIP": True,
        "initContainerStatuses": [_status],
        "containerStatuses": [_status],
    },
}


def _program_environment(value: Any) -> list[Json]:  # noqa: ANN401  # decoded JSON
    """Of the control plane's environment only the images that it injects."""
    entries = value if isinstance(value, list) else []
    return [
        {"name": item["name"], "value": item.get("value")}
        for item in entries
        if isinstance(item, dict) and str(item.get("name", "")).endswith("_IMAGE")
    ]


def _at(value: Any, *path: str) -> Any:  # noqa: ANN401  # decoded JSON
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _service_label(values: Any) -> Json:  # noqa: ANN401  # decoded JSON
    key = "kubernetes.io/service-name"
    texts = _texts(values)
    return {key: texts[key]} if key in texts else {}


def _deployment(value: Json) -> Json:
    """A control plane's Deployment, or an application's owner: told apart by its name."""
    kept: Json = _pruned(value, _OWNER)
    if str(_at(value, "metadata", "name")) in _PROGRAMS:
        template = kept.setdefault("spec", {}).setdefault("template", {})
        spec = _at(value, "spec", "template", "spec")
        template["spec"] = _pruned(
            spec, {"containers": [{"name": True, "image": True, "env": _program_environment}]}
        )
    return kept


_PROGRAMS: Final = frozenset(
    name
    for known in SYSTEMS.values()
    for name in (known.injector_name, known.controller_name, known.bootstrap_name)
)
_OWNER: Final[Shape] = {
    "metadata": _OWNED,
    "spec": {"replicas": True, "template": {"metadata": {"annotations": ours}}},
    "status": {
        "replicas": True,
        "readyReplicas": True,
        "updatedReplicas": True,
        "availableReplicas": True,
    },
}
_SELECTOR: Final[Shape] = {
    "matchLabels": _texts,
    "matchExpressions": [{"key": True, "operator": True, "values": True}],
}
_WEBHOOK: Final[Shape] = {
    "metadata": _MANAGED,
    "webhooks": [
        {
            "name": True,
            "clientConfig": {
                "service": {"namespace": True, "name": True, "path": True, "port": True},
                "caBundle": True,
                "url": True,
            },
            "rules": [
                {
                    "operations": True,
                    "apiGroups": True,
                    "apiVersions": True,
                    "resources": True,
                    "scope": True,
                }
            ],
            "namespaceSelector": _SELECTOR,
            "objectSelector": _SELECTOR,
            "failurePolicy": True,
            "matchPolicy": True,
            "sideEffects": True,
            "timeoutSeconds": True,
            "reinvocationPolicy": True,
            "admissionReviewVersions": True,
        }
    ],
}


def _redirection(value: Json) -> Json:
    """Of all ConfigMaps only the one that this package writes."""
    kept: Json = _pruned(value, {"metadata": _META})
    if kept.get("metadata", {}).get("name") == "fsm-redirection":
        kept["data"] = _texts(value.get("data"))
    return kept


_SHAPES: Final[Mapping[str, Shape | Callable[[Json], Json]]] = {
    "Pod": _POD,
    "Namespace": {"metadata": {**_META, "deletionTimestamp": True}},
    "MeshConfig": {"metadata": _MANAGED, "spec": _spec},
    "ConfigMap": _redirection,
    "MutatingWebhookConfiguration": _WEBHOOK,
    "ValidatingWebhookConfiguration": _WEBHOOK,
    "Service": {
        "metadata": _META,
        "spec": {"clusterIP": True, "ports": [{"port": True, "targetPort": True, "name": True}]},
    },
    "EndpointSlice": {
        "metadata": {
            **_META,
            "labels": _service_label,
        },
        "endpoints": [{"conditions": {"ready": True}}],
        "ports": [{"port": True}],
    },
    "Deployment": _deployment,
    "StatefulSet": _OWNER,
    "DaemonSet": _OWNER,
    "PodLog": {"metadata": _META, "text": True},
}


def keep(item: Mapping[str, Any]) -> Json | None:
    """What checks read of an object; None for a kind that none reads."""
    shape = _SHAPES.get(str(item.get("kind")))
    if shape is None:
        return None
    kept: Json = {"apiVersion": item.get("apiVersion"), "kind": item["kind"]}
    return {**kept, **_pruned(item, shape)}


def _pruned(value: Any, shape: Shape) -> Any:  # noqa: ANN401  # decoded JSON
    if shape is True:
        return value
    if callable(shape):
        return shape(value)
    if isinstance(shape, list):
        return [_pruned(item, shape[0]) for item in value] if isinstance(value, list) else []
    if not isinstance(value, dict):
        return {}
    return {
        key: item if part is True else _pruned(item, part)
        for key, part in shape.items()
        if (item := value.get(key)) is not None
    }
