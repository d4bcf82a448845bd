"""``fsm-stack snapshot`` and ``restart-list``: a cluster as a file; who has to restart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from fsm_stack.cli.verify import (
    WORDS,
    clear_progress,
    cluster_options,
    progress,
    request_of,
    source_options,
)

if TYPE_CHECKING:
    from fsm_stack.snapshot.snapshot import Snapshot


@click.command(cls=Verb, short_help="Print the restarts that bring stale pods up to date.")
@click.argument("words", nargs=-1, type=StackName(), metavar=WORDS)
@source_options
@click.option("--batch", type=click.IntRange(1), default=10, show_default=True, metavar="N",
              help="So many owners at a time.")  # fmt: skip
@output_option
@project_option
def restart_list(words: tuple[str, ...], *, batch: int, **options: Any) -> None:  # noqa: ANN401
    """Print, in batches, the commands that restart the owners of stale pods. It runs none of them.

    Handed to sh -e, they stop at a batch that does not come up.

    A pod is stale when it has other rules or images than the injector would give it now, or no
    sidecar. An owner whose next pod would not start is left out, with what to mend first. Exit
    codes: 0 no pod is stale, 1 some are, 2 bad input or another cluster, 3 not every pod was read.
    """
    from fsm_stack.cluster.session import context_of
    from fsm_stack.snapshot.snapshot import Part
    from fsm_stack.verify.report import restart_json
    from fsm_stack.verify.restarting.restarts import lines, restarts

    context = context_of(request_of(words, options), progress=progress)
    clear_progress()
    found = restarts(context)
    emit(restart_json(context, found), lines(context, found, batch=batch))
    if found.unknown or {Part.PODS, Part.NAMESPACES} & context.snapshot.not_read.keys():
        click.get_current_context().exit(COULD_NOT_CHECK)
    leave(failed=bool(found.owners or found.refused or found.stopped or found.later))


@click.command(cls=Verb, short_help="Save what checks read of a cluster, for a look elsewhere.")
@click.argument("file", type=click.Path(path_type=Path))
@cluster_options
@click.option(
    "--anonymize",
    is_flag=True,
    help="Replace names of namespaces, pods, containers and owners; leave out addresses and logs.",
)
@output_option
def snapshot(
    file: Path, *, context: str | None, kubeconfig: Path | None, system: str | None,
    anonymize: bool,
) -> None:  # fmt: skip
    """Save a snapshot of the mesh in FILE: one JSON object a line, readable by its owner only.

    Only fields that checks read are kept: never a Secret, an application's environment or its
    arguments. fsm-stack verify --from FILE reads it.
    """
    taken, count = _taken(file, context, kubeconfig, system, anonymize=anonymize)
    unread = {part.value: why for part, why in taken.not_read.items()}
    lines = [f"{file}: {count} objects of context {taken.source.context}"]
    plain = {"file": str(file), "objects": count, "notRead": unread}
    emit(plain, [*lines, *(f"{part}: {why}" for part, why in unread.items())])
    leave(failed=False)


def _taken(
    file: Path, context: str | None, kubeconfig: Path | None, system: str | None, *,
    anonymize: bool,
) -> tuple[Snapshot, int]:  # fmt: skip
    from datetime import UTC, datetime
    from secrets import token_hex

    from fsm_stack.cluster.connect import connect
    from fsm_stack.cluster.read import Reader
    from fsm_stack.cluster.snapshot_file import save
    from fsm_stack.snapshot.anonymize import anonymous, anonymous_source
    from fsm_stack.systems import SYSTEMS

    objects: list[dict[str, Any]] = []
    reader = Reader(
        cluster=connect(kubeconfig=kubeconfig, context=context),
        sink=objects.append,
        progress=progress,
    )
    known = [SYSTEMS[system]] if system else list(SYSTEMS.values())
    taken = reader.snapshot(
        systems=known, uid=reader.uid(), taken=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    )
    if anonymize:
        taken, objects = anonymous_source(taken), list(anonymous(objects, salt=token_hex()))
    save(file, taken, objects)
    return taken, len(objects)
