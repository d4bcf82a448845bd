"""``fsm-stack contracts``: traffic contracts, proved for every connection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsm_stack.cli.change.diff import filled
from fsm_stack.cli.verb import (
    Verb,
    leave,
    project_option,
    stacks_argument,
    stream,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.review.reports.outcome import Broken


@click.command(cls=Verb, short_help="Prove traffic contracts for every connection.")
@stacks_argument
@click.option("--workloads", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="Prove them for these workloads, too. May be repeated.")  # fmt: skip
@click.option("-o", "--output", type=click.Choice(["text", "json", "sarif"]), default="text",
              show_default=True, help="For people, programs, or code scanning.")  # fmt: skip
@project_option
def contracts(
    stacks: tuple[str, ...], *, workloads: tuple[Path, ...], output: str, project_dir: Path
) -> None:
    """Prove the contracts of STACKs, and those of fsm-stack.yaml, for every connection.

    A contract that some pod does not keep is told with the entry that breaks it and one connection
    that does otherwise. Without a STACK every stack is looked at.

    \b
    fsm-stack contracts
    fsm-stack contracts prod --workloads manifests.yaml

    Exit codes: 0 all kept, 1 some are not, 2 bad input.
    """
    import json

    from fsm_stack.cli.verb import finding_lines
    from fsm_stack.findings.finding import finding, sarif
    from fsm_stack.review.reports.report import broken_finding

    proved = list(_proved(stacks, workloads, project_dir))
    found = [broken_finding(one) for _, _, broken, _ in proved for one in broken]
    found += [finding("contract-unproved", f"{stack}: {why}")
              for stack, _, _, unproved in proved for why in unproved]  # fmt: skip
    if output == "sarif":
        stream([json.dumps(sarif(found), indent=2) + "\n"])
    elif output == "json":
        from fsm_stack.review.model import plain

        told = [{"stack": stack, "contracts": count, "broken": plain(broken), "unproved": unproved}
                for stack, count, broken, unproved in proved]  # fmt: skip
        stream([json.dumps({"stacks": told}, indent=2, ensure_ascii=False) + "\n"])
    else:
        ends = [f"{stack}: {_kept(count, len({one.contract for one in broken}), unproved)}"
                for stack, count, broken, unproved in proved]  # fmt: skip
        stream(f"{line}\n" for line in (*finding_lines(found), *ends))
    leave(failed=bool(found))


def _kept(count: int, broken: int, unproved: tuple[str, ...]) -> str:
    """``3 contracts, 1 not kept``; ``2 contracts, all kept``; ``1 contract, not proved``."""
    from fsm_stack.errors import counted

    if not count:
        return "no contract"
    if unproved and not broken:
        return f"{counted(count, 'contract')}, not proved"
    kept = "kept" if count == 1 else "all kept"
    return f"{counted(count, 'contract')}, {f'{broken} not kept' if broken else kept}"


def _proved(
    stacks: tuple[str, ...], workloads: tuple[Path, ...], project_dir: Path
) -> Iterator[tuple[str, int, tuple[Broken, ...], tuple[str, ...]]]:
    """Each stack, the number of its contracts, what is not kept, and what is not proved."""
    from datetime import UTC, datetime

    from fsm_stack.project.agreed import agreed
    from fsm_stack.project.sides import Sides
    from fsm_stack.review.contracts import contracts_of, prover_of
    from fsm_stack.review.restarting.classes import mesh_of_side
    from fsm_stack.review.restarting.pods import Pods

    sides = Sides(start=project_dir, today=datetime.now(UTC).date())
    shared = agreed(sides).contracts
    for name in sides.project.chosen(stacks, everything=not stacks):
        side = sides.stack(name)
        known = contracts_of(side, shared)
        mesh = mesh_of_side(side)
        pods = filled(Pods(mesh), workloads) if workloads and mesh is not None else None
        prover = prover_of(side, pods)
        yield name, len(known), prover.broken(known), prover.unproved(known)
