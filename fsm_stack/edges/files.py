"""Files in one step: whoever looks, also after a crash, sees the old content or the new.

A directory is replaced as a whole (:func:`replace_tree`). The new tree is written beside the
target, under a name of ours, and then takes its place:

1. On Linux the two directories change names in one system call (``renameat2`` with
   ``RENAME_EXCHANGE``): there is no moment without a complete tree under the target's name.
2. Elsewhere the old tree moves aside and the new one moves in. A crash between the two leaves the
   complete old tree under the name aside; the next run moves it back first.

"Crash" means the process: killed, out of memory, interrupted. Trees are generated and live in Git,
so they are not synchronised to the disk file by file; :func:`write_file` is.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import FsmStackError, InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

# Bytes of one component of a path. Source: Linux uapi limits.h, NAME_MAX; the same on macOS.
NAME_MAX: Final = 255
# Source: Linux uapi fcntl.h and fs.h.
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
# The system, the kernel or the file system has no exchange.
_NO_EXCHANGE: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})


class FileError(FsmStackError):
    """The operating system refused to read or write: no permission, no space, a read-only disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What a directory holds.

    Attributes:
        files: the content of every regular file, by its path relative to the directory.
        others: what is no regular file: symbolic links, sockets, devices. Never followed or read.
    """

    files: Mapping[str, bytes]
    others: tuple[str, ...] = ()


@contextmanager
def told(action: str, path: Path | str) -> Iterator[None]:
    """Turn an :class:`OSError` into an error that says what was tried, where and why it failed."""
    try:
        yield
    except OSError as error:
        raise FileError(f"cannot {action} {path}: {error.strerror or error}") from error


def relative(path: str) -> PurePosixPath:
    """The path, checked to stay inside the directory that it is relative to.

    Raises:
        InputError: for an absolute path, ``..``, an empty part, a control character or a name that
            file systems do not take.
    """
    parts = path.split("/")
    inside = all(part not in {"", ".", ".."} for part in parts)
    printable = path.isprintable() and "\\" not in path
    if not (inside and printable and all(len(os.fsencode(part)) <= NAME_MAX for part in parts)):
        raise InputError(
            f"{path!r}: expected a relative path of printable names up to {NAME_MAX} bytes, "
            "without '..' and backslashes"
        )
    return PurePosixPath(path)


def read_tree(directory: Path, *, shown: str | None = None) -> Tree:
    """Everything below a directory, without following symbolic links; empty if there is none.

    Args:
        directory: the directory.
        shown: the directory as an error names it.

    Raises:
        InputError: when the path is a symbolic link or no directory.
        FileError: when something cannot be read.
    """
    files: dict[str, bytes] = {}
    others: list[str] = []
    name = shown or str(directory)
    with told("read", name):
        if _is_directory(directory, name):
            _collect(directory, "", files, others)
    return Tree(files=dict(sorted(files.items())), others=tuple(sorted(others)))


def _collect(directory: Path, prefix: str, files: dict[str, bytes], others: list[str]) -> None:
    with os.scandir(directory) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                _collect(Path(entry.path), f"{name}/", files, others)
            elif entry.is_file(follow_symlinks=False):
                files[name] = Path(entry.path).read_bytes()
            else:
                others.append(name)


def _is_directory(path: Path, shown: str | None = None) -> bool:
    """Whether a directory is there; anything else in its place is an error."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        return True
    kind = "a symbolic link" if stat.S_ISLNK(mode) else "no directory"
    raise InputError(f"{shown or path}: expected a directory, found {kind}")


