"""What every verb shares: its options, its output, its exit code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeVar

import click

from fsm_stack.errors import CouldNotCheckError, FindingsError, FsmStackError, InputError
from fsm_stack.findings.finding import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click.shell_completion import CompletionItem

    from fsm_stack.findings.finding import Finding
    from fsm_stack.project.project import Project, Stack

FINDINGS: Final = 1
BAD_INPUT: Final = 2
COULD_NOT_CHECK: Final = 3
_STACKS_MAX: Final = 20  # so many are read for completion: nobody waits longer
INTERRUPTED: Final = 130  # as shells say it: 128 and the signal's number
OUTPUT: Final = "fsm_stack.output"  # where a context keeps the form that was asked for
_COLORS: Final = {"error": "red", "warning": "yellow", "info": "blue"}

_Function = TypeVar("_Function", bound="Callable[..., Any]")


class Verb(click.Command):
    """A command whose errors are the user's to mend: a message, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # click's signature
        """Run the verb; its errors become messages and exit codes."""
        try:
            os.getcwd()  # noqa: PTH109  # only whether it is there
        except OSError:
            complain(InputError("the working directory is gone: change to another"), BAD_INPUT)
        try:
            return super().invoke(ctx)
        except FindingsError as error:
            findings = error.findings
            emit({"findings": [f.as_json() for f in findings]}, finding_lines(findings))
            ctx.exit(FINDINGS)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except CouldNotCheckError as error:
            complain(error, COULD_NOT_CHECK)
        except FsmStackError as error:
            complain(error, BAD_INPUT)


class StackName(click.ParamType[str]):
    """A stack's name; completes to the stacks of the project."""

    name = "stack"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002  # click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """The stacks that have a file and are not named yet."""
        from click.shell_completion import CompletionItem

        from fsm_stack.project.project import find_project

        try:
            known = find_project(ctx.params.get("project_dir") or Path()).stacks()
        except FsmStackError:
            return []
        taken = ctx.params.get("stacks") or ()
        return [
            CompletionItem(name)
            for name in known
            if name.startswith(incomplete) and name not in taken
        ]


class Titled(Protocol):
    """What has an id and a title: a finding's rule, a check."""

    @property
    def id(self) -> str: ...  # noqa: D102  # as it says

    @property
    def title(self) -> str: ...  # noqa: D102


class Id(click.ParamType[str]):
    """The id of something that has a title, too; completes to those that are known.

    Args:
        known: what has such ids; asked only when a shell completes one.
    """

    name = "id"

    def __init__(self, known: Callable[[], Iterable[Titled]]) -> None:
        self._known = known

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """The ids that begin so, with their titles."""
        from click.shell_completion import CompletionItem

        return [
            CompletionItem(one.id, help=one.title)
            for one in self._known()
            if one.id.startswith(incomplete)
        ]


def every_rule() -> Iterable[Titled]:
    """Every finding that there is."""
    from fsm_stack.findings.catalogue import all_rules

    return all_rules().values()


class ProfileName(click.ParamType[str]):
    """A profile's name; completes to those of the stack, where that is known."""

    name = "profile"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002  # click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """The stack's profiles."""
        from click.shell_completion import CompletionItem

        from fsm_stack.project.project import find_project

        stack = ctx.params.get("stack")
        try:
            project = find_project(ctx.params.get("project_dir") or Path())
            # Behind an option that still lacks its value click knows no argument.
            chosen = [name for name in project.stacks() if name == (stack or name)]
            known = [project.load(name).settings for name in chosen[:_STACKS_MAX]]
        except FsmStackError:
            return []
        profiles = {
            name: profile.description or None
            for settings in known
            for name, profile in (settings.annotation_profiles if settings else {}).items()
        }
        return [
            CompletionItem(name, help=text)
            for name, text in profiles.items()
            if name.startswith(incomplete)
        ]


def project_option(function: _Function) -> _Function:
    """``-C`` and ``--project-dir``."""
    return click.option(
        "-C",
        "--project-dir",
        type=click.Path(path_type=Path),
        default=Path(),
        metavar="DIR",
        help="Run as if started in DIR.",
    )(function)


