"""Snapshots as files: what ``kubectl`` printed, what ``fsm-stack snapshot`` saved.

A saved snapshot is one JSON object a line: a head, then the objects. Large files are read an
object at a time.
"""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, Final

from fsm_stack.edges.files import FileError, told
from fsm_stack.errors import InputError
from fsm_stack.verify.allow import keep
from fsm_stack.verify.describe import looks_like_description, read_description
from fsm_stack.verify.go_map import read_annotations
from fsm_stack.verify.snapshot import Assembly, Part, Snapshot, Source, with_annotations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

Json = dict[str, Any]

HEAD: Final = "fsmStackSnapshot"
VERSION: Final = 1
MODE: Final = 0o600  # names of an organisation's programs are nobody else's business
_CHUNK: Final = 1024 * 1024
_OBJECT_MAX: Final = 16 * 1024 * 1024  # etcd keeps 1.5 MB an object
_ITEMS: Final = re.compile(r'"items"\s*:\s*\[')
_KIND: Final = re.compile(r'"kind"\s*:\s*"([A-Za-z]+)List"')


@dataclass(slots=True)
class _Read:
    assembly: Assembly = field(default_factory=Assembly)
    head: Json = field(default_factory=dict)
    annotations: dict[str, str] | None = None


def read_files(paths: Sequence[Path]) -> Snapshot:
    """One snapshot of all files together.

    Raises:
        InputError: a file is none of the known forms, or damaged.
        FileError: it cannot be read.
    """
    known = _Read()
    for path in paths:
        with ExitStack() as stack:
            with told("read", path):
                stream = stack.enter_context(path.open(encoding="utf-8", errors="strict"))
            _read(stream, str(path), known)
    source = Source(
        context=str(known.head.get("context") or "files"),
        server=str(known.head.get("server") or ", ".join(path.name for path in paths)),
        uid=str(known.head.get("uid") or ""),
        taken=str(known.head.get("taken") or ""),
    )
    snapshot = known.assembly.snapshot(
        source, read=_parts(known.head.get("read")), not_read=_not_read(known.head.get("notRead"))
    )
    return (
        with_annotations(snapshot, known.annotations)
        if known.annotations is not None
        else snapshot
    )


def _read(stream: IO[str], shown: str, known: _Read) -> None:
    try:
        start = stream.read(_CHUNK)
        text = start.lstrip("\ufeff \t\r\n")
        if text.startswith(f'{{"{HEAD}"'):
            _read_saved(text, stream, shown, known)
        elif text.startswith("map["):
            known.annotations = read_annotations(text + stream.read(_CHUNK))
        elif text.startswith("{"):
            _read_json(text, stream, shown, known)
        elif looks_like_description(text):
            for item in read_description(text + stream.read(_OBJECT_MAX)):
                known.assembly.add({**(keep(item) or {}), "elided": item["elided"]})
        else:
            raise InputError(
                f"{shown}: expected a saved snapshot, JSON of kubectl get -o json, the text of "
                "kubectl describe pod, or a pod's annotations"
            )
    except UnicodeDecodeError as error:
        raise InputError(f"{shown}: expected UTF-8 text ({error.reason})") from None
    except OSError as error:
        raise FileError(f"cannot read {shown}: {error.strerror or error}") from error
    except RecursionError:
        raise InputError(f"{shown}: nested too deep") from None


def _read_saved(start: str, stream: IO[str], shown: str, known: _Read) -> None:
    for number, line in enumerate(_lines(start, stream), start=1):
        item = _decoded(line, f"{shown}:{number}")
        if number == 1:
            if item.get(HEAD) != VERSION:
                raise InputError(f"{shown}: expected snapshot version {VERSION}, got {item[HEAD]}")
            known.head = item
        else:
            _take(item, known)


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


