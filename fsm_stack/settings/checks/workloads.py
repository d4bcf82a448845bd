"""Checks of what the control plane's pods ask of Kubernetes; the shape of an Affinity.

Source: k8s.io/api core/v1, type Affinity and what it refers to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import did_you_mean, nearest
from fsm_stack.settings.checks.lists import at
from fsm_stack.settings.checks.names import refused_selectors
from fsm_stack.settings.models.base import NAME_MAX, is_label_key
from fsm_stack.settings.models.components import EXTENDED_RESOURCE, LABEL_VALUE
from fsm_stack.settings.problems import type_name
from fsm_stack.units import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.settings.checks.lists import Found
    from fsm_stack.settings.models.components import Component, Resources
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml.places import Path


# A shape is a type, words to choose from, a range of whole numbers, a list of one shape, or a
# mapping of keys to shapes: "*" stands for any key, and a key with "!" has to be there.
Shape = type | frozenset[str] | range | dict[str, Any] | list[Any]

_POD_OPERATORS: Final = frozenset({"DoesNotExist", "Exists", "In", "NotIn"})
_NODE_OPERATORS: Final = _POD_OPERATORS | {"Gt", "Lt"}


def _expressions(operators: frozenset[str]) -> list[Any]:
    return [{"key!": str, "operator!": operators, "values": [str]}]


_SELECTOR: Final[dict[str, Any]] = {
    "matchLabels": {"*": str},
    "matchExpressions": _expressions(_POD_OPERATORS),
}
_NODE_TERM: Final[dict[str, Any]] = {
    "matchExpressions": _expressions(_NODE_OPERATORS),
    "matchFields": _expressions(_NODE_OPERATORS),
}
_POD_TERM: Final[dict[str, Any]] = {
    "labelSelector": _SELECTOR,
    "namespaceSelector": _SELECTOR,
    "namespaces": [str],
    "topologyKey!": str,
    "matchLabelKeys": [str],
    "mismatchLabelKeys": [str],
}
_WEIGHT: Final = range(1, 101)
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_PODS: Final[dict[str, Any]] = {
    _REQUIRED: [_POD_TERM],
    _PREFERRED: [{"weight!": _WEIGHT, "podAffinityTerm!": _POD_TERM}],
}
AFFINITY: Final[dict[str, Any]] = {
    "nodeAffinity": {
        _REQUIRED: {"nodeSelectorTerms!": [_NODE_TERM]},
        _PREFERRED: [{"weight!": _WEIGHT, "preference!": _NODE_TERM}],
    },
    "podAffinity": _PODS,
    "podAntiAffinity": _PODS,
}


def misfits(value: Any, shape: Shape, path: Path) -> Found:  # noqa: ANN401  # decoded JSON
    """What of a value does not fit a shape, each with its path."""
    match shape:
        case dict():
            yield from _of_mapping(value, shape, path)
        case list():
            yield from _of_list(value, shape, path)
        case range():
            if type(value) is not int:
                yield _other_type(value, "a whole number", path)
            elif value not in shape:
                message = f"expected {shape.start} to {shape.stop - 1}, got {value}"
                yield at(path, "invalid-value", message, value=value)
        case _ if not isinstance(value, str):
            yield _other_type(value, "text", path)
        case frozenset() if value not in shape:
            message = f"expected one of {', '.join(sorted(shape))}, got {value!r}"
            yield at(path, "invalid-value", message, value=value)


def _of_mapping(value: Any, shape: dict[str, Any], path: Path) -> Found:  # noqa: ANN401  # decoded JSON
    if not isinstance(value, dict):
        yield _other_type(value, "a mapping", path)
        return
    known = {key.rstrip("!"): inner for key, inner in shape.items()}
    for key, item in value.items():
        if "*" in known or key in known:
            yield from misfits(item, known.get("*") or known[key], (*path, key))
        else:
            yield _unknown(str(key), list(known), path)
    for key in shape:
        if key.endswith("!") and key[:-1] not in value:
            yield at((*path, key[:-1]), "missing-key", f"expected {key[:-1]}, got nothing")


def _of_list(value: Any, shape: list[Any], path: Path) -> Found:  # noqa: ANN401  # decoded JSON
    if not isinstance(value, list | tuple):
        yield _other_type(value, "a list", path)
        return
    if not value and path[-1] == "nodeSelectorTerms":
        yield at(path, "invalid-value", "expected at least one term, got an empty list")
    for index, item in enumerate(value):
        yield from misfits(item, shape[0], (*path, index))


def _other_type(value: Any, expected: str, path: Path) -> tuple[Path, Finding]:  # noqa: ANN401  # decoded JSON
    return at(path, "wrong-type", f"expected {expected}, got {type_name(value)}")


def _unknown(key: str, known: list[str], path: Path) -> tuple[Path, Finding]:
    message = f"expected one of {', '.join(known)}, got {key!r}{did_you_mean(key, known)}"
    return at((*path, key), "unknown-key", message, fix=_write_nearest(key, known))


def _write_nearest(key: str, known: Sequence[str]) -> str:
    meant = nearest(key, known)
    return f"Write {meant}." if meant else ""


# Resources that a container may ask for under a plain name; others have a domain in front.
# Source: k8s.io/kubernetes pkg/apis/core/helper, IsStandardContainerResourceName.
_STANDARD: Final = ("cpu", "ephemeral-storage", "memory")
_HUGE_PAGES: Final = re.compile(r"hugepages-([1-9][0-9]*(Ki|Mi|Gi))")
_EXTENDED: Final = re.compile(EXTENDED_RESOURCE)
_COUNTED: Final = "requests."  # what a quota counts a resource by: in front of its domain

# Labels that select the pods, or that other objects find them by: never a user's.
_OWN_LABELS: Final = (
    "app",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/name",
    "app.kubernetes.io/version",
    "codebase",
)
_COMPONENTS: Final = ("bootstrap", "controller", "injector")


def _components(settings: StackSettings) -> Iterator[tuple[str, Component]]:
    for key in _COMPONENTS:
        yield key, getattr(settings.components, key)


def _resources(settings: StackSettings) -> Iterator[tuple[Path, Resources]]:
    """Every pair of requests and limits, with its path in the file."""
    owners: list[tuple[Path, Any]] = [
        (("components", key), component) for key, component in _components(settings)
    ]
    others = ((("sidecar",), settings.sidecar), (("verify",), settings.verify))
    for path, owner in [*owners, *others]:
        for field, info in type(owner).model_fields.items():
            if field == "resources" or field.endswith("_resources"):
                yield (*path, info.alias or field), getattr(owner, field)


def resources(settings: StackSettings, _today: date) -> Found:
    """Names that no container may ask for, and amounts that do not go together.

    Source: k8s.io/kubernetes pkg/apis/core/validation, ValidateResourceRequirements.
    """
    for path, wanted in _resources(settings):
        for side in ("limits", "requests"):
            for name, text in getattr(wanted, side).items():
                if not _is_resource(name):
                    yield _unknown_resource((*path, side, name), name)
                elif _EXTENDED.fullmatch(name) and (amount(text) or 0) % 1:
                    message = f"expected a whole number, since it is counted, got {text}"
                    yield at((*path, side, name), "invalid-value", message, value=text)
                yield from _of_huge_pages((*path, side, name), text, wanted)
        for name, text in wanted.requests.items():
            limit = wanted.limits.get(name)
            if not _overcommits(name) and (limit is None or amount(text) != amount(limit)):
                message = f"expected the limit, {limit or 'which is missing'}, got {text}"
                yield at((*path, "requests", name), "invalid-value", message, value=text)
            elif limit is not None and (amount(text) or 0) > (amount(limit) or 0):
                message = f"expected at most the limit {limit}, got {text}"
                yield at((*path, "requests", name), "invalid-value", message, value=text)


def _of_huge_pages(path: Path, text: str, wanted: Resources) -> Found:
    """Huge pages come whole, and only beside plain memory or a processor."""
    size = _HUGE_PAGES.fullmatch(str(path[-1]))
    if size is None:
        return
    if not amount(text) or (amount(text) or 0) % (amount(size[1]) or 1):
        message = f"expected a multiple of {size[1]}, got {text}"
        yield at(path, "invalid-value", message, value=text)
    if not {"cpu", "memory"} & (wanted.limits.keys() | wanted.requests.keys()):
        yield at(path, "invalid-value", "expected cpu or memory beside huge pages, got neither")


def _is_resource(name: str) -> bool:
    """Source: k8s.io/kubernetes pkg/apis/core/v1/helper, IsExtendedResourceName."""
    if name in _STANDARD or _HUGE_PAGES.fullmatch(name):
        return True
    domain = name.rpartition("/")[0]
    if "kubernetes.io/" not in name:
        domain = _COUNTED + domain
    counted = name.startswith(_COUNTED)
    return bool(_EXTENDED.fullmatch(name)) and not counted and len(domain) <= NAME_MAX


def _overcommits(name: str) -> bool:
    """Whether pods may ask for less than their limit of it."""
    return name in _STANDARD


def _unknown_resource(path: Path, name: str) -> tuple[Path, Finding]:
    message = (
        "expected cpu, memory, ephemeral-storage, hugepages-<size> or <domain>/<name>, "
        f"got {name!r}{did_you_mean(name, _STANDARD)}"
    )
    return at(path, "unknown-key", message, fix=_write_nearest(name, _STANDARD))


def pod_labels(settings: StackSettings, _today: date) -> Found:
    """A label that the Deployment finds its pods by."""
    for key, component in _components(settings):
        for label in component.pod_labels:
            if label in _OWN_LABELS:
                path: Path = ("components", key, "podLabels", label)
                message = f"label {label} is set by the control plane; the value would be lost"
                yield at(path, "name-taken", message, fix="Remove it.")


def codebase(settings: StackSettings, _today: date) -> Found:
    """The repository's folder, which is a label of the controller's pods too."""
    folder = settings.repo_server.codebase
    declared = settings.profile.declares_control_plane
    if declared and re.fullmatch(LABEL_VALUE, folder) is None:
        message = (
            "expected at most 63 letters, digits, '-', '_' and '.', since the controller's pods "
            f"have it as a label, got {folder!r}"
        )
        yield at(("repoServer", "codebase"), "invalid-value", message, value=folder)


def tolerations(settings: StackSettings, _today: date) -> Found:
    """Combinations that Kubernetes refuses. Source: its ValidateTolerations."""
    for key, component in _components(settings):
        for index, toleration in enumerate(component.tolerations):
            path: Path = ("components", key, "tolerations", index)
            exists = toleration.operator == "Exists"
            if toleration.key and not is_label_key(toleration.key):
                message = (
                    f"expected a taint's key such as example.com/name, got {toleration.key!r}"
                )
                yield at((*path, "key"), "invalid-value", message, value=toleration.key)
            if not exists and re.fullmatch(LABEL_VALUE, toleration.value or "") is None:
                message = f"expected a taint's value, as of a label, got {toleration.value!r}"
                yield at((*path, "value"), "invalid-value", message, value=toleration.value)
            if exists and toleration.value:
                message = "expected no value with operator Exists"
                yield at((*path, "value"), "invalid-value", message, value=toleration.value)
            if not toleration.key and not exists:
                message = "expected operator Exists where there is no key"
                yield at(path, "invalid-value", message, fix="Add the key, or operator: Exists.")
            if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
                message = "expected tolerationSeconds only with effect NoExecute"
                yield at((*path, "tolerationSeconds"), "invalid-value", message)


def pull_secrets(settings: StackSettings, _today: date) -> Found:
    """A Secret that is named twice, which server-side apply refuses."""
    seen: set[str] = set()
    for index, secret in enumerate(settings.images.pull_secrets):
        if secret.name in seen:
            message = f"{secret.name} is in the list already"
            path: Path = ("images", "pullSecrets", index, "name")
            yield at(path, "name-taken", message, value=secret.name, fix="Remove one of the two.")
        seen.add(secret.name)


def affinity(settings: StackSettings, _today: date) -> Found:
    """Keys and types that Kubernetes' Affinity does not have, and values that it refuses."""
    for key, component in _components(settings):
        if component.affinity is not None:
            path: Path = ("components", key, "affinity")
            odd = list(misfits(component.affinity, AFFINITY, path))
            yield from odd or refused_selectors(component.affinity, path)


CHECKS: Final = (resources, pod_labels, codebase, tolerations, pull_secrets, affinity)
