"""Streams of Kubernetes documents, within bounds.

What is not changed passes through as the text that it is, byte for byte.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from fsm_stack.errors import InputError
from fsm_stack.findings.finding import harmless
from fsm_stack.yaml import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.yaml.decode import DecodeError
    from fsm_stack.yaml.places import Path

# One document: a list of 10,000 pods has 20 MB. What is longer is no Kubernetes object.
MAX_CHARACTERS: Final = 1 << 26
BYTE_ORDER_MARK: Final = "\ufeff"

# What stands for a value until a tool or a reader of the documentation fills it in: of the
# shell's, Helm's and Jinja's, ERB's, sed's and autoconf's ways. The end of each is near its
# beginning, and no other begins inside: a text of beginnings alone is searched in linear time.
_INSIDE: Final = r"{0,200}"
PLACEHOLDER: Final = re.compile(
    rf"\{{\{{[^{{}}]{_INSIDE}\}}\}}|\$\{{[^${{}}]{_INSIDE}\}}|\$\([^$()]{_INSIDE}\)|\$[A-Za-z_]\w*"
    rf"|<%[^<>]{_INSIDE}%>|<[A-Za-z][\w .-]{_INSIDE}>|%%?[A-Z_][A-Z0-9_]*%%?"
    r"|@[A-Z_][A-Z0-9_]*@|\b__[A-Z][A-Z0-9_]*__\b"
)
# One of these is in each of them.
_MARKS: Final = ("$", "{{", "<", "%", "@", "__")
# Only documents with one of these words can hold a workload or a namespace.
_OF_INTEREST: Final = re.compile(
    "Pod|Deployment|StatefulSet|DaemonSet|Repl|Job|List|Namespace|VirtualMachine|ResourceQuota"
    "|containers|LimitRange"
)
_SERVICE: Final = re.compile(
    r"^[\s\"']*kind[\"']?:[ \t]*[\"']?Service[\"']?[ \t\r,]*$", re.MULTILINE
)
# Two JSON values one after the other, as several calls of kubectl print them. Inside of a value
# there is a comma between two objects, and a text holds no line break.
_NEXT_VALUE: Final = re.compile(r"(?<=\})[ \t]*\r?\n\s*(?=\{)")
_INNER: Final = " " * 8
_EMPTY: Final = '\n    "items": []'


class NotRenderedError(InputError):
    """A document that is a template's source, and no YAML before it is rendered.

    Attributes:
        problem: what is not rendered, and what to do.
        line: where, in the file.
    """

    def __init__(self, file: str, line: int, action: str) -> None:
        self.line = line
        self.problem = (
            f"{harmless(action, limit=60)} is not rendered: render the template first, with "
            "helm template or the tool that it is for"
        )
        super().__init__(f"{file}:{line}: {self.problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a stream.

    Attributes:
        file: the stream's name.
        line: of its first line, from 1.
        lead: the marker line before it, ``---``; "" where there is none.
        text: what follows, up to the next marker.
        behind: the next marker's line; "" at the stream's end.
    """

    file: str
    line: int
    lead: str
    text: str
    behind: str = ""

    @property
    def form(self) -> Literal["json", "yaml"]:
        """JSON when its first character says so; YAML's flow style is written as JSON then."""
        return "json" if self._plain.lstrip()[:1] in {"{", "["} else "yaml"

    @property
    def source(self) -> str:
        """The document as it was read."""
        return self.lead + self.text

    @property
    def _plain(self) -> str:
        return self.text.removeprefix(BYTE_ORDER_MARK)

    def of_interest(self) -> bool:
        """Whether it can hold a workload or a namespace at all; False needs no decoding."""
        return _OF_INTEREST.search(self.text) is not None

    def may_be_service(self) -> bool:
        """Whether it can hold a Service."""
        return _SERVICE.search(self.text) is not None

    def may_be_unrendered(self) -> bool:
        """Whether a placeholder can be in it at all."""
        return any(mark in self.text for mark in _MARKS)

    def load(self) -> Any:  # noqa: ANN401  # decoded YAML or JSON
        """The decoded document.

        Raises:
            NotRenderedError: when it is a template's source.
            InputError: when it cannot be decoded, or only at unreasonable cost.
        """
        try:
            if self.form == "json":
                try:
                    return decode.decode_json(self._plain)
                except ValueError:
                    pass  # YAML in flow style, or broken: YAML's message has the place
            return decode.decode_yaml(self.text)
        except decode.DecodeError as error:
            what = self._unrendered(error.line)
            if what is None:
                raise self.error(error) from None
        raise NotRenderedError(self.file, self.line + what[0], what[1])

    def _unrendered(self, line: int) -> tuple[int, str] | None:
        """What is not rendered, and in which line: an action anywhere, a placeholder in that one.

        Actions, of which control structures are some, are what Helm, Jinja and their like replace.
        """
        start = self.text.find("{{")
        end = self.text.find("}}", start) if start >= 0 else -1
        if end >= 0:
            return self.text.count("\n", 0, start), self.text[start : end + 2]
        broken = self.text.splitlines()[line : line + 1]
        found = PLACEHOLDER.search(broken[0]) if broken else None
        return (line, found[0]) if found else None

    def error(self, error: DecodeError) -> InputError:
        """A problem of this document, with its place in the file."""
        return InputError(f"{self.file}:{self.line + error.line}: {error.problem}")

    def places(self) -> dict[Path, tuple[int, int]]:
        """Line and column of every value's key, or of the value itself in a list."""
        return decode.places(self.text, self.line)


def json_text(value: Any) -> str:  # noqa: ANN401  # JSON
    """A document as JSON, indented as kubectl indents it.

    A list is written item by item: Python's encoder keeps every token of what it is given.
    """
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(items, list) or not items:
        return _indented(value) + "\n"
    # No JSON text holds a line break, and only the outermost object's keys stand so far left.
    before, _, after = _indented({**value, "items": []}).partition(_EMPTY)
    inner = ",\n".join(_indented(item) for item in items).replace("\n", f"\n{_INNER}")
    return f"{before}{_EMPTY[:-1]}\n{_INNER}{inner}\n    ]{after}\n"


def _indented(value: object) -> str:
    return json.dumps(value, indent=4, ensure_ascii=False)


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
                yield from _values(file, line, lead, "".join(body), behind=text)
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
        yield from _values(file, line, lead, "".join(body))


def _values(file: str, line: int, lead: str, text: str, *, behind: str = "") -> Iterator[Document]:
    """The document, or each of the JSON values that stand where a document would."""
    whole = Document(file=file, line=line, lead=lead, text=text, behind=behind)
    start = 0
    if whole.form == "json":
        for match in _NEXT_VALUE.finditer(text):
            part = text[start : match.end()]
            yield Document(file=file, line=line, lead=lead, text=part)
            lead, start, line = "", match.end(), line + part.count("\n")
    yield Document(file=file, line=line, lead=lead, text=text[start:]) if start else whole
