"""``fsm-stack inject``: manifests as their pods will run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fsm_stack.cli.verb import (
    Verb,
    emit,
    finding_lines,
    leave,
    output_option,
    project_option,
    wants_json,
)
from fsm_stack.cli.workloads import (
    file_option,
    namespace_options,
    note_workloads,
    outcomes,
    settings_of,
    stack_argument,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fsm_stack.injection.stream import Context, Outcome, Seen


@click.command(cls=Verb, short_help="Show workloads as their pods will run.")
@stack_argument
@file_option
@click.option("--diff", is_flag=True, help="Only what the injector changes.")
@click.option("--explain", is_flag=True, help="The decision, the READY count and the rules.")
@namespace_options
@output_option
@project_option
def inject(
    stack: str,
    *,
    files: tuple[Path, ...],
    diff: bool,
    explain: bool,
    namespace: str,
    namespace_files: tuple[Path, ...],
    controller_ip: str | None,
    project_dir: Path,
) -> None:
    """Show the manifests of FILE as their pods will run in the mesh of STACK.

    Pods, Deployments and their like, lists, several documents, kubectl's JSON. Documents that
    the injector does not touch are printed as they are. The result is for reading: in a cluster
    the injector adds this itself, with a Secret of its own. With --output json, everything that is
    known of each workload. Exit code 1: a pod would be refused.
    """
    from fsm_stack.edges.workload_files import context_of

    context = context_of(
        settings_of(project_dir, stack),
        namespace_files=namespace_files,
        default_namespace=namespace,
        controller_ip=controller_ip,
        check=explain or wants_json(),
    )
    show = _explained if explain or wants_json() else _differences if diff else _written
    leave(failed=show(outcomes(files, context), context))


def _written(found: Iterator[Outcome], _: Context) -> bool:
    refused = False
    for outcome in found:
        click.echo(outcome.text, nl=False)
        refused = _complain(outcome) or refused
    return refused


def _differences(found: Iterator[Outcome], context: Context) -> bool:
    from fsm_stack.injection.documents import Document
    from fsm_stack.injection.misplaced import as_diff

    refused = False
    for outcome in found:
        document = outcome.document
        if outcome.text != document.source:
            before = document.text
            if document.form == "yaml":  # in one style, so that only the injector's part differs
                before = context.dump(document.load())
            after = Document(file="", line=1, lead="", text=outcome.text[len(document.lead) :])
            click.echo(as_diff(before, after.text.lstrip("\n"), file=document.file), nl=False)
        refused = _complain(outcome) or refused
    return refused


def _complain(outcome: Outcome) -> bool:
    refused = [seen for seen in outcome.seen if seen.preview.decision.outcome == "refuse"]
    for seen in refused:
        click.echo(f"# {seen.workload.title}: refused", err=True)
        for line in finding_lines(seen.findings):
            click.echo(line, err=True)
    return bool(refused)


def _explained(found: Iterator[Outcome], _: Context) -> bool:
    seen = [item for outcome in found for item in outcome.seen]
    plain = {"workloads": [_plain(item) for item in seen]} if wants_json() else None
    note_workloads(len(seen))
    emit(plain, [line for item in seen for line in _lines(item)])
    return any(item.preview.decision.outcome == "refuse" for item in seen)


def _plain(seen: Seen) -> dict[str, Any]:
    preview, workload = seen.preview, seen.workload
    decision, found = preview.decision, preview.interception
    return {
        "kind": workload.kind,
        "namespace": workload.namespace or None,
        "name": workload.name,
        "outcome": decision.outcome,
        "why": decision.why,
        "steps": list(decision.steps),
        "expectedReady": preview.expected_ready,
        "secret": preview.secret,
        "script": found.script if found else None,
        "findings": [item.as_json() for item in seen.findings],
        "manifest": workload.with_pod(preview.pod) if preview.mutation else workload.manifest,
    }


def _lines(seen: Seen) -> Iterator[str]:
    from fsm_stack.injection.explain import script_lines

    preview = seen.preview
    decision, count = preview.decision, preview.expected_ready
    yield click.style(seen.workload.title, bold=True)
    yield from (f"  {step}" for step in decision.steps)
    yield f"  -> {decision.outcome}: {decision.why}"
    if decision.outcome != "refuse":
        yield f"  READY when all is well: {count}/{count}"
    if preview.interception is not None and preview.mutation is not None:
        yield "  rules, in the order of the script:"
        yield from (f"    {line}" for line in script_lines(preview.interception))
    yield from (f"  {line}" for line in finding_lines(seen.findings))
    yield ""
