"""YAML text to plain data with the place of every key and value.

Reading stops at nothing that can be reported: each problem is a finding with its line, and the
rest is still read. Aliases are followed, within a bound; tags and non-text keys are not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml

from fsm_stack.errors import InputError
from fsm_stack.findings.finding import Finding, Place, finding
from fsm_stack.yaml.scalars import Unclear, agreed, old_scalar

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode

Path = tuple[str | int, ...]

MAX_BYTES: Final = 1 << 20
MAX_VALUES: Final = 50_000  # of a converted document; an alias bomb has more
MAX_DEPTH: Final = 40

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Final = yaml.SafeLoader("")  # of a text that names no type
TAG: Final = "tag:yaml.org,2002:"
STR: Final = f"{TAG}str"
MERGE: Final = f"{TAG}merge"
_ON_OFF: Final = frozenset({"on", "On", "ON", "off", "Off", "OFF"})
_SCALARS: Final = ("str", "int", "float", "bool", "null", "timestamp", "value", "merge")
_PLAIN_TAGS: Final = frozenset(f"{TAG}{name}" for name in (*_SCALARS, "map", "seq"))


def path_text(path: Path) -> str:
    """``("traffic", "ports", 2)`` as ``traffic.ports[2]``."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        else:
            parts.append(f".{step}" if parts else step)
    return "".join(parts)


