"""``fsm-stack inject``: manifests as their pods will run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import click

from fsm_stack.cli.verb import (
    BAD_INPUT,
    Verb,
    complain,
    emit,
    finding_lines,
    leave,
    output_option,
    project_option,
    stack_argument,
    stream,
    wants_json,
)
from fsm_stack.cli.workload.workloads import (
    Summary,
    controller_option,
    file_option,
    namespace_options,
    note_assumed,
    outcomes,
    settings_of,
)
from fsm_stack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from fsm_stack.workloads.stream import Context, Outcome, Seen


@click.command(cls=Verb, short_help="Show workloads as their pods will run.")
@stack_argument
@file_option
@click.option("--diff", is_flag=True, help="Only what the injector changes.")
@click.option("--explain", is_flag=True, help="The decision, the READY count and the rules.")
@namespace_options
@controller_option
@output_option
@project_option
def inject(
    stack: str,
    *,
    files: tuple[Path, ...],
    recursive: bool,
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
    known of each workload. What is no workload is counted and named on standard error. Exit code
    1: a pod would be refused; 2: nothing could be looked at.
    """
    from fsm_stack.project.workload_files import context_of, files_of

    files = files_of(files, recursive=recursive)
    if diff and (explain or wants_json()):
        raise click.UsageError("--diff: expected neither --explain nor --output json with it")
    report = explain or wants_json()
    context = context_of(
        settings_of(project_dir, stack),
        namespace_files=namespace_files,
        default_namespace=namespace,
        controller_ip=controller_ip,
        check=report,
        write=not report,
    )
    summary = Summary()
    if wants_json():
        found = summary.counted(outcomes(files, context))
        seen = [item for outcome in found for item in outcome.seen]
        passed = [item.as_json() for item in summary.passed]
        emit({"workloads": [_plain(item) for item in seen], "passedOver": passed}, ())
        _end(summary, failed=any(map(_refused, seen)))
    tally = _Tally(default_namespace=namespace)
    show = _explanation if explain else _difference if diff else _manifest
    stream(
        text
        for outcome in tally.counted(summary.counted(outcomes(files, context)), aloud=not explain)
        for text in show(outcome, context)
    )
    if not explain:
        note_assumed(tally.namespaces - context.namespaces.keys(), context)
    _end(summary, failed=tally.refused > 0)


def _end(summary: Summary, *, failed: bool) -> NoReturn:
    summary.tell()
    if reason := summary.nothing():
        complain(InputError(reason), BAD_INPUT)
    leave(failed=failed)


@dataclass(slots=True)
class _Tally:
    """What has gone by."""

    default_namespace: str
    refused: int = 0
    namespaces: set[str] = field(default_factory=set)

    def counted(self, found: Iterable[Outcome], *, aloud: bool) -> Iterator[Outcome]:
        """Each outcome; behind it, what is refused of it on standard error."""
        for outcome in found:
            yield outcome
            refused = [seen for seen in outcome.seen if _refused(seen)]
            self.namespaces |= {
                seen.workload.namespace or self.default_namespace
                for seen in outcome.seen
                if seen.preview.decision.outcome != "leave"  # whatever the namespace says
            }
            self.refused += len(refused)
            for seen in refused if aloud else ():
                click.echo(f"# {seen.workload.title}: refused", err=True)
                for line in finding_lines(seen.findings):
                    click.echo(line, err=True)


def _refused(seen: Seen) -> bool:
    return seen.preview.decision.outcome == "refuse"


def _manifest(outcome: Outcome, _: Context) -> Iterator[str]:
    yield outcome.text


def _difference(outcome: Outcome, context: Context) -> Iterator[str]:
    from fsm_stack.workloads.documents import Document
    from fsm_stack.workloads.edit import as_diff

    document = outcome.document
    if outcome.text != document.source:
        before = document.text
        if document.form == "yaml":  # in one style, so that only the injector's part differs
            before = context.dump(document.load())
        after = Document(file="", line=1, lead="", text=outcome.text[len(document.lead) :])
        yield as_diff(before, after.text.lstrip("\n"), file=document.file)


def _explanation(outcome: Outcome, _: Context) -> Iterator[str]:
    for seen in outcome.seen:
        yield from (f"{line}\n" for line in _lines(seen))


def _plain(seen: Seen) -> dict[str, Any]:
    preview, workload = seen.preview, seen.workload
    decision, found = preview.decision, preview.interception
    if seen.unrendered:
        return {
            "kind": workload.kind,
            "namespace": workload.namespace or None,
            "name": workload.name,
            "outcome": "unknown",
            "why": "; ".join(item.message for item in seen.unrendered),
            "findings": [item.as_json() for item in (*seen.unrendered, *seen.findings)],
            "manifest": workload.manifest,
        }
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
    from fsm_stack.injector.annotations import script_lines

    preview = seen.preview
    decision, count = preview.decision, preview.expected_ready
    yield click.style(seen.workload.title, bold=True)
    if seen.unrendered:
        yield "  -> unknown: render it first"
        yield from (f"  {line}" for line in finding_lines((*seen.unrendered, *seen.findings)))
        yield ""
        return
    yield from (f"  {step}" for step in decision.steps)
    yield f"  -> {decision.outcome}: {decision.why}"
    if decision.outcome != "refuse" and count:  # a virtual machine has no containers
        yield f"  READY when all is well: {count}/{count}"
    if preview.interception is not None and preview.mutation is not None:
        yield "  rules, in the order of the script:"
        yield from (f"    {line}" for line in script_lines(preview.interception))
    yield from (f"  {line}" for line in finding_lines(seen.findings))
    yield ""
