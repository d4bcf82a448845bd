"""One Kubernetes document's text to JSON types, at a bounded cost.

Composing YAML is recursive, in C: a deep document would end the whole process. So what looks deep
is counted first, event by event. What JSON cannot say (bytes, sets, infinity) is an error with its
line, here and nowhere else.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import yaml

from fsm_stack.yaml.places import MERGE, STR, TAG, line_too_deep

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode

    from fsm_stack.yaml.places import Path

MAX_DEPTH: Final = 100  # a pod template in a list has 20
# An alias may repeat what it names, but not beyond what a document could spell out.
MAX_VALUES: Final = 200_000
# Of a number's text: Kubernetes' longest has 20 digits, a float of 64 bits 24 characters.
_NUMBER_MAX: Final = 100
_MARKED_MAX: Final = 1 << 20  # places are found in documents up to this size
_TOO_DEEP: Final = (
    f"expected a Kubernetes document, this one is nested too deep (more than {MAX_DEPTH} levels)"
)
# What else can nest deeper than this: lines that begin far to the right, and runs of indicators.
_FLOW_MAX: Final = 50
# Text that may be a password stays untold: only what looks like a number is quoted, and of the
# parser's words not the names of aliases and tags.
_NUMERIC: Final = re.compile(
    r"(?i)[-+]?(\.(inf|nan)|0[xob][0-9a-f_]*|[-0-9._:tz]+(e[-+]?[0-9]*)?)"
)
_NAMED: Final = re.compile(r" '[^'<]{2,}'")
_DEEP_LINE: Final = re.compile(r"^ {60}|(?:[-?:][ \t]+){30}", re.MULTILINE)


class DecodeError(Exception):
    """A document that cannot be decoded, or only at unreasonable cost.

    Attributes:
        problem: what is wrong.
        line: where, counted from the document's first line; 0 is that line.
    """

    def __init__(self, problem: str, *, line: int = 0) -> None:
        self.problem = problem
        self.line = line
        super().__init__(problem)


class TooMuchError(DecodeError):
    """A document that nests too deep, or that aliases and merges make too large."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as Kubernetes' tools read it: a date is text; a key is text, and stands once.

    Source: sigs.k8s.io/yaml, yaml.go, convertToJSONableObject.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._most = MAX_VALUES + len(stream)
        self._merged = 0
        self._flat: set[int] = set()

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002  # PyYAML's signature
        if not isinstance(node, yaml.MappingNode):  # the text says !!map of something else
            raise _no_json(node)
        self.flatten_mapping(node)
        return {
            self._key(key_node): self.construct_object(value_node, deep=deep)
            for key_node, value_node in node.value
        }

    def _key(self, node: Node) -> str:
        """A key as text; null, a list and an object are none."""
        if node.tag in (STR, MERGE):
            return str(node.value)
        key = self.construct_object(node, deep=True)
        if isinstance(key, bool):
            return str(key).lower()
        if isinstance(key, str | int | float):
            return str(key)
        raise _no_document("a key is no text", node.start_mark.line)

    def flatten_mapping(self, node: MappingNode) -> None:
        """Put what ``<<`` names in its place, once a node, and within the document's budget."""
        if id(node) in self._flat:
            return
        self._flat.add(id(node))  # before its parents: it may be one of them
        own: dict[str, tuple[Node, Node]] = {}
        parents: list[Node] = []
        for pair in node.value:
            key = self._key(pair[0])
            if key in own:
                line = pair[0].start_mark.line
                raise DecodeError(f"expected each key once, got {key!r} again", line=line)
            own[key] = pair
            if pair[0].tag == MERGE:
                merged = pair[1]
                parents = merged.value if isinstance(merged, yaml.SequenceNode) else [merged]
        if parents:
            node.value = [pair for pair in own.values() if pair[0].tag != MERGE]
            node.value = [*self._pairs(parents), *node.value]

    def _pairs(self, parents: list[Node]) -> list[tuple[Node, Node]]:
        """Keys and values of what is merged; of equal keys the last one counts."""
        found: list[tuple[Node, Node]] = []
        for parent in reversed(parents):
            line = parent.start_mark.line
            if not isinstance(parent, yaml.MappingNode):
                raise _no_document("expected a mapping behind '<<'", line)
            self.flatten_mapping(parent)
            self._merged += 1 + len(parent.value)
            if self._merged > self._most:
                most = f"expected at most {self._most} values"
                raise TooMuchError(f"its merge keys repeat too much: {most}", line=line)
            found += parent.value
        return found

    def refuse(self, node: Node) -> None:
        """Bytes, sets, dates."""
        raise _no_json(node)

    def construct_yaml_null(self, node: ScalarNode) -> None:
        self._require_tag(node)

    def construct_yaml_bool(self, node: ScalarNode) -> bool:
        self._require_tag(node)
        return bool(super().construct_yaml_bool(node))

    def construct_yaml_int(self, node: ScalarNode) -> int:
        self._require_tag(node)
        try:
            return int(super().construct_yaml_int(node))
        except ValueError:  # "0x_" looks like a number
            raise _no_json(node) from None

    def construct_yaml_float(self, node: ScalarNode) -> float:
        self._require_tag(node)
        value = float(super().construct_yaml_float(node))
        if not isfinite(value):
            raise _no_json(node)
        return value

    def _require_tag(self, node: Node) -> None:
        """Refuse text that is not what its tag says, ``!!bool 5``, and endless numbers."""
        if not isinstance(node, yaml.ScalarNode) or len(node.value) > _NUMBER_MAX:
            raise _no_json(node)
        known = self.resolve(yaml.ScalarNode, node.value, (True, False))
        if known != node.tag and (known, node.tag) != (f"{TAG}int", f"{TAG}float"):
            raise _no_json(node)


