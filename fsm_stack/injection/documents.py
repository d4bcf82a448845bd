"""Streams of Kubernetes documents: split as text, decoded one by one, within bounds.

What is not changed passes through as the text that it is, byte for byte.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import yaml

from fsm_stack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from yaml.nodes import Node

# One document: a list of 10,000 pods has 20 MB. What is longer is no Kubernetes object.
MAX_CHARACTERS: Final = 1 << 26
MAX_DEPTH: Final = 100  # a pod template in a list has 20
# An alias may repeat what it names, but not beyond what a document could spell out.
MAX_VALUES: Final = 200_000
_MARKED_MAX: Final = 1 << 20  # places are found in documents up to this size

# Only documents with one of these words can hold a workload or a namespace.
_OF_INTEREST: Final = re.compile(
    "Pod|Deployment|StatefulSet|DaemonSet|Replica|Replication|Job|List|Namespace"
)
_RUN: Final = re.compile(r"(?:[-?:][ \t]+){100}|^[ ]{2000}", re.MULTILINE)
_BRACKETS: Final = re.compile(r"[\[\]{}]")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as Kubernetes' tools read it: a date is text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if not tag.endswith(":timestamp")]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a stream.

    Attributes:
        file: the stream's name.
        line: of its first line, from 1.
        lead: the marker line before it, ``---``; "" where there is none.
        text: what follows, up to the next marker.
    """

    file: str
    line: int
    lead: str
    text: str

    @property
    def form(self) -> Literal["json", "yaml"]:
        """JSON when its first character says so; YAML's flow style is written as JSON then."""
        return "json" if self.text.lstrip()[:1] in {"{", "["} else "yaml"

    @property
    def source(self) -> str:
        """The document as it was read."""
        return self.lead + self.text

    def of_interest(self) -> bool:
        """Whether it can hold a workload or a namespace at all; False needs no decoding."""
        return _OF_INTEREST.search(self.text) is not None

    def load(self) -> Any:  # noqa: ANN401  # decoded YAML or JSON
        """The decoded document.

        Raises:
            InputError: when it cannot be decoded, or only at unreasonable cost.
        """
        self._check_depth()
        if self.form == "json":
            try:
                return json.loads(self.text)
            except RecursionError:
                raise self._too("deep") from None
            except ValueError:
                pass  # YAML in flow style, or broken: YAML's message has the place
        try:
            value = yaml.load(self.text, Loader=_Loader)  # noqa: S506  # a safe loader's subclass
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = self.line + (mark.line if mark else 0)
            problem = error.problem or error.context or "unreadable"
            raise InputError(f"{self.file}:{line}: expected YAML or JSON: {problem}") from None
        except (yaml.YAMLError, ValueError) as error:
            problem = str(error).splitlines()[0]
            message = f"{self.file}:{self.line}: expected YAML or JSON: {problem}"
            raise InputError(message) from None
        except (TypeError, RecursionError):
            raise self._too("deep") from None
        if "*" in self.text:
            self._check_aliases(value)
        return value

    def places(self) -> dict[Path, tuple[int, int]]:
        """Line and column of every value's key, or of the value itself in a list."""
        if len(self.text) > _MARKED_MAX:
            return {}
        try:
            root = yaml.compose(self.text, Loader=_Loader)
        except yaml.YAMLError:
            return {}
        found: dict[Path, tuple[int, int]] = {}
        if root is not None:
            _mark(root, (), self.line, found)
        return found

    def _too(self, what: str) -> InputError:
        return InputError(
            f"{self.file}:{self.line}: expected a Kubernetes document, this one is nested too "
            f"{what} (more than {MAX_DEPTH} levels)"
        )

    def _check_depth(self) -> None:
        depth = 0
        if self.text.count("[") + self.text.count("{") > MAX_DEPTH:
            for match in _BRACKETS.finditer(self.text):
                depth += 1 if match.group() in "[{" else -1
                if depth > MAX_DEPTH * 2:  # brackets in texts count too
                    raise self._too("deep")
                depth = max(depth, 0)
        if _RUN.search(self.text):
            raise self._too("deep")

    def _check_aliases(self, value: object) -> None:
        budget = MAX_VALUES + len(self.text)
        stack: list[tuple[object, int]] = [(value, 0)]
        while stack:
            item, depth = stack.pop()
            budget -= 1
            if depth > MAX_DEPTH:
                raise self._too("deep")
            if budget < 0:
                raise InputError(
                    f"{self.file}:{self.line}: its aliases repeat too much: expected at most "
                    f"{MAX_VALUES + len(self.text)} values"
                )
            if isinstance(item, dict):
                stack.extend((child, depth + 1) for child in item.values())
            elif isinstance(item, list):
                stack.extend((child, depth + 1) for child in item)


Path = tuple[str | int, ...]


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


def split(lines: Iterable[str], *, file: str) -> Iterator[Document]:
    """The documents of a stream; joined, their sources are the stream.

    Args:
        lines: the stream, line by line, with line ends; only one document is held at a time.
        file: its name, for messages.

    Raises:
        InputError: for a document that is too large.
    """
    lead, line, size = "", 1, 0
    body: list[str] = []
    for number, text in enumerate(lines, start=1):
        if text.startswith("---") and (len(text) == 3 or text[3] in " \t\r\n"):  # noqa: PLR2004
            if lead or body:
                yield Document(file=file, line=line, lead=lead, text="".join(body))
            lead, body, size = text[:3], [text[3:]], 0
            line = number
            if not text[3:].strip():
                lead, body, line = text, [], number + 1
            continue
        body.append(text)
        size += len(text)
        if size > MAX_CHARACTERS:
            raise InputError(
                f"{file}:{line}: expected at most {MAX_CHARACTERS} characters in one document"
            )
    if lead or body:
        yield Document(file=file, line=line, lead=lead, text="".join(body))
