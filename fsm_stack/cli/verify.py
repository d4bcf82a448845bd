"""``fsm-stack verify``: the troubleshooting guides as one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fsm_stack.cli.metrics import metrics_options, tell_prometheus
from fsm_stack.cli.verb import (
    COULD_NOT_CHECK,
    OUTPUT,
    Id,
    StackName,
    Verb,
    emit,
    fail_on_option,
    leave,
    project_option,
    stops,
)
from fsm_stack.errors import CouldNotCheckError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fsm_stack.cluster.session import Request
    from fsm_stack.verify.check import Check, Context, Report

_POLL_SECONDS: Final = 2.0
_COLORS: Final = {
    "FAILED": "red", "error:": "red", "warned": "yellow", "warning:": "yellow", "info:": "blue",
    "NOT RUN": "yellow",
}  # fmt: skip
_ERASE: Final = "\r\x1b[K"  # ECMA-48: to the start of the line, erase it
WORDS: Final = "[STACK] [POD | KIND/NAME]"


def _output(ctx: click.Context, _: click.Parameter, value: str) -> str:
    ctx.meta[OUTPUT] = "text" if value == "text" else "json"
    return value


def _checks() -> tuple[Check, ...]:
    from fsm_stack.verify.every import CHECKS

    return CHECKS


def cluster_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--context``, ``--kubeconfig`` and ``--system``."""
    for option in (
        click.option("--system", type=click.Choice(["fsm", "osm-edge", "osm"]),
                     help="The mesh, where nothing tells it."),
        click.option("--kubeconfig", type=click.Path(path_type=Path), metavar="FILE",
                     help="The kubeconfig file."),
        click.option("--context", metavar="NAME", help="The kubeconfig's context."),
    ):  # fmt: skip
        function = option(function)
    return function


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Where the snapshot and what is declared come from."""
    for option in (
        click.option("--against", type=click.Path(path_type=Path), metavar="DIR",
                     help="Compare with rendered files instead of a STACK."),
        click.option("--from", "files", type=click.Path(path_type=Path), multiple=True,
                     metavar="FILE", help="Read a snapshot, kubectl's JSON or a description "
                     "instead of a cluster; may be repeated."),
        click.option("-n", "--namespace", metavar="NAME",
                     help="The namespace of POD or KIND/NAME; alone: all of its pods."),
    ):  # fmt: skip
        function = option(function)
    return cluster_options(function)


@click.command(cls=Verb, short_help="Check a cluster: why is traffic (not) redirected?")
@click.argument("words", nargs=-1, type=StackName(), metavar=WORDS)
@source_options
@click.option("--rules", metavar="FILE", help="iptables-save of the pod; - for standard input.")
@click.option("--why", metavar="IP:PORT", help="Say why a connection is, or is not, redirected.")
@click.option(
    "--redirected",
    is_flag=True,
    help="With --why: it is meant to go through the sidecar, not to bypass it.",
)
@click.option(
    "--check",
    "only",
    multiple=True,
    type=Id(_checks),
    metavar="ID",
    help="Make only this check; may be repeated.",
)
@click.option("--wait", type=click.FloatRange(0), default=0, metavar="SECONDS",
              help="Ask again until every check passes, for so long.")  # fmt: skip
@click.option("--all", "every", is_flag=True, help="Show every check, those that passed, too.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    callback=_output,
    help="For people, programs or code scanning.",
)
@metrics_options
@fail_on_option
@project_option
def verify(
    words: tuple[str, ...], *, why: str | None, redirected: bool, only: tuple[str, ...],
    wait: float, every: bool, output: str, fail_on: str, metrics_file: Path | None,
    listen: tuple[str, int] | None, **options: Any,  # noqa: ANN401  # the shared options, for the request
) -> None:  # fmt: skip
    """Make every check of the troubleshooting guides; say which step fails, why, and what to do.

    With STACK the cluster is compared with the stack's file, without it with its own MeshConfig.
    KIND/NAME is a pod or what owns pods (pod/web-7f9c, deploy/web, namespace/shop; after a STACK
    a pod's name alone will do); without it every pod of the mesh is looked at. Nothing is ever
    written to the cluster.

    Exit codes: 0 all passed, 1 findings, 2 bad input or another cluster, 3 a check did not run.
    """
    request = request_of(words, options)
    if why is not None:
        if metrics_file or listen:
            raise click.UsageError("--why: expected it without --metrics and --listen")
        _explain(request, why, redirected=redirected)
    if redirected:
        raise click.UsageError("--redirected: expected --why IP:PORT with it")
    from time import monotonic

    start = monotonic()
    report = _report(request, _chosen(only), wait, fail_on)
    took = monotonic() - start
    _emit(report, output, took=took, every=every)
    tell_prometheus(report, took=took, metrics_file=metrics_file, listen=listen)
    finish(report, fail_on)


def request_of(words: tuple[str, ...], options: dict[str, Any]) -> Request:
    """The request: a word with a slash is a pod or an owner, and so is one after the stack."""
    from fsm_stack.cluster.session import Request

    subjects = [word for word in words if "/" in word]
    stacks = [word for word in words if "/" not in word]
    if len(stacks) == 2 and not subjects:  # noqa: PLR2004  # STACK POD
        subjects = [f"pod/{stacks.pop()}"]
    if len(subjects) > 1 or len(stacks) > 1:
        raise click.UsageError("expected at most one STACK and one POD or KIND/NAME")
    return Request(
        stack=stacks[0] if stacks else None, subject=subjects[0] if subjects else None, **options
    )


def progress(count: int) -> None:
    """How many pods were read, for people who wait."""
    import sys

    if sys.stderr.isatty():
        click.echo(f"{_ERASE}{count} pods read", err=True, nl=False)


def clear_progress() -> None:
    """Leave the line to the report."""
    import sys

    if sys.stderr.isatty():
        click.echo(_ERASE, err=True, nl=False)


def _report(request: Request, checks: Sequence[Check], wait: float, fail_on: str) -> Report:
    import time

    from fsm_stack.verify.check import Report, run_checks

    deadline = time.monotonic() + wait
    while True:
        last = time.monotonic() + _POLL_SECONDS > deadline
        context = _context(request, last=last)
        if context is not None:
            report = Report(context=context, outcomes=run_checks(context, checks))
            if last or (report.complete and not stops(report.findings, fail_on)):
                return report
        time.sleep(_POLL_SECONDS)


def _context(request: Request, *, last: bool) -> Context | None:
    """What checks read; None: no cluster answers, and there is time to ask again."""
    from fsm_stack.cluster.session import context_of

    try:
        return context_of(request, progress=progress)
    except CouldNotCheckError:
        if last:
            raise
        return None
    finally:
        clear_progress()


def _chosen(only: tuple[str, ...]) -> Sequence[Check]:
    from fsm_stack.verify.every import CHECKS

    known = {check.id: check for check in CHECKS}
    for name in only:
        if name not in known:
            from fsm_stack.errors import did_you_mean

            raise click.UsageError(f"--check {name!r}: no such check{did_you_mean(name, known)}")
    return [check for check in CHECKS if check.id in only] or CHECKS


def _explain(request: Request, destination: str, *, redirected: bool) -> None:
    from fsm_stack.cluster.session import context_of
    from fsm_stack.verify.report import why_json, why_lines
    from fsm_stack.verify.why import explain

    context = context_of(request, progress=progress)
    clear_progress()
    answer = explain(context, destination, redirected=redirected)
    emit(why_json(context, answer), why_lines(context, answer))
    if answer.cause == "unknown":
        click.get_current_context().exit(COULD_NOT_CHECK)
    leave(failed=answer.cause != "as-declared")


def _emit(report: Report, output: str, *, took: float, every: bool) -> None:
    from fsm_stack.verify.report import all_lines, as_json, lines, sarif

    shown = all_lines(report, took=took) if every else lines(report, took=took)
    emit(sarif(report) if output == "sarif" else as_json(report), map(_colored, shown))


def _colored(line: str) -> str:
    """A line with its first word of severity in the colour that ``lint`` gives it."""
    for word, color in _COLORS.items():
        if line.lstrip(" ").startswith(word):
            return line.replace(word, click.style(word, fg=color), 1)
    return line


def finish(report: Report, fail_on: str) -> None:
    """Exit with 1 for findings, with 3 where a check did not run, else with 0."""
    if stops(report.findings, fail_on):
        leave(failed=True)
    if not report.complete:
        click.get_current_context().exit(COULD_NOT_CHECK)
    leave(failed=False)
