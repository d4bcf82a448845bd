"""``fsm-stack``: the entry point and the group of all verbs, by task.

A new verb is one line here and a module with a :class:`click.Command`. The line repeats the
verb's short help, so that ``fsm-stack --help`` imports none of them; a test compares the two.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from fsm_stack.__about__ import __version__
from fsm_stack.credentials import without_user

if TYPE_CHECKING:
    from collections.abc import Iterator


class Entry(NamedTuple):
    """One verb: its name, also its function's; the module below ``fsm_stack.cli``; its help."""

    name: str
    module: str
    help: str


SECTIONS: Final[dict[str, tuple[Entry, ...]]] = {
    "From what runs": (
        Entry("init", "adoption.init", "Write a first stack file."),
        Entry("convert", "adoption.convert", "Make a stack file of what runs, or its install."),
        Entry("adopt", "adoption.adopt", "Say what taking an installation over would change."),
        Entry("export", "adoption.chart", "Print a stack as command, patch or Helm values."),
    ),
    "Before a change": (
        Entry("validate", "validate", "Check stack files; report every problem with its place."),
        Entry("explain", "explain", "Say what a finding means and how to mend it."),
        Entry("diff", "change.diff", "Say what a change does to traffic, rule by rule."),
        Entry("canary", "change.canary", "Try a change of the lists on one namespace first."),
        Entry("contracts", "change.contracts", "Prove traffic contracts for every connection."),
        Entry("fleet", "change.fleet", "Show every stack: release, findings, bypasses, owners."),
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
        Entry("blame", "change.blame", "Say since which commit a connection has its fate."),
        Entry("read", "rules", "Say what a script or a dump of rules means."),
        Entry("flows", "change.flows", "Replay flow logs over a stack's rules; narrow its lists."),
        Entry("tidy", "lists", "Make a stack's lists smaller without changing what they do."),
    ),
    "Render": (
        Entry("render", "render", "Write a stack's objects and scripts as files for Git."),
        Entry("vendor", "adoption.chart", "Take the Pipy scripts out of an FSM chart archive."),
    ),
    "A running mesh": (
        Entry("verify", "verify", "Check a cluster: why is traffic (not) redirected?"),
        Entry("leftovers", "adoption.adopt", "List what a removed mesh left, with safe commands."),
        Entry("restart-list", "snapshot", "Print the restarts that bring stale pods up to date."),
        Entry("snapshot", "snapshot", "Save what checks read of a cluster, for a look elsewhere."),
    ),
    "This tool": (
        Entry("completion", "explain", "Print the shell's completion script."),
    ),
}  # fmt: skip
ENTRIES: Final = {entry.name: entry for entries in SECTIONS.values() for entry in entries}


DEFECT: Final = 3  # could not check
LOST: Final = 2  # a report that nobody got
# Container objects between two collections. A verb is over before there is garbage worth a walk;
# Python's 700 cost `render` 40 ms of its 350.
_COLLECT_AFTER: Final = 100_000
_CHAIN_MAX: Final = 8  # errors that caused one another


class Stream:
    """Standard output or error that goes on when nobody takes what is written.

    A verb then ends as it would have ended: what it found decides the exit code. A reader that
    closes the pipe early (``| head``) changes nothing.

    Attributes:
        lost: why text was lost, a full disk for example; None: a pipe that was closed loses none.
    """

    def __init__(self, stream: Any) -> None:  # noqa: ANN401  # a text stream, or a test's
        self._stream = stream
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        """Write, or note that nobody took it."""
        with self._noted():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """The same for what is buffered."""
        with self._noted():
            self._stream.flush()

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            self._drop()
        except OSError as error:
            self.lost = self.lost or error
            self._drop()

    def _drop(self) -> None:
        """What is still buffered must not fail again when the interpreter ends."""
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, self._stream.fileno())
        os.close(sink)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # the stream's own
        return getattr(self._stream, name)


@contextmanager
def _without_passwords() -> Iterator[None]:
    """What click says of a command line quotes it."""
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = without_user(error.message)  # which is final to the checker
        raise


class Verbs(click.Group):
    """A group that imports a verb's module when the verb is used, and no other."""

    def make_context(self, *words: Any, **options: Any) -> click.Context:  # noqa: ANN401  # click's
        """Click's own."""
        with _without_passwords():
            return super().make_context(*words, **options)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # click's
        """Click's own."""
        with _without_passwords():
            return super().invoke(ctx)

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
    forced = os.environ.get("FORCE_COLOR")
    if os.environ.get("NO_COLOR"):
        ctx.color = False
    elif forced:
        ctx.color = forced != "0"
    elif os.environ.get("TERM") == "dumb":
        ctx.color = False


def main() -> None:
    """The console script. A defect of ours is told from a finding: traceback, exit code 3."""
    gc.set_threshold(_COLLECT_AFTER)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # others' code: none is run
    for name in ("stdout", "stderr"):
        # None: it was closed; what is opened next must not take its number.
        stream = getattr(sys, name) or Path(os.devnull).open("w")  # noqa: SIM115  # it stays
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
        setattr(sys, name, Stream(stream))
    try:
        cli.main(prog_name="fsm-stack")
    except MemoryError:
        _say("fsm-stack: error: more memory is needed for this input than there is")
        sys.exit(DEFECT)
    except Exception as error:  # noqa: BLE001  # Python would exit with 1, which means "findings"
        _say(_traceback(error), "fsm-stack: this is a defect of fsm-stack, not of your files")
        sys.exit(DEFECT)
    finally:
        gc.freeze()  # else the last collection walks everything: 40 ms
        _require_told()


def _say(*lines: str) -> None:
    sys.stderr.write("\n".join((*lines, "")))


def _require_told() -> None:
    """End with another exit code where the report did not arrive whole."""
    out = sys.stdout
    if isinstance(out, Stream):
        out.flush()
        if out.lost is not None:
            _say(f"fsm-stack: error: cannot write standard output: {out.lost.strerror}")
            sys.exit(LOST)


def _traceback(error: BaseException) -> str:
    """Where it happened; what the error says may quote a secret of the input, and is left out."""
    import traceback

    if os.environ.get("FSM_STACK_TRACEBACK") == "full":
        return "".join(traceback.format_exception(error)).rstrip()
    parts: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(parts) < _CHAIN_MAX:
        frames = "".join(traceback.format_tb(seen.__traceback__))
        inner = getattr(seen, "exceptions", ())
        names = ", ".join(type(one).__name__ for one in (seen, *inner))
        parts.append(f"Traceback (most recent call last):\n{frames}{names}")
        seen = seen.__cause__ or seen.__context__
    parts.append(
        "What it says is left out, since it may quote your files; FSM_STACK_TRACEBACK=full shows "
        "it."
    )
    return "\n\n".join([*reversed(parts[:-1]), parts[-1]])