@dataclass(slots=True)
class Document:
    """A converted document.

    Attributes:
        data: JSON types only.
        marks: 1-based line and column of each value.
        keys: 1-based line and column of each key of a mapping.
        texts: each value that is no text, as it is written: 1.10, 0123.
        findings: what could not be read, with places.
    """

    file: str
    data: Any = None
    marks: dict[Path, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    values: int = 0

    def place(self, path: Path, *, of_key: bool = False) -> Place:
        """Where a path is; the nearest parent that the text has, for what is absent."""
        shown = path_text(path)
        probe = path
        while True:
            mark = (self.keys if of_key else self.marks).get(probe) or self.marks.get(probe)
            if mark is not None or not probe:
                line, column = mark or (None, None)
                return Place(file=self.file, line=line, column=column, path=shown)
            probe = probe[:-1]


def read_yaml(text: str, *, file: str) -> Document:
    """Convert one YAML document.

    Args:
        text: the whole text.
        file: its name, for places.

    Raises:
        InputError: the text is no YAML, holds several documents, or is too large or too deep.
    """
    if len(text) > MAX_BYTES:
        raise InputError(f"{file}: expected at most {MAX_BYTES} characters, got {len(text)}")
    try:
        if line := line_too_deep(text, MAX_DEPTH):
            raise InputError(f"{file}:{line}: expected at most {MAX_DEPTH} levels of nesting")
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem = error.problem or error.context or "unreadable"
        raise InputError(f"{file}{where}: expected one YAML document: {problem}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{file}: expected a YAML document: {error}") from None
    document = Document(file=file)
    if root is not None:
        document.data = _convert(root, (), document, depth=0)
    return document


def line_too_deep(text: str, most: int) -> int | None:
    """The line, from 1, of the first value that nests deeper; None where none does.

    Composing is recursive, in C: a deep document would end the whole process.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > most:
                return int(event.start_mark.line) + 1  # type: ignore[union-attr]  # stubs doubt it
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


class Plain(NamedTuple):
    """An unquoted scalar: as it is written, and where, line and column from 0."""

    text: str
    line: int
    column: int


def plain_texts(text: str) -> dict[Path, Plain]:
    """Each unquoted scalar of a YAML text that was decoded before.

    Without on and off: quoted, these are no switch's values any more.
    """
    found: dict[Path, Plain] = {}

    def take(node: Node | None, path: Path) -> None:
        if len(path) > MAX_DEPTH or len(found) > MAX_VALUES:
            return
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                take(value, (*path, str(key.value)))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                take(value, (*path, index))
        elif isinstance(node, yaml.ScalarNode) and not node.style and node.value not in _ON_OFF:
            mark = node.start_mark
            found.setdefault(path, Plain(str(node.value), mark.line, mark.column))

    take(yaml.compose(text, Loader=_LOADER), ())
    return found


def _mark(node: Node) -> tuple[int, int]:
    return (node.start_mark.line + 1, node.start_mark.column + 1)


def _convert(node: Node, path: Path, document: Document, *, depth: int) -> Any:  # noqa: ANN401  # JSON
    document.marks.setdefault(path, _mark(node))
    document.values += 1
    if document.values > MAX_VALUES or depth > MAX_DEPTH:
        line, column = _mark(node)
        values = f"{MAX_VALUES} values, aliases expanded"
        most = values if document.values > MAX_VALUES else f"{MAX_DEPTH} levels of nesting"
        raise InputError(f"{document.file}:{line}:{column}: expected at most {most}")
    if node.tag not in _PLAIN_TAGS:
        _report(document, "ambiguous-scalar", path, f"expected no YAML tag, got {_tag(node)}")
        return None
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [
            _convert(item, (*path, index), document, depth=depth + 1)
            for index, item in enumerate(node.value)
        ]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document, depth=depth)
    raise AssertionError(node)  # compose makes no other nodes


def _tag(node: Node) -> str:
    """``!!int``; of YAML's own only: another one may be a password that begins with !."""
    known, _, name = node.tag.rpartition(":")
    return f"!!{name}" if known == "tag:yaml.org,2002" else "one of its own"


def _scalar(node: ScalarNode, path: Path, document: Document) -> Any:  # noqa: ANN401  # JSON
    text = str(node.value)
    if _tagged(node, text):
        _report(document, "ambiguous-scalar", path, f"expected no YAML tag, got {_tag(node)}")
        return None
    # A plain scalar has no style; its tag is then one reader's guess, and decides nothing.
    value = text if node.style else agreed(text)
    if isinstance(value, Unclear):
        _report(
            document,
            "ambiguous-scalar",
            path,
            f"expected a scalar that every YAML reader sees alike, got {text}: {value.what}",
            value=text,
            fix=value.fix or f'Quote it: "{text}".',
        )
        return None
    if not isinstance(value, str):
        document.texts[path] = text
    return value


def _tagged(node: ScalarNode, text: str) -> bool:
    """Whether the text itself names a type, which only some readers honour."""
    if node.style:
        return bool(node.tag != STR)
    if node.tag == STR:
        return not isinstance(old_scalar(text), str)
    resolved = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # stubs lack it
    return bool(node.tag != resolved)


def _mapping(node: MappingNode, path: Path, document: Document, *, depth: int) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if key_node.tag == MERGE:
            parents = (
                value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            )
            for parent in parents:
                found = _convert(parent, path, document, depth=depth + 1)
                if isinstance(found, dict):
                    for key, value in found.items():
                        merged.setdefault(key, value)
                else:
                    _report(document, "wrong-type", path, "expected a mapping behind '<<'")
            continue
        if not isinstance(key_node, yaml.ScalarNode):
            _report(
                document, "wrong-type", path, "expected text as a key, got a list or a mapping"
            )
            continue
        key = str(key_node.value)
        here = (*path, key)
        if key in own:
            first = document.keys[here][0]
            document.keys[here] = _mark(key_node)
            _report(
                document,
                "duplicate-key",
                here,
                f"expected each key once, got {key!r} again; it is first on line {first}",
                of_key=True,
            )
            continue
        document.keys[here] = _mark(key_node)
        document.marks[here] = _mark(value_node)
        own[key] = _convert(value_node, here, document, depth=depth + 1)
    return {**merged, **own}


def _report(
    document: Document,
    rule_id: str,
    path: Path,
    message: str,
    *,
    value: object = None,
    fix: str = "",
    of_key: bool = False,
) -> None:
    place = document.place(path, of_key=of_key)
    document.findings.append(
        finding(rule_id, message, value=value, fix=fix).at(
            file=place.file, line=place.line, column=place.column, path=place.path
        )
    )
