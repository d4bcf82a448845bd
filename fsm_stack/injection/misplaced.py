"""Pod annotations on the object that owns the pods: found, and moved to the pod template."""

from __future__ import annotations

import difflib
import json
import re
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.findings import Finding, finding
from fsm_stack.injection.annotations import pod_keys
from fsm_stack.injection.documents import BYTE_ORDER_MARK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fsm_stack.injection.workload import Path, Workload
    from fsm_stack.systems import System

# Sequences under their key, and sequences indented below it: what people and tools write.
_STYLES: Final = (
    {"mapping": 2, "sequence": 2, "offset": 0},
    {"mapping": 2, "sequence": 4, "offset": 2},
)


# Where ruamel keeps the comment behind a value.
_BEHIND: Final = 2
_INDENT: Final = 2
_HUNK: Final = re.compile(r"([-+])([0-9]+)(?=[, ])")


def misplaced_keys(item: Workload, system: System) -> tuple[tuple[Path, str], ...]:
    """Annotations of pods that stand elsewhere in the object: the metadata's path, and the key."""
    if not item.template:
        return ()
    read = pod_keys(system)
    return tuple((path, key) for path, key in _annotated(item) if key in read)


def _annotated(item: Workload) -> Iterator[tuple[Path, str]]:
    """Every annotation above the pod template: the metadata's path, and the key."""
    for path in _above(item):
        value: Any = item.manifest
        for step in (*path, "metadata", "annotations"):
            value = value.get(step) if isinstance(value, dict) else None
        for key in value if isinstance(value, dict) else ():
            if isinstance(key, str):
                yield (*path, "metadata", "annotations"), key


def _above(item: Workload) -> tuple[Path, ...]:
    """The object itself, and a CronJob's job template."""
    return ((), ("spec", "jobTemplate")) if item.kind == "CronJob" else ((),)


def misplaced(item: Workload, system: System) -> Iterator[Finding]:
    """H14: each such annotation, with what to write instead."""
    if not item.template:
        return
    place = ".".join((*item.template, "metadata", "annotations"))
    for path, key in misplaced_keys(item, system):
        yield finding(
            "annotation-misplaced",
            f"annotation {key} stands on the {item.kind}, where nobody reads it",
            path=".".join(map(str, (*path, key))),
            value=key,
            fix=f"Move it to {place}.",
        )
    read = sorted(pod_keys(system))
    for path, key in _annotated(item):
        near = difflib.get_close_matches(key, read, n=1, cutoff=0.8)
        if near and key not in read and key.startswith(f"{system.annotation_prefix}/"):
            yield finding(
                "annotation-unknown",
                f"annotation {key}: no such annotation of {system.title}; did you mean {near[0]}?",
                path=".".join(map(str, (*path, key))),
                value=key,
                fix=f"Write {near[0]}, in {place}.",
            )


def corrected(text: str, item: Workload, system: System) -> str:
    """A document's text with its misplaced annotations in the pod template; comments stay.

    Args:
        text: the document, YAML.
        item: the workload with misplaced annotations.
        system: whose annotations.
    """
    keys = misplaced_keys(item, system)

    def move(target: Any) -> None:  # noqa: ANN401  # ruamel's tree
        for path, key in keys:
            source = target
            for step in path:
                source = source[step]
            comments = source.ca.items.get(key)
            value = source.pop(key)
            if not source:
                _remove(target, path)
            found = _annotations(target, item.template)
            if key not in found:
                found[key] = value if isinstance(value, str) else _as_text(value)
                deeper = len(item.template) + len(path[-2:]) - len(path)
                _take_along(found, key, comments, columns=_INDENT * deeper)

    return _edited(text, item.path, move)


def annotated(text: str, item: Workload, annotations: Mapping[str, str]) -> str:
    """A document's text with these annotations on a workload's pods; comments stay.

    Args:
        text: the document, YAML.
        item: the workload.
        annotations: key to value; an existing value is replaced.
    """

    def write(target: Any) -> None:  # noqa: ANN401  # ruamel's tree
        found = _annotations(target, item.template)
        for key, value in annotations.items():
            found[key] = _as_text(value)

    return _edited(text, item.path, write)


