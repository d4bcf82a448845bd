"""``fsm-stack convert``: a stack file of what runs, or was installed from; manifests, too."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import click

from fsm_stack.cli.verb import (
    Verb,
    emit,
    finding_lines,
    leave,
    output_option,
    project_option,
    stops,
    stream,
    wants_json,
)
from fsm_stack.cli.verify import cluster_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.convert.result import Converted, Line
    from fsm_stack.convert.sources import Sources
    from fsm_stack.findings.finding import Finding
    from fsm_stack.settings.reader import Loaded

UNUSED: Final = "it says nothing about settings"
# Values of which there is nothing to tell.
_QUIET: Final = frozenset(
    {"FSM's default", "the chart's default", "the release's image", "empty: not set",
     "fsm-connector's own", UNUSED}
)  # fmt: skip
INPUT_MAX: Final = 64 * 1024 * 1024  # of a file: a namespace's whole content as kubectl prints it


@click.command(cls=Verb, short_help="Make a stack file of what runs, or its install.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option("--cluster", "live", is_flag=True,
              help="Read a cluster: mesh, Helm release, namespaces.")  # fmt: skip
@click.option("--command", "typed", multiple=True, metavar="TEXT",
              help="An install or patch command as it was typed; may be repeated.")  # fmt: skip
@click.option("--chart-version", metavar="VERSION", help="FSM's release, where nothing tells it.")
@click.option("--release", metavar="NAME", help="The Helm release, where there are several.")
@click.option("-n", "--namespace", metavar="NAME", help="Helm's --namespace.")
@click.option("--mesh-name", metavar="NAME", help="The mesh's name, where nothing tells it.")
@click.option("-f", "--filename", "manifests", type=click.Path(path_type=Path), metavar="FILE",
              help="Manifests of another mesh, to be printed with FSM's annotations.")  # fmt: skip
@click.option("--to", "stack", metavar="STACK", help="Write Pulumi.STACK.yaml of the project.")
@click.option("--force", is_flag=True, help="With --to: over a file that is there.")
@cluster_options
@output_option
@project_option
def convert(
    files: tuple[Path, ...], *, live: bool, typed: tuple[str, ...], manifests: Path | None,
    stack: str | None, force: bool, project_dir: Path, **options: Any,  # noqa: ANN401  # for the sources
) -> None:  # fmt: skip
    """Make a stack file of what a mesh was installed from, and of what runs.

    FILE is told by what is in it: a MeshConfig of FSM, osm-edge or OSM (kubectl get meshconfig -o
    yaml), Helm values, a Secret of a Helm release, Namespaces, or install and patch commands as
    they were typed; - is standard input. Values, release and commands are put over each other as
    Helm does it; a MeshConfig beside them counts, because it is what runs, and every difference is
    listed.

    The stack file goes to standard output, or with --to into the project; what became of each
    value goes to standard error. A value that is not known is an error that names it. Exit code 1:
    something cannot be declared by a stack, or the file has errors; it is written all the same.

    With -f, workloads and namespaces of OSM, osm-edge, Istio, Linkerd, Kuma or Consul are printed
    with FSM's labels and annotations in place of theirs; comments and layout stay, and so does
    what FSM has no equivalent for, which is named.
    """
    if manifests is not None:
        if files or typed or live or stack:
            raise click.UsageError("-f: expected manifests alone")
        _move(manifests, options["mesh_name"])
    from datetime import UTC, datetime

    from fsm_stack.convert.sources import Options, converted

    sources = _sources(files, typed, live=live, options=options)
    said = Options(
        today=datetime.now(UTC).date(),
        chart_version=options["chart_version"],
        namespace=options["namespace"],
        mesh_name=options["mesh_name"],
    )
    result = converted(sources, said).as_stack()
    text = stack_file(result)
    written = write_stack(project_dir, stack, text, force=force) if stack else ""
    finish(result, text, written)


def _move(path: Path, mesh_name: str | None) -> None:
    """Print the manifests of a stream with FSM's labels and annotations, and exit."""
    from fsm_stack.convert.workloads import moved
    from fsm_stack.errors import InputError
    from fsm_stack.findings.finding import harmless
    from fsm_stack.project.workload_files import documents
    from fsm_stack.systems import FSM
    from fsm_stack.workloads.passed import placed
    from fsm_stack.workloads.rekey import rekeyed, rekeyed_json

    texts: list[str] = []
    lines: list[Line] = []
    findings: list[Finding] = []
    for document in documents(path):
        value = document.load()
        result = moved(value, mesh_name=mesh_name or FSM.default_mesh_name)
        text = document.text
        try:
            if result.changes or result.versions:
                json_form = document.form == "json"
                text = (
                    rekeyed_json(value, result.changes, result.versions)
                    if json_form
                    else rekeyed(text, result.changes, result.versions)
                )
        except InputError as error:
            raise InputError(f"{document.file}:{document.line}: {error}") from None
        texts.append(document.lead + text)
        lines += result.lines
        findings += placed(document, result.findings)
    if wants_json():
        plain = [
            {"source": o.source, "target": o.target or None, "why": o.why or None} for o in lines
        ]
        emit({"manifests": "".join(texts), "keys": plain,
              "findings": [item.as_json() for item in findings]}, ())  # fmt: skip
    else:
        stream(texts)
        for line in (*(harmless(str(one)) for one in lines), *finding_lines(findings)):
            click.echo(line, err=True)
    leave(failed=stops(findings, "error"))