def _kind(node: Node) -> str:
    return "mapping" if isinstance(node, yaml.MappingNode) else "list"


def _no_json(node: Node) -> DecodeError:
    shown = f" a {_kind(node)}"
    if isinstance(node, yaml.ScalarNode):
        shown = f" {node.value[:40]}" if _NUMERIC.fullmatch(node.value) else ""
    tag = node.tag.replace(TAG, "!!")
    problem = f"expected what JSON can say, got {tag}{shown}"
    return DecodeError(problem, line=node.start_mark.line)


# go-yaml, which kubectl reads with, knows no numbers to the base 60 either: 12:30 is text.
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, re.compile(rf"(?!\S*:){pattern.pattern}", pattern.flags))
        if tag.endswith((":int", ":float"))
        else (tag, pattern)
        for tag, pattern in known
        if not tag.endswith((":timestamp", ":value"))
    ]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


for _name in ("null", "bool", "int", "float"):
    _Loader.add_constructor(f"{TAG}{_name}", getattr(_Loader, f"construct_yaml_{_name}"))
for _name in ("binary", "omap", "pairs", "set", "timestamp", "value"):
    _Loader.add_constructor(f"{TAG}{_name}", _Loader.refuse)
_Loader.add_constructor(MERGE, _Loader.construct_yaml_str)  # "<<" that is a value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        again = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # it adds
        raise ValueError(f"expected each key once, got {again!r} again")
    return found


def _number(text: str) -> float:
    value = float(text) if len(text) <= _NUMBER_MAX else None
    if value is None or not isfinite(value):
        raise ValueError(f"expected a number that JSON can say, got {text[:40]}")
    return value


def _integer(text: str) -> int:
    if len(text) > _NUMBER_MAX:
        raise ValueError(f"expected a number of at most {_NUMBER_MAX} digits")
    return int(text)


_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")  # of a character that UTF-16 writes as two


class _Json(json.JSONDecoder):
    """JSON's decoder, for text that is text."""

    def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
        """The value that begins there, and where it ends."""
        value, end = super().raw_decode(s, idx)
        if _HALF.search(s, idx, end):
            try:
                json.dumps(value, ensure_ascii=False).encode()
            except UnicodeEncodeError:
                raise ValueError("expected Unicode, got half of a character's escape") from None
        return value, end


# JSON that every reader reads alike: each key once, no NaN, no numbers of thousands of digits.
JSON: Final = _Json(
    object_pairs_hook=_unique, parse_constant=_number, parse_float=_number, parse_int=_integer
)


def decode_json(text: str) -> Any:  # noqa: ANN401  # decoded JSON
    """A JSON value.

    Raises:
        DecodeError: it is nested too deep.
        ValueError: it is no JSON, or a key stands twice; it may be YAML in flow style.
    """
    try:
        return JSON.decode(text)
    except RecursionError:
        raise too_deep() from None


def decode_yaml(text: str) -> Any:  # noqa: ANN401  # decoded YAML
    """A YAML document.

    Raises:
        DecodeError: with the place.
    """
    try:
        _check_depth(text)
        value = yaml.load(text, Loader=_Loader)  # noqa: S506  # a safe loader's subclass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "unreadable"
        raise _no_document(problem, mark.line if mark else 0) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position)
        raise _no_document(str(error).splitlines()[0], line) from None
    except RecursionError:
        raise too_deep() from None
    if "*" in text:
        _check_aliases(value, MAX_VALUES + len(text))
    return value


def _no_document(problem: str, line: int = 0) -> DecodeError:
    problem = _NAMED.sub("", problem)
    return DecodeError(f"expected YAML or JSON: {problem}", line=line)


def too_deep() -> TooMuchError:
    """The error of what is too deep to be decoded, or to be worked on."""
    return TooMuchError(_TOO_DEEP)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= _FLOW_MAX and not _DEEP_LINE.search(text):
        return
    if line := line_too_deep(text, MAX_DEPTH):
        raise TooMuchError(_TOO_DEEP, line=line - 1)


def _check_aliases(value: object, most: int) -> None:
    budget = most
    stack: list[tuple[object, int]] = [(value, 0)]
    while stack:
        item, depth = stack.pop()
        budget -= 1
        if depth > MAX_DEPTH:
            raise too_deep()
        if budget < 0:
            raise TooMuchError(f"its aliases repeat too much: expected at most {most} values")
        if isinstance(item, dict):
            stack.extend((child, depth + 1) for child in item.values())
        elif isinstance(item, list):
            stack.extend((child, depth + 1) for child in item)


def compose(text: str) -> Node | None:
    """A document's nodes, with their places; None: it is none, or has none."""
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError:
        return None


def places(text: str, first: int) -> dict[Path, tuple[int, int]]:
    """Line and column of every value's key, or of the value itself in a list.

    Args:
        text: a document that was decoded before.
        first: the number of its first line.
    """
    if len(text) > _MARKED_MAX:
        return {}
    root = compose(text)
    found: dict[Path, tuple[int, int]] = {}
    if root is not None:
        _mark(root, (), first, found)
    return found


def _mark(node: Node, path: Path, first: int, found: dict[Path, tuple[int, int]]) -> None:
    if len(path) > MAX_DEPTH or len(found) > MAX_VALUES:
        return
    found.setdefault(path, (first + node.start_mark.line, node.start_mark.column + 1))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            step = (*path, str(key.value))
            found.setdefault(step, (first + key.start_mark.line, key.start_mark.column + 1))
            _mark(value, step, first, found)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _mark(value, (*path, index), first, found)