def annotated_json(value: Any, items: Iterable[Workload], annotations: Mapping[str, str]) -> str:  # noqa: ANN401  # JSON
    """The same for a document in JSON.

    Args:
        value: the decoded document, which is changed.
        items: its workloads.
        annotations: key to value.
    """
    for item in items:
        target = value
        for step in item.path:
            target = target[step]
        for step in (*item.template, "metadata", "annotations"):
            if target.get(step) is None:
                target[step] = {}
            target = target[step]
        target |= annotations
    return json.dumps(value, indent=4, ensure_ascii=False) + "\n"


def as_diff(before: str, after: str, *, file: str, line: int = 1) -> str:
    """A unified diff of two texts.

    Args:
        before: the one.
        after: the other.
        file: what both are called.
        line: where the texts start in their file; hunks are numbered from there.
    """
    name = file.lstrip("/")
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        fromfile=f"a/{name}",
        tofile=f"b/{name}",
    )

    def ended(text: str) -> str:
        return text if text.endswith("\n") else f"{text}\n\\ No newline at end of file\n"

    def moved(match: re.Match[str]) -> str:
        return f"{match[1]}{int(match[2]) + line - 1}"

    return "".join(
        _HUNK.sub(moved, text) if text.startswith("@@ ") else ended(text) for text in lines
    )


def _take_along(target: Any, key: str, comments: Any, *, columns: int) -> None:  # noqa: ANN401  # ruamel's
    """Put the comment behind a moved value behind it again, so many columns further right."""
    from ruamel.yaml.error import CommentMark  # noqa: PLC0415  # as below

    behind = comments[_BEHIND] if comments else None
    if behind is not None:
        behind.start_mark = CommentMark(behind.start_mark.column + columns)
        target.ca.items[key] = [None, None, behind, None]


def _as_text(value: object) -> Any:  # noqa: ANN401  # ruamel's quoted text
    """An annotation's value that YAML reads as something else, in quotes."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString  # noqa: PLC0415  # as below

    plain = {True: "true", False: "false", None: ""}
    text = plain[value] if value is None or isinstance(value, bool) else str(value)
    return DoubleQuotedScalarString(text)


def _remove(target: Any, path: Path) -> None:  # noqa: ANN401  # ruamel's tree
    parent = target
    for step in path[:-1]:
        parent = parent[step]
    del parent[path[-1]]


def _annotations(target: Any, template: tuple[str, ...]) -> Any:  # noqa: ANN401  # ruamel's tree
    for step in (*template, "metadata", "annotations"):
        if target.get(step) is None:
            target.pop(step, None)
            target.insert(0 if step == "metadata" else len(target), step, type(target)())
        target = target[step]
    return target


def _edited(text: str, path: Path, edit: Any) -> str:  # noqa: ANN401  # a function on ruamel's tree
    """The text after an edit, in the style that changes least of it.

    Raises:
        InputError: where the text has no layout that could be kept.
    """
    mark = text[: text.startswith(BYTE_ORDER_MARK)]
    plain = text.removeprefix(BYTE_ORDER_MARK)
    windows = "\r\n" in plain
    if windows:
        plain = plain.replace("\r\n", "\n")
    written = min(_in_styles(plain, path, edit), key=lambda one: len(as_diff(plain, one, file="")))
    if not plain.endswith("\n"):
        written = written.rstrip("\n")
    return mark + (written.replace("\n", "\r\n") if windows else written)


def _in_styles(text: str, path: Path, edit: Any) -> Iterator[str]:  # noqa: ANN401  # the same
    from ruamel.yaml import YAML  # noqa: PLC0415  # 40 ms; only corrections need it
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    for style in _STYLES:
        editor = YAML(typ="rt")
        editor.preserve_quotes = True
        editor.width = 2**31
        editor.brace_single_entry_mapping_in_flow_sequence = True  # as people write them
        editor.indent(**style)
        try:
            tree = editor.load(text)
        except (YAMLError, ValueError) as error:
            problem = str(error).splitlines()[0]
            raise InputError(f"cannot be edited with its layout kept: {problem}") from None
        target = tree
        for step in path:
            target = target[step]
        edit(target)
        written = StringIO()
        editor.dump(tree, written)
        yield written.getvalue()
