"""``fsm-stack flows``: what real traffic says of a stack's lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from fsm_stack.cli.verb import (
    Verb,
    emit,
    fail_on_option,
    finding_lines,
    leave,
    output_option,
    project_option,
    stack_argument,
    stops,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from fsm_stack.findings.finding import Place
    from fsm_stack.flows.evidence import Observed
    from fsm_stack.flows.objects import Objects
    from fsm_stack.flows.recommend import Recommended
    from fsm_stack.flows.rulebook import Rulebook
    from fsm_stack.review.side import Side
    from fsm_stack.settings.models.policy import Contract

    _Function = TypeVar("_Function", bound=Callable[..., Any])

_FORMATS: Final = ("hubble", "gcp", "goldmane", "istio", "fsm", "vpc", "csv")
_ORIGINAL: Final = {"original": "yes", "translated": "no", "either": "unknown"}
_ERASE: Final = "\r\x1b[K"  # ECMA-48: to the start of the line, erase it


def log_options(function: _Function) -> _Function:
    """``STACK``, ``--flows`` and how to understand them."""
    for option in (
        project_option,
        click.option("--jobs", type=click.IntRange(0), default=0, metavar="N",
                     help="Read with so many processes.  [default: one a processor]"),
        click.option("--profile", metavar="NAME", default="mesh",
                     help="Of pods that no object tells about.  [default: without annotations]"),
        click.option("--addresses", type=click.Choice(tuple(_ORIGINAL)),
                     help="Whether logged destinations are those that pods asked for, whatever "
                     "the format says: translated is after a choice of an endpoint."),
        click.option("--objects", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
                     help="Pods, Services and EndpointSlices: a saved snapshot, or kubectl get "
                     "-A -o json. May be repeated."),
        click.option("--fields", metavar="NAME,...",
                     help="The order of a log's fields, where it has no header."),
        click.option("--format", "kind", type=click.Choice(_FORMATS),
                     help="The logs' format.  [default: as each one looks]"),
        click.option("--flows", "paths", multiple=True, required=True, metavar="FILE|-",
                     type=click.Path(allow_dash=True),
                     help="A flow log, a folder of them, or standard input; gzip is unpacked. "
                     "May be repeated."),
        stack_argument,
    ):  # fmt: skip
        function = option(function)
    return function


@click.group(short_help="Replay flow logs over a stack's rules; narrow its lists.")
def flows() -> None:
    """Say what real traffic does under a stack's rules.

    \b
    kubectl get pods,services,endpointslices -A -o json > objects.json
    fsm-stack flows replay prod --flows logs/ --objects objects.json
    fsm-stack flows evidence prod --flows logs/ --objects objects.json
    fsm-stack flows recommend prod --flows logs/ --objects objects.json

    Formats: Hubble JSON, Google Cloud VPC, Calico Goldmane, Istio access log, FSM's sidecar log,
    AWS VPC (v2 to v5), CSV with a header. Of a line only addresses, ports, sizes, times and names
    of workloads are kept.
    """


@flows.command(cls=Verb, short_help="Say what goes through the sidecar, and what past it.")
@log_options
@click.option("--against", metavar="REVISION|PATH",
              help="Compare with a Git revision of the stack, a stack file, a rendered tree or a "
              "script.")  # fmt: skip
@click.option("--top", type=click.IntRange(0), default=20, show_default=True, metavar="N",
              help="So many flows of each kind; 0: all that were kept.")  # fmt: skip
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Also write it as a page with a picture into FILE.")  # fmt: skip
@output_option
def replay(
    stack: str, *, against: str | None, top: int, html: Path | None,
    **options: Any,  # noqa: ANN401  # of the logs
) -> None:  # fmt: skip
    """Judge every connection of flow logs by a STACK's rules, by workload, the biggest first.

    With --against, the exit code is 1 when some connection changes its side.
    """
    from fsm_stack.flows.replay import Replay, replay_json, replay_lines

    observed = _observed(stack, against, **options)
    found = Replay(stack=stack, against=against or "", observed=observed, top=top)
    if html is not None:
        from fsm_stack.flows.replay import page
        from fsm_stack.project.files import write_file

        write_file(html, page(found).encode())
    emit(replay_json(found), replay_lines(found))
    leave(failed=found.moved)


@flows.command(cls=Verb, short_help="Say of every entry whether it is used, by whom, how much.")
@log_options
@fail_on_option
@output_option
def evidence(stack: str, *, fail_on: str, **options: Any) -> None:  # noqa: ANN401  # of the logs
    """Say of every entry of a STACK's lists when it was last used, by whom and how much.

    Unused entries are warnings, ranges that are wider than what was used are information. Exit
    code 1: findings at or above --fail-on.
    """
    from fsm_stack.flows.evidence import findings, known_entries
    from fsm_stack.flows.report import evidence_json, evidence_lines

    observed = _observed(stack, None, **options)
    known = known_entries(observed)
    found = tuple(findings(known, observed, _places(stack, options["project_dir"])))
    plain = {**evidence_json(observed, stack), "findings": [item.as_json() for item in found]}
    emit(plain, [*evidence_lines(observed, stack), *finding_lines(found)])
    leave(failed=stops(found, fail_on))


@flows.command(cls=Verb, short_help="Narrow the lists to what is used; no flow is lost.")
@log_options
@click.option("--entries", type=click.IntRange(1), default=16, show_default=True, metavar="N",
              help="So many ranges a list may have.")  # fmt: skip
@click.option("--new-bypasses", "new", type=click.IntRange(0), default=0, metavar="N",
              help="Exclude the N biggest destinations outside of the cluster, too.")  # fmt: skip
@click.option("--contracts", is_flag=True,
              help="Also propose contracts that the stack and its traffic keep.")  # fmt: skip
@click.option("--write", is_flag=True, help="Change the stack file.")
@output_option
def recommend(
    stack: str, *, entries: int, new: int, contracts: bool, write: bool,
    **options: Any,  # noqa: ANN401  # of the logs
) -> None:  # fmt: skip
    """Narrow a STACK's lists to the smallest ones that keep every bypassed connection seen.

    What was seen stands behind each narrowed entry's reason. Without --write the change is shown,
    and the exit code is 1 when there is one; comments and everything else of the file stay.
    """
    from fsm_stack.cli.lists import diff_lines, styled
    from fsm_stack.flows.recommend import recommend as narrowed
    from fsm_stack.flows.report import Advice
    from fsm_stack.project.files import write_file
    from fsm_stack.project.stack_edit import edited

    observed = _observed(stack, None, **options)
    path, shown, text, today = _file(stack, options["project_dir"])
    found = narrowed(observed, today, entries=entries, new=new)
    settings = observed.judge.now.settings
    result = edited(text, settings, found.edits, file=shown, today=today)
    found = found.made(settings, result.made)
    if write and result.text != text:
        write_file(path.resolve(), result.text.encode(), shown=shown)  # behind a link, too
    diff = [] if write else [*diff_lines(text, result.text, shown, "recommended")]
    told = Advice(
        stack=stack, observed=observed, found=found, left=result.left,
        written=write and result.text != text,
        contracts=_contracts(observed, found, today) if contracts else (),
    )  # fmt: skip
    emit({**told.as_json(), "diff": diff}, [*styled(diff), *told.lines()])
    leave(failed=bool(result.made) and not write)


def _places(stack: str, project_dir: Path) -> dict[str, Place]:
    """Where each entry of the lists stands, by its path; a preset's at its profile's presets."""
    from datetime import UTC, datetime

    from fsm_stack.project.sides import Sides
    from fsm_stack.settings.effective import list_paths
    from fsm_stack.yaml.places import path_text

    side = Sides(start=project_dir, today=datetime.now(UTC).date()).word(stack)
    if side.settings is None:
        return {}
    paths = [(*path, at) for path, _, old in list_paths(side.settings) for at in range(len(old))]
    paths += [
        ("annotationProfiles", name, "presets") for name in side.settings.annotation_profiles
    ]
    return {path_text(path): side.place(path) for path in paths}


def _contracts(observed: Observed, found: Recommended, today: date) -> tuple[Contract, ...]:
    from fsm_stack.flows.proposals import proposals
    from fsm_stack.review.contracts import prover_of
    from fsm_stack.review.model import SideName
    from fsm_stack.review.side import of_settings

    name = SideName(title="recommended", kind="stack")
    side = of_settings(found.settings, name, today=today, objects=False)
    return proposals(observed, prover_of(side), found.edits)


def _observed(
    stack: str, against: str | None, *, kind: str | None, fields: str | None,
    paths: tuple[str, ...], objects: tuple[Path, ...], addresses: str | None, profile: str,
    jobs: int, project_dir: Path,
) -> Observed:  # fmt: skip
    """Everything read and judged."""
    from datetime import UTC, datetime

    from fsm_stack.flows.evidence import Observed
    from fsm_stack.flows.judge import Judge
    from fsm_stack.flows.objects import Assumed
    from fsm_stack.project.flow_files import Logs, read_logs
    from fsm_stack.project.sides import Sides

    sides = Sides(start=project_dir, today=datetime.now(UTC).date())
    own = sides.word(stack)
    before = None
    if against is not None:
        found = sides.against(stack, own, against)
        if not found.first:
            raise click.UsageError("--against: expected what was before, not a patch")
        before = _rulebook(found.side, own, sides.today)
    now = _rulebook(own, own, sides.today)
    _require_profile(profile, now)
    original: Any = _ORIGINAL[addresses] if addresses else None
    judge = Judge(now, before, _objects(objects, now), Assumed(profile=profile, original=original))
    order = tuple(fields.split(",")) if fields else ()
    logs = Logs(paths=paths, format=kind or "", fields=order, jobs=jobs)
    progress = _Progress()
    try:
        tally, read = read_logs(logs, judge, progress=progress)
    finally:
        progress.clear()
    return Observed(judge=judge, tally=tally, logs=read)


def _file(stack: str, project_dir: Path) -> tuple[Path, str, str, date]:
    """A stack's file, its name for people, its text; and the day."""
    from datetime import UTC, datetime

    from fsm_stack.project.project import find_project, read_text

    project = find_project(project_dir)
    (known,) = project.chosen((stack,))
    path = project.directory / f"Pulumi.{known}.yaml"
    shown = project.shown(path)
    text = read_text(path, project=project.directory, shown=shown)
    return path, shown, text, datetime.now(UTC).date()


