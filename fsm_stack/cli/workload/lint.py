"""``fsm-stack lint``: what is wrong with workloads, before they are applied."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from fsm_stack.cli.verb import (
    BAD_INPUT,
    Verb,
    complain,
    fail_on_option,
    finding_lines,
    leave,
    project_option,
    stops,
    stream,
)
from fsm_stack.cli.workload.workloads import (
    Summary,
    file_option,
    namespace_options,
    outcomes,
    settings_of,
    stack_argument,
)
from fsm_stack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fsm_stack.findings.finding import Finding
    from fsm_stack.systems import System
    from fsm_stack.workloads.stream import Outcome


@click.command(cls=Verb, short_help="Check workloads against a stack's mesh.")
@stack_argument
@file_option
@namespace_options
@fail_on_option
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="For people, one JSON document, or SARIF for code review.",
)
@project_option
def lint(
    stack: str,
    *,
    files: tuple[Path, ...],
    namespace: str,
    namespace_files: tuple[Path, ...],
    controller_ip: str | None,
    fail_on: str,
    output: str,
    project_dir: Path,
) -> None:
    """Check the workloads of FILE as they would run in the mesh of STACK.

    Annotations in the wrong place or misspelt, lists that are too long together with the mesh's,
    reserved ports and users, probes that will fail. An annotation in the wrong place is shown with
    the corrected manifest, as a diff. What is not looked at is counted and named on standard
    error. Exit code 2: nothing could be looked at.
    """
    from fsm_stack.findings.finding import sarif
    from fsm_stack.project.workload_files import context_of

    settings = settings_of(project_dir, stack)
    context = context_of(
        settings,
        namespace_files=namespace_files,
        default_namespace=namespace,
        controller_ip=controller_ip,
        write=False,
    )
    context.keep_going = True
    findings: list[Finding] = []
    diffs: list[str] = []
    summary = Summary()

    def texts() -> Iterator[str]:
        for outcome in summary.counted(outcomes(files, context)):
            found = outcome.findings()
            findings.extend(found)
            diff = _correction(outcome, settings.profile) if output != "sarif" else ""
            if output == "text":
                yield from (f"{line}\n" for line in finding_lines(found))
                yield diff
            elif diff:
                diffs.append(diff)
        if output != "text":
            plain = {"findings": [item.as_json() for item in findings], "corrections": diffs}
            report = (
                sarif(findings, invocation=summary.invocation())
                if output == "sarif"
                else plain | summary.as_json(findings)
            )
            yield json.dumps(report, indent=2, ensure_ascii=False) + "\n"

    stream(texts())
    summary.tell(len(findings))
    if reason := summary.nothing():
        complain(InputError(reason), BAD_INPUT)
    leave(failed=stops(findings, fail_on))


def _correction(outcome: Outcome, system: System) -> str:
    """A diff that puts the document's misplaced annotations where they belong."""
    from fsm_stack.workloads.edit import CORRECTED_MAX, as_diff, corrected

    document = outcome.document
    if document.form != "yaml" or len(document.text) > CORRECTED_MAX:
        return ""
    try:
        text = corrected(document.text, [seen.workload for seen in outcome.seen], system)
    except InputError:  # the findings say what to move, and where to
        return ""
    head = "" if document.lead.endswith("\n") else document.lead  # in the text's first line
    return as_diff(
        head + document.text,
        head + text,
        file=document.file,
        line=document.line,
        behind=document.behind,
    )
