"""Manifests edited as text: annotations moved or added, everything else as it was.

Comments, quotes, line ends and the byte order mark stay.
"""

from __future__ import annotations

import difflib
import json
import re
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.workloads.documents import BYTE_ORDER_MARK, json_text
from fsm_stack.workloads.insert import ALIAS, inserted
from fsm_stack.workloads.misplaced import misplaced_keys
from fsm_stack.workloads.objects import object_at
from fsm_stack.yaml.decode import decode_yaml
from fsm_stack.yaml.places import path_text, plain_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from fsm_stack.systems import System
    from fsm_stack.workloads.objects import Workload
    from fsm_stack.yaml.places import Path

_INDENT: Final = 2
_INDENTED: Final = re.compile(r"^( +)[^\s#-]", re.MULTILINE)
# Above this an edit takes longer than people wait: 50,000 characters a second.
CORRECTED_MAX: Final = 1 << 18
# Where ruamel keeps the comment behind a value.
_BEHIND: Final = 2
_QUOTED: Final = {
    **{chr(code): f"\\{code:03o}" for code in (*range(32), 127)},
    '"': '\\"',
    "\\": "\\\\",
}
_HUNK: Final = re.compile(r"([-+])([0-9]+)(?=[, ])")


def corrected(
    text: str, items: Iterable[Workload], system: System, *, bare: Collection[str] = ()
) -> str:
    """A document's text with what has one right form in it; comments stay.

    Misplaced annotations go into the pod template, and what YAML reads as no text into quotes.

    Args:
        text: the document, YAML.
        items: its workloads.
        system: whose annotations.
        bare: the paths of annotations that are no text.

    Raises:
        InputError: where the text has no layout that could be kept.
    """
    indent = _indent(text)
    text = _quoted(text, bare) if bare else text

    def move(target: Any, item: Workload) -> None:  # noqa: ANN401  # ruamel's tree
        from ruamel.yaml.scalarstring import ScalarString  # noqa: PLC0415  # as below

        for path, key in misplaced_keys(item, system):
            source = target
            for step in path:
                source = source[step]
            comments = source.ca.items.get(key)
            value = source.pop(key)
            if not source:
                _remove(target, path)
            found = _annotations(target, item)
            if key not in found:
                # ruamel reads YAML 1.2, where yes and no are texts; to Kubernetes they are not.
                read = object_at(item.manifest, path)[key]
                kept = isinstance(read, str) or isinstance(value, ScalarString)
                found[key] = value if kept else as_text(read)
                deeper = len(item.template) + len(path[-2:]) - len(path)
                _take_along(found, key, comments, columns=indent * deeper)

    # Of an object with several templates nobody knows which one was meant.
    wrong = tuple(item for item in items if item.count == 1 and misplaced_keys(item, system))
    if not wrong:
        return text
    written = edited_text(text, _each(wrong, move))
    sources = [(*item.path, *path) for item in wrong for path, _ in misplaced_keys(item, system)]
    _require_own(text, written, (*sources, *map(_annotations_path, wrong)))
    return written


def _quoted(text: str, paths: Collection[str]) -> str:
    """The text with the unquoted scalars at these paths in quotes, as they are written."""
    lines = text.splitlines(keepends=True)
    spots = [one for path, one in plain_texts(text).items() if path_text(path) in paths]
    for one in sorted(spots, key=lambda one: (one.line, one.column), reverse=True):
        line = lines[one.line]
        end = one.column + len(one.text)
        if one.text and line[one.column : end] == one.text:
            lines[one.line] = f'{line[: one.column]}"{one.text}"{line[end:]}'
    return "".join(lines)


def annotated(text: str, items: tuple[Workload, ...], annotations: Mapping[str, str]) -> str:
    """A document's text with these annotations on its workloads' pods; comments stay.

    Args:
        text: the document, YAML.
        items: its workloads.
        annotations: key to value; an existing value is replaced.

    Raises:
        InputError: where the text has no layout that could be kept.
    """

    def write(target: Any, item: Workload) -> None:  # noqa: ANN401  # ruamel's tree
        found = _annotations(target, item)
        for key, value in annotations.items():
            found[key] = as_text(value)

    if not items:
        return text
    mark, plain = _unmarked(text)
    windows = "\r\n" in plain
    unix = plain.replace("\r\n", "\n") if windows else plain
    new = inserted(unix, items, annotations, indent=_indent(unix))
    if new is None:
        written = edited_text(text, _each(items, write))
        _require_own(text, written, tuple(map(_annotations_path, items)))
        return written
    return mark + (new.replace("\n", "\r\n") if windows else new)


def _annotations_path(item: Workload) -> Path:
    return (*item.pod_path, "metadata", "annotations")


def _require_own(before: str, after: str, edited: tuple[Path, ...]) -> None:
    """Refuse an edit that an alias has carried to other places.

    Raises:
        InputError: something besides the edited places differs.
    """
    if not ALIAS.search(before):
        return
    # As JSON, so that nothing is shared any more.
    old, new = (
        json.loads(json.dumps(decode_yaml(_unmarked(text)[1]))) for text in (before, after)
    )
    for tree in (old, new):
        for path in edited:
            _cut(tree, path)
    if old != new:
        raise InputError(
            "an alias shares these annotations with another place: expected them written out in "
            "each place"
        )


def _cut(value: Any, path: Path) -> None:  # noqa: ANN401  # JSON
    """Take a value out, and what is empty without it."""
    step, *rest = path
    if isinstance(value, list) and isinstance(step, int):
        _cut(value[step], tuple(rest))
    elif isinstance(value, dict) and step in value:
        if rest:
            _cut(value[step], tuple(rest))
        if not rest or value[step] in ({}, None):
            del value[step]


