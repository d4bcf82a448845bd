"""``fsm-stack annotate``: a profile's or given settings' annotations, alone or in manifests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from fsm_stack.cli.verb import (
    BAD_INPUT,
    Verb,
    complain,
    emit,
    output_option,
    project_option,
    stream,
    wants_json,
)
from fsm_stack.cli.workload.workloads import Summary, settings_of, stack_argument
from fsm_stack.errors import InputError
from fsm_stack.lists import POD_LISTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsm_stack.settings.models.stack import StackSettings

_Function = TypeVar("_Function", bound="Callable[..., Any]")
# Option, field of PodSettings, metavariable, what it means.
_LISTS: Final = (
    *(
        (name.option, name.field, "PORT" if name.holds == "ports" else "CIDR", name.meaning)
        for name in POD_LISTS
    ),
    ("--limit", "limits", "NAME=AMOUNT", "A limit of the sidecar: cpu, memory and so on."),
    ("--request", "requests", "NAME=AMOUNT", "A request of the sidecar."),
)
_SWITCHES: Final = (
    ("--inject/--no-inject", "injection", "Whether the pods get a sidecar."),
    ("--hold/--no-hold", "hold_application", "The application waits for the sidecar."),
    ("--graceful-exit/--no-graceful-exit", "graceful_exit", "The sidecar waits for its clients."),
)


def _setting_options(function: _Function) -> _Function:
    """One option for each setting of a pod."""
    image = click.option("--sidecar-image", metavar="IMAGE", help="The sidecar's image.")
    function = image(function)
    for option, field, text in reversed(_SWITCHES):
        function = click.option(option, field, default=None, help=text)(function)
    for option, field, kind, text in reversed(_LISTS):
        single = int if kind == "PORT" else str
        function = click.option(
            option, field, multiple=True, type=single, metavar=kind, help=text
        )(function)
    return function


@click.command(cls=Verb, short_help="Print annotations for pods, or patch manifests.")
@stack_argument
@click.argument("profile", required=False)
@_setting_options
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
def annotate(
    stack: str,
    profile: str | None,
    *,
    path: Path | None,
    project_dir: Path,
    **given: Any,  # noqa: ANN401  # the settings' options
) -> None:
    """Print the annotations of PROFILE of STACK, and of the given settings, for a pod template.

    Lists, --limit and --request may be given several times. A setting takes the place of the
    profile's. What the injector would refuse is an error, and so is what would keep the pods from
    starting. With FILE, print its manifests with the annotations on every workload's pod template,
    where the injector reads them; comments and layout stay.
    """
    if path is not None and wants_json():
        raise click.UsageError("--filename: manifests stay in their form, without --output json")
    annotations = _annotations(settings_of(project_dir, stack), profile, given)
    if path is None:
        emit(annotations, [f'{key}: "{value}"' for key, value in annotations.items()])
        return
    summary = Summary()
    stream(_patched(path, annotations, summary))
    summary.tell()
    if reason := summary.nothing():
        complain(InputError(reason), BAD_INPUT)


def _annotations(
    settings: StackSettings, profile: str | None, given: dict[str, Any]
) -> dict[str, str]:
    from fsm_stack.injector.of_settings import mesh_of
    from fsm_stack.workloads.write import PodSettings, annotations_for, annotations_of, require

    named: dict[str, Any] = {
        name: _amounts(value) if name in {"limits", "requests"} else value
        for name, value in given.items()
    }
    if profile is None and not any(value not in {None, ()} for value in given.values()):
        raise InputError("annotate: expected a PROFILE or a setting; --help lists them")
    found = annotations_for(settings, profile) if profile is not None else {}
    found |= annotations_of(PodSettings(**named), settings.profile)
    require(found, mesh_of(settings))
    return found


def _amounts(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not equals:
            raise InputError(f"{name!r}: expected a resource and its amount, such as cpu=100m")
    return {name: amount for name, _, amount in pairs}


def _patched(path: Path, annotations: dict[str, str], summary: Summary) -> list[str]:
    """The whole stream: a document that cannot be read leaves nothing half written."""
    from fsm_stack.project.workload_files import documents
    from fsm_stack.workloads.edit import annotated, annotated_json
    from fsm_stack.workloads.objects import workloads
    from fsm_stack.workloads.passed import in_document, unread

    texts = []
    for document in documents(path):
        text = document.text
        value = document.load() if document.of_interest() else None
        found = tuple(workloads(value))
        looked = {item.path for item in found}
        passed = in_document(document, value, looked=looked) if value else unread(document)
        summary.add(found, len(looked), passed)
        try:
            if found and document.form == "json":
                text = annotated_json(value, found, annotations)
            else:
                text = annotated(text, found, annotations)
        except InputError as error:
            raise InputError(f"{document.file}:{document.line}: {error}") from None
        texts.append(document.lead + text)
    return texts
