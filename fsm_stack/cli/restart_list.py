"""``fsm-stack restart-list``: who has to restart, as commands that it never runs."""

from __future__ import annotations

from typing import Any

import click

from fsm_stack.cli.verb import (
    COULD_NOT_CHECK,
    StackName,
    Verb,
    emit,
    leave,
    output_option,
    project_option,
)
from fsm_stack.cli.verify import WORDS, clear_progress, progress, request_of, source_options


@click.command(cls=Verb, short_help="Print the restarts that bring stale pods up to date.")
@click.argument("words", nargs=-1, type=StackName(), metavar=WORDS)
@source_options
@click.option("--batch", type=click.IntRange(1), default=10, show_default=True, metavar="N",
              help="So many owners at a time.")  # fmt: skip
@output_option
@project_option
def restart_list(words: tuple[str, ...], *, batch: int, **options: Any) -> None:  # noqa: ANN401
    """Print, in batches, the commands that restart the owners of stale pods. It runs none of them.

    A pod is stale when it has other rules or images than the injector would give it now, or no
    sidecar.
    """
    from fsm_stack.edges.cluster_session import context_of
    from fsm_stack.verify.report import restart_json
    from fsm_stack.verify.restarts import lines, restarts
    from fsm_stack.verify.snapshot import Part

    context = context_of(request_of(words, options), progress=progress)
    clear_progress()
    found = restarts(context)
    emit(restart_json(context, found), lines(context, found, batch=batch))
    if found.unknown or {Part.PODS, Part.NAMESPACES} & context.snapshot.not_read.keys():
        click.get_current_context().exit(COULD_NOT_CHECK)
    leave(failed=bool(found.owners or found.later))
