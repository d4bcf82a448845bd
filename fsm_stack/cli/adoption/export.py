"""``fsm-stack export``: a stack in the forms of FSM's own documents."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from pathlib import Path

_FORMS: Final = ("set", "patch", "values")
_DRIFT: Final = (
    "A patch by hand is drift: fsm-stack verify reports it, the next pulumi up --refresh takes it "
    "back. New pods of monitored namespaces get it, running ones after a restart."
)
_INSTALLED: Final = (
    "Values count at the first install only: the chart writes the MeshConfig once. Of a mesh that "
    "runs, change the stack."
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
