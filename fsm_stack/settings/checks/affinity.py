"""The shape of Kubernetes' Affinity, and where a value does not fit it.

Source: k8s.io/api core/v1, type Affinity and what it refers to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.settings.checks.at import at
from fsm_stack.settings.problems import nearest
from fsm_stack.settings.shown import type_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings import Finding
    from fsm_stack.settings.yaml_text import Path

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


def misfits(value: Any, shape: Shape, path: Path) -> Iterator[tuple[Path, Finding]]:  # noqa: ANN401  # decoded JSON
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


def _of_mapping(value: Any, shape: dict[str, Any], path: Path) -> Iterator[tuple[Path, Finding]]:  # noqa: ANN401  # decoded JSON
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


def _of_list(value: Any, shape: list[Any], path: Path) -> Iterator[tuple[Path, Finding]]:  # noqa: ANN401  # decoded JSON
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
    meant = nearest(key, known)
    hint = f"; did you mean {meant!r}?" if meant else ""
    message = f"expected one of {', '.join(known)}, got {key!r}{hint}"
    return at((*path, key), "unknown-key", message, fix=f"Write {meant}." if meant else "")
