"""A Helm chart archive, read as what it is: a file from the internet.

Nothing is extracted. The archive is decompressed into memory within bounds, every member is
looked at, and a link, a device, a second member of the same name, or a path that leaves the
archive's folder makes the whole archive unusable, wherever it stands.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

# The chart of FSM 1.5.1 has about 300 kB; a chart with all its dependencies some MB.
ARCHIVE_MAX: Final = 16 * 1024 * 1024
UNPACKED_MAX: Final = 64 * 1024 * 1024
MEMBER_MAX: Final = 16 * 1024 * 1024
MEMBERS_MAX: Final = 5000
_GZIP: Final = 16 + zlib.MAX_WBITS  # zlib's window size for a gzip header and trailer

# What a malformed header makes tarfile raise; RecursionError from a chain of extended headers.
_MALFORMED: Final = (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError)


def members(content: bytes, *, shown: str) -> dict[str, bytes]:
    """Every regular file of a chart archive, by its path.

    Args:
        content: the archive, ``.tgz``.
        shown: the archive as messages name it.

    Raises:
        InputError: for anything but a well-formed archive of files and directories within bounds.
    """
    unpacked = _unpacked(content, shown)
    files: dict[str, bytes] = {}
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            for member in _walked(archive, len(unpacked), shown):
                _check(member, seen, shown)
                if not member.isdir():
                    start = member.offset_data
                    files[member.name] = unpacked[start : start + member.size]
            rest = unpacked[archive.offset :]
    except _MALFORMED as error:
        raise InputError(f"{shown}: not a tar archive: {error}") from error
    if rest.strip(b"\0"):
        raise InputError(f"{shown}: damaged: a member's header is unreadable")
    return files


def _unpacked(content: bytes, shown: str) -> bytes:
    if len(content) > ARCHIVE_MAX:
        raise InputError(f"{shown}: expected an archive of at most {ARCHIVE_MAX} bytes")
    stream = zlib.decompressobj(_GZIP)
    try:
        unpacked = stream.decompress(content, UNPACKED_MAX + 1)
    except zlib.error as error:
        raise InputError(f"{shown}: expected a gzip-compressed tar archive: {error}") from error
    if len(unpacked) > UNPACKED_MAX:
        raise InputError(f"{shown}: unpacks to more than {UNPACKED_MAX} bytes")
    if not stream.eof:
        raise InputError(f"{shown}: truncated")
    if stream.unused_data:
        raise InputError(f"{shown}: {len(stream.unused_data)} bytes behind the archive's end")
    return unpacked


def _walked(archive: tarfile.TarFile, size: int, shown: str) -> Iterator[tarfile.TarInfo]:
    """The members in order; each must lie behind the one before, and inside the archive."""
    end = 0
    for count, member in enumerate(iter(archive.next, None), start=1):
        if count > MEMBERS_MAX:
            raise InputError(f"{shown}: more than {MEMBERS_MAX} members")
        start, end = end, member.offset_data + member.size
        if member.size < 0 or member.offset_data < start or end > size:
            raise InputError(f"{shown}: {member.name!r}: its header points outside of the archive")
        yield member


def _check(member: tarfile.TarInfo, seen: set[str], shown: str) -> None:
    name = member.name
    place = f"{shown}: {name!r}"
    parts = name.split("/")
    if any(part in {"", ".", ".."} for part in parts) or "\\" in name or not name.isprintable():
        raise InputError(f"{place}: expected a path inside of the archive's folder")
    if member.type not in {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE}:
        raise InputError(f"{place}: expected a file or a directory, found {_kind(member)}")
    if member.sparse is not None:
        raise InputError(f"{place}: expected a file or a directory, found a sparse file")
    if name in seen:
        raise InputError(f"{place}: is in the archive twice")
    seen.add(name)
    if member.size > MEMBER_MAX:
        raise InputError(f"{place}: expected at most {MEMBER_MAX} bytes, found {member.size}")


def _kind(member: tarfile.TarInfo) -> str:
    kinds = {
        tarfile.SYMTYPE: "a symbolic link",
        tarfile.LNKTYPE: "a hard link",
        tarfile.CHRTYPE: "a device",
        tarfile.BLKTYPE: "a device",
        tarfile.FIFOTYPE: "a named pipe",
        tarfile.GNUTYPE_SPARSE: "a sparse file",
    }
    return kinds.get(member.type, f"a member of type {member.type!r}")
