"""``fsm-stack lint``: what is wrong with workloads, before they are applied."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fsm_stack.cli.verb import (
    BAD_INPUT,
    Verb,
    complain,
    fail_on_option,
    finding_lines,
    leave,
    project_option,
    report_option,
    stack_argument,
    stops,
    stream,
    suppress_option,
)
from fsm_stack.cli.workload.workloads import (
    Summary,
    controller_option,
    file_option,
    namespace_options,
    outcomes,
    settings_of,
)
from fsm_stack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.findings.finding import Finding
    from fsm_stack.findings.suppress import Suppressions
    from fsm_stack.systems import System
    from fsm_stack.workloads.stream import Context, Outcome


@click.command(cls=Verb, short_help="Check workloads against a stack's mesh.")
@stack_argument
@file_option
@click.option("--fix", is_flag=True, help="Change FILE where there is one safe fix.")
@suppress_option
@namespace_options
@controller_option
@fail_on_option
@report_option
@project_option
def lint(
    stack: str,
    *,
    files: tuple[Path, ...],
    recursive: bool,
    fix: bool,
    suppress: tuple[str, ...],
    namespace: str,
    namespace_files: tuple[Path, ...],
    controller_ip: str | None,
    fail_on: str,
    output: str,
    project_dir: Path,
) -> None:
    """Check the workloads of FILE as they would run in the mesh of STACK.

    Annotations in the wrong place or misspelt, lists that are too long together with the mesh's,
    reserved ports and users, probes that will fail. What has one safe fix, an annotation in the
    wrong place or one that is no text, is shown with the corrected manifest, as a diff for patch
    -p1 or git apply in the current directory (in / for files outside of it); --fix writes it
    instead, and the rest is reported. What is not looked at is counted and named on standard
    error. Exit code 2: nothing could be looked at.
    """
    from fsm_stack.findings.suppress import Suppressions
    from fsm_stack.project.workload_files import context_of, files_of

    def context() -> Context:
        made = context_of(
            settings,
            namespace_files=namespace_files,
            default_namespace=namespace,
            controller_ip=controller_ip,
            write=False,
        )
        made.keep_going = True
        return made

    files = files_of(files, recursive=recursive)
    if fix and Path("-") in files:
        raise click.UsageError("--fix: expected files, standard input cannot be changed")
    settings = settings_of(project_dir, stack)
    report = _Report(Suppressions(suppress), settings.profile, output, namespace)
    if fix:
        report.fixed = _fixed(files, context(), settings.profile, Suppressions(suppress))
    stream(report.texts(outcomes(files, context())))
    for file in report.fixed:
        click.echo(f"fixed: {file}", err=True)
    report.tell()
    leave(failed=stops(report.findings, fail_on))


class _Report:
    """What is found, as it is printed."""

    def __init__(
        self, suppressions: Suppressions, system: System, output: str, namespace: str
    ) -> None:
        from fsm_stack.workloads.lint.beside import Peers

        self.fixed: list[str] = []
        self.findings: list[Finding] = []
        self._suppressed: list[Finding] = []
        self._suppressions, self._system, self._output = suppressions, system, output
        self._summary = Summary()
        self._peers = Peers(system, namespace)

    def texts(self, found: Iterator[Outcome]) -> Iterator[str]:
        """The report, as it comes."""
        diffs: list[str] = []
        for outcome in self._summary.counted(found):
            self._peers.add(outcome)
            kept = self._kept(outcome.findings())
            diff = "" if self._output == "sarif" else _correction(outcome, kept, self._system)
            if self._output == "text":
                yield from (f"{line}\n" for line in finding_lines(kept))
                yield diff
            elif diff:
                diffs.append(diff)
        kept = self._kept(self._peers.findings())
        if self._output == "text":
            yield from (f"{line}\n" for line in finding_lines(kept))
        else:
            yield json.dumps(self._plain(diffs), indent=2, ensure_ascii=False) + "\n"

    def _kept(self, found: Iterable[Finding]) -> list[Finding]:
        """The findings that count; they are added to the report's, and the others, too."""
        kept, out = self._suppressions.split(found)
        self.findings += kept
        self._suppressed += out
        return kept

    def _plain(self, diffs: list[str]) -> dict[str, Any]:
        from fsm_stack.findings.finding import sarif

        if self._output == "sarif":
            ran = self._summary.invocation()
            return sarif(self.findings, invocation=ran, suppressed=self._suppressed)
        return {
            "findings": [item.as_json() for item in self.findings],
            "suppressed": [item.as_json() for item in self._suppressed],
            "corrections": diffs,
            "fixed": self.fixed,
        } | self._summary.as_json(self.findings)

    def tell(self) -> None:
        """The counts, on standard error; ends with 2 where nothing could be looked at."""
        for text in self._suppressions.unused():
            click.echo(f"note: --suppress {text}: no such finding", err=True)
        out = len(self._suppressed)
        self._summary.tell(len(self.findings), more=f"{out} suppressed" if out else "")
        if reason := self._summary.unchecked():
            complain(InputError(reason), BAD_INPUT)


def _fixed(
    files: tuple[Path, ...], context: Context, system: System, suppressions: Suppressions
) -> list[str]:
    """Write what has one safe fix into the files; gives the names of those that are changed.

    Raises:
        InputError: for a file that cannot be read; those before it are changed already.
        FileError: for a file that cannot be written.
    """
    from fsm_stack.project.files import write_file

    changed = []
    for path in files:
        before, after = [], []
        for outcome in outcomes((path,), context):
            document = outcome.document
            before.append(document.source)
            kept, _ = suppressions.split(outcome.findings())
            after.append(document.lead + _corrected(outcome, kept, system))
        if after != before:
            write_file(path.resolve(), "".join(after).encode(), shown=str(path))
            changed.append(str(path))
    return changed


def _corrected(outcome: Outcome, kept: list[Finding], system: System) -> str:
    """The document's text with what has one safe fix, of the findings that count."""
    from fsm_stack.workloads.edit import CORRECTED_MAX, corrected
    from fsm_stack.workloads.passed import NOT_TEXT

    document = outcome.document
    if document.form != "yaml" or len(document.text) > CORRECTED_MAX:
        return document.text
    bare = {item.place.path for item in kept if item.id == NOT_TEXT}
    moved = {item for item in kept if item.id == "annotation-misplaced"}
    items = [seen.workload for seen in outcome.seen if not moved.isdisjoint(seen.findings)]
    try:
        return corrected(document.text, items, system, bare=bare)
    except InputError:  # the findings say what to move, and where to
        return document.text


def _correction(outcome: Outcome, kept: list[Finding], system: System) -> str:
    """The same as a diff."""
    from fsm_stack.workloads.edit import as_diff

    document = outcome.document
    head = "" if document.lead.endswith("\n") else document.lead  # in the text's first line
    return as_diff(
        head + document.text,
        head + _corrected(outcome, kept, system),
        file=_from_here(document.file),
        line=document.line,
        behind=document.behind,
    )


def _from_here(file: str) -> str:
    """A path as a patch has it: from the current directory, or from the root outside of it."""
    from_here = os.path.relpath(file)
    return os.path.abspath(file) if from_here.startswith("..") else from_here  # noqa: PTH100  # no link is followed