def _read_json(text: str, stream: IO[str], shown: str, known: _Read) -> None:
    """One object, or a list of any length."""
    rest = stream.read(_CHUNK)
    if not rest:  # the whole file
        whole = _decoded(text, shown)
        if "items" in whole and isinstance(whole["items"], list):
            _take_all(whole["items"], str(whole.get("kind") or ""), shown, known)
        elif "kind" not in whole and all(isinstance(value, str) for value in whole.values()):
            known.annotations = {str(key): value for key, value in whole.items()}
        else:
            _take(whole, known)
        return
    items = _ITEMS.search(text)
    if items is None:
        raise InputError(f"{shown}: expected a list of objects, as kubectl get -o json prints it")
    kind = _KIND.search(text[: items.start()])
    objects = _stream(text[items.end() :] + rest, stream, shown)
    _take_all(objects, f"{kind[1]}List" if kind else "", shown, known)


def _take_all(items: Iterable[Any], kind: str, shown: str, known: _Read) -> None:
    """The objects of a list; a list of one kind does not repeat it in each."""
    for item in items:
        if not isinstance(item, dict):
            raise InputError(f"{shown}: expected a list of objects, found {str(item)[:40]!r}")
        _take({"kind": kind.removesuffix("List"), **item}, known)


def _stream(buffer: str, stream: IO[str], shown: str) -> Iterator[Any]:
    """The objects of a list, without holding the whole list."""
    decoder = json.JSONDecoder()
    position = 0
    while True:
        while position < len(buffer) and buffer[position] in " \t\r\n,":
            position += 1
        if position < len(buffer) and buffer[position] == "]":
            return
        try:
            item, position = decoder.raw_decode(buffer, position)
        except ValueError as error:
            more = stream.read(_CHUNK)
            if not more or len(buffer) - position > _OBJECT_MAX:
                raise InputError(f"{shown}: damaged or cut off JSON: {error}") from None
            buffer, position = buffer[position:] + more, 0
            continue
        yield item


def _decoded(text: str, shown: str) -> Json:
    try:
        item = json.loads(text)
    except ValueError as error:
        raise InputError(f"{shown}: damaged or cut off JSON: {error}") from None
    if not isinstance(item, dict):
        raise InputError(f"{shown}: expected an object, found {str(item)[:40]!r}")
    return item


def _take(item: Json, known: _Read) -> None:
    # A pod becomes a value that has the kept fields only.
    kept = item if item.get("kind") == "Pod" else keep(item)
    if kept is not None:
        known.assembly.add(kept)


def _parts(names: object) -> Iterator[Part]:
    values = {part.value for part in Part}
    return (
        (Part(name) for name in names if name in values) if isinstance(names, list) else iter(())
    )


def _not_read(reasons: object) -> dict[Part, str]:
    values = {part.value for part in Part}
    known = reasons if isinstance(reasons, dict) else {}
    return {Part(name): str(why) for name, why in known.items() if name in values}


def saved_lines(snapshot: Snapshot, objects: Iterable[Json]) -> Iterator[bytes]:
    """A snapshot's file, a line at a time.

    Args:
        snapshot: for its source, and what was not read.
        objects: as :func:`fsm_stack.verify.allow.keep` leaves them.
    """
    source = snapshot.source
    head = {
        HEAD: VERSION,
        "context": source.context,
        "server": source.server,
        "uid": source.uid,
        "taken": source.taken,
        "read": sorted(part.value for part in snapshot.read),
        "notRead": {part.value: why for part, why in snapshot.not_read.items()},
    }
    for item in chain([head], objects):
        yield json.dumps(item, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def save(path: Path, snapshot: Snapshot, objects: Iterable[Json]) -> None:
    """Write a snapshot that only its owner can read; an existing file is not overwritten.

    Raises:
        InputError: the file is there already.
        FileError: it cannot be written.
    """
    import os  # noqa: PLC0415  # one of few places

    with told("write", path):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        except FileExistsError:
            raise InputError(f"{path}: it is there already; expected a new file") from None
        with os.fdopen(descriptor, "wb") as stream:
            stream.writelines(saved_lines(snapshot, objects))
