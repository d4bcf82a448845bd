"""Checks of names, addresses and label selectors.

Source: k8s.io/kubernetes pkg/apis/core/validation, ValidateNodeSelectorRequirement and
ValidateNodeFieldSelectorRequirement; k8s.io/apimachinery, ValidateLabelSelectorRequirement.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.settings.checks.lists import at
from fsm_stack.settings.models.base import (
    DNS_LABEL,
    DNS_NAME,
    EXPECTED,
    LABEL_MAX,
    NAME_MAX,
    is_label_key,
)
from fsm_stack.settings.models.components import LABEL_VALUE
from fsm_stack.well_known import (
    GATEWAY_MUTATING_WEBHOOK,
    GATEWAY_VALIDATING_WEBHOOK,
    PRESET_CONFIG_MAP,
    REDIRECTION_CONFIG_MAP,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.settings.checks.lists import Found
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml.places import Path

    Reader = Callable[[Any, Path], Found]

# Namespaces that every injector leaves alone, besides the control plane's own.
# Source: flomesh-io/fsm pkg/injector, the webhook's decision.
_NEVER_INJECTED: Final = ("kube-system", "kube-public")

# Namespaces that the API server makes, and makes again. Source: kube-apiserver
# pkg/controlplane/controller/systemnamespaces, and NamespaceDefault.
_EVERY_CLUSTERS: Final = ("default", "kube-node-lease", "kube-public", "kube-system")

# Other ConfigMaps beside the control plane's: ours, and the one in every namespace.
_CONFIG_MAPS: Final = {
    PRESET_CONFIG_MAP: "the mesh's preset",
    REDIRECTION_CONFIG_MAP: "the rendered redirection",
    "kube-root-ca.crt": "the cluster's CA, in every namespace",
}


def namespaces(settings: StackSettings, _today: date) -> Found:
    """Enrolled namespaces that are listed twice, or that the injector never looks at."""
    seen: set[str] = set()
    for index, namespace in enumerate(settings.enrolled_namespaces):
        path: Path = ("enrolledNamespaces", index, "name")
        name = namespace.name
        if name in seen:
            message = f"{name} is in the list already"
            yield at(path, "name-taken", message, value=name, fix="Remove one of the two.")
        seen.add(name)
        if name in (*_NEVER_INJECTED, settings.namespace):
            message = f"the injector leaves every pod of {name} alone"
            yield at(path, "injection-ignored", message, value=name)
        elif namespace.create and name in _EVERY_CLUSTERS:
            yield _exists(("enrolledNamespaces", index, "create"), name)


def own_namespace(settings: StackSettings, _today: date) -> Found:
    """A control plane in a namespace that belongs to the cluster."""
    if settings.mesh.create_namespace and settings.namespace in _EVERY_CLUSTERS:
        yield _exists(("mesh", "createNamespace"), settings.namespace)


def _exists(path: Path, name: str) -> tuple[Path, Finding]:
    message = f"expected false: namespace {name} is in every cluster, and is not this stack's"
    return at(path, "invalid-value", message, value="true", fix="Write false.")


def webhook_names(settings: StackSettings, _today: date) -> Found:
    """A webhook configuration with the name of one of the gateway's."""
    mesh = settings.mesh
    for path, name, other in (
        (("mesh", "webhookNamePrefix"), settings.mutating_webhook_name, GATEWAY_MUTATING_WEBHOOK),
        (
            ("mesh", "validatorWebhookName" if mesh.validator_webhook_name else "name"),
            settings.validating_webhook_name,
            GATEWAY_VALIDATING_WEBHOOK,
        ),
    ):
        if name == other:
            message = f"{name} is the name of a webhook configuration of FSM's gateway"
            yield at(path, "name-taken", message, value=name)


def config_map_name(settings: StackSettings, _today: date) -> Found:
    """The ConfigMap of Pipy scripts under the name of another one."""
    name = settings.release_assets.config_map_name
    holder = _CONFIG_MAPS.get(name)
    if holder is not None:
        message = f"ConfigMap {name} is taken: it holds {holder}"
        yield at(("releaseAssets", "configMapName"), "name-taken", message, value=name)


# Names of environments that users depend on.
_LASTING: Final = re.compile(r"(^|[-_.])(prod|production|prd|live)[0-9]*([-_.]|$)")


def unnamed_cluster(settings: StackSettings, stack: str) -> Found:
    """A stack of production, by a name of it, whose cluster nothing tells from others.

    Args:
        settings: the stack's.
        stack: its name; "" where nobody knows it.
    """
    cluster = settings.cluster
    if cluster.uid or cluster.context or settings.deployment.look_only:
        return
    names = {
        "the stack is": stack,
        "mesh.name is": settings.mesh_name,
        "clusterSet.name is": settings.cluster_set.name,
    }
    why = next((f"{what} {name}" for what, name in names.items() if _LASTING.search(name)), "")
    if why:
        message = f"expected cluster.uid or cluster.context, because {why}; got neither"
        yield at(("cluster",), "cluster-unnamed", message)


