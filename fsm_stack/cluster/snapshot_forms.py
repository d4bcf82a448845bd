"""The forms in which objects of a cluster come as text, told apart by how they start.

A saved snapshot, JSON and YAML of ``kubectl get -o``, the text of ``kubectl describe`` and of
``kubectl get events``, a pod's annotations, a log or an error of the API server. Large JSON is
read an object at a time. What no check reads is counted, with the reason.
"""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final

from fsm_stack.credentials import without_credentials
from fsm_stack.errors import InputError
from fsm_stack.findings.finding import harmless
from fsm_stack.project.files import FileError
from fsm_stack.snapshot.allow import keep
from fsm_stack.snapshot.describe import (
    UNREAD,
    behind_descriptions,
    looks_like_description,
    read_annotations,
    read_description,
)
from fsm_stack.snapshot.printed import UNTOLD, looks_like_events, read_events
from fsm_stack.snapshot.shape import mapping
from fsm_stack.snapshot.snapshot import Assembly
from fsm_stack.verify.causes import causes
from fsm_stack.workloads.documents import split
from fsm_stack.yaml.decode import JSON, DecodeError, decode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fsm_stack.yaml import Json


HEAD: Final = "fsmStackSnapshot"
VERSION: Final = 1
_CHUNK: Final = 1024 * 1024
_OBJECT_MAX: Final = 16 * 1024 * 1024  # etcd keeps 1.5 MB an object
_ITEMS: Final = re.compile(r'"items"\s*:\s*\[')
_KIND: Final = re.compile(r'"kind"\s*:\s*"([A-Za-z]+)List"')
_BETWEEN: Final = re.compile(r"[ \t\r\n,]*")
# What kubectl writes starts with one of these keys; a log of JSON lines does not.
_KUBECTL_JSON: Final = re.compile(r'\{\s*"(?:apiVersion|kind|items|metadata)"\s*:')
# Comments may stand above it, such as Helm's "# Source:".
_KUBECTL_YAML: Final = re.compile(
    r"(?:(?:---)?[ \t]*(?:#[^\n]*)?\r?\n)*(?:apiVersion|kind|items|metadata):"
)


_NO_WARNING: Final = "no warning about pods or what makes them"
_READ_BY_NONE: Final = "no check reads it"
_FORMS: Final = (
    "a saved snapshot, JSON or YAML of kubectl get -o, the text of kubectl describe or kubectl "
    "get events"
)
_TEXTS: Final = "a pod's annotations, a log or an error with a known cause"
_TEXT_MAX: Final = 4 * 1024 * 1024
_HEAD_MAX: Final = 8 * 1024
# Two lines of a program that logs JSON, which is no object of the API.
_JSON_LINES: Final = re.compile(r"\{[^\n]*\}[ \t]*\r?\n\s*\{")


@dataclass(slots=True, kw_only=True)
class Known:
    """What was read so far.

    Attributes:
        assembly: the objects.
        head: of a saved snapshot.
        annotations: printed apart from their pod.
        texts: logs and errors whose cause is known, each with its name.
        unused: objects that no check reads, by kind and reason: the first's name, and how many.
        unknown: what was said of texts of no known form.
        used: a check reads something of it.
        pods: how many were read.
        progress: gets their number now and then.
    """

    assembly: Assembly = field(default_factory=Assembly)
    head: Json = field(default_factory=dict)
    annotations: dict[str, str] | None = None
    texts: list[tuple[str, str]] = field(default_factory=list)
    unused: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    used: bool = False
    pods: int = 0
    progress: Callable[[int], None] | None = None

    def take(self, item: Json) -> None:
        """Add one object, without the fields that no check reads."""
        # A pod becomes a value that has the kept fields only.
        is_pod = item.get("kind") == "Pod"
        kept = item if is_pod else None if item.get(UNREAD) is True else keep(item)
        if kept is None:
            self._pass_over(item)
            return
        self.used = True
        self.assembly.add(kept)
        self.pods += is_pod
        if is_pod and self.progress is not None and not self.pods % 500:
            self.progress(self.pods)

    def take_text(self, text: str, shown: str) -> None:
        """Add a log or an error, where the cause of one of its lines is known."""
        if not self.take_log(text, shown):
            # What it says may be a secret: it is not repeated.
            self.unknown.append(f"{shown}: expected {_FORMS}, or {_TEXTS}{_elsewhere(text)}")

    def take_log(self, text: str, shown: str) -> bool:
        """Add a log where the cause of one of its lines is known; False: there is none."""
        if next(causes(text), None) is None:
            return False
        self.used = True
        self.texts.append((shown, without_credentials(text)))
        return True

    def _pass_over(self, item: Json) -> None:
        if self.head:  # what was saved was read for a check, by this version or another
            return
        kind = item.get("kind")
        about = mapping(item.get("metadata"))
        names = (about.get("namespace"), about.get("name"))
        name = "/".join(harmless(one) for one in names if isinstance(one, str) and one)
        why = _NO_WARNING if kind == "Event" else _READ_BY_NONE
        shown = harmless(kind) if isinstance(kind, str) and kind else UNTOLD
        first, count = self.unused.get((shown, why), (name, 0))
        self.unused[shown, why] = first, count + 1

    @property
    def passed_over(self) -> tuple[str, ...]:
        """What no check reads, in words."""
        objects = (
            f"{kind} {first}: {why}" if count == 1 else f"{count} {kind}s: {why}"
            for (kind, why), (first, count) in self.unused.items()
        )
        return (*objects, *self.unknown)