def replace_tree(
    target: Path,
    files: Mapping[str, bytes],
    *,
    kept: Collection[str] = (),
    shown: str | None = None,
) -> None:
    """Make a directory hold exactly these files.

    Whatever else it held is gone: the caller has made sure that this is right. Two runs at the
    same time wait for one another.

    Args:
        target: the directory; its parents are created, it itself need not exist.
        files: content by relative path.
        kept: paths whose content the target already has: linked, which spares the disk (deleting
            31 files takes 20 ms on ext4) and keeps their dates.
        shown: the directory as an error names it.

    Raises:
        InputError: for a path that leaves the target, or when the target is no directory.
        FileError: when the operating system refuses; the old tree is then untouched.
    """
    for path in files:
        relative(path)
    new, old = _beside(target, "new"), _beside(target, "old")
    with told("write", shown or target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.parent):
            recover(target)
            try:
                _write_all(new, files, target, kept)
                _install(new, target, old)
            finally:
                with suppress(OSError):
                    recover(target)


def recover(target: Path) -> None:
    """Finish or undo what a crashed run left beside the target."""
    new, old = _beside(target, "new"), _beside(target, "old")
    if not _is_directory(target) and _is_directory(old):
        old.rename(target)
    _remove(new)
    _remove(old)


def _beside(target: Path, role: str) -> Path:
    return target.parent / f".{target.name}.fsm-stack-{role}"


def _install(new: Path, target: Path, old: Path) -> None:
    if not _is_directory(target):
        new.rename(target)
    elif not _exchange(new, target):
        target.rename(old)
        new.rename(target)


def _write_all(
    directory: Path, files: Mapping[str, bytes], target: Path, kept: Collection[str]
) -> None:
    directory.mkdir()
    made = {directory}
    for path, content in files.items():
        file = directory / path
        if file.parent not in made:
            file.parent.mkdir(parents=True, exist_ok=True)
            made.add(file.parent)
        if path in kept:
            with suppress(OSError):  # no links here: written like the others
                os.link(target / path, file, follow_symlinks=False)
                continue
        file.write_bytes(content)


def _remove(path: Path) -> None:
    """Delete a tree of ours; a symbolic link in its place is removed, not followed."""
    try:
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path)
    except FileNotFoundError:
        return


def _exchange(first: Path, second: Path) -> bool:
    """Swap the names of two directories in one step; False where the system cannot."""
    if sys.platform != "linux":
        return False
    import ctypes  # noqa: PLC0415  # needed when something changed, not to find out that nothing did

    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        return False
    names = (_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second))
    if library.renameat2(*names, _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NO_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(second))


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold a directory against other runs of ours; the lock ends with the process."""
    import fcntl  # noqa: PLC0415  # POSIX only, and only for writing

    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks still gets its files
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_file(path: Path, content: bytes, *, shown: str | None = None) -> None:
    """Write one file in one step, synchronised to the disk; its directory is created.

    An older file's permissions stay, and its owner where that is allowed.

    Args:
        path: the file.
        content: all of it.
        shown: the path as an error names it.

    Raises:
        InputError: the path is there and is no file: a directory, a device, a pipe.
        FileError: when the operating system refuses; an older file is then untouched.
    """
    draft = path.parent / f".{path.name}.fsm-stack-new"
    with told("write", shown or path):
        old = path.stat() if path.exists() else None
        if old is not None and not stat.S_ISREG(old.st_mode):
            raise InputError(f"{shown or path}: expected a regular file")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with suppress(FileNotFoundError):
                draft.unlink()
            with draft.open("xb") as stream:
                if old is not None:
                    with suppress(OSError):
                        os.fchown(stream.fileno(), old.st_uid, old.st_gid)
                    os.fchmod(stream.fileno(), stat.S_IMODE(old.st_mode))
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(path)
        finally:
            with suppress(OSError):
                draft.unlink()


def read_file(path: Path, *, limit: int, shown: str | None = None) -> bytes | None:
    """A file's content; None when there is none.

    Args:
        path: the file.
        limit: the most bytes that are read.
        shown: the path as an error names it.

    Raises:
        InputError: when the file is larger than ``limit`` bytes.
        FileError: when it cannot be read.
    """
    name = shown or str(path)
    with told("read", name):
        try:
            with path.open("rb") as stream:
                content = stream.read(limit + 1)
        except FileNotFoundError:
            return None
    if len(content) > limit:
        raise InputError(f"{name}: expected at most {limit} bytes")
    return content
