"""Files and directories, read without surprises; one file written in one step.

Whoever looks, also after a crash, sees the old content or the new. What replaces a whole directory
is in :mod:`fsm_stack.gitops.replace`.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fsm_stack.errors import FsmStackError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The folders of a rendered stack: its objects, what the owners of others merge into them, and the
# scripts and annotations that pods get.
OBJECTS: Final = "objects"
OTHERS: Final = "others"
REDIRECTION: Final = "redirection"


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
        if is_directory(directory, name):
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


def is_directory(path: Path, shown: str | None = None) -> bool:
    """Whether a directory is there; anything else in its place is an error."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        return True
    kind = "a symbolic link" if stat.S_ISLNK(mode) else "no directory"
    raise InputError(f"{shown or path}: expected a directory, found {kind}")


def require_inside(path: Path, project: Path, *, shown: str | None = None) -> None:
    """Refuse a file that a link in a branch makes one of the machine's.

    Raises:
        InputError: a symbolic link on the way to it leads out of the project.
    """
    if not path.resolve().is_relative_to(project.resolve()):
        raise InputError(
            f"{shown or path}: expected a file of the project, found a symbolic link that leads "
            "out of the project"
        )


def require_no_link(directory: Path, project: Path, *, shown: str | None = None) -> None:
    """Refuse to write through a link: in the project, or in the place of the directory itself.

    Args:
        directory: absolute, without "..".
        project: absolute; what is above it is the user's own affair.
        shown: the directory as an error names it.

    Raises:
        InputError: a symbolic link is on the way.
    """
    inside = directory.is_relative_to(project)
    for path in (directory, *(directory.parents if inside else ())):
        if path == project:
            return
        if path.is_symlink():
            found = f"found a symbolic link at {path.name}"
            raise InputError(f"{shown or directory}: expected a directory, {found}")


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
                if old is not None and sys.platform != "win32":  # which has neither call
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


def decoded(content: bytes, shown: str) -> str:
    """A file's content as text.

    Raises:
        InputError: it is no UTF-8; with line and column.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        found = f"byte 0x{content[error.start]:02x}"
        raise InputError(f"{shown}:{line}:{column}: expected UTF-8 text, found {found}") from None
