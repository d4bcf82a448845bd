"""The shape of Kubernetes' Affinity, and where a value does not fit it.

Source: k8s.io/api core/v1, type Affinity and what it refers to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.settings.checks.at import at
from fsm_stack.settings.problems import nearest, type_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings import Finding
    from fsm_stack.settings.yaml_text import Path

# A shape is a type, a mapping of keys to shapes, a list of one shape, or any mapping of text.
Shape = type | dict[str, Any] | list[Any]

_ANY_TEXTS: Final[dict[str, Any]] = {"*": str}
_SELECTOR: Final[dict[str, Any]] = {
    "matchLabels": _ANY_TEXTS,
    "matchExpressions": [{"key": str, "operator": str, "values": [str]}],
}
_NODE_TERM: Final[dict[str, Any]] = {
    "matchExpressions": _SELECTOR["matchExpressions"],
    "matchFields": _SELECTOR["matchExpressions"],
}
_POD_TERM: Final[dict[str, Any]] = {
    "labelSelector": _SELECTOR,
    "namespaceSelector": _SELECTOR,
    "namespaces": [str],
    "topologyKey": str,
    "matchLabelKeys": [str],
    "mismatchLabelKeys": [str],
}
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_PODS: Final[dict[str, Any]] = {
    _REQUIRED: [_POD_TERM],
    _PREFERRED: [{"weight": int, "podAffinityTerm": _POD_TERM}],
}
AFFINITY: Final[dict[str, Any]] = {
    "nodeAffinity": {
        _REQUIRED: {"nodeSelectorTerms": [_NODE_TERM]},
        _PREFERRED: [{"weight": int, "preference": _NODE_TERM}],
    },
    "podAffinity": _PODS,
    "podAntiAffinity": _PODS,
}
_NAMES: Final[dict[type, str]] = {str: "text", int: "a whole number"}


def misfits(value: Any, shape: Shape, path: Path) -> Iterator[tuple[Path, Finding]]:  # noqa: ANN401  # decoded JSON
    """What of a value does not fit a shape, each with its path."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            yield _other_type(value, "a mapping", path)
            return
        for key, item in value.items():
            if "*" in shape or key in shape:
                yield from misfits(item, shape.get("*") or shape[key], (*path, key))
            else:
                yield _unknown(str(key), list(shape), path)
    elif isinstance(shape, list):
        if not isinstance(value, list | tuple):
            yield _other_type(value, "a list", path)
            return
        for index, item in enumerate(value):
            yield from misfits(item, shape[0], (*path, index))
    elif not isinstance(value, shape) or isinstance(value, bool):
        yield _other_type(value, _NAMES[shape], path)


def _other_type(value: Any, expected: str, path: Path) -> tuple[Path, Finding]:  # noqa: ANN401  # decoded JSON
    return at(path, "wrong-type", f"expected {expected}, got {type_name(value)}")


def _unknown(key: str, known: list[str], path: Path) -> tuple[Path, Finding]:
    meant = nearest(key, known)
    hint = f"; did you mean {meant!r}?" if meant else ""
    message = f"expected one of {', '.join(known)}, got {key!r}{hint}"
    return at((*path, key), "unknown-key", message, fix=f"Write {meant}." if meant else "")
