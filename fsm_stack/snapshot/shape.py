"""A shape says which parts of decoded JSON are kept: everything else stays out."""

from __future__ import annotations

from typing import Any

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
