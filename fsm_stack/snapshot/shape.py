"""A shape says which parts of decoded JSON are kept: everything else stays out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.yaml.places import Path

# True: kept whole; a mapping: its keys; a one-item list: each item; a function: what it returns.
Shape = Any


def texts(values: Any) -> dict[str, str]:  # noqa: ANN401  # decoded JSON
    """The pairs of a mapping whose values are texts."""
    if not isinstance(values, dict):
        return {}
    return {key: item for key, item in values.items() if isinstance(item, str)}


def mapping(value: object) -> dict[str, Any]:
    """A mapping; what is of another type counts as absent."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[dict[str, Any]]:
    """The mappings of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(value: object) -> str:
    """A text; what is of another type counts as absent."""
    return value if isinstance(value, str) else ""


def words(value: object) -> list[str]:
    """The texts of a list."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def pruned(value: Any, shape: Shape) -> Any:  # noqa: ANN401  # decoded JSON
    """The parts of a value that a shape names; of another type than it names, nothing."""
    if shape is True:
        return value
    if callable(shape):
        return shape(value)
    if isinstance(shape, list):
        return [pruned(item, shape[0]) for item in value] if isinstance(value, list) else []
    if not isinstance(value, dict):
        return {}
    return {
        key: item if part is True else pruned(item, part)
        for key, part in shape.items()
        if (item := value.get(key)) is not None
    }


# What these keys hold in every object of ours, wherever they stand.
_MAPPINGS: Final = frozenset(
    {"metadata", "labels", "annotations", "spec", "data", "selector", "matchLabels", "template",
     "labelSelector", "namespaceSelector", "clientConfig", "service", "roleRef", "traffic",
     "sidecar", "observability", "certificate", "featureFlags", "repoServer", "tracing",
     "remoteLogging", "pluginChains", "misc", "clusterSet", "warmup", "limits", "requests",
     "securityContext", "valueFrom", "configMap", "localDNSProxy", "ingress", "egressGateway"}
)  # fmt: skip
_OF_MAPPINGS: Final = frozenset(
    {"containers", "initContainers", "env", "webhooks", "rules", "subjects", "ports", "volumes",
     "volumeMounts", "matchExpressions", "imagePullSecrets", "items"}
)  # fmt: skip
_OF_TEXTS: Final = frozenset(
    {"args", "command", "verbs", "apiGroups", "apiVersions", "operations", "values",
     "admissionReviewVersions"}
)  # fmt: skip


def misfits(value: Any, path: Path = ()) -> Iterator[tuple[Path, str, object]]:  # noqa: ANN401  # decoded JSON
    """Where a decoded object is of another type than Kubernetes and FSM have there.

    Yields:
        A path, what was expected, what is there; an absent value is null as well.
    """
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        where = (*path, key)
        if item is None:
            continue
        expected = _expected(key)
        if expected and not _fits(item, expected):
            yield where, expected, item
        elif isinstance(item, dict | list):
            yield from misfits(item, where)


def _fits(item: object, expected: str) -> bool:
    if expected == "a mapping":
        return isinstance(item, dict)
    return isinstance(item, list) and all(isinstance(one, _ITEMS[expected]) for one in item)


_ITEMS: Final[dict[str, Any]] = {
    "a list of mappings": dict,
    "a list of texts": str,
    "a list of values": (str, int),
}


def _expected(key: str | int) -> str:
    if key in _MAPPINGS:
        return "a mapping"
    if key in _OF_MAPPINGS:
        return "a list of mappings"
    if key in _OF_TEXTS:
        return "a list of texts"
    return "a list of values" if str(key).endswith(("ExclusionList", "InclusionList")) else ""
