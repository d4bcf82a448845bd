"""``fsm-stack``: the entry point and the group of all verbs, by task.

A new verb is one line here and a module with a :class:`click.Command`. The line repeats the
verb's short help, so that ``fsm-stack --help`` imports none of them; a test compares the two.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import Final, NamedTuple

import click

from fsm_stack.__about__ import __version__


class Entry(NamedTuple):
    """One verb: its name, also its function's; the module below ``fsm_stack.cli``; its help."""

    name: str
    module: str
    help: str


SECTIONS: Final[dict[str, tuple[Entry, ...]]] = {
    "From what runs": (
        Entry("init", "init", "Write a first stack file."),
        Entry("convert", "convert", "Make a stack file of what runs, or was installed from."),
        Entry("adopt", "adopt", "Say what taking an installation over would change."),
        Entry("export", "export", "Print a stack as install command, patch or Helm values."),
    ),
    "Before a change": (
        Entry("validate", "validate", "Check stack files; report every problem with its place."),
        Entry("explain", "explain", "Say what a finding means and how to mend it."),
        Entry("diff", "diff", "Say what a change does to traffic, rule by rule."),
        Entry("contracts", "contracts", "Prove traffic contracts for every connection."),
        Entry("bypasses", "lists", "List what bypasses the mesh: why, whose, until when."),
        Entry("inject", "workload.inject", "Show workloads as their pods will run."),
        Entry("lint", "workload.lint", "Check workloads against a stack's mesh."),
        Entry("annotate", "workload.annotate", "Print annotations for pods, or patch manifests."),
        Entry("schema", "validate", "Print the JSON Schema of stack files, for editors."),
    ),
    "Traffic": (
        Entry("trace", "trace", "Say what happens to one connection, and by which rule."),
        Entry("rules", "rules", "Show the rules that pods get, each with its reason."),
        Entry("coverage", "coverage", "Say what goes through the sidecar and what does not."),
        Entry("blame", "blame", "Say since which commit a connection has its fate."),
        Entry("read", "rules", "Say what a script or a dump of rules means."),
        Entry("tidy", "lists", "Make a stack's lists smaller without changing what they do."),
    ),
    "Render": (
        Entry("render", "render", "Write a stack's objects and scripts as files for Git."),
        Entry("vendor", "vendor", "Take the Pipy scripts out of an FSM chart archive."),
    ),
    "A running mesh": (
        Entry("verify", "verify", "Check a cluster: why is traffic (not) redirected?"),
        Entry("leftovers", "adopt", "List what a removed mesh left, with safe commands."),
        Entry("restart-list", "snapshot", "Print the restarts that bring stale pods up to date."),
        Entry("snapshot", "snapshot", "Save what checks read of a cluster, for a look elsewhere."),
    ),
    "This tool": (
        Entry("completion", "explain", "Print the shell's completion script."),
    ),
}  # fmt: skip
ENTRIES: Final = {entry.name: entry for entries in SECTIONS.values() for entry in entries}


DEFECT: Final = 3  # could not check
# Container objects between two collections. A verb is over before there is garbage worth a walk;
# Python's 700 cost `render` 40 ms of its 350.
_COLLECT_AFTER: Final = 100_000


class Verbs(click.Group):
    """A group that imports a verb's module when the verb is used, and no other."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Every verb, in the order of the help."""
        return list(ENTRIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command; None when there is no such verb."""
        entry = ENTRIES.get(cmd_name)
        if entry is None:
            return super().get_command(ctx, cmd_name)
        module = import_module(f"fsm_stack.cli.{entry.module}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Click's own, with "did you mean"."""
        if args and args[0] not in ENTRIES and not ctx.resilient_parsing:
            from fsm_stack.errors import did_you_mean

            ctx.fail(f"{args[0]!r}: no such command{did_you_mean(args[0], ENTRIES)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The verbs, grouped by task."""
        width = max(len(name) for name in ENTRIES)
        for title, entries in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(entry.name.ljust(width), entry.help) for entry in entries])


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 bad input or usage, "
    "3 could not check.",
)
@click.version_option(__version__, prog_name="fsm-stack", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """The FSM service mesh as typed, previewed, reviewed and tested stack config."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        ctx.color = False


def main() -> None:
    """The console script. A defect of ours is told from a finding: traceback, exit code 3."""
    gc.set_threshold(_COLLECT_AFTER)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # others' code: none is run
    for stream in (sys.stdout, sys.stderr):
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    try:
        cli.main(prog_name="fsm-stack")
    except Exception:  # noqa: BLE001  # Python would exit with 1, which means "findings"
        import traceback

        traceback.print_exc()
        sys.stderr.write("fsm-stack: this is a defect of fsm-stack, not of your files\n")
        sys.exit(DEFECT)
    finally:
        gc.freeze()  # else the last collection walks everything: 40 ms
