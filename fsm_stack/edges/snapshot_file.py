"""Snapshots as files: what ``kubectl`` printed, what ``fsm-stack snapshot`` saved.

A saved snapshot is one JSON object a line: a head, then the objects.
"""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.edges.files import told
from fsm_stack.edges.snapshot_forms import HEAD, VERSION, Known, read_form, read_if_known
from fsm_stack.edges.support_archive import is_archive, members, text_of
from fsm_stack.errors import InputError
from fsm_stack.harmless import harmless
from fsm_stack.verify.shape import mapping
from fsm_stack.verify.snapshot import Part, Snapshot, Source, with_annotations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

Json = dict[str, Any]

MODE: Final = 0o600  # names of an organisation's programs are nobody else's business


def read_files(
    paths: Sequence[Path], *, progress: Callable[[int], None] | None = None
) -> Snapshot:
    """One snapshot of all files together.

    Args:
        paths: files of any known form, support archives, folders.
        progress: gets the number of pods now and then.

    Raises:
        InputError: a file is none of the known forms, or damaged.
        FileError: it cannot be read.
    """
    known = Known(progress=progress)
    names = [_read_path(path, known) for path in paths]
    source = Source(
        context=str(known.head.get("context") or "files"),
        server=str(known.head.get("server") or ", ".join(names)),
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


def _read_path(path: Path, known: Known) -> str:
    """Read a file or every file of an archive; returns what to call it."""
    if not is_archive(path):
        with told("read", path), path.open(encoding="utf-8", errors="strict") as stream:
            read_form(stream, str(path), known)
        return path.name
    results = [
        read_if_known(text_of(stream), f"{path}: {harmless(name)}", known)
        for name, stream in members(path)
    ]
    if not any(results):
        raise InputError(
            f"{path}: none of its {len(results)} files is a saved snapshot, JSON or YAML of "
            "kubectl get -o, or the text of kubectl describe pod"
        )
    return f"{path.name} ({sum(results)} of {len(results)} files)"


def _parts(names: object) -> Iterator[Part]:
    values = {part.value for part in Part}
    return (
        (Part(name) for name in names if name in values) if isinstance(names, list) else iter(())
    )


def _not_read(reasons: object) -> dict[Part, str]:
    values = {part.value for part in Part}
    return {Part(name): str(why) for name, why in mapping(reasons).items() if name in values}


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
