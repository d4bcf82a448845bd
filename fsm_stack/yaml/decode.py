"""One Kubernetes document's text to JSON types, at a bounded cost.

Composing YAML is recursive, in C: a deep document would end the whole process. So what looks deep
is counted first, event by event.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import yaml
from pydantic_core import from_json

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node

Path = tuple[str | int, ...]

MAX_DEPTH: Final = 100  # a pod template in a list has 20
# An alias may repeat what it names, but not beyond what a document could spell out.
MAX_VALUES: Final = 200_000
_MARKED_MAX: Final = 1 << 20  # places are found in documents up to this size
_TOO_DEEP: Final = (
    f"expected a Kubernetes document, this one is nested too deep (more than {MAX_DEPTH} levels)"
)
# What else can nest deeper than this: lines that begin far to the right, and runs of indicators.
_FLOW_MAX: Final = 50
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


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as Kubernetes' tools read it: a date is text, a key stands once."""

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  # PyYAML's signature
        own = node.value  # merged keys come into another list
        found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        if len(found) != len(node.value):
            self._check_unique(own)
        return found

    def _check_unique(self, own: list[tuple[Node, Node]]) -> None:
        seen: set[Any] = set()
        for key_node, _ in own:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line
                raise DecodeError(f"expected each key once, got {key!r} again", line=line)
            seen.add(key)


# go-yaml, which kubectl reads with, knows no numbers to the base 60 either: 12:30 is text.
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, re.compile(rf"(?!\S*:){pattern.pattern}", pattern.flags))
        if tag.endswith((":int", ":float"))
        else (tag, pattern)
        for tag, pattern in known
        if not tag.endswith(":timestamp")
    ]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def decode_json(text: str) -> Any:  # noqa: ANN401  # decoded JSON
    """A JSON value.

    Raises:
        DecodeError: it is nested too deep.
        ValueError: it is no JSON; it may be YAML in flow style.
    """
    try:
        return from_json(text)  # half of json's time
    except ValueError:  # json takes deeper values and half a surrogate pair; its errors are known
        try:
            return json.loads(text)
        except RecursionError:
            raise DecodeError(_TOO_DEEP) from None


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
    except ValueError as error:  # a number of more digits than Python reads
        raise _no_document(str(error).splitlines()[0]) from None
    except RecursionError:
        raise DecodeError(_TOO_DEEP) from None
    except TypeError:  # a key that is a list or an object
        raise _no_document("a key is no text") from None
    if "*" in text:
        _check_aliases(value, MAX_VALUES + len(text))
    return value


def _no_document(problem: str, line: int = 0) -> DecodeError:
    return DecodeError(f"expected YAML or JSON: {problem}", line=line)


def too_deep() -> DecodeError:
    """The error of a value that was decoded, and is still too deep to be worked on."""
    return DecodeError(_TOO_DEEP)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= _FLOW_MAX and not _DEEP_LINE.search(text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise DecodeError(_TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_aliases(value: object, most: int) -> None:
    budget = most
    stack: list[tuple[object, int]] = [(value, 0)]
    while stack:
        item, depth = stack.pop()
        budget -= 1
        if depth > MAX_DEPTH:
            raise DecodeError(_TOO_DEEP)
        if budget < 0:
            raise DecodeError(f"its aliases repeat too much: expected at most {most} values")
        if isinstance(item, dict):
            stack.extend((child, depth + 1) for child in item.values())
        elif isinstance(item, list):
            stack.extend((child, depth + 1) for child in item)


def places(text: str, first: int) -> dict[Path, tuple[int, int]]:
    """Line and column of every value's key, or of the value itself in a list.

    Args:
        text: a document that was decoded before.
        first: the number of its first line.
    """
    if len(text) > _MARKED_MAX:
        return {}
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError:
        return {}
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
