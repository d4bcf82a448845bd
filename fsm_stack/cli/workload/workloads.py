"""What the verbs about workloads share: input, output, and the summary of what was looked at."""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from fsm_stack.cli.verb import load
from fsm_stack.errors import FindingsError, InputError
from fsm_stack.findings.finding import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.workloads.objects import Workload
    from fsm_stack.workloads.passed import Passed
    from fsm_stack.workloads.stream import Context, Outcome

_Function = TypeVar("_Function", bound="Callable[..., Any]")
_SHOW_AFTER: Final = 1.0  # seconds: shorter runs need no progress
_STEP: Final = 500


def file_option(function: _Function) -> _Function:
    """``-f``, ``--filename`` and ``-R`` as kubectl has them; files are read one after another."""
    recursive = click.option(
        "-R", "--recursive", is_flag=True, help="Also look into the directories of DIR."
    )
    return click.option(
        "-f",
        "--filename",
        "files",
        multiple=True,
        required=True,
        type=click.Path(path_type=Path),
        metavar="FILE|DIR",
        help="Manifests, YAML or JSON; - for standard input. May be given several times.",
    )(recursive(function))


def controller_option(function: _Function) -> _Function:
    """``--controller-ip``."""
    return click.option(
        "--controller-ip",
        metavar="IP",
        help="The controller Service's cluster IP: with the DNS proxy pods get it.",
    )(function)


def namespace_options(function: _Function) -> _Function:
    """Where the workloads are created: ``-n``, ``--namespace-file``."""
    for option in (
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


def note_assumed(namespaces: Iterable[str], context: Context) -> None:
    """Say which namespaces the decisions rest on, although nobody has shown them."""
    for name in sorted(namespaces):
        shown = harmless(name)
        assumed = f"note: namespace {shown} is not in the input: assumed to be enrolled"
        click.echo(assumed + harmless(context.doubt(name)), err=True)


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


_SHOWN_MAX: Final = 20  # lines about single documents; JSON and SARIF have all


@dataclass(slots=True)
class Summary:
    """The objects of an input, counted as they go by.

    Attributes:
        looked: how many objects were looked at: workloads and Namespaces.
        workloads: how many pods or pod templates.
        templates: where objects of other kinds than Kubernetes' own have their pod templates.
        passed: what was not looked at.
        unsure: workloads whose namespace or annotations are not rendered.
    """

    looked: int = 0
    workloads: int = 0
    templates: Counter[tuple[str, str]] = field(default_factory=Counter)
    passed: list[Passed] = field(default_factory=list)
    unsure: int = 0

    def counted(self, found: Iterable[Outcome]) -> Iterator[Outcome]:
        """Each outcome, counted."""
        for outcome in found:
            self.add((seen.workload for seen in outcome.seen), outcome.looked, outcome.passed)
            self.unsure += outcome.unsure
            yield outcome

    def add(self, workloads: Iterable[Workload], looked: int, passed: Iterable[Passed]) -> None:
        """One document."""
        from fsm_stack.workloads.objects import place_told

        self.looked += looked
        self.passed += passed
        for item in workloads:
            self.workloads += 1
            place = place_told(item.manifest, item.template)
            if place:
                self.templates[item.kind, place] += 1

    def as_json(self, findings: Iterable[Finding]) -> dict[str, Any]:
        """What JSON has beside the findings."""
        return {
            "summary": {
                "objects": self.looked + len(self.passed),
                "workloads": self.workloads,
                "findings": len(list(findings)),
                "passedOver": len(self.passed),
            },
            "podTemplates": [
                {"kind": harmless(kind), "path": place, "count": count}
                for (kind, place), count in sorted(self.templates.items())
            ],
            "passedOver": [item.as_json() for item in self.passed],
        }

    def invocation(self) -> dict[str, Any]:
        """How the run went, for SARIF."""
        lines = [*self._places(), *self._others(limit=None)]
        return {
            "executionSuccessful": True,
            "exitCode": 2 if self.unchecked() else 0,
            "toolExecutionNotifications": [
                {"level": "note", "message": {"text": line}} for line in lines
            ],
        }

    def nothing(self) -> str:
        """Why nothing could be looked at; "" where something was, or need not be."""
        if not self.looked and not self.passed:
            return "the input is empty: expected Kubernetes objects, YAML or JSON"
        if self.looked > self.unsure or any(item.reason.understood for item in self.passed):
            return ""
        return "nothing could be looked at" + ("; render it first" if self.unsure else "")

    def unchecked(self) -> str:
        """Why a verb that checks has checked nothing; "" where it has, or need not."""
        if not self.looked and {item.kind for item in self.passed} == {"MeshConfig"}:
            return "a MeshConfig alone: expected workloads; fsm-stack verify --from FILE checks it"
        return self.nothing()

    def tell(self, findings: int | None = None, *, more: str = "") -> None:
        """Say on standard error what was passed over, and the counts.

        Args:
            findings: how many; None: they are not what the verb is for.
            more: another count of the verb's.
        """
        for line in (*self._places(), *self._others(limit=_SHOWN_MAX)):
            click.echo(f"note: {line}", err=True)
        if not self.workloads:
            click.echo("note: no workload in the input", err=True)
        if self.unsure and findings is None:
            what = _many(self.unsure, "object")
            click.echo(f"note: {what} not rendered where it decides: render it first", err=True)
        counts = [_many(self.looked + len(self.passed), "object")]
        if findings is None:
            counts.append(_many(self.workloads, "workload"))
        else:
            counts.append(_many(findings, "finding"))
        counts += [f"{len(self.passed)} passed over", *([more] if more else [])]
        click.echo(", ".join(counts), err=True)

    def _places(self) -> Iterator[str]:
        for (kind, place), count in sorted(self.templates.items()):
            yield f"{count} {harmless(kind)}: the pod template is at {place}"

    def _others(self, *, limit: int | None) -> Iterator[str]:
        known = Counter(item.kind for item in self.passed if item.reason.understood)
        if known:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(known.items()))
            yield f"passed over, no pod template: {kinds}"
        rest = [item for item in self.passed if not item.reason.understood]
        for item in rest[:limit]:
            name = f" {item.name}" if item.name else ""
            yield f"passed over, {item.reason}: {item.file}:{item.line}{name}"
        if limit is not None and len(rest) > limit:
            yield f"passed over: {len(rest) - limit} more such documents"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
