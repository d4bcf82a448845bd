"""``fsm-stack init``: a first stack file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsm_stack.cli.adoption.convert import finish, read_into, require_stack_name, write_stack
from fsm_stack.cli.verb import Verb, emit, output_option, project_option, wants_json
from fsm_stack.cli.verify import cluster_options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_stack.convert.initial import Facts
    from fsm_stack.convert.result import Converted


@click.command(cls=Verb, short_help="Write a first stack file.")
@click.argument("stack", metavar="[STACK]", required=False)
@click.option("--project", "new", is_flag=True,
              help="A whole project: program, libraries, CI; STACK is dev if absent.")  # fmt: skip
@click.option("--from-cluster", "live", is_flag=True,
              help="Of a cluster: ranges, context, UID, and its mesh.")  # fmt: skip
@click.option("--from", "files", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="A MeshConfig, Helm values or a release, as convert takes them.")  # fmt: skip
@click.option("--empty", is_flag=True, help="Nothing but what every stack needs.")
@click.option("--enroll", "enrolled", multiple=True, metavar="NAMESPACE",
              help="A namespace whose new pods join the mesh; may be repeated.")  # fmt: skip
@click.option("--create-namespaces", "create", is_flag=True,
              help="Make the --enroll namespaces where they are absent.")  # fmt: skip
@click.option("--demo", is_flag=True,
              help="As --enroll demo --create-namespaces; demo.yaml has workloads to try a mesh "
              "with.")  # fmt: skip
@click.option("--pod-range", "pods", multiple=True, metavar="CIDR", help="A range of pods.")
@click.option("--service-range", "services", multiple=True, metavar="CIDR",
              help="A range of services.")  # fmt: skip
@click.option("--api-server", metavar="IP", help="The API server's address, as pods see it.")
@click.option("--kubernetes", metavar="VERSION", help="The cluster's Kubernetes version, 1.34.")
@click.option("--chart-version", metavar="VERSION", help="FSM's release.")
@click.option("--mesh-name", metavar="NAME", help="The mesh's name.")
@click.option("--force", is_flag=True, help="Over a file that is there.")
@cluster_options
@output_option
@project_option
def init(
    stack: str | None, *, new: bool, live: bool, files: tuple[Path, ...], empty: bool,
    enrolled: tuple[str, ...], create: bool, demo: bool, force: bool, project_dir: Path,
    **options: Any,  # noqa: ANN401  # see below
) -> None:  # fmt: skip
    """Write Pulumi.STACK.yaml: small, commented and valid; with --project, all around it.

    From a cluster, from a MeshConfig, Helm values or a release, or from what is asked for on a
    terminal. Options take the place of questions. A cluster is only read.
    """
    from fsm_stack.convert.initial import DEMO, demo_files, first_stack, first_text

    more = demo_files() if demo else {}
    if demo:
        enrolled, create = (*enrolled, DEMO), True
    asked = any(options[name] for name in ("pods", "services", "api_server", "kubernetes"))
    if stack is None and not new:
        raise click.UsageError("Missing argument 'STACK'.")
    stack = stack or "dev"
    if not (live or files or empty or asked or enrolled or new):
        if not on_terminal():
            raise click.UsageError("expected --from-cluster, --from FILE, --empty or options")
        options, enrolled, create = _questions(options)
    facts, found = _given(files, live=live, options=options)
    result = first_stack(facts, found=found, enrolled=enrolled, create=create)
    text = first_text(result, facts)
    if new:
        _start(project_dir, stack, text, more, force=force)
        scripts = f"fsm-stack vendor --version {result.settings['fsmVersion']}"
        finish(result, text, str(project_dir / f"Pulumi.{stack}.yaml"), before=scripts)
    written = write_stack(project_dir, stack, text, more, force=force)
    _tell(Path(written).parent, more)
    finish(result, text, written)


def _start(directory: Path, stack: str, text: str, more: dict[str, str], *, force: bool) -> None:
    """A project around the stack file, and what to do with it."""
    from fsm_stack.cli.validate import schema_file
    from fsm_stack.convert.initial import project_files
    from fsm_stack.project.project import write_project

    require_stack_name(stack)
    files = project_files(directory.resolve().name) | dict((schema_file(),)) | more
    write_project(directory, {f"Pulumi.{stack}.yaml": text, **files}, force=force)
    _tell(directory, files)


def _tell(directory: Path, files: Iterable[str]) -> None:
    if not wants_json():
        emit(None, (f"{directory / name}: written" for name in files))


def on_terminal() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty()


def _questions(options: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...], bool]:
    """What every stack should know; an empty answer is left out."""

    def words(question: str) -> tuple[str, ...]:
        answer = click.prompt(question, default="", show_default=False, err=True)
        return tuple(word for word in str(answer).replace(",", " ").split() if word)

    pods = words("Ranges of pod addresses (10.244.0.0/16), empty if not known")
    services = words("Ranges of service addresses (10.96.0.0/16), empty if not known")
    server = words("The API server's address as pods see it (10.96.0.1), empty if not known")
    version = words("The cluster's Kubernetes version (1.34), empty for that")
    enrolled = words("Namespaces that join the mesh, empty for none yet")
    create = bool(enrolled) and click.confirm("Make them where they are absent?", err=True)
    answers = {
        "pods": pods,
        "services": services,
        "api_server": server[0] if server else None,
        "kubernetes": version[0] if version else None,
    }
    return options | answers, enrolled, create


def _given(
    files: tuple[Path, ...], *, live: bool, options: dict[str, Any]
) -> tuple[Facts, Converted | None]:
    """The cluster's facts, options over them, and the mesh that is there."""
    from dataclasses import replace
    from datetime import UTC, datetime

    from fsm_stack.convert.initial import Facts
    from fsm_stack.convert.sources import Options, Sources, converted

    facts, sources = Facts(), Sources()
    for path in files:
        read_into(sources, path)
    if live:
        from fsm_stack.cluster.connect import connect
        from fsm_stack.cluster.installation import read_facts, read_installation

        cluster = connect(kubeconfig=options["kubeconfig"], context=options["context"])
        facts = read_facts(cluster)
        if not files:
            for name, item in read_installation(cluster).items():
                sources.add(item, name=name)
    server = options["api_server"]
    facts = replace(
        facts,
        pod_ranges=options["pods"] or facts.pod_ranges,
        service_ranges=options["services"] or facts.service_ranges,
        api_server=(server, 443) if server else facts.api_server,
        kubernetes_version=options["kubernetes"] or facts.kubernetes_version,
    )
    named = options["chart_version"] or options["mesh_name"]
    if not (sources.meshes or sources.values or sources.releases or sources.commands or named):
        return facts, None
    if not (sources.meshes or sources.values or sources.releases or sources.commands):
        sources.add({}, name="the options")
    chosen = Options(
        today=datetime.now(UTC).date(),
        chart_version=options["chart_version"],
        mesh_name=options["mesh_name"],
    )
    return facts, converted(sources, chosen)