# What other verbs read has such lines.
_RULES: Final = re.compile(r"^(?:\*nat\b|-P \w+ ACCEPT|[^#\n]{0,200}\biptables\b)", re.MULTILINE)
_STACK_FILE: Final = re.compile(r"^config:[ \t]*$", re.MULTILINE)


def _elsewhere(text: str) -> str:
    """Who reads a text that is none of the forms here; empty: nobody knows."""
    if _STACK_FILE.search(text):
        return "; fsm-stack validate STACK reads stack files"
    return "; fsm-stack read FILE reads rules" if _RULES.search(text) else ""


class Passing(Known):
    """Hands every object on, whole, and keeps none."""

    def __init__(self, sink: Callable[[Json], None]) -> None:
        super().__init__()
        self.sink = sink

    def take(self, item: Json) -> None:
        """Hand one object on."""
        self.sink(item)

    def take_text(self, text: str, shown: str) -> None:  # noqa: ARG002  # it is not repeated
        """Refuse what holds no object.

        Raises:
            InputError: always.
        """
        raise InputError(f"{shown}: expected {_FORMS}")


def read_form(stream: IO[str], shown: str, known: Known) -> None:
    """Read one text.

    Args:
        stream: it.
        shown: its name in errors.
        known: gets what is in it.

    Raises:
        InputError: it has none of the known forms, or is damaged.
        FileError: it cannot be read.
    """
    with _told(shown):
        start = stream.read(_CHUNK)
        text = start.lstrip("\ufeff \t\r\n")
        if text.startswith("map["):
            known.annotations = read_annotations(text + stream.read(_CHUNK))
        elif not _read_objects(text, stream, shown, known):
            if text.startswith("{") and not _JSON_LINES.match(text):
                _read_json(text, stream, shown, known)
            else:
                known.take_text(text + stream.read(_TEXT_MAX), shown)


def read_if_known(stream: IO[str], shown: str, known: Known) -> bool:
    """Read one text of a support archive; False: it is a log, or something else.

    Raises:
        InputError: it is damaged.
        FileError: it cannot be read.
    """
    with _told(shown):
        try:
            text = stream.read(_CHUNK).lstrip("\ufeff \t\r\n")
        except UnicodeDecodeError:
            return False
        return _read_objects(text, stream, shown, known)


