"""``fsm-stack snapshot``: what checks read of a cluster, as a file to look at elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsm_stack.cli.verb import Verb, emit, leave, output_option
from fsm_stack.cli.verify import cluster_options, progress

if TYPE_CHECKING:
    from fsm_stack.verify.snapshot import Snapshot


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

    from fsm_stack.edges.cluster_connect import connect
    from fsm_stack.edges.cluster_read import Reader
    from fsm_stack.edges.snapshot_file import save
    from fsm_stack.systems import SYSTEMS
    from fsm_stack.verify.anonymize import anonymous, anonymous_source

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