def _sources(
    files: tuple[Path, ...], typed: tuple[str, ...], *, live: bool, options: dict[str, Any]
) -> Sources:
    from fsm_stack.convert.chart.commands import read_command
    from fsm_stack.convert.sources import Sources

    sources = Sources()
    for path in files:
        read_into(sources, path)
    sources.commands += [read_command(text) for text in typed]
    if live:
        from fsm_stack.cluster.connect import connect
        from fsm_stack.cluster.installation import read_installation
        from fsm_stack.systems import SYSTEMS

        cluster = connect(kubeconfig=options["kubeconfig"], context=options["context"])
        known = [SYSTEMS[options["system"]]] if options["system"] else SYSTEMS.values()
        found = read_installation(cluster, namespace=options["namespace"], systems=known)
        for name, item in found.items():
            sources.add(item, name=name)
    if options["release"]:
        sources.releases = [one for one in sources.releases if one.name == options["release"]]
    return sources


def read_into(sources: Sources, path: Path) -> None:
    """Take a file, or standard input for ``-``.

    Raises:
        InputError: it cannot be read, or is nothing that can be converted.
    """
    name, text = read_text_input(path)
    sources.add_text(text, name=name)


def read_text_input(path: Path) -> tuple[str, str]:
    """The name and the text of a file, or of standard input for ``-``.

    Raises:
        InputError: it is not there, too large, or no UTF-8.
    """
    import sys

    from fsm_stack.errors import InputError
    from fsm_stack.project.files import decoded, read_file

    if str(path) == "-":
        return "<stdin>", decoded(sys.stdin.buffer.read(INPUT_MAX), "<stdin>")
    content = read_file(path, limit=INPUT_MAX)
    if content is None:
        raise InputError(f"{path}: no such file")
    return str(path), decoded(content, str(path))


def stack_file(result: Converted) -> str:
    """The stack file's text, with what it was converted from at its top."""
    from fsm_stack.convert.result import stack_text

    head = [f"Converted from {result.title}."] if result.title else []
    lost = sum(item.severity.rank > 0 for item in result.findings)
    if lost:
        values = "value needs" if lost == 1 else "values need"
        head.append(
            f"{lost} {values} a look: fsm-stack convert names {'it' if lost == 1 else 'them'}."
        )
    return stack_text(result.settings, result.lines, head)


def require_stack_name(stack: str) -> None:
    """Refuse a name that no stack file can have.

    Raises:
        InputError: with the name.
    """
    import re

    from fsm_stack.errors import InputError

    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", stack):
        raise InputError(f"{stack!r}: expected a stack's name of letters, digits, '_', '.', '-'")


def write_stack(
    project_dir: Path,
    stack: str,
    text: str,
    more: Mapping[str, str] = MappingProxyType({}),
    *,
    force: bool,
) -> str:
    """Write ``Pulumi.<stack>.yaml`` of the project; what messages call it.

    Args:
        project_dir: the project's directory, or one below it.
        stack: its name.
        text: its file's.
        more: other files beside it, and their texts.
        force: over files that are there.

    Raises:
        InputError: one is there, or the name is none; nothing is written then.
    """
    from fsm_stack.errors import InputError
    from fsm_stack.project.files import write_file
    from fsm_stack.project.project import find_project

    require_stack_name(stack)
    project = find_project(project_dir)
    shown = project.shown(project.directory / f"Pulumi.{stack}.yaml")
    files = {project.shown(project.directory / name): one for name, one in more.items()}
    for name in (shown, *files):
        if (project.start / name).exists() and not force:
            raise InputError(f"{name}: is there already; expected a new stack, or --force")
    for name, one in {shown: text, **files}.items():
        write_file(project.start / name, one.encode(), shown=name)
    return shown


def finish(result: Converted, text: str, written: str, *, before: str = "") -> None:
    """Print the file and the report, and exit.

    Args:
        result: what was converted.
        text: the stack file's.
        written: the file as messages name it; empty: it is printed.
        before: a command that comes before the stack is validated.
    """
    loaded = _loaded(text, written or "the stack file")
    findings = (*result.findings, *loaded.findings)
    failed = stops(findings, "error")
    if wants_json():
        emit(
            {
                "file": written or None,
                "stack": text,
                "settings": result.settings,
                "values": [
                    {"source": line.source, "target": line.target or None, "why": line.why or None}
                    for line in result.lines
                ],
                "findings": [item.as_json() for item in findings],
            },
            (),
        )
        leave(failed=failed)
    if not written:
        emit(None, text.rstrip("\n").split("\n"))
    for line in (*_report(result), *finding_lines(findings)):
        click.echo(line, err=not written)
    if written:
        then = "; then: " if before else ""
        click.echo(f"{written}: written; next: {before}{then}fsm-stack validate {_stack(written)}")
    leave(failed=failed)


def _stack(file: str) -> str:
    return Path(file).name.removeprefix("Pulumi.").removesuffix(".yaml")


def _loaded(text: str, name: str) -> Loaded:
    from datetime import UTC, datetime

    from fsm_stack.settings.stack_file import load_text

    return load_text(text, file=name, today=datetime.now(UTC).date())


def _report(result: Converted) -> Iterator[str]:
    """What became of each value; those that say nothing are counted."""
    from fsm_stack.findings.finding import harmless

    silent, unused = 0, sum(line.why == UNUSED for line in result.lines)
    for line in result.lines:
        if line.target or line.why not in _QUIET:
            yield harmless(str(line))
        else:
            silent += 1
    if unused:
        objects = (
            "1 object of the input says" if unused == 1 else f"{unused} objects of the input say"
        )
        yield f"{objects} nothing about settings"
    if silent - unused:
        values = "1 value says" if silent - unused == 1 else f"{silent - unused} values say"
        yield f"{values} what FSM's defaults say, which a stack file leaves out"
