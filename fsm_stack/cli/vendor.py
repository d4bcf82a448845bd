"""``fsm-stack vendor``: the Pipy scripts of an FSM release, out of its chart archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsm_stack.cli.verb import Verb, emit, output_option, project_option

if TYPE_CHECKING:
    from fsm_stack.project.release_asset import Vendored


@click.command(cls=Verb, short_help="Take the Pipy scripts out of an FSM chart archive.")
@click.argument("archive", type=click.Path(path_type=Path), metavar="ARCHIVE")
@click.option("--sha256", metavar="HEX", help="The archive's SHA-256, as its publisher gives it.")
@click.option("--version", metavar="VERSION", help="The FSM release that it must be, as 1.5.1.")
@output_option
@project_option
def vendor(archive: Path, sha256: str | None, version: str | None, project_dir: Path) -> None:
    """Take the Pipy scripts out of ARCHIVE, FSM's Helm chart fsm-<version>.tgz.

    They go to releases/<version>/ with the digests of both. The first archive of a version is
    recorded; another one is refused from then on. Nothing is downloaded.
    """
    from fsm_stack.project import release_asset
    from fsm_stack.project.project import find_project

    project = find_project(project_dir)
    done = release_asset.vendor(
        project.directory,
        project_dir / archive,
        sha256=sha256,
        version=version,
        shown=str(archive),
    )
    emit({**done.record.as_json(), "directory": done.directory, "first": done.first}, _lines(done))


def _lines(done: Vendored) -> tuple[str, ...]:
    record = done.record
    taken = f"fsm {record.version}: {done.directory}/scripts.tar.gz, {record.scripts_size} bytes"
    digest = f"SHA-256 of the scripts: {record.scripts_sha256}"
    if not done.first:
        return (taken, digest, "The archive is the recorded one.")
    checked = "as given with --sha256" if done.given else "compare it with its publisher's"
    return (
        taken,
        digest,
        f"The archive's SHA-256 is recorded, {checked}: {record.chart_sha256}",
        f"Next: git add {done.directory}, then fsm-stack render --all",
    )
