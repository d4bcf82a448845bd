"""Labels and annotations of manifests under other names, everything else as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fsm_stack.workloads.documents import json_text
from fsm_stack.workloads.edit import as_text, edited_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fsm_stack.yaml.places import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """A label or annotation that gets another name, or goes.

    Attributes:
        path: where ``metadata`` is in the document.
        part: ``labels`` or ``annotations``; empty: the new one is added.
        key: the old one.
        to_part: the new one's; empty: the old one goes.
        to_key: the new one.
        value: the new one's.
    """

    path: Path
    part: str
    key: str
    to_part: str = ""
    to_key: str = ""
    value: str = ""


def rekeyed(
    text: str, changes: Iterable[KeyChange], versions: Mapping[Path, str] | None = None
) -> str:
    """A document's text with labels and annotations under other names; comments stay.

    Args:
        text: the document, YAML.
        changes: in their order.
        versions: new ``apiVersion`` of objects, by their paths.

    Raises:
        InputError: where the text has no layout that could be kept.
    """
    known = tuple(changes)

    def change(tree: Any) -> None:  # noqa: ANN401  # ruamel's tree
        for path, version in (versions or {}).items():
            _at(tree, path)["apiVersion"] = version
        for one in known:
            _rekey(_at(tree, (*one.path, "metadata")), one)

    return edited_text(text, change) if known or versions else text


def rekeyed_json(
    value: Any,  # noqa: ANN401  # JSON
    changes: Iterable[KeyChange],
    versions: Mapping[Path, str] | None = None,
) -> str:
    """The same for a document in JSON, which is changed."""
    for path, version in (versions or {}).items():
        _at(value, path)["apiVersion"] = version
    for one in changes:
        metadata = _at(value, (*one.path, "metadata"))
        if one.part:
            del metadata[one.part][one.key]
        if one.to_part:
            metadata.setdefault(one.to_part, {})[one.to_key] = one.value
        if one.part and not metadata[one.part]:
            del metadata[one.part]
    return json_text(value)


def _at(tree: Any, path: Path) -> Any:  # noqa: ANN401  # ruamel's tree
    for step in path:
        tree = tree[step]
    return tree


def _rekey(metadata: Any, one: KeyChange) -> None:  # noqa: ANN401  # ruamel's tree
    found: Any = metadata[one.part] if one.part else {}
    place, comments = None, None
    if one.part:
        place = list(found).index(one.key)
        comments = found.ca.items.pop(one.key, None)
        del found[one.key]
    if one.to_part:
        if one.to_part not in metadata:
            metadata[one.to_part] = type(metadata)()
        target = metadata[one.to_part]
        if place is None or one.to_part != one.part:
            place = len(target)
        target.insert(place, one.to_key, as_text(one.value))
        if comments is not None:
            target.ca.items[one.to_key] = _behind(comments)
    if one.part and not found:
        del metadata[one.part]


def _behind(comments: Any) -> Any:  # noqa: ANN401  # ruamel's
    """Comments of a key, the one behind its value right behind the new value."""
    from ruamel.yaml.error import CommentMark  # noqa: PLC0415  # 40 ms; only edits need it

    for comment in comments:
        if comment is not None and hasattr(comment, "start_mark"):
            comment.start_mark = CommentMark(0)
    return comments