def output_option(function: _Function) -> _Function:
    """``-o`` and ``--output``; :func:`emit` reads it."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        expose_value=False,
        callback=lambda ctx, _, value: ctx.meta.__setitem__(OUTPUT, value),
        help="For people, or one JSON document for programs.",
    )(function)


def report_option(function: _Function) -> _Function:
    """``-o`` and ``--output`` of a verb whose result is findings: ``output``, SARIF among it."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json", "sarif"]),
        default="text",
        show_default=True,
        callback=lambda ctx, _, value: ctx.meta.setdefault(OUTPUT, value),
        help="For people, one JSON document, or SARIF for code review.",
    )(function)


def fail_on_option(function: _Function) -> _Function:
    """``--fail-on``: from which severity on findings stop the verb."""
    return click.option(
        "--fail-on",
        type=click.Choice(["error", "warning", "info"]),
        default="error",
        show_default=True,
        help="Exit with 1 for findings of this severity and above.",
    )(function)


def suppress_option(function: _Function) -> _Function:
    """``--suppress``."""
    return click.option(
        "--suppress",
        "suppress",
        multiple=True,
        type=Id(every_rule),
        metavar="ID[=OBJECT]",
        help="Leave findings out: of every object, or of one (Deployment/shop/web), a file or a "
        "path; * stands for anything. May be given several times.",
    )(function)


def without_assets_option(function: _Function) -> _Function:
    """``--without-release-assets``: the same for every verb that asks for the Pipy scripts."""
    return click.option(
        "--without-release-assets",
        is_flag=True,
        help="Do without the vendored Pipy scripts: for a review, not to be deployed alone.",
    )(function)


def stack_argument(function: _Function) -> _Function:
    """``STACK``, required."""
    return click.argument("stack", type=StackName(), metavar="STACK")(function)


def stacks_argument(function: _Function) -> _Function:
    """``[STACK]...``; none is every stack."""
    return click.argument("stacks", type=StackName(), nargs=-1, metavar="[STACK]...")(function)


def load(
    project_dir: Path, stacks: tuple[str, ...], *, everything: bool = False
) -> tuple[Project, tuple[Stack, ...]]:
    """The project, and the named stacks read from their files; all stacks when none is named.

    Raises:
        FsmStackError: when there is no project, no such stack, or a file cannot be read.
    """
    from fsm_stack.project.project import find_project

    if everything and stacks:
        raise click.UsageError("--all and a STACK: expected one of the two")
    project = find_project(project_dir)
    chosen = project.chosen(stacks, everything=everything or not stacks)
    return project, tuple(project.load(name) for name in chosen)


def wants_json() -> bool:
    """Whether the user asked for ``--output json``."""
    return click.get_current_context().meta.get(OUTPUT) == "json"


def emit(plain: object, lines: Iterable[str]) -> None:
    """Print the report, as JSON or as text."""
    if wants_json():
        lines = (json.dumps(plain, indent=2, ensure_ascii=False),)
    stream(f"{line}\n" for line in lines)


def stream(texts: Iterable[str]) -> None:
    """Print texts as they come, to the last one, also where nobody reads them any more."""
    for text in texts:
        click.echo(text, nl=False)


def complain(error: Exception, code: int) -> NoReturn:
    """Print an error's message for people, and exit."""
    head = click.style("error:", fg="red", bold=True)
    message = "\n".join(harmless(line, limit=None) for line in str(error).split("\n"))
    click.echo(f"fsm-stack: {head} {message}", err=True)
    click.get_current_context().exit(code)


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """Findings as text, the severity in its colour."""
    return [
        item.as_text().replace(
            f"{item.severity}:", click.style(f"{item.severity}:", fg=_COLORS[item.severity]), 1
        )
        for item in findings
    ]


def stops(findings: Iterable[Finding], fail_on: str) -> bool:
    """Whether a finding is at or above ``--fail-on``."""
    from fsm_stack.findings.finding import Severity

    return any(item.severity.rank >= Severity(fail_on).rank for item in findings)


def leave(*, failed: bool) -> NoReturn:
    """Exit with 1 when there is something to mend, else with 0."""
    click.get_current_context().exit(FINDINGS if failed else 0)
