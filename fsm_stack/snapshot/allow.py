"""The fields of Kubernetes objects that checks read: the only ones that are kept or saved.

An allow-list, not a list of secrets: what nobody thought of stays out, and never a Secret.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.credentials import without_credentials
from fsm_stack.lists import KEYS
from fsm_stack.redirection.scopes import CONFIG_MAP_NAME
from fsm_stack.snapshot.allow_pod import CONDITION, META, OWNED, POD, PROGRAM_POD, ours
from fsm_stack.snapshot.objects import program_of
from fsm_stack.snapshot.programs import (
    APP_LABEL,
    BESIDE,
    NAME_LABEL,
    POLICY_KINDS,
    PROGRAMS,
)
from fsm_stack.snapshot.shape import Shape, mapping, mappings, pruned, text, texts, words
from fsm_stack.systems import SYSTEMS
from fsm_stack.well_known import CANARY_KINDS, CANARY_LABEL, INGRESS_CLASS, INGRESS_LABEL
from fsm_stack.workloads.quota import COMPUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fsm_stack.yaml import Json


# Keys of MeshConfigs that carry credentials: observability.remoteLogging.authorization, FLB's.
_CREDENTIALS: Final = frozenset({"authorization", "password", "username", "token", "secretkey"})


def _spec(value: Any) -> Any:  # noqa: ANN401  # decoded JSON
    """A MeshConfig's sections; a list that is none is left out, as its CRD would refuse it."""
    sections = _settings(mapping(value))
    kept = {key: item for key, item in sections.items() if isinstance(item, dict) or key in KEYS}
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


_MANAGED: Final[Shape] = {**META, "managedFields": True}  # names of fields, no values


def _program_environment(value: Any) -> list[Json]:  # noqa: ANN401  # decoded JSON
    """Of the control plane's environment only the images that it injects."""
    return [
        {"name": item["name"], "value": item.get("value")}
        for item in mappings(value)
        if str(item.get("name", "")).endswith("_IMAGE")
    ]


def _at(value: Any, *path: str) -> Any:  # noqa: ANN401  # decoded JSON
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _service_label(values: Any) -> Json:  # noqa: ANN401  # decoded JSON
    key = "kubernetes.io/service-name"
    known = texts(values)
    return {key: known[key]} if key in known else {}


def _owner(value: Json) -> Json:
    """A program of the mesh, or an application's owner: told apart by its name."""
    kept: Json = pruned(value, _OWNER)
    if str(_at(value, "metadata", "name")) in PROGRAMS | BESIDE:
        kept["metadata"] = pruned(value.get("metadata"), {**OWNED, **_MANAGED})
        template = kept.setdefault("spec", {}).setdefault("template", {})
        spec = _at(value, "spec", "template", "spec")
        template["spec"] = pruned(spec, {"initContainers": [_PROGRAM], "containers": [_PROGRAM]})
    return kept


_PROGRAM: Final[Shape] = {
    "name": True,
    "image": True,
    "ports": [{"name": True, "containerPort": True}],
    "env": _program_environment,
}


REPLICA_FAILURE: Final = "ReplicaFailure"


PROGRESSING: Final = "Progressing"


def _failures(values: Any) -> list[Json]:  # noqa: ANN401  # decoded JSON
    """Of an owner's conditions only why it cannot make its pods, or why a rollout hangs."""
    return [
        pruned(one, CONDITION)
        for one in mappings(values)
        if one.get("type") == REPLICA_FAILURE
        or (one.get("type") == PROGRESSING and one.get("status") == "False")
    ]


def _amounts(values: Any) -> Json:  # noqa: ANN401  # decoded JSON
    """Amounts of CPU, memory and disk as text; names of others are nobody's business."""
    known = values if isinstance(values, dict) else {}
    return {
        key: str(item)
        for key, item in known.items()
        if key.rpartition(".")[2] in COMPUTE and type(item) in {str, int, float}
    }


_RESOURCES: Final[Shape] = {"requests": _amounts, "limits": _amounts}
_OWNER: Final[Shape] = {
    "metadata": OWNED,
    "spec": {
        "replicas": True,
        "paused": True,
        "updateStrategy": {"type": True},
        "template": {
            "metadata": {"annotations": ours, "labels": ours},
            "spec": {
                "hostNetwork": True,
                "initContainers": [{"resources": _RESOURCES}],
                "containers": [{"resources": _RESOURCES}],
            },
        },
    },
    "status": {
        "observedGeneration": True,
        "replicas": True,
        "readyReplicas": True,
        "updatedReplicas": True,
        "availableReplicas": True,
        "currentNumberScheduled": True,
        "desiredNumberScheduled": True,
        "numberAvailable": True,
        "conditions": _failures,
    },
}


