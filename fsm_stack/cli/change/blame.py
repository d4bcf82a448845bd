"""``fsm-stack blame``: since which commit a connection leaves the mesh, or goes through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from fsm_stack.cli.options import packet_of, packet_options, profile_option
from fsm_stack.cli.verb import Verb, emit, leave, output_option, project_option, stack_argument
from fsm_stack.errors import counted

if TYPE_CHECKING:
    from pathlib import Path

    from fsm_stack.project.blame import Blame
    from fsm_stack.project.git import Revision

_SHORT: Final = 12


@click.command(cls=Verb, short_help="Say since which commit a connection has its fate.")
@stack_argument
@profile_option
@packet_options
@output_option
@project_option
def blame(
    stack: str,
    *,
    profile: str | None,
    to: tuple[str, int | None],
    project_dir: Path,
    **options: Any,  # noqa: ANN401  # of the packet
) -> None:
    """Say since which commit a connection of a STACK's pods leaves the mesh, or goes through it.

    The history of the stack's file is walked from HEAD on, over renames and into merges. Commits
    whose settings do not validate are passed over, and counted.

    \b
    fsm-stack blame prod --to 10.0.0.8:6379
    """
    from datetime import UTC, datetime

    from fsm_stack.project.blame import blame as found_by
    from fsm_stack.project.git import repository
    from fsm_stack.project.project import find_project
    from fsm_stack.review.blame import Question

    packet = packet_of(to, options)
    project = find_project(project_dir)
    project.chosen((stack,))
    question = Question(packet, profile or "mesh", datetime.now(UTC).date())
    found = found_by(repository(project.directory), f"Pulumi.{stack}.yaml", question)
    emit(found.as_json(), _lines(found))
    leave(failed=False)


def _lines(found: Blame) -> list[str]:
    from fsm_stack.findings.finding import harmless

    now = found.now.decision
    lines = [] if now is None else [f"{now.verdict}: {now.why}"]
    lines += [f"  {harmless(entry)}" for entry in found.now.entries]
    if found.revision is None:
        older = "; the clone is shallow, it may be older" if found.shallow else ""
        lines.append(f"so in every one of the {found.commits} commits of the file{older}")
    else:
        number = f", request {found.request}" if found.request else ""
        lines.append(f"since {_told(found.revision)}{number}")
        if found.merge is not None:
            lines.append(f"  merged by {_told(found.merge)}")
        if found.shallow:
            lines.append("  the clone is shallow: it may be older")
    if found.before is not None:
        before = found.before.decision
        lines.append(f"before: {before.verdict if before else found.before.why_not}")
    if found.skipped:
        count = counted(found.skipped, "commit")
        lines.append(f"{count} in between cannot be told: the change may have begun there")
    return lines


def _told(revision: Revision) -> str:
    from fsm_stack.findings.finding import harmless

    subject, author = harmless(revision.subject), harmless(revision.author)
    return f"{revision.commit[:_SHORT]} of {revision.date[:10]} by {author}: {subject}"
