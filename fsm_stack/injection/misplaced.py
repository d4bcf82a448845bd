"""Pod annotations on the object that owns the pods: found, and moved to the pod template."""

from __future__ import annotations

import difflib
import re
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings import Finding, finding
from fsm_stack.injection.annotations import pod_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.injection.workload import Path, Workload
    from fsm_stack.systems import System

# Sequences under their key, and sequences indented below it: what people and tools write.
_STYLES: Final = (
    {"mapping": 2, "sequence": 2, "offset": 0},
    {"mapping": 2, "sequence": 4, "offset": 2},
)


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
            value = source.pop(key)
            if not source:
                _remove(target, path)
            _annotations(target, item.template).setdefault(key, value)

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
            found[key] = value

    return _edited(text, item.path, write)


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

    def moved(match: re.Match[str]) -> str:
        return f"{match[1]}{int(match[2]) + line - 1}"

    return "".join(
        (_HUNK.sub(moved, text) if text.startswith("@@ ") else text).rstrip("\n") + "\n"
        for text in lines
    )


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
    """The text after an edit, in the style that changes least of it."""
    from ruamel.yaml import YAML  # noqa: PLC0415  # 40 ms, and only a correction needs it

    best = ""
    best_size = None
    for style in _STYLES:
        editor = YAML(typ="rt")
        editor.preserve_quotes = True
        editor.width = 2**31
        editor.brace_single_entry_mapping_in_flow_sequence = True  # as people write them
        editor.indent(**style)
        tree = editor.load(text)
        target = tree
        for step in path:
            target = target[step]
        edit(target)
        written = StringIO()
        editor.dump(tree, written)
        size = len(as_diff(text, written.getvalue(), file=""))
        if best_size is None or size < best_size:
            best, best_size = written.getvalue(), size
    return best
