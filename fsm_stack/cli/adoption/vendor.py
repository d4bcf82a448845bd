"""``fsm-stack vendor``: the Pipy scripts of an FSM release, out of its chart archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsm_stack.cli.verb import Verb, emit, output_option, project_option
from fsm_stack.findings.finding import without_user

if TYPE_CHECKING:
    from fsm_stack.project.release_asset import Vendored


@click.command(cls=Verb, short_help="Take the Pipy scripts out of an FSM chart archive.")
@click.argument("archive", required=False, metavar="[ARCHIVE | URL]")
@click.option("--sha256", metavar="HEX", help="The archive's SHA-256, as its publisher gives it.")
@click.option("--version", metavar="VERSION", help="The FSM release that it must be, as 1.5.1.")
@click.option("--repo", metavar="URL", envvar="FSM_STACK_CHART_REPOSITORY", show_envvar=True,
              help="The chart repository, FSM's own if absent.")  # fmt: skip
@click.option("--ca-file", type=click.Path(path_type=Path), metavar="FILE",
              help="More certificate authorities, PEM.")  # fmt: skip
@output_option
@project_option
def vendor(
    archive: str | None, *, sha256: str | None, version: str | None, repo: str | None,
    ca_file: Path | None, project_dir: Path,
) -> None:  # fmt: skip
    """Take the Pipy scripts out of FSM's Helm chart: of a file, of a URL, or of a release.

    With --version alone the archive comes from the chart repository, by the digest that its index
    announces. They go to releases/<version>/ with the digests of both. The first archive of a
    version is recorded; another one is refused from then on. Downloads are HTTPS; HTTPS_PROXY,
    NO_PROXY and SSL_CERT_FILE of the environment count.
    """
    from fsm_stack.project import release_asset
    from fsm_stack.project.download import CHART_REPOSITORY, fetch, find_chart, is_url
    from fsm_stack.project.project import find_project

    project = find_project(project_dir)
    announced = None
    if archive is not None and not is_url(archive):
        done = release_asset.vendor(
            project.directory,
            project_dir / archive,
            sha256=sha256,
            version=version,
            shown=archive,
        )
    else:
        if archive is None and version is None:
            raise click.UsageError("expected an ARCHIVE, a URL, or --version")
        if archive is None:
            chart = find_chart(repo or CHART_REPOSITORY, str(version), ca_file=ca_file)
            archive, announced = chart
        done = release_asset.vendor_content(
            project.directory,
            fetch(archive, ca_file=ca_file),
            sha256=sha256 or announced,
            version=version,
            shown=without_user(archive),
        )
    emit({**done.record.as_json(), "directory": done.directory, "first": done.first},
         _lines(done, given="with --sha256" if sha256 else "by the repository"))  # fmt: skip


def _lines(done: Vendored, given: str) -> tuple[str, ...]:
    record = done.record
    taken = f"fsm {record.version}: {done.directory}/scripts.tar.gz, {record.scripts_size} bytes"
    digest = f"SHA-256 of the scripts: {record.scripts_sha256}"
    if not done.first:
        return (taken, digest, "The archive is the recorded one.")
    checked = f"as given {given}" if done.given else "compare it with its publisher's"
    return (
        taken,
        digest,
        f"The archive's SHA-256 is recorded, {checked}: {record.chart_sha256}",
        f"Next: git add {done.directory}, then fsm-stack render --all",
    )