@contextmanager
def _told(shown: str) -> Iterator[None]:
    """Errors of decoding as errors that name the text."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InputError(f"{shown}: expected UTF-8 text ({error.reason})") from None
    except (RecursionError, DecodeError):
        raise InputError(f"{shown}: nested too deep") from None
    except OSError as error:
        raise FileError(f"cannot read {shown}: {error.strerror or error}") from error


def _read_objects(text: str, stream: IO[str], shown: str, known: Known) -> bool:
    if text.startswith(f'{{"{HEAD}"'):
        _read_saved(text, stream, shown, known)
    elif _KUBECTL_JSON.match(text):
        _read_json(text, stream, shown, known)
    elif _KUBECTL_YAML.match(text):
        _read_yaml(text + stream.read(_OBJECT_MAX), shown, known)
    elif looks_like_description(text):
        whole = text + stream.read(_OBJECT_MAX)
        for item in read_description(whole):
            known.take(item)
        for log in behind_descriptions(whole):
            known.take_log(log, shown)
    elif looks_like_events(text[:_HEAD_MAX]):
        for item in read_events(text + stream.read(_OBJECT_MAX)):
            known.take(item)
    else:
        return False
    return True


def _read_yaml(text: str, shown: str, known: Known) -> None:
    if len(text) > _OBJECT_MAX:
        raise InputError(f"{shown}: YAML of more than {_OBJECT_MAX} characters: expected JSON")
    for document in split(io.StringIO(text), file=shown):
        item = document.load()
        if isinstance(item, dict):
            _take_whole(item, shown, known)


def _take_whole(whole: Json, shown: str, known: Known) -> None:
    if isinstance(whole.get("items"), list):
        _take_all(whole["items"], str(whole.get("kind") or ""), shown, known)
    else:
        known.take(whole)


def _read_saved(start: str, stream: IO[str], shown: str, known: Known) -> None:
    for number, line in enumerate(_lines(start, stream), start=1):
        item = _decoded(line, f"{shown}:{number}")
        if number == 1:
            if item.get(HEAD) != VERSION:
                raise InputError(f"{shown}: expected snapshot version {VERSION}, got {item[HEAD]}")
            known.head = item
        else:
            known.take(item)


def _lines(start: str, stream: IO[str]) -> Iterator[str]:
    rest = start
    while True:
        *lines, rest = rest.split("\n")
        yield from (line for line in lines if line.strip())
        more = stream.read(_CHUNK)
        if not more:
            break
        rest += more
        if len(rest) > _OBJECT_MAX and "\n" not in rest:
            raise InputError(f"a line of more than {_OBJECT_MAX} characters: expected an object")
    if rest.strip():
        yield rest


def _read_json(text: str, stream: IO[str], shown: str, known: Known) -> None:
    """One object, or a list of any length."""
    rest = stream.read(_CHUNK)
    if not rest:  # the whole file
        whole = _decoded(text, shown)
        if "kind" not in whole and all(isinstance(value, str) for value in whole.values()):
            known.annotations = {str(key): value for key, value in whole.items()}
        else:
            _take_whole(whole, shown, known)
        return
    items = _ITEMS.search(text)
    if items is None:
        raise InputError(f"{shown}: expected a list of objects, as kubectl get -o json prints it")
    kind = _KIND.search(text[: items.start()])
    objects = _stream(text[items.end() :] + rest, stream, shown)
    _take_all(objects, f"{kind[1]}List" if kind else "", shown, known)


def _take_all(items: Iterable[Any], kind: str, shown: str, known: Known) -> None:
    """The objects of a list, or of lists in it; one of one kind does not repeat it in each."""
    for item in items:
        if not isinstance(item, dict):
            raise InputError(f"{shown}: expected a list of objects, found {str(item)[:40]!r}")
        if isinstance(item.get("items"), list):
            _take_whole(item, shown, known)
            continue
        known.take({"kind": kind.removesuffix("List"), **item})


def _stream(buffer: str, stream: IO[str], shown: str) -> Iterator[Any]:
    """The objects of a list, without holding the whole list."""
    position = 0
    while True:
        position = _BETWEEN.match(buffer, position).end()  # type: ignore[union-attr]  # it may be empty
        if position < len(buffer) and buffer[position] == "]":
            return
        try:
            item, position = JSON.raw_decode(buffer, position)
        except ValueError as error:
            more = stream.read(_CHUNK)
            if not more or len(buffer) - position > _OBJECT_MAX:
                raise InputError(f"{shown}: damaged or cut off JSON: {error}") from None
            buffer, position = buffer[position:] + more, 0
            continue
        yield item


def _decoded(text: str, shown: str) -> Json:
    try:
        item = decode_json(text)
    except ValueError as error:
        raise InputError(f"{shown}: damaged or cut off JSON: {error}") from None
    if not isinstance(item, dict):
        raise InputError(f"{shown}: expected an object, found {str(item)[:40]!r}")
    return item
