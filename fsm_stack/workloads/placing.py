"""Findings of a pod or an object, with their places in the document that it stands in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fsm_stack.findings.finding import Finding, ObjectName
    from fsm_stack.workloads.documents import Document
    from fsm_stack.yaml.decode import Path


def below(path: Path, name: ObjectName, found: Iterable[Finding]) -> list[Finding]:
    """Findings of an object, with its name, and their paths in its document."""
    prefix = path_text(path)
    return [item.at(object=name, path=_joined(prefix, item.place.path)) for item in found]


def _joined(prefix: str, path: str) -> str:
    if not path or path.startswith("namespace "):
        return path or prefix
    return f"{prefix}.{path}" if prefix else path


def placed(document: Document, found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings with file, line and column; lines are looked up only where there are any."""
    given = tuple(found)
    marks = _marks(document) if given else {}
    return tuple(_with_place(document, item, marks) for item in given)


def _marks(document: Document) -> dict[str, tuple[int, int]]:
    return {path_text(path): mark for path, mark in document.places().items()}


def _with_place(
    document: Document, found: Finding, marks: Mapping[str, tuple[int, int]]
) -> Finding:
    path = found.place.path
    mark = marks.get(path)
    while mark is None and path:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
        mark = marks.get(path)
    line, column = mark or (document.line, None)
    return found.at(file=document.file, line=line, column=column)
