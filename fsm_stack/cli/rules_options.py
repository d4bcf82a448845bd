"""What the verbs about traffic share: which rules are meant, packets' values, pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from fsm_stack.cli.verb import StackName, project_option

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fsm_stack.edges.rules_source import RulesSource
    from fsm_stack.iptables.packet import Trace

    _Function = TypeVar("_Function", bound=Callable[..., Any])

SYSTEM_NAMES = ("fsm", "osm-edge", "osm")


def stack_argument(function: _Function) -> _Function:
    """``STACK``, required."""
    return click.argument("stack", type=StackName(), metavar="STACK")(function)


def profile_option(function: _Function) -> _Function:
    """``--profile``."""
    return click.option(
        "--profile",
        metavar="NAME",
        help="Of pods that carry this annotation profile.  [default: pods without annotations]",
    )(function)


def system_option(function: _Function) -> _Function:
    """``--system``."""
    return click.option(
        "--system",
        type=click.Choice(SYSTEM_NAMES),
        help="Whose rules the script has to be; names the init container in a description.",
    )(function)


def source_options(function: _Function) -> _Function:
    """``[STACK]``, ``--profile``, ``--script``, ``--system`` and ``-C``: see :func:`chosen`."""
    function = project_option(function)
    function = system_option(function)
    function = click.option(
        "--script",
        metavar="FILE|-",
        type=click.Path(allow_dash=True),
        help="Ask about a script instead of a stack: an init container's, iptables-save, "
        "iptables -S, or kubectl describe pod.",
    )(function)
    function = profile_option(function)
    return click.argument("stack", type=StackName(), required=False, metavar="[STACK]")(function)


def svg_option(function: _Function) -> _Function:
    """``--svg``."""
    return click.option(
        "--svg",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Also draw it into FILE.",
    )(function)


def chosen(
    stack: str | None,
    *,
    profile: str | None,
    script: str | None,
    system: str | None,
    project_dir: Path,
) -> RulesSource:
    """The rules that the options mean.

    Raises:
        click.UsageError: neither or both of a stack and a script, or options of the other one.
        FsmStackError: there are no such rules, or they cannot be read.
    """
    from fsm_stack.edges.rules_source import of_script, of_stack

    if (stack is None) == (script is None):
        raise click.UsageError("expected either a STACK or --script FILE")
    if script is not None:
        if profile is not None:
            raise click.UsageError("--profile: expected a STACK, a script has no profiles")
        return of_script(script, system)
    if system is not None:
        raise click.UsageError("--system: expected --script, a stack knows its system")
    return of_stack(project_dir, str(stack), profile)


def draw(source: RulesSource, file: Path, *, title: str, trace: Trace | None = None) -> None:
    """Write a picture of the rules, and of a connection's way through them."""
    from fsm_stack.edges.files import write_file
    from fsm_stack.iptables.picture import picture

    write_file(file, picture(source.loadable(), title=title, trace=trace).encode())