def _rulebook(side: Side, own: Side, today: date) -> Rulebook:
    from fsm_stack.errors import InputError
    from fsm_stack.flows.rulebook import Rulebook

    settings = side.settings or own.settings
    if settings is None:
        raise InputError(f"{side.name.title}: expected a STACK, whose lists flows are judged by")
    scripts = side.scripts if side.settings is None else None
    return Rulebook(settings, today, scripts)


def _require_profile(name: str, rules: Rulebook) -> None:
    from fsm_stack.errors import InputError, did_you_mean

    known = ("mesh", *rules.settings.annotation_profiles)
    if name not in known:
        hint = did_you_mean(name, known) or f"; expected one of {', '.join(known)}"
        raise InputError(f"--profile {name!r}: no such profile{hint}")


def _objects(files: tuple[Path, ...], rules: Rulebook) -> Objects | None:
    if not files:
        return None
    from fsm_stack.cluster.snapshot_file import read_files
    from fsm_stack.flows.objects import objects_of

    return objects_of(read_files(files), rules.settings.profile)


class _Progress:
    """How far reading is, with rate and remaining time, for people who wait at a terminal."""

    def __init__(self) -> None:
        import sys
        from time import monotonic

        self._shown = sys.stderr.isatty()
        self._start = self._last = monotonic()

    def __call__(self, read: int, whole: int) -> None:
        """Tell, at most five times a second."""
        from time import monotonic

        from fsm_stack.flows.evidence import size_text

        now = monotonic()
        if not self._shown or now - self._last < 0.2 or read <= 0:  # noqa: PLR2004  # seconds
            return
        self._last = now
        rate = read / (now - self._start)
        left = f", {(whole - read) / rate:.0f} s left" if whole > read else ""
        done = f"{100 * read // whole} %" if whole else size_text(read)
        click.echo(f"{_ERASE}{done} read, {size_text(int(rate))}/s{left}", err=True, nl=False)

    def clear(self) -> None:
        """Leave the line to the report."""
        if self._shown:
            click.echo(_ERASE, err=True, nl=False)
