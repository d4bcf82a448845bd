"""``fsm-stack annotate``: a profile's annotations, or manifests that carry them."""

from __future__ import annotations

from pathlib import Path

import click

from fsm_stack.cli.verb import Verb, emit, output_option, project_option
from fsm_stack.cli.workloads import settings_of, stack_argument


@click.command(cls=Verb, short_help="Print a profile's annotations, or patch manifests.")
@stack_argument
@click.argument("profile")
@click.option(
    "-f",
    "--filename",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Manifests to put them into, YAML; - for standard input.",
)
@output_option
@project_option
def annotate(stack: str, profile: str, *, path: Path | None, project_dir: Path) -> None:
    """Print the annotations of PROFILE of STACK, for a pod template.

    With FILE, print its manifests with the annotations on every workload's pod template, where the
    injector reads them; comments and layout stay.
    """
    from fsm_stack.injection.write import annotations_for

    annotations = annotations_for(settings_of(project_dir, stack), profile)
    if path is None:
        emit(annotations, [f'{key}: "{value}"' for key, value in annotations.items()])
        return
    for text in _patched(path, annotations):
        click.echo(text, nl=False)


def _patched(path: Path, annotations: dict[str, str]) -> list[str]:
    """The whole stream: a document that cannot be read leaves nothing half written."""
    from fsm_stack.edges.workload_files import documents
    from fsm_stack.injection.misplaced import annotated
    from fsm_stack.injection.workload import workloads

    texts = []
    for document in documents(path):
        text = document.text
        if document.of_interest():
            for item in workloads(document.load()):
                text = annotated(text, item, annotations)
        texts.append(document.lead + text)
    return texts
