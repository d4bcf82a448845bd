"""``fsm-stack diff``: what a change does to traffic, said before it is merged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from fsm_stack.cli.options import svg_option
from fsm_stack.cli.verb import (
    BAD_INPUT,
    StackName,
    Verb,
    leave,
    project_option,
    stream,
)
from fsm_stack.project.agreed import agreed, bound

if TYPE_CHECKING:
    from fsm_stack.project.sides import Sides
    from fsm_stack.review.compare import Comparison
    from fsm_stack.review.contracts import Placed
    from fsm_stack.review.intent import Intent
    from fsm_stack.review.model import Review
    from fsm_stack.review.restarting.pods import Pods
    from fsm_stack.review.side import Side


@click.command(cls=Verb, short_help="Say what a change does to traffic, rule by rule.")
@click.argument("words", nargs=-1, type=StackName(), metavar="STACK|FILE [STACK|FILE]")
@click.option("--against", metavar="REVISION|PATH",
              help="Compare a STACK with a Git revision, a rendered tree, a saved MeshConfig, a "
              "patch of one, or a script.")  # fmt: skip
@click.option("--context", metavar="NAME",
              help="Compare a STACK with the MeshConfig of this context's cluster.")  # fmt: skip
@click.option("--kubeconfig", type=click.Path(path_type=Path), metavar="FILE",
              help="The kubeconfig file, for --context.")  # fmt: skip
@click.option("--from", "files", type=click.Path(path_type=Path), multiple=True, metavar="FILE",
              help="Compare a STACK with the MeshConfig of a saved snapshot.")  # fmt: skip
@click.option("--fsm-version", metavar="VERSION",
              help="Compare a STACK with itself on another FSM release.")  # fmt: skip
@click.option("--workloads", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="Manifests, kubectl get -o json, or a saved snapshot: say which pods have to "
              "restart, in waves. May be repeated.")  # fmt: skip
@click.option("--profile", metavar="NAME",
              help="Whose script --against FILE is.  [default: of pods without one]")  # fmt: skip
@click.option("--all-stacks", is_flag=True,
              help="Compare every stack with the reference of fsm-stack.yaml; what it does not "
              "list as allowed to differ is a finding.")  # fmt: skip
@click.option("--expect", "expected", multiple=True, metavar="CHANGE",
              help="The change that is meant, as in 'bypass tcp 443 to 203.0.113.0/24'; anything "
              "else stops. May be repeated.")  # fmt: skip
@click.option("--fail-on", type=click.Choice(["low", "medium", "high"]),
              default="medium", show_default=True,
              help="Exit with 1 for changes of this risk and above.")  # fmt: skip
@click.option("-o", "--output",
              type=click.Choice(["text", "json", "markdown", "html", "sarif"]),
              default="text", show_default=True,
              help="For people, programs, pull requests, a browser, code scanning.")  # fmt: skip
@svg_option("Also draw what moves, and the lanes after it, into FILE.")
@click.option("--report", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="With --against REVISION alone: also write comment.md, review.json and a page "
              "for every stack that changes.")  # fmt: skip
@project_option
def diff(
    words: tuple[str, ...],
    *,
    fail_on: str,
    output: str,
    svg: Path | None,
    report: Path | None,
    all_stacks: bool,
    **options: Any,  # noqa: ANN401  # of the two sides
) -> None:
    """Say what a change does: to traffic, rules, Kubernetes objects and settings.

    Every connection whose fate differs is told, and none besides: the rules of both sides are
    compared for all packets at once.

    \b
    fsm-stack diff dev --against main         the work tree with a Git revision
    fsm-stack diff --against main             every stack, as a pull request is reviewed
    fsm-stack diff dev prod                   two environments
    fsm-stack diff dev --against patch.json   what a patch by hand would do
    fsm-stack diff old.sh new.sh              two scripts or dumps
    fsm-stack diff --all-stacks               what may differ between environments
    fsm-stack diff prod --against main --expect 'bypass tcp 443 to 203.0.113.0/24'

    Exit codes: 0 nothing at or above --fail-on that was not declared, 1 something is, or what was
    declared is not what happens, or a contract breaks; 2 bad input.
    """
    from fsm_stack.review.model import Level

    if all_stacks:
        if svg is not None:
            raise click.UsageError("--svg: expected two sides to draw, not --all-stacks")
        if report is not None:
            raise click.UsageError("--report: expected --against REVISION, not --all-stacks")
        _environments(words, output, **options)
    level = Level(fail_on)
    if not words and options["against"] is not None:
        if svg is not None:
            raise click.UsageError("--svg: expected a STACK beside --against, whose picture it is")
        _together(output, report, level, **options)
    if report is not None:
        raise click.UsageError("--report: expected --against REVISION without a STACK")
    both, found = _review(words, **options)
    if svg is not None:
        from fsm_stack.project.files import write_file
        from fsm_stack.review.reports.page import change_svg

        write_file(svg, change_svg(both, found, options["profile"] or "mesh").encode())
    stream([_text(both, found, output, level)])
    leave(failed=found.stops(level))


def _environments(words: tuple[str, ...], output: str, **options: Any) -> NoReturn:  # noqa: ANN401
    """Every stack against the reference: what may differ is listed, the rest is a finding."""
    import json
    from datetime import UTC, datetime

    from fsm_stack.cli.verb import finding_lines
    from fsm_stack.errors import counted
    from fsm_stack.findings.finding import sarif
    from fsm_stack.project.agreed import environment_findings
    from fsm_stack.project.sides import Sides

    project_dir = options.pop("project_dir")
    if words or any(options.values()):
        raise click.UsageError("--all-stacks: expected no STACK and no other side")
    if output in {"markdown", "html"}:
        raise click.UsageError("--all-stacks: expected --output text, json or sarif")
    sides = Sides(start=project_dir, today=datetime.now(UTC).date())
    reference, found = environment_findings(sides)
    if output == "sarif":
        stream([json.dumps(sarif(found), indent=2) + "\n"])
    elif output == "json":
        plain = {"reference": reference, "findings": [item.as_json() for item in found]}
        stream([json.dumps(plain, indent=2, ensure_ascii=False) + "\n"])
    else:
        count, verb = counted(len(found), "difference"), "is" if len(found) == 1 else "are"
        end = f"{count} from {reference} {verb} not listed as allowed"
        if not found:
            end = f"every difference from {reference} is listed as allowed"
        stream(f"{line}\n" for line in (*finding_lines(found), end))
    leave(failed=bool(found))


def _together(
    output: str,
    directory: Path | None,
    fail_on: Any,  # noqa: ANN401  # a Level, loaded late
    *,
    against: str,
    expected: tuple[str, ...],
    project_dir: Path,
    **others: Any,  # noqa: ANN401  # of one stack's second side
) -> NoReturn:
    """Every stack against a revision; the whole report as files, too."""
    import json
    from datetime import UTC, datetime

    from fsm_stack.findings.finding import sarif
    from fsm_stack.project.request import together, write_report
    from fsm_stack.project.sides import Sides
    from fsm_stack.review.intent import intent

    if any(others.values()):
        raise click.UsageError("--against REVISION without a STACK: expected no other side")
    if output == "html":
        raise click.UsageError("--output html: expected a STACK, or --report DIR for all of them")
    sides = Sides(start=project_dir, today=datetime.now(UTC).date())
    found = together(sides, against, [intent(text, "--expect") for text in expected])
    if directory is not None:
        write_report(found, directory, fail_on)
    if output == "json":
        told = json.dumps(found.as_json(fail_on), indent=2, ensure_ascii=False) + "\n"
    elif output == "markdown":
        told = found.markdown(fail_on)
    elif output == "sarif":
        told = json.dumps(sarif(found.findings()), indent=2) + "\n"
    else:
        told = "".join(f"{line}\n" for line in found.text_lines())
    stream([told])
    if found.bad:
        click.get_current_context().exit(BAD_INPUT)
    leave(failed=found.stops(fail_on))


def _text(both: Comparison, found: Review, output: str, fail_on: Any) -> str:  # noqa: ANN401  # a Level, loaded late
    import json

    if output == "json":
        return json.dumps(found.as_json(), indent=2, ensure_ascii=False) + "\n"
    if output == "html":
        from fsm_stack.review.reports.page import html_page

        return html_page(both, found)
    from fsm_stack.review.reports import report

    if output == "markdown":
        return report.markdown(found, fail_on=fail_on)
    if output == "sarif":
        from fsm_stack.findings.finding import sarif

        return json.dumps(sarif(report.findings_of(found)), indent=2) + "\n"
    return "".join(f"{line}\n" for line in report.text_lines(found))


def _review(
    words: tuple[str, ...],
    *,
    profile: str | None,
    expected: tuple[str, ...],
    workloads: tuple[Path, ...],
    project_dir: Path,
    **others: Any,  # noqa: ANN401  # of the second side
) -> tuple[Comparison, Review]:
    from datetime import UTC, datetime

    from fsm_stack.project.sides import Sides
    from fsm_stack.review.compare import Comparison
    from fsm_stack.review.intent import intent, meant_for

    if profile is not None and others["against"] is None:
        raise click.UsageError("--profile: expected --against FILE, whose script it is")
    intents = [intent(text, "--expect") for text in expected]
    sides = Sides(start=project_dir, today=datetime.now(UTC).date())
    before, after, declared, notes = _sides(sides, words, profile, **others)
    # What a project agreed on binds its stacks, not any file that is compared in its directory.
    shared: tuple[Placed, ...] = ()
    lost: tuple[Placed, ...] = ()
    if before.name.commit:
        held = bound(sides, before.name.commit)
        shared, lost = held.contracts, held.lost
        notes = (*notes, *(f"no longer agreed on for every stack: {one.text}" for one in lost))
    elif set(words) & set(sides.stacks()):
        shared = agreed(sides).contracts
    meant, elsewhere = meant_for([*intents, *declared], words, sides.stacks())
    notes = (*notes, *elsewhere)
    compared = Comparison(before, after, intents=meant, shared=shared, gone=lost)
    return compared, compared.review(pods=_pods(compared, workloads), notes=notes)


def _pods(compared: Comparison, files: tuple[Path, ...]) -> Pods | None:
    if not files:
        return None
    pods = compared.pods()
    if pods is None:
        raise click.UsageError("--workloads: expected a STACK on one side at least")
    return filled(pods, files)


def filled(pods: Pods, files: tuple[Path, ...]) -> Pods:
    """Every workload of some files, folded as it is read."""
    from fsm_stack.cluster.snapshot_file import read_path
    from fsm_stack.cluster.snapshot_forms import Passing
    from fsm_stack.snapshot.snapshot import NO_CONTEXT

    for path in files:
        passing = Passing(pods.add)
        pods.cluster = ""
        if context := _context_of(path):
            pods.cluster = "" if context in NO_CONTEXT else context
        read_path(path, passing)
    return pods


def _context_of(path: Path) -> str:
    """The context in the first line of a saved snapshot; empty: it is none."""
    import json

    from fsm_stack.cluster.snapshot_forms import HEAD
    from fsm_stack.project.files import told

    with told("read", path), path.open("rb") as stream:
        start = stream.readline(1 << 16)
    if not start.startswith(f'{{"{HEAD}"'.encode()):
        return ""
    try:
        head = json.loads(start)
    except ValueError:
        return ""
    return str(head.get("context") or "")


def _sides(
    sides: Sides,
    words: tuple[str, ...],
    profile: str | None,
    *,
    against: str | None,
    fsm_version: str | None,
    context: str | None,
    kubeconfig: Path | None,
    files: tuple[Path, ...],
) -> tuple[Side, Side, list[Intent], tuple[str, ...]]:
    """The two sides, the changes that their commits declare, and notes."""
    live = bool(context or kubeconfig or files)
    others = [one for one in (against, fsm_version, live or None) if one is not None]
    if len(words) == 2 and not others:  # noqa: PLR2004  # two sides
        return sides.word(words[0]), sides.word(words[1]), [], ()
    if len(words) != 1 or len(others) != 1:
        raise click.UsageError(
            "expected two STACKs or FILEs, or one STACK with --against, --fsm-version, --context "
            "or --from"
        )
    own = sides.word(words[0])
    if fsm_version is not None:
        return own, sides.with_version(own, fsm_version), [], ()
    if live:
        return _live(own, context, kubeconfig, files), own, [], ()
    found = sides.against(words[0], own, str(against), scope=profile or "mesh")
    declared = sides.declared(found.commit) if found.commit else []
    first, second = (found.side, own) if found.first else (own, found.side)
    return first, second, declared, (found.note,) if found.note else ()


def _live(
    own: Side, context: str | None, kubeconfig: Path | None, files: tuple[Path, ...]
) -> Side:
    """The cluster's MeshConfig for the stack's pods."""
    from fsm_stack.cluster.mesh_config import live_mesh_config
    from fsm_stack.review.model import SideName
    from fsm_stack.review.side import of_spec

    if own.settings is None:
        raise click.UsageError("--context and --from: expected a STACK to compare with")
    found = live_mesh_config(
        own.settings, own.name.title, context=context, kubeconfig=kubeconfig, files=files
    )
    return of_spec(found.spec, SideName(title=found.title, kind="cluster"), like=own)