def _cron_job(value: Json) -> Json:
    """A CronJob with the template of its pods where every other owner has it."""
    template = _at(value, "spec", "jobTemplate", "spec", "template")
    spec = {"template": template or _at(value, "spec", "template")}  # of a description the second
    kept: Json = pruned({**value, "spec": spec}, _OWNER)
    return kept


_SELECTOR: Final[Shape] = {
    "matchLabels": texts,
    "matchExpressions": [{"key": str, "operator": str, "values": words}],
}
_ENTRY: Final[Shape] = {
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
    "matchConditions": [{"name": True, "expression": True}],
    "failurePolicy": True,
    "matchPolicy": True,
    "sideEffects": True,
    "timeoutSeconds": True,
    "reinvocationPolicy": True,
    "admissionReviewVersions": True,
}
_OF_MESHES: Final = tuple(f"{known.default_mesh_name}-" for known in SYSTEMS.values())


def _webhooks(values: Any) -> list[Json]:  # noqa: ANN401  # decoded JSON
    """The meshes' own webhooks; where other products listen is nobody's business."""
    return [
        pruned(value, _ENTRY)
        for value in mappings(values)
        if str(value.get("name")).startswith(_OF_MESHES)
    ]


def _configuration(value: Json) -> Json:
    """A configuration of webhooks; of one with none of the meshes' its name alone."""
    webhooks = _webhooks(value.get("webhooks"))
    shape = _MANAGED if webhooks else {"name": True}
    return {"metadata": pruned(value.get("metadata"), shape), "webhooks": webhooks}


_POLICY: Final[Shape] = {
    "metadata": {**_MANAGED, "generation": True},
    "spec": True,
    "status": {
        "observedGeneration": True,
        "typeChecking": {"expressionWarnings": [{"fieldRef": str, "warning": str}]},
    },
}
_GUARD: Final = re.compile(r".+-guard-(mesh-config|mesh-config-warnings|namespaces|pods|bypasses)")


def _policy(value: Json) -> Json | None:
    """A policy or binding of the guard; what others refuse is nobody's business."""
    if not _GUARD.fullmatch(str(_at(value, "metadata", "name"))):
        return None
    kept: Json = pruned(value, _POLICY)
    return kept


def _canary(value: Json) -> Json | None:
    """Of all policies that change what is created only a canary's, and of it what it tries."""
    about = _at(value, "metadata", "labels")
    return pruned(value, _CANARY) if isinstance(about, dict) and CANARY_LABEL in about else None


_CANARY: Final[Shape] = {
    "metadata": META,
    "spec": {"policyName": True, "matchConstraints": {"namespaceSelector": _SELECTOR}},
}


def _redirection(value: Json) -> Json | None:
    """Of all ConfigMaps only the one that this package writes, and of it the lists."""
    kept: Json = pruned(value, {"metadata": META})
    if _at(value, "metadata", "name") != CONFIG_MAP_NAME:
        return None
    data = texts(value.get("data"))
    kept["data"] = {key: item for key, item in data.items() if key == "settingsDigest"}
    if lists := _lists(data):
        kept["data"]["redirection.json"] = json.dumps({"mesh": {"lists": lists}})
    return kept


