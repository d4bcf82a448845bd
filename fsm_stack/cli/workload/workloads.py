"""What ``inject``, ``lint`` and ``annotate`` share: the stack, the files, the workloads."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from fsm_stack.cli.verb import StackName, load
from fsm_stack.errors import FindingsError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.workloads.stream import Context, Outcome

_Function = TypeVar("_Function", bound="Callable[..., Any]")
_SHOW_AFTER: Final = 1.0  # seconds: shorter runs need no progress
_STEP: Final = 500


def stack_argument(function: _Function) -> _Function:
    """``STACK``."""
    return click.argument("stack", type=StackName(), metavar="STACK")(function)


def file_option(function: _Function) -> _Function:
    """``-f`` and ``--filename``, as kubectl has it; several are read one after the other."""
    return click.option(
        "-f",
        "--filename",
        "files",
        multiple=True,
        required=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Manifests, YAML or JSON; - for standard input. May be given several times.",
    )(function)


def namespace_options(function: _Function) -> _Function:
    """Where the workloads are created: ``-n``, ``--namespace-file``, ``--controller-ip``."""
    for option in (
        click.option(
            "--controller-ip",
            metavar="IP",
            help="The controller Service's cluster IP: with the DNS proxy pods get it.",
        ),
        click.option(
            "--namespace-file",
            "namespace_files",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="The real Namespace objects; others are assumed to be enrolled.",
        ),
        click.option(
            "-n",
            "--namespace",
            default="default",
            show_default=True,
            help="The namespace of manifests that name none.",
        ),
    ):
        function = option(function)
    return function


def settings_of(project_dir: Path, stack: str) -> StackSettings:
    """A stack's settings.

    Raises:
        FindingsError: when they hold an error.
        FsmStackError: when the stack cannot be read.
    """
    _, (loaded,) = load(project_dir, (stack,))
    if loaded.settings is None:
        raise FindingsError(loaded.findings)
    return loaded.settings


def outcomes(files: tuple[Path, ...], context: Context) -> Iterator[Outcome]:
    """Every document of the files, after the injector.

    Namespaces of all files are known before the first workload, but those of standard input only
    from where they stand.

    Raises:
        InputError: for a file or a document that cannot be read.
    """
    from fsm_stack.project.workload_files import documents, learn_from
    from fsm_stack.workloads.stream import run

    if files.count(Path("-")) > 1:
        raise InputError("-f -: standard input can be read only once")
    for path in files:
        learn_from(path, context)
    with progress() as step:
        for path in files:
            for outcome in run(documents(path), context):
                step(len(outcome.seen))
                yield outcome


def note_assumed(namespaces: Iterable[str]) -> None:
    """Say which namespaces the decisions rest on, although nobody has shown them."""
    for name in sorted(namespaces):
        click.echo(f"note: namespace {name} is not in the input: assumed to be enrolled", err=True)


@contextmanager
def progress() -> Iterator[Callable[[int], None]]:
    """A counter of workloads on a terminal, for inputs that take longer than a second."""
    started, count, shown = time.monotonic(), 0, False
    live = sys.stderr.isatty() and not sys.stdout.isatty()

    def step(more: int) -> None:
        nonlocal count, shown
        before, count = count, count + more
        if live and before // _STEP != count // _STEP and time.monotonic() > started + _SHOW_AFTER:
            click.echo(f"\r{count} workloads", err=True, nl=False)
            shown = True

    try:
        yield step
    finally:
        if shown:
            click.echo("\r\x1b[K", err=True, nl=False)
