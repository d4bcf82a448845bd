"""A support archive or a folder of dumps: its files one after the other, never unpacked.

What ``fsm support bug-report`` writes (tar of any compression, zip), ``kubectl cluster-info dump
--output-directory``, or what somebody put together by hand. Nothing is written anywhere; links
are not followed; size and number are bounded, since an archive may come from anybody.
"""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from typing import IO, TYPE_CHECKING, Final

from fsm_stack.edges.files import told
from fsm_stack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES_MAX: Final = 20_000
BYTES_MAX: Final = 4 * 1024 * 1024 * 1024
_MAGIC: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"PK\x03\x04")
_TAR: Final = (257, b"ustar")  # where a tar has its magic; source: POSIX pax
_SNIFFED: Final = 512
_BROKEN: Final = (
    tarfile.TarError,
    zipfile.BadZipFile,
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