def _lists(data: Json) -> Json:
    """The mesh's lists, as they stand in the record."""
    try:
        recorded = json.loads(data["redirection.json"])["mesh"]["lists"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    return {name: item for name, item in mapping(recorded).items() if isinstance(item, list)}


def _pod(value: Json) -> Json:
    """A pod; of one of the control plane also why it does not run."""
    kept: Json = pruned(value, PROGRAM_POD if program_of(value) else POD)
    return kept


def _selected(values: Any) -> Json:  # noqa: ANN401  # decoded JSON
    """What a Service selects pods by; of a label that no chart writes its key alone."""
    return {key: item if key in _CHART_LABELS else "..." for key, item in texts(values).items()}


_CHART_LABELS: Final = frozenset(
    {APP_LABEL, NAME_LABEL, "app.kubernetes.io/instance", INGRESS_LABEL}
)


def _ingress_class(value: Json) -> Json | None:
    """FSM's class alone."""
    shape = {"metadata": _MANAGED, "spec": {"controller": True}}
    return pruned(value, shape) if _at(value, "metadata", "name") == INGRESS_CLASS else None


def _event(value: Json) -> Json | None:
    """A warning about pods, or what makes them; of others nothing."""
    kind = _at(value, "involvedObject", "kind")
    if value.get("type") != "Warning" or kind not in EVENT_KINDS:
        return None
    kept: Json = pruned(value, _EVENT)
    kept["message"] = without_credentials(text(value.get("message")))[:_MESSAGE_MAX]
    return kept


_MESSAGE_MAX: Final = 1000
EVENT_KINDS: Final = frozenset(
    {"Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}
)
_EVENT: Final[Shape] = {
    "metadata": {"name": True, "namespace": True},
    "involvedObject": {"kind": True, "namespace": True, "name": True},
    "type": True,
    "reason": True,
    "lastTimestamp": True,
    "eventTime": True,
}
_ROLE: Final[Shape] = {
    "metadata": _MANAGED,
    "rules": [
        {
            "apiGroups": True,
            "resources": True,
            "verbs": True,
            "resourceNames": True,
            "nonResourceURLs": True,
        }
    ],
}
_BINDING: Final[Shape] = {
    "metadata": _MANAGED,
    "roleRef": {"kind": True, "name": True},
    "subjects": [{"kind": True, "namespace": True, "name": True}],
}


_SHAPES: Final[Mapping[str, Shape | Callable[[Json], Json | None]]] = {
    "Pod": _pod,
    "Namespace": {"metadata": {**META, "deletionTimestamp": True}},
    "MeshConfig": {"metadata": _MANAGED, "spec": _spec},
    "ConfigMap": _redirection,
    "MutatingWebhookConfiguration": _configuration,
    "ValidatingWebhookConfiguration": _configuration,
    **dict.fromkeys(POLICY_KINDS, _policy),
    **dict.fromkeys(CANARY_KINDS, _canary),
    "Service": {
        "metadata": _MANAGED,
        "spec": {
            "ports": [
                {
                    "name": True,
                    "port": True,
                    "targetPort": True,
                    "protocol": True,
                    "nodePort": True,
                }
            ],
            "selector": _selected,
            "clusterIP": True,
            "externalIPs": words,
        },
        "status": {"loadBalancer": {"ingress": [{"ip": True}]}},
    },
    "EndpointSlice": {
        "metadata": {
            **META,
            "labels": _service_label,
        },
        "endpoints": [{"addresses": words, "conditions": {"ready": True}}],
        "ports": [{"name": True, "port": True, "protocol": True}],
    },
    "Deployment": _owner,
    "StatefulSet": _OWNER,
    "DaemonSet": _owner,
    "IngressClass": _ingress_class,
    "ReplicaSet": _OWNER,
    "Job": _OWNER,
    "CronJob": _cron_job,
    "PodLog": {"metadata": META, "container": True, "text": True},
    "Event": _event,
    **dict.fromkeys(("ClusterRole", "Role"), _ROLE),
    **dict.fromkeys(("ClusterRoleBinding", "RoleBinding"), _BINDING),
    "ServiceAccount": {"metadata": META},
    "ResourceQuota": {
        "metadata": META,
        "spec": {"hard": _amounts, "scopes": True, "scopeSelector": bool},
        "status": {"used": _amounts},
    },
    "LimitRange": {
        "metadata": META,
        "spec": {
            "limits": [
                {
                    "type": True,
                    **dict.fromkeys(("default", "defaultRequest", "max", "min"), _amounts),
                }
            ]
        },
    },
}


_CORE: Final = frozenset(
    {"Pod", "Namespace", "ConfigMap", "Service", "ServiceAccount", "ResourceQuota", "LimitRange"}
)
_OF_MESH_CONFIG: Final = frozenset(known.mesh_config_group for known in SYSTEMS.values())


def _is_known(kind: str, group: str, version: str) -> bool:
    """Whether a kind is the one that is meant: Knative has a Service of its own.

    A list's items need not say their version, and a description says none.
    """
    if not version or version == "None":
        return True
    if kind in _CORE:
        return not group
    if kind == "MeshConfig":
        return group in _OF_MESH_CONFIG
    return not group or group in {"apps", "batch", "extensions"} or group.endswith(".k8s.io")


def keep(item: Mapping[str, Any]) -> Json | None:
    """What checks read of an object; None for one that none reads."""
    kind, version = str(item.get("kind")), str(item.get("apiVersion") or "")
    shape = _SHAPES.get(kind)
    if shape is None or not _is_known(kind, version.rpartition("/")[0], version):
        return None
    kept = pruned(item, shape)
    if kept is None:
        return None
    return {"apiVersion": item.get("apiVersion"), "kind": item["kind"], **kept}
