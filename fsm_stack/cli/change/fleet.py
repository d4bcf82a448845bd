"""``fsm-stack fleet``: every stack, and saved snapshots of their clusters, at a glance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsm_stack.cli.verb import (
    COULD_NOT_CHECK,
    Verb,
    fail_on_option,
    leave,
    project_option,
    stops,
    stream,
)

if TYPE_CHECKING:
    from fsm_stack.project.agreed import Agreed
    from fsm_stack.project.sides import Sides
    from fsm_stack.review.reports.fleet import Cluster, Fleet, Row
    from fsm_stack.review.side import Side


@click.command(cls=Verb, short_help="Show every stack: release, findings, bypasses, owners.")
@click.option("--from", "files", multiple=True, metavar="STACK=FILE",
              help="A saved snapshot of a stack's cluster, checked as verify does. May be "
              "repeated.")  # fmt: skip
@click.option("-o", "--output", type=click.Choice(["text", "json", "html"]), default="text",
              show_default=True, help="For people, programs, or a browser.")  # fmt: skip
@fail_on_option
@project_option
def fleet(files: tuple[str, ...], *, output: str, fail_on: str, project_dir: Path) -> None:
    """Show every stack of the project, and whom to ask about it.

    Release, findings, contracts that are not kept, entries that bypass the mesh with owner and
    last day, what differs from the reference of fsm-stack.yaml without being listed there, and
    the distinct scripts.

    \b
    fsm-stack fleet
    fsm-stack fleet --from dev=dev.jsonl --from prod=prod.jsonl -o html > fleet.html

    Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 bad input, 3 a check of a snapshot
    did not run.
    """
    import json

    found = _fleet(files, project_dir)
    if output == "json":
        stream([json.dumps(found.as_json(), indent=2, ensure_ascii=False) + "\n"])
    elif output == "html":
        stream([found.html()])
    else:
        stream(f"{line}\n" for line in found.text_lines())
    if not any(stops(row.every, fail_on) for row in found.rows) and not found.complete:
        click.get_current_context().exit(COULD_NOT_CHECK)
    leave(failed=any(stops(row.every, fail_on) for row in found.rows))


def _fleet(files: tuple[str, ...], project_dir: Path) -> Fleet:
    from datetime import UTC, datetime

    from fsm_stack.project.agreed import agreed, reference
    from fsm_stack.project.sides import Sides
    from fsm_stack.review.reports.fleet import Fleet

    sides = Sides(start=project_dir, today=datetime.now(UTC).date())
    names = sides.project.chosen((), everything=True)
    given = _given(files, names)
    policy = agreed(sides)
    wanted = policy.environments
    before = None if wanted is None else reference(sides, wanted)
    rows = []
    for name in names:
        row = _row(sides, name, policy, before)
        if name in given and row.system:
            row = replace(row, cluster=_cluster(name, given[name], project_dir))
        rows.append(row)
    return Fleet(rows=tuple(rows), reference="" if wanted is None else wanted.reference)


def _given(files: tuple[str, ...], names: tuple[str, ...]) -> dict[str, tuple[Path, ...]]:
    """The files of each stack's snapshot.

    Raises:
        click.UsageError: one is not named so, or there is no such stack.
    """
    from fsm_stack.errors import did_you_mean

    found: dict[str, tuple[Path, ...]] = {}
    for item in files:
        name, equals, file = item.partition("=")
        if not equals or not file:
            raise click.UsageError(f"--from {item!r}: expected STACK=FILE, as in dev=dev.jsonl")
        if name not in names:
            hint = did_you_mean(name, names) or f"; expected one of {', '.join(names)}"
            raise click.UsageError(f"--from {item!r}: no such stack{hint}")
        found[name] = (*found.get(name, ()), Path(file))
    return found


def _row(sides: Sides, name: str, policy: Agreed, before: Side | None) -> Row:
    """One stack; of one that does not validate its findings alone."""
    from fsm_stack.findings.finding import Severity
    from fsm_stack.project.agreed import differences
    from fsm_stack.review.contracts import contracts_of, prover_of
    from fsm_stack.review.reports.fleet import Row, row_of

    loaded, title = sides.loaded(name)
    row = Row(stack=name, file=title.file, findings=loaded.findings, accepted=len(loaded.accepted))
    if any(item.severity is Severity.ERROR for item in loaded.findings):
        return row
    side = sides.valid(loaded, title)
    bound = contracts_of(side, policy.contracts)
    prover = prover_of(side)
    row = replace(
        row,
        contracts=len(bound),
        broken=prover.broken(bound),
        unproved=prover.unproved(bound),
    )
    if before is not None and policy.environments is not None:
        differs, unlisted = differences(before, side, name, policy.environments)
        row = replace(row, differs=differs, unlisted=unlisted)
    return row_of(side, row)


def _cluster(name: str, files: tuple[Path, ...], project_dir: Path) -> Cluster:
    from fsm_stack.cluster.session import Request, context_of
    from fsm_stack.review.reports.fleet import cluster_of
    from fsm_stack.verify.check import Report, run_checks
    from fsm_stack.verify.every import CHECKS

    context = context_of(Request(project_dir=project_dir, stack=name, files=files))
    return cluster_of(Report(context=context, outcomes=run_checks(context, CHECKS)))
