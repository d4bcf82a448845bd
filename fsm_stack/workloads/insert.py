"""Annotations put into the text of manifests: lines are written over or put in, no other changes.

What a document's layout has no line for (brackets, aliases) is left to
:mod:`fsm_stack.workloads.edit`, which writes the whole document anew and takes ten times as long.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from fsm_stack.yaml.decode import DecodeError, compose, decode_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yaml.nodes import MappingNode, Node

    from fsm_stack.workloads.objects import Workload
    from fsm_stack.yaml.places import Path

ALIAS: Final = re.compile(r"[:\-\[,{][ \t]*\*[^\s*]")  # one text in two places
_PLAIN_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9./_-]*")


class _NoLineError(Exception):
    """The layout has no line to write over or to put one beside."""


@dataclass(slots=True, kw_only=True)
class _Edit:
    """A text by its lines, and the lines that come before some of them.

    Attributes:
        lines: with their ends; some are written over.
        new: what comes before a line, by its number from 0.
        indent: how far a key stands to the right of the one that it belongs to.
    """

    lines: list[str]
    new: dict[int, list[str]] = field(default_factory=dict)
    indent: int

    def append(self, line: int, added: list[str]) -> None:
        """Put lines behind a line."""
        self.new.setdefault(line + 1, []).extend(added)

    def text(self) -> str:
        """All of it."""
        if self.lines and not self.lines[-1].endswith("\n"):
            self.lines[-1] += "\n"
        numbered = enumerate([*self.lines, ""])
        return "".join("".join([*self.new.get(number, ()), line]) for number, line in numbered)


def inserted(
    text: str, items: tuple[Workload, ...], annotations: Mapping[str, str], *, indent: int
) -> str | None:
    """A document's text with these annotations on its workloads' pods.

    Args:
        text: the document, YAML with line ends of one character.
        items: its workloads.
        annotations: key to value; an existing value is replaced.
        indent: how far a key stands to the right of the one that it belongs to.

    Returns:
        None where the layout has no line for them: what comes out is decoded, and has to be what
        was meant.
    """
    if not all(map(_PLAIN_KEY.fullmatch, annotations)) or ALIAS.search(text):
        return None
    try:
        root = compose(text)
        lines = text.splitlines(keepends=True)
        if root is None or text.splitlines() != text.split("\n")[: len(lines)]:
            return None
        edit = _Edit(lines=lines, indent=indent)
        for item in items:
            _insert(root, item, annotations, edit)
        written = edit.text() if text.endswith("\n") else edit.text().rstrip("\n")
        meant = decode_yaml(text)
        for item in items:
            _mean(meant, item, annotations)
        return written if decode_yaml(written) == meant else None
    except (_NoLineError, DecodeError):
        return None


def _mean(value: Any, item: Workload, annotations: Mapping[str, str]) -> None:  # noqa: ANN401  # JSON
    for step in (*item.path, *item.template):
        value = value[step]
    for step in ("metadata", "annotations"):
        if value.get(step) is None:
            value[step] = {}
        value = value[step]
    value |= annotations


def _insert(root: Node, item: Workload, annotations: Mapping[str, str], edit: _Edit) -> None:
    template = _block(_at(root, (*item.path, *item.template)))
    metadata = _value(template, "metadata")
    if metadata is None:
        first = template.value[0][0].start_mark
        if edit.lines[first.line][: first.column].strip():
            raise _NoLineError
        column = first.column
        head = [_line(column, "metadata"), _line(column + edit.indent, "annotations")]
        added = [_line(column + 2 * edit.indent, key, value) for key, value in annotations.items()]
        edit.new.setdefault(first.line, [])[:0] = [*head, *added]
        return
    metadata = _block(metadata)
    column = metadata.value[0][0].start_mark.column
    known = _value(metadata, "annotations")
    if known is None:
        added = [_line(column + edit.indent, key, value) for key, value in annotations.items()]
        edit.append(_last_line(metadata, edit.lines), [_line(column, "annotations"), *added])
        return
    known = _block(known)
    column = known.value[0][0].start_mark.column
    rest = dict(annotations)
    for key_node, value_node in known.value:
        if key_node.value in rest:
            _write_over(value_node, rest.pop(key_node.value), edit.lines)
    added = [_line(column, key, value) for key, value in rest.items()]
    edit.append(_last_line(known, edit.lines), added)


def _line(column: int, key: str, value: str | None = None) -> str:
    return f"{' ' * column}{key}:{'' if value is None else f' {quoted(value)}'}\n"


def quoted(value: str) -> str:
    """A value that every reader takes for text."""
    return json.dumps(value, ensure_ascii=False)


def _write_over(node: Node, value: str, lines: list[str]) -> None:
    start, end = node.start_mark, node.end_mark
    if not isinstance(node, yaml.ScalarNode) or start.line != end.line or start == end:
        raise _NoLineError
    if node.value == value and node.tag == "tag:yaml.org,2002:str":
        return
    line = lines[start.line]
    lines[start.line] = f"{line[: start.column]}{quoted(value)}{line[end.column :]}"


def _at(node: Node | None, path: Path) -> Node | None:
    for step in path:
        if isinstance(step, int):
            if not isinstance(node, yaml.SequenceNode):
                raise _NoLineError
            node = node.value[step]
        else:
            node = _value(node, step)
    return node


def _value(node: Node | None, key: str) -> Node | None:
    if not isinstance(node, yaml.MappingNode):
        raise _NoLineError
    return next((value for known, value in node.value if known.value == key), None)


def _block(node: Node | None) -> MappingNode:
    if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
        raise _NoLineError
    return node


def _last_line(node: Node, lines: list[str]) -> int:
    """The last line of a value, without the comments and empty lines behind it."""
    while isinstance(node, yaml.MappingNode | yaml.SequenceNode) and not node.flow_style:
        last = node.value[-1] if node.value else None
        if last is None:
            break
        node = last[1] if isinstance(last, tuple) else last
    end = node.end_mark
    line = end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line
    while line > node.start_mark.line and not lines[line].strip():
        line -= 1
    return int(line)
