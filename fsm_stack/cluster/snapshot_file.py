"""Snapshots as files: what kubectl printed, what was saved, archives read without unpacking.

A saved snapshot is one JSON object a line: a head, then the objects.

What ``fsm support bug-report`` writes (tar of any compression, zip), ``kubectl cluster-info dump
--output-directory``, or what somebody put together by hand. Nothing is written anywhere; links
are not followed; size and number are bounded, since an archive may come from anybody.
"""

from __future__ import annotations

import io
import json
import lzma
import os
import tarfile
import zipfile
import zlib
from dataclasses import replace
from itertools import chain
from typing import IO, TYPE_CHECKING, Final

from fsm_stack.cluster.snapshot_forms import HEAD, VERSION, Known, read_form, read_if_known
from fsm_stack.errors import InputError
from fsm_stack.findings.finding import harmless
from fsm_stack.project.files import told
from fsm_stack.snapshot.allow_pod import INIT_CONTAINERS
from fsm_stack.snapshot.shape import mapping
from fsm_stack.snapshot.snapshot import Part, Snapshot, Source, with_annotations
from fsm_stack.verify.causes import cause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from fsm_stack.yaml import Json


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
    names = [read_path(path, known) for path in paths]
    if known.passed_over and not known.used and known.annotations is None:
        raise InputError("; ".join(known.passed_over))
    source = Source(
        context=str(known.head.get("context") or "files"),
        server=str(known.head.get("server") or ", ".join(names)),
        uid=str(known.head.get("uid") or ""),
        taken=str(known.head.get("taken") or ""),
    )
    snapshot = replace(
        known.assembly.snapshot(
            source,
            read=_parts(known.head.get("read")),
            not_read=_not_read(known.head.get("notRead")),
        ),
        texts=tuple(known.texts),
        passed_over=known.passed_over,
    )
    snapshot = _with_log(snapshot)
    return (
        with_annotations(snapshot, known.annotations)
        if known.annotations is not None
        else snapshot
    )


def _with_log(snapshot: Snapshot) -> Snapshot:
    """The snapshot with pasted logs as those of the one pod whose init container fails."""
    failing = [
        pod.key
        for pod in snapshot.pods
        if any(one.name in INIT_CONTAINERS and not one.ready for one in pod.containers)
    ]
    logs = [text for _, text in snapshot.texts if cause(text) is not None]
    if len(failing) != 1 or not logs or failing[0] in snapshot.logs:
        return snapshot
    return replace(
        snapshot,
        logs={**snapshot.logs, failing[0]: "\n".join(logs)},
        texts=tuple(pair for pair in snapshot.texts if pair[1] not in logs),
    )


def read_path(path: Path, known: Known) -> str:
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
        objects: as :func:`fsm_stack.snapshot.allow.keep` leaves them.
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


FILES_MAX: Final = 20_000
BYTES_MAX: Final = 4 * 1024 * 1024 * 1024
_MAGIC: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"PK\x03\x04")
_TAR: Final = (257, b"ustar")  # where a tar has its magic; source: POSIX pax
_SNIFFED: Final = 512
_BROKEN: Final = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
)


def is_archive(path: Path) -> bool:
    """Whether a path is a folder, or a file that starts as an archive does."""
    if path.is_dir():
        return True
    with told("read", path), path.open("rb") as file:
        start = file.read(_SNIFFED)
    offset, magic = _TAR
    return start.startswith(_MAGIC) or start[offset : offset + len(magic)] == magic


def members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Every regular file, by its name inside, in the order of the archive.

    Raises:
        InputError: it is damaged, or holds too much.
    """
    count = size = 0
    for name, length, stream in _members(path):
        count, size = count + 1, size + length
        if count > FILES_MAX or size > BYTES_MAX:
            raise InputError(
                f"{path}: expected at most {FILES_MAX} files and {BYTES_MAX >> 30} GiB in it"
            )
        yield name, stream


def _members(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    if path.is_dir():
        yield from _folder(path)
        return
    try:
        if zipfile.is_zipfile(path):
            yield from _zip(path)
        else:
            yield from _tar(path)
    except tarfile.ReadError as error:
        if not str(error).startswith("file could not be opened"):  # of the first bytes of all
            raise InputError(f"{path}: a damaged archive: {_reason(error)}") from None
        raise InputError(
            f"{path}: compressed, and no archive: expected tar or zip, or the file unpacked"
        ) from None
    except _BROKEN as error:
        raise InputError(f"{path}: a damaged archive: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _folder(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    for place, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = path / os.path.relpath(os.path.join(place, name), path)  # noqa: PTH118  # walk's
            if file.is_symlink() or not file.is_file():
                continue
            with told("read", file), file.open("rb") as stream:
                yield str(file.relative_to(path)), file.stat().st_size, stream


def _zip(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                with archive.open(entry) as stream:
                    yield entry.filename, entry.file_size, stream


def _tar(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with tarfile.open(path, "r:*") as archive:  # "r|*" takes a cut off one for whole
        for entry in archive:
            stream = archive.extractfile(entry) if entry.isreg() else None
            if stream is not None:
                yield entry.name, entry.size, stream


def text_of(stream: IO[bytes]) -> IO[str]:
    """The file as text; what is no text raises UnicodeDecodeError when it is read."""
    buffered = io.BufferedReader(_Raw(stream))  # type: ignore[type-var]  # a raw stream to read
    return io.TextIOWrapper(buffered, encoding="utf-8", errors="strict")


class _Raw(io.RawIOBase):
    """A member as a raw stream; closing it leaves the archive open."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # a writable buffer
        try:
            content = self._stream.read(len(buffer))
        except _BROKEN as error:
            raise OSError(f"a damaged archive: {_reason(error)}") from None
        buffer[: len(content)] = content
        return len(content)