def _unmarked(text: str) -> tuple[str, str]:
    """The byte order mark, and what follows it."""
    mark = text[: text.startswith(BYTE_ORDER_MARK)]
    return mark, text[len(mark) :]


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
        target, inner = _template(target, item)
        for number, step in enumerate(inner):
            if target.get(step) is None:
                target[step] = {}
            target = _mapping(target[step], inner[: number + 1], item)
        target |= annotations
    return json_text(value)


def as_diff(before: str, after: str, *, file: str, line: int = 1, behind: str = "") -> str:
    """A unified diff of two texts.

    Args:
        before: the one.
        after: the other.
        file: what both are called.
        line: where the texts start in their file; hunks are numbered from there.
        behind: the file's next line: without it, a change of the last line is one of the file's
            end, and applies nowhere else.
    """
    lines = difflib.unified_diff(
        (before + behind).splitlines(keepends=True),
        (after + behind).splitlines(keepends=True),
        fromfile=_patch_name(f"a/{file.lstrip('/')}"),
        tofile=_patch_name(f"b/{file.lstrip('/')}"),
    )

    def ended(text: str) -> str:
        return text if text.endswith("\n") else f"{text}\n\\ No newline at end of file\n"

    def moved(match: re.Match[str]) -> str:
        return f"{match[1]}{int(match[2]) + line - 1}"

    return "".join(
        _HUNK.sub(moved, text) if text.startswith("@@ ") else ended(text) for text in lines
    )


def _patch_name(name: str) -> str:
    """A file's name as patch and git apply read it, whatever is in it.

    Source: GNU diffutils, "Unusual Characters in File Names"; git, core.quotePath.
    """
    if any(character in _QUOTED for character in name):
        return '"' + "".join(_QUOTED.get(character, character) for character in name) + '"'
    return f"{name}\t" if " " in name else name


def _take_along(target: Any, key: str, comments: Any, *, columns: int) -> None:  # noqa: ANN401  # ruamel's
    """Put the comment behind a moved value behind it again, so many columns further right."""
    from ruamel.yaml.error import CommentMark  # noqa: PLC0415  # as below

    behind = comments[_BEHIND] if comments else None
    if behind is not None:
        behind.start_mark = CommentMark(behind.start_mark.column + columns)
        target.ca.items[key] = [None, None, behind, None]


def as_text(value: object) -> Any:  # noqa: ANN401  # ruamel's quoted text
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


def _annotations(target: Any, item: Workload) -> Any:  # noqa: ANN401  # ruamel's tree
    target, inner = _template(target, item)
    for number, step in enumerate(inner):
        if target.get(step) is None:
            target.pop(step, None)
            target.insert(0 if step == "metadata" else len(target), step, type(target)())
        target = _mapping(target[step], inner[: number + 1], item)
    return target


def _template(target: Any, item: Workload) -> tuple[Any, tuple[str, ...]]:  # noqa: ANN401  # a tree
    """What holds the last part of the way to a workload's annotations, and that part."""
    steps = (*item.template, "metadata", "annotations")
    last = max((at for at, step in enumerate(steps) if isinstance(step, int)), default=-1) + 1
    for step in steps[:last]:
        target = target[step]
    return target, tuple(map(str, steps[last:]))


def _mapping(value: Any, path: tuple[str, ...], item: Workload) -> Any:  # noqa: ANN401  # JSON
    if not isinstance(value, dict):
        kind = type(value).__name__
        raise InputError(f"{item.title}: {'.'.join(path)}: expected an object, got a {kind}")
    return value


def _each(
    items: Iterable[Workload], edit: Callable[[Any, Workload], None]
) -> Callable[[Any], None]:
    """An edit of the whole tree that edits each of its workloads."""
    known = tuple(items)

    def every(tree: Any) -> None:  # noqa: ANN401  # ruamel's tree
        for item in known:
            target = tree
            for step in item.path:
                target = target[step]
            edit(target, item)

    return every


def edited_text(text: str, edit: Callable[[Any], None]) -> str:
    """A YAML document's text after an edit of its tree, in the style that changes least of it.

    Args:
        text: the document.
        edit: changes the tree that ruamel reads.

    Raises:
        InputError: where the text has no layout that could be kept.
    """
    mark, plain = _unmarked(text)
    windows = "\r\n" in plain
    if windows:
        plain = plain.replace("\r\n", "\n")
    written = min(_in_styles(plain, edit), key=lambda one: len(as_diff(plain, one, file="")))
    if not plain.endswith("\n"):
        written = written.rstrip("\n")
    return mark + (written.replace("\n", "\r\n") if windows else written)


def _indent(text: str) -> int:
    """How far a key stands to the right of the one that it belongs to."""
    found = _INDENTED.search(text)
    return len(found[1]) if found else _INDENT


def _styles(text: str) -> Iterator[dict[str, int]]:
    """Sequences under their key, and sequences indented below it: what people and tools write."""
    for indent in {_indent(text): None, _INDENT: None}:
        yield {"mapping": indent, "sequence": 2, "offset": 0}
        yield {"mapping": indent, "sequence": indent + 2, "offset": indent}


def _in_styles(text: str, edit: Callable[[Any], None]) -> Iterator[str]:
    from ruamel.yaml import YAML  # noqa: PLC0415  # 40 ms; only corrections need it
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    for style in _styles(text):
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
        edit(tree)
        written = StringIO()
        editor.dump(tree, written)
        yield written.getvalue()
