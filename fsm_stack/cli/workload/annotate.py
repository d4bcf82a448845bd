"""``fsm-stack annotate``: a profile's or given settings' annotations, alone or in manifests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from fsm_stack.cli.verb import (
    BAD_INPUT,
    ProfileName,
    Verb,
    complain,
    emit,
    finding_lines,
    output_option,
    project_option,
    stack_argument,
    stream,
    wants_json,
)
from fsm_stack.cli.workload.workloads import Summary, namespace_options, note_assumed, settings_of
from fsm_stack.errors import FindingsError, InputError
from fsm_stack.lists import POD_LISTS
from fsm_stack.workloads.lint.subject import annotation_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.systems import System
    from fsm_stack.workloads.choose import Choice
    from fsm_stack.workloads.documents import Document
    from fsm_stack.workloads.objects import Workload
    from fsm_stack.workloads.stream import Context

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
_TOLD_MAX: Final = 20
_IMAGE: Final = ("--sidecar-image", "sidecar_image", "The sidecar's image.")


def _setting_options(function: _Function) -> _Function:
    """One option for each setting of a pod."""
    option, field, text = _IMAGE
    function = click.option(option, field, metavar="IMAGE", help=text)(function)
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
@click.argument("profile", required=False, type=ProfileName(), metavar="[PROFILE]")
@_setting_options
@click.option(
    "-f",
    "--filename",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Manifests to put them into, YAML or JSON; - for standard input.",
)
@click.option("--only", multiple=True, metavar="KIND/NAME", help="Only this workload of FILE.")
@click.option("-l", "--selector", metavar="LABELS", help="Only workloads with these labels.")
@click.option("--overwrite", is_flag=True, help="Replace annotations of another value.")
@namespace_options
@output_option
@project_option
def annotate(
    stack: str,
    profile: str | None,
    *,
    path: Path | None,
    only: tuple[str, ...],
    selector: str | None,
    overwrite: bool,
    namespace: str,
    namespace_files: tuple[Path, ...],
    project_dir: Path,
    **given: Any,  # noqa: ANN401  # the settings' options
) -> None:
    """Print the annotations of PROFILE of STACK, and of the given settings, for a pod template.

    Lists, --limit and --request may be given several times; a list's entries come behind the
    profile's. What the injector would refuse is an error, and so is what would keep the pods from
    starting. With FILE, print its manifests with the annotations on the workloads' pod templates,
    where the injector reads them; comments and layout stay. Workloads whose pods get no sidecar
    are left alone, and an annotation that is there with another value is an error.
    """
    from fsm_stack.project.workload_files import context_of, learn_from
    from fsm_stack.workloads.choose import Choice

    if path is not None and wants_json():
        raise click.UsageError("--filename: manifests stay in their form, without --output json")
    if path is None and (only or selector is not None or overwrite or namespace_files):
        options = "--only, --selector, --overwrite, --namespace-file"
        raise click.UsageError(f"{options}: expected --filename with them")
    context = context_of(
        settings_of(project_dir, stack),
        namespace_files=namespace_files,
        default_namespace=namespace,
        check=False,
    )
    annotations = _annotations(project_dir, stack, profile, given, context)
    if path is None:
        emit(annotations, [f'{key}: "{value}"' for key, value in annotations.items()])
        return
    learn_from(path, context)
    patch = _Patch(annotations, Choice.of(only, selector), context, overwrite=overwrite)
    stream(patch.texts(path))
    patch.tell()


def _annotations(
    project_dir: Path, stack: str, profile: str | None, given: dict[str, Any], context: Context
) -> dict[str, str]:
    from fsm_stack.workloads.write import (
        PodSettings,
        annotations_for,
        annotations_of,
        require,
        together,
    )

    named: dict[str, Any] = {
        name: _amounts(value) if name in {"limits", "requests"} else value
        for name, value in given.items()
    }
    if profile is None and not any(value not in {None, ()} for value in given.values()):
        raise InputError("annotate: expected a PROFILE or a setting; --help lists them")
    settings = settings_of(project_dir, stack)
    base = annotations_for(settings, profile) if profile is not None else {}
    options = _options(settings.profile, named, profile)
    try:
        own = annotations_of(PodSettings(**named), settings.profile)
        found = together(base, own, settings.profile)
        doubts = require(found, context.mesh, context.ranges)
    except FindingsError as error:
        raise FindingsError(tuple(_as_typed(item, options) for item in error.findings)) from None
    typed = (_as_typed(item, options) for item in doubts)
    for line in finding_lines(item for item in typed if item.place.path.startswith("--")):
        click.echo(line, err=True)
    return found


def _options(system: System, given: dict[str, Any], profile: str | None) -> dict[str, str]:
    """Where each setting and annotation comes from, as the user has typed it."""
    fields = {field: option for option, field, *_ in (*_LISTS, *_SWITCHES, _IMAGE)}
    typed = {}
    for name in POD_LISTS:
        sources = [name.option] if given[name.field] else []
        sources += [f"profile {profile}"] if profile is not None else []
        typed[annotation_path(system.annotation(name.annotation))] = " and ".join(sources)
    return {**typed, **{field: option.partition("/")[0] for field, option in fields.items()}}


def _as_typed(item: Finding, options: dict[str, str]) -> Finding:
    """A finding at the option, instead of the field behind it."""
    path = item.place.path
    field, dot, rest = path.partition(".")
    if option := options.get(path) or options.get(field.partition("[")[0]):
        return item.at(path=f"{option} {rest}" if dot and path not in options else option)
    return item


def _amounts(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not equals:
            raise InputError(f"{name!r}: expected a resource and its amount, such as cpu=100m")
    return {name: amount for name, _, amount in pairs}


class _Patch:
    """Annotations on their way into manifests."""

    def __init__(
        self, annotations: dict[str, str], choice: Choice, context: Context, *, overwrite: bool
    ) -> None:
        self._annotations, self._choice, self._context = annotations, choice, context
        self._overwrite = overwrite
        self._summary = Summary()
        self._named: set[str] = set()
        self._written = 0
        self._notes: list[str] = []
        self._assumed: set[str] = set()

    def texts(self, path: Path) -> list[str]:
        """The whole stream: a document that cannot be written leaves nothing half written.

        Raises:
            InputError: for what cannot be read or written, and for workloads that are not there.
        """
        from fsm_stack.project.workload_files import documents

        conflicts: list[str] = []
        texts = [self._text(document, conflicts) for document in documents(path)]
        if conflicts:
            more = len(conflicts) - _TOLD_MAX
            told = [*conflicts[:_TOLD_MAX], *([f"{more} more like these"] if more > 0 else [])]
            raise InputError("\n".join((*told, "--overwrite replaces what is there")))
        if absent := [name for name in self._choice.only if name not in self._named]:
            raise InputError(f"--only {', '.join(absent)}: no such workload in the input")
        if self._choice.selector and not (self._written or self._notes):
            raise InputError("--selector: no workload in the input has such labels")
        return texts

    def tell(self) -> None:
        """Say what was left alone, and the counts; end with 2 where there was nothing."""
        for note in self._notes:
            click.echo(f"note: {note}", err=True)
        note_assumed(self._assumed, self._context)
        self._summary.tell(more=f"{self._written} annotated")
        if reason := self._summary.nothing():
            complain(InputError(reason), BAD_INPUT)

    def _text(self, document: Document, conflicts: list[str]) -> str:
        from fsm_stack.workloads.edit import annotated, annotated_json
        from fsm_stack.workloads.objects import workloads
        from fsm_stack.workloads.passed import in_document, unread
        from fsm_stack.workloads.stream import learn_namespaces

        value = document.load() if document.of_interest() else None
        learn_namespaces(value, self._context)
        found = tuple(workloads(value))
        looked = {item.path for item in found}
        passed = in_document(document, value, looked=looked) if value else unread(document)
        self._summary.add(found, len(looked), passed)
        raw = tuple(item for item in found if self._is_raw(item))
        self._summary.unsure += len({item.path for item in raw})
        chosen = tuple(item for item in found if item not in raw and self._meant(item))
        if not self._overwrite:
            conflicts += self._conflicts(document, chosen)
        self._written += len(chosen)
        try:
            if chosen and document.form == "json":
                text = annotated_json(value, chosen, self._annotations)
            else:
                text = annotated(document.text, chosen, self._annotations)
        except InputError as error:
            raise InputError(f"{document.file}:{document.line}: {error}") from None
        return document.lead + text

    def _is_raw(self, item: Workload) -> bool:
        """Whether a placeholder stands where it decides about the injection; it is told."""
        from fsm_stack.findings.finding import Severity
        from fsm_stack.workloads.passed import placeholders

        system = self._context.mesh.system
        raw = next(
            (one for one in placeholders(item.manifest, (item.template,), system)
             if one.severity is Severity.ERROR),
            None,
        )  # fmt: skip
        if raw is None or self._choice.takes(item, self._context.default_namespace) is None:
            return False
        self._notes.append(f"left alone, {item.title}: {raw.message}")
        return True

    def _meant(self, item: Workload) -> bool:
        from fsm_stack.workloads.choose import left_alone

        named = self._choice.takes(item, self._context.default_namespace)
        if named is None:
            return False
        self._named |= named
        why = left_alone(item, self._annotations, self._context)
        if why:
            self._notes.append(f"left alone, {item.title}: {why}")
            return False
        namespace = item.namespace or self._context.default_namespace
        if namespace not in self._context.namespaces:
            self._assumed.add(namespace)
        return True

    def _conflicts(self, document: Document, chosen: tuple[Workload, ...]) -> Iterator[str]:
        from fsm_stack.workloads.choose import differing
        from fsm_stack.workloads.objects import name_of

        found = [
            (item, key, value)
            for item in chosen
            for key, value in differing(item, self._annotations)
        ]
        marks = document.places() if found else {}
        for item, key, value in found:
            path = (*item.pod_path, "metadata", "annotations", key)
            line, _ = marks.get(path, (document.line, 0))
            name = name_of(item.manifest, self._context.default_namespace)
            yield (
                f"{document.file}:{line}: {name}: annotation {key} is {value!r} already, expected "
                f"{self._annotations[key]!r} or none"
            )
