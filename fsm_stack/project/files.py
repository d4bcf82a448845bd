"""Files of a user: read within bounds, written whole or not at all; manifests among them.

Whoever looks, also after a crash, sees the old content or the new. What replaces a whole directory
is in :mod:`fsm_stack.gitops.replace`.
"""

from __future__ import annotations

import os
import stat
import sys
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from fsm_stack.errors import FsmStackError, InputError
from fsm_stack.injector.of_settings import enrolled, mesh_of
from fsm_stack.workloads.documents import NotRenderedError, split
from fsm_stack.workloads.lint import ClusterRanges
from fsm_stack.workloads.stream import Context, learn_namespaces
from fsm_stack.yaml.write import dump

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.workloads.documents import Document


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


STDIN: Final = "-"
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "proxies.fsm-stack.flomesh.io")


def proxy_id(kind: str, namespace: str, name: str) -> str:
    """A preview's id: derived, so that two previews of one workload are equal."""
    return str(uuid.uuid5(_NAMESPACE, f"{kind}/{namespace}/{name}"))


def context_of(
    settings: StackSettings,
    *,
    namespace_files: Sequence[Path] = (),
    default_namespace: str = "default",
    controller_ip: str | None = None,
    check: bool = True,
    write: bool = True,
) -> Context:
    """What workloads are seen against: the stack's mesh, and the namespaces that are known.

    Raises:
        InputError: for a namespace file that cannot be read.
    """
    mesh = mesh_of(settings, controller_ip=controller_ip)
    cluster = settings.cluster
    context = Context(
        mesh=mesh,
        proxy_id=proxy_id,
        dump=dump,
        namespaces=enrolled(settings, mesh),
        default_namespace=default_namespace,
        ranges=ClusterRanges(
            pods=cluster.pod_ranges,
            services=cluster.service_ranges,
            api_server=f"{cluster.api_server.address}/32" if cluster.api_server else "",
        ),
        check=check,
        write=write,
    )
    for path in namespace_files:
        learn_from(path, context)
    return context


def learn_from(path: Path, context: Context) -> None:
    """Take the Namespaces of a file into the context; standard input is left alone.

    A template's source is left to who reads the file's workloads, where the context says so.

    Raises:
        InputError: when the file cannot be read.
    """
    if str(path) != STDIN:
        for document in documents(path):
            if "Namespace" in document.text:
                try:
                    learn_namespaces(document.load(), context)
                except NotRenderedError:
                    if not context.keep_going:
                        raise


def documents(path: Path) -> Iterator[Document]:
    """The documents of a file, or of standard input for ``-``; one is held at a time.

    Raises:
        InputError: when it cannot be read, or is no UTF-8.
    """
    name = "<stdin>" if str(path) == STDIN else str(path)
    try:
        with _opened(path) as lines:
            yield from split(lines, file=name)
    except OSError as error:
        raise InputError(f"{name}: cannot read it: {error.strerror}") from error
    except UnicodeDecodeError as error:
        found = f"byte 0x{error.object[error.start]:02x}"
        raise InputError(f"{name}: expected UTF-8 text, found {found}") from error


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    if str(path) == STDIN:
        if sys.stdin is None:
            raise InputError("<stdin>: cannot read it: it is closed")
        sys.stdin.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
        yield sys.stdin
    else:
        with path.open(encoding="utf-8", newline="") as lines:
            yield lines
