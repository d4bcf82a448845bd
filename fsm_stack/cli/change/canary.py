"""``fsm-stack canary``: a change of the mesh's lists, tried on one namespace before the mesh."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsm_stack.cli.verb import (
    COULD_NOT_CHECK,
    Verb,
    emit,
    fail_on_option,
    finding_lines,
    leave,
    output_option,
    project_option,
    stack_argument,
    stops,
    stream,
    wants_json,
)

if TYPE_CHECKING:
    from fsm_stack.review.reports.canary import Asked
    from fsm_stack.verify.canary import Canary
    from fsm_stack.verify.check import Context


@click.command(cls=Verb, short_help="Try a change of the lists on one namespace first.")
@stack_argument
@click.option("-n", "--namespace", required=True, metavar="NAME",
              help="Whose new pods try the change.")  # fmt: skip
@click.option("--against", metavar="REVISION|PATH",
              help="The change since a Git revision, or from another side, instead of from the "
              "cluster's MeshConfig.")  # fmt: skip
@click.option("--context", metavar="NAME", help="The kubeconfig's context.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), metavar="FILE",
              help="The kubeconfig file.")  # fmt: skip
@click.option("--from", "files", type=click.Path(path_type=Path), multiple=True, metavar="FILE",
              help="Read a snapshot or kubectl's JSON instead of a cluster; may be "
              "repeated.")  # fmt: skip
@click.option("--by", type=click.Choice(["policy", "templates"]),
              help="Give pods the entries by an admission policy, or by their templates.  "
              "[default: the policy where the cluster serves it]")  # fmt: skip
@click.option("--output-dir", "directory", metavar="DIR",
              type=click.Path(path_type=Path, file_okay=False),
              help="Write the objects, or the commands, into a file of DIR.")  # fmt: skip
@click.option("--status", "step", flag_value="status", help="Say what the canary's pods do.")
@click.option("--promote", "step", flag_value="promote",
              help="Print what ends it with the change for the whole mesh.")  # fmt: skip
@click.option("--abort", "step", flag_value="abort",
              help="Print what ends it with the mesh as it was.")  # fmt: skip
@fail_on_option
@output_option
@project_option
def canary(
    stack: str, *, namespace: str, step: str | None, by: Any, directory: Path | None,  # noqa: ANN401  # a closed choice of click's
    against: str | None, fail_on: str, **options: Any,  # noqa: ANN401  # of the cluster
) -> None:  # fmt: skip
    """Try what STACK adds to the mesh's lists on the new pods of one namespace.

    The entries become annotations of its pods, which the injector merges. Proved before anything
    is printed: the canary's rules give every connection the fate that it has after promotion. What
    cannot be tried so (removals, interfaces) is refused. The cluster is only read: the objects and
    commands are printed.

    \b
    fsm-stack canary prod -n shop | kubectl apply -f -
    fsm-stack canary prod -n shop --status
    fsm-stack canary prod -n shop --promote
    fsm-stack canary prod -n shop --abort | sh
    """
    if step is not None:
        if against is not None or by is not None or directory is not None:
            raise click.UsageError(f"--{step}: expected no --against, --by or --output-dir")
        _of_living(stack, namespace, step, fail_on, options)
    _begin(_asked(stack, namespace, against, by, options), directory, fail_on)


def _begin(asked: Asked, directory: Path | None, fail_on: str) -> None:
    from fsm_stack.review.reports.canary import plan

    found = plan(asked)
    if directory is not None and found.begins:
        from fsm_stack.project.files import write_file

        end = "sh" if found.by == "templates" else "yaml"
        file = directory / f"canary-{asked.namespace}.{end}"
        write_file(file, found.text().encode())
        run = f"sh {file}" if end == "sh" else f"kubectl apply -f {file}"
        emit({**found.as_json(), "file": str(file)}, [*found.head(), f"{file}: next: {run}"])
    elif wants_json():
        emit(found.as_json(), ())
    else:
        stream([found.text()])
        for line in finding_lines(found.findings):
            click.echo(line, err=True)
    leave(failed=stops(found.findings, fail_on))


def _of_living(
    stack: str, namespace: str, step: str, fail_on: str, options: dict[str, Any]
) -> None:
    from fsm_stack.verify.restarting.canary import abortion, promotion, state

    context = _read(stack, namespace, options)
    one = _known(context, namespace)
    if step == "status":
        found = state(context, one)
        emit(found.as_json(), [*found.lines(), *finding_lines(found.findings)])
        if found.unread and not stops(found.findings, fail_on):
            click.get_current_context().exit(COULD_NOT_CHECK)
        leave(failed=stops(found.findings, fail_on))
    ending = promotion(context, one) if step == "promote" else abortion(context, one)
    emit(ending.as_json(), ending.lines())
    if not wants_json():
        for line in finding_lines(ending.findings):
            click.echo(line, err=True)
    leave(failed=stops(ending.findings, fail_on))


def _known(context: Context, namespace: str) -> Canary:
    """The canary of a namespace.

    Raises:
        InputError: there is none.
        CouldNotCheckError: nothing tells.
    """
    from fsm_stack.errors import CouldNotCheckError, InputError
    from fsm_stack.snapshot.snapshot import Part
    from fsm_stack.verify.canary import canaries

    known = canaries(context.snapshot, context.system)
    for one in known:
        if one.namespace == namespace:
            return one
    if unread := context.snapshot.unread(Part.CANARIES):
        raise CouldNotCheckError(f"whether namespace {namespace} has a canary: {unread}")
    others = ", ".join(one.namespace for one in known)
    there = f"; there is one of {others}" if others else ""
    raise InputError(f"--namespace {namespace}: it has no canary{there}")


def _read(stack: str, namespace: str, options: dict[str, Any]) -> Context:
    from fsm_stack.cli.verify import clear_progress, progress
    from fsm_stack.cluster.session import Request, context_of

    try:
        return context_of(Request(stack=stack, namespace=namespace, **options), progress=progress)
    finally:
        clear_progress()


def _served(options: dict[str, Any]) -> str:
    """In which version the cluster serves policies.

    Raises:
        CouldNotCheckError: it does not answer.
    """
    from fsm_stack.cluster.api import Refused
    from fsm_stack.cluster.connect import connect
    from fsm_stack.cluster.read import policy_version
    from fsm_stack.errors import CouldNotCheckError

    try:
        return policy_version(
            connect(kubeconfig=options["kubeconfig"], context=options["context"])
        )
    except Refused as refused:
        raise CouldNotCheckError(f"whether the cluster serves policies: {refused}") from None


def _asked(
    stack: str,
    namespace: str,
    against: str | None,
    by: Any,  # noqa: ANN401  # a closed choice of click's
    options: dict[str, Any],
) -> Asked:
    from datetime import UTC, datetime

    from fsm_stack.errors import CouldNotCheckError, InputError
    from fsm_stack.project.sides import Sides
    from fsm_stack.review.reports.canary import Asked

    live = {key: options[key] for key in ("context", "kubeconfig", "files") if options[key]}
    if against is not None and live:
        raise click.UsageError("--against: expected no cluster and no --from beside it")
    sides = Sides(start=options["project_dir"], today=datetime.now(UTC).date())
    own = sides.stack(stack) if stack in sides.stacks() else sides.word(stack)
    if own.settings is None or own.spec is None:
        raise InputError(f"{stack}: expected a stack, whose lists are tried")
    if against is not None:
        other = sides.against(stack, own, against)
        if other.side.spec is None or not other.first:
            raise InputError(f"--against {against}: expected a MeshConfig as it was")
        return Asked(
            title=f"{other.side.name.title} -> {own.name.title}", namespace=namespace,
            settings=own.settings, before=other.side.spec, after=own.spec, by=by,
        )  # fmt: skip
    context = _read(stack, namespace, options)
    source = context.snapshot.source
    item = context.snapshot.mesh_config(context.system, own.settings.namespace)
    if item is None or not isinstance(item.get("spec"), dict):
        raise CouldNotCheckError(f"{source.context}: no MeshConfig of the stack was read")
    served = None
    if not options["files"]:
        served = _served(options)
    return Asked(
        title=f"cluster {source.context} -> {own.name.title}", namespace=namespace,
        settings=own.settings, before=item["spec"], after=own.spec, context=context, by=by,
        served=served,
    )  # fmt: skip
