"""Files of Kubernetes manifests, and standard input, as streams of documents."""

from __future__ import annotations

import os
import re
import sys
import uuid
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

from fsm_stack.errors import InputError
from fsm_stack.injector.of_settings import enrolled, mesh_of
from fsm_stack.settings.effective import register
from fsm_stack.workloads.documents import NotRenderedError, split
from fsm_stack.workloads.lint import ClusterRanges
from fsm_stack.workloads.lint.beside import BOUNDS
from fsm_stack.workloads.stream import Context, learn_namespaces
from fsm_stack.yaml.write import dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.workloads.documents import Document

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
        InputError: for a namespace file that cannot be read, or tells of no namespace.
    """
    mesh = mesh_of(settings, controller_ip=controller_ip)
    cluster = settings.cluster
    context = Context(
        mesh=mesh,
        proxy_id=proxy_id,
        dump=dump,
        namespaces=enrolled(settings, mesh),
        enrols=frozenset(item.name for item in settings.enrolled_namespaces),
        default_namespace=default_namespace,
        ranges=ClusterRanges(
            pods=cluster.pod_ranges,
            services=cluster.service_ranges,
            api_server=f"{cluster.api_server.address}/32" if cluster.api_server else "",
            registered=register(settings),
        ),
        check=check,
        write=write,
    )
    for path in namespace_files:
        _learn_all(path, context)
    return context


def _learn_all(path: Path, context: Context) -> None:
    """Take what a file of Namespaces says into the context: all of it is read.

    Raises:
        InputError: when it cannot be read, or says nothing of a namespace.
    """
    told = [learn_namespaces(document.load(), context) for document in documents(path)]
    if not any(told):
        kinds = ", ".join(("Namespace", *BOUNDS))
        raise InputError(f"--namespace-file {path}: expected {kinds} in it, found none")


_LEARNED: Final = re.compile("Namespace|ResourceQuota|LimitRange")
_MANIFESTS: Final = (".yaml", ".yml", ".json")


def files_of(paths: Iterable[Path], *, recursive: bool = False) -> tuple[Path, ...]:
    """The files that are meant: those named, and the manifests in directories, by name.

    Args:
        paths: files, directories, and ``-``.
        recursive: also what is in directories of directories; links are not followed there.

    Raises:
        InputError: for a directory without manifests, or one that cannot be read.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(_manifests(path, recursive=recursive)) if path.is_dir() else [path]
        if not inside:
            below = "" if recursive else " (-R looks below it, too)"
            raise InputError(f"{path}: expected files *.yaml, *.yml or *.json in it{below}")
        found += inside
    twice = [path for path in found if str(path) == STDIN][1:]  # which its reader refuses
    return (*dict.fromkeys(found), *twice)


def _manifests(directory: Path, *, recursive: bool) -> Iterator[Path]:
    try:
        for entry in os.scandir(directory):
            path = directory / entry.name
            if entry.is_dir(follow_symlinks=False):
                if recursive and not entry.name.startswith("."):
                    yield from _manifests(path, recursive=True)
            elif path.suffix in _MANIFESTS:
                yield path
    except OSError as error:
        raise InputError(f"{directory}: cannot read it: {error.strerror}") from error


def learn_from(path: Path, context: Context) -> None:
    """Take the Namespaces of a file into the context, with their quotas and limit ranges.

    Standard input is left alone.

    A template's source is left to who reads the file's workloads, where the context says so.

    Raises:
        InputError: when the file cannot be read.
    """
    if str(path) != STDIN:
        for document in documents(path):
            if _LEARNED.search(document.text) or context.learns(document):
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
