"""Decoded documents as trees: every place in one, and the same document with one place changed."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every value's path, the inner ones too; the root's is left out."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


def changed(value: Any, path: Path, new: Any) -> Any:
    """A copy with another value at a path."""
    found = copy.deepcopy(value)
    target = found
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = new
    return found


def renamed(value: Any, path: Path, new: str) -> Any:
    """A copy with another key at a path; the same one where the path ends in an index."""
    found = copy.deepcopy(value)
    target = found
    for step in path[:-1]:
        target = target[step]
    if isinstance(target, dict):
        target[new] = target.pop(path[-1])
    return found


def at(value: Any, path: Path) -> Any:
    """The value at a path."""
    for step in path:
        value = value[step]
    return value