CHECKS: Final = (namespaces, own_namespace, webhook_names, config_map_name)


# How many values an operator takes: at least, and at most.
_VALUES: Final[dict[str, tuple[int, int | None]]] = {
    "In": (1, None),
    "NotIn": (1, None),
    "Exists": (0, 0),
    "DoesNotExist": (0, 0),
    "Gt": (1, 1),
    "Lt": (1, 1),
}
_FIELD: Final = "metadata.name"  # the one field of a node that is selected by


def refused_selectors(value: Any, path: Path) -> Found:  # noqa: ANN401  # decoded JSON
    """What Kubernetes refuses below an affinity of the right shape, each with its path."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from refused_selectors(item, (*path, index))
        return
    if not isinstance(value, dict):
        return
    yield from _label_keys(value, path)
    for key, item in value.items():
        reader = _READERS.get(key, refused_selectors)
        yield from reader(item, (*path, key))


def _label_keys(term: dict[str, Any], path: Path) -> Found:
    """Labels whose values are the pod's own: each once, beside a selector that has none of them.

    Source: k8s.io/kubernetes pkg/apis/core/validation, validateMatchLabelKeysAndMismatchLabelKeys.
    """
    selector = term.get("labelSelector")
    given = selector or {}
    known = {*(given.get("matchLabels") or ())}
    known |= {one["key"] for one in given.get("matchExpressions") or ()}
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        for index, key in enumerate(term.get(name) or ()):
            where = (*path, name, index)
            if selector is None:
                yield at(
                    where, "invalid-value", f"expected a labelSelector beside {name}, got none"
                )
            elif key in known:
                message = f"expected a label that this term does not select by, got {key!r}"
                yield at(where, "invalid-value", message, value=key)
            known.add(key)


def _each(reader: Reader) -> Reader:
    def of_all(items: Any, path: Path) -> Found:  # noqa: ANN401  # decoded JSON
        for index, item in enumerate(items):
            yield from reader(item, (*path, index))

    return of_all


def _labels(labels: dict[str, str], path: Path) -> Found:
    for label, text in labels.items():
        yield from _key(label, (*path, label))
        yield from _value(text, (*path, label))


def _namespace(name: str, path: Path) -> Found:
    if re.fullmatch(DNS_LABEL, name) is None or len(name) > LABEL_MAX:
        yield at(path, "invalid-value", f"expected a namespace's name, got {name!r}", value=name)


def _expression(one: dict[str, Any], path: Path) -> Found:
    yield from _key(one["key"], (*path, "key"))
    least, most = _VALUES[one["operator"]]
    yield from _count(one, least, most, path)
    if one["operator"] in {"In", "NotIn"}:
        for index, text in enumerate(one.get("values") or ()):
            yield from _value(text, (*path, "values", index))


def _field(one: dict[str, Any], path: Path) -> Found:
    if one["key"] != _FIELD:
        message = f"expected {_FIELD}, got {one['key']!r}"
        yield at((*path, "key"), "invalid-value", message, value=one["key"])
    if one["operator"] not in {"In", "NotIn"}:
        message = f"expected one of In, NotIn, got {one['operator']!r}"
        yield at((*path, "operator"), "invalid-value", message, value=one["operator"])
    else:
        yield from _count(one, 1, 1, path)
        for index, name in enumerate(one.get("values") or ()):
            if re.fullmatch(DNS_NAME, name) is None or len(name) > NAME_MAX:
                message = f"expected a node's name, got {name!r}"
                yield at((*path, "values", index), "invalid-value", message, value=name)


def _count(one: dict[str, Any], least: int, most: int | None, path: Path) -> Found:
    count = len(one.get("values") or ())
    if count < least or (most is not None and count > most):
        wanted = {(1, None): "at least one value", (0, 0): "no values", (1, 1): "one value"}
        message = f"expected {wanted[least, most]} with operator {one['operator']}, got {count}"
        yield at((*path, "values"), "invalid-value", message)


def _key(text: str, path: Path) -> Found:
    if not is_label_key(text):
        message = f"expected a label's key such as example.com/name, got {text!r}"
        yield at(path, "invalid-value", message, value=text)


def _value(text: str, path: Path) -> Found:
    if re.fullmatch(LABEL_VALUE, text) is None:
        message = f"expected {EXPECTED[LABEL_VALUE]}, got {text!r}"
        yield at(path, "invalid-value", message, value=text)


_READERS: Final[dict[str, Reader]] = {
    "matchExpressions": _each(_expression),
    "matchFields": _each(_field),
    "matchLabelKeys": _each(_key),
    "matchLabels": _labels,
    "mismatchLabelKeys": _each(_key),
    "namespaces": _each(_namespace),
    "topologyKey": _key,
}
