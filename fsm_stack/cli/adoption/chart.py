"""FSM's own chart: a stack in the forms of its documents, and the scripts out of its archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fsm_stack.cli.verb import (
    StackName,
    Verb,
    emit,
    finding_lines,
    leave,
    output_option,
    project_option,
    wants_json,
)
from fsm_stack.credentials import without_user

if TYPE_CHECKING:
    from fsm_stack.project.release_asset import Vendored


_FORMS: Final = ("set", "patch", "values")
_DRIFT: Final = (
    "A patch by hand is drift: fsm-stack verify reports it, the next pulumi up --refresh takes it "
    "back. New pods of monitored namespaces get it, running ones after a restart."
)
_INSTALLED: Final = (
    "Values count at the first install only: the chart writes the MeshConfig once. Of a mesh that "
    "runs, change the stack."
)


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


@click.command(cls=Verb, short_help="Print a stack as command, patch or Helm values.")
@click.argument("stack", type=StackName(), metavar="STACK")
@click.option("--as", "form", type=click.Choice(_FORMS), required=True,
              help="An install command, a kubectl patch, or a values file.")  # fmt: skip
@output_option
@project_option
def export(stack: str, *, form: str, project_dir: Path) -> None:
    """Print what STACK says in the form of FSM's own documents.

    What the other form cannot say is named on standard error; it is found by reading the form
    back. A patch holds the five redirection lists whole: a merge patch replaces a list.
    """
    from datetime import UTC, datetime

    from fsm_stack.cli.workload.workloads import settings_of
    from fsm_stack.convert.chart import export as forms
    from fsm_stack.yaml.write import dump

    settings, today = settings_of(project_dir, stack), datetime.now(UTC).date()
    note = _DRIFT if form == "patch" else _INSTALLED
    if form == "patch":
        text = forms.patch_command(settings)
        data: Any = forms.merge_patch_of(settings)
        lost = forms.lost_in_patch(settings, today=today)
    else:
        data = forms.helm_values(settings)
        text = forms.install_command(settings, data) if form == "set" else dump(data).rstrip()
        lost = forms.lost_in_values(settings, data, today=today)
    findings = [item.as_json() for item in lost]
    emit({"form": form, "text": text, "data": data, "note": note, "findings": findings}, (text,))
    if not wants_json():
        for line in (*finding_lines(lost), f"note: {note}"):
            click.echo(line, err=True)
    leave(failed=False)
