"""The real Pulumi engine over a real API server, and what it says of each run.

The program is an inline one of the Automation API; state, plugins and caches are below a
temporary directory, and nothing but the loopback interface is talked to. What an operation did is
read from the engine's own events, never from the text that it prints.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi import automation

from fsm_stack.pulumi import run as program
from tests.apiserver.apiserver import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pulumi.automation.events import EngineEvent, StepEventMetadata

TARGET = "test-engine"
UNCHANGED = {"same", "read", "refresh"}
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that the engine did to one resource: ``update``, and its logical name."""

    op: str
    name: str
    type: str
    inputs: Mapping[str, Any]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one operation of the engine was.

    Attributes:
        failed: whether the engine called it failed.
        steps: what was done, or in a preview would be, in the order in which it began.
        done: the same in the order in which it was finished; failed steps are not in it.
        errors: the engine's error diagnostics, without colours.
        output: the text that a user would see.
    """

    failed: bool
    steps: tuple[Step, ...]
    done: tuple[Step, ...]
    errors: tuple[str, ...]
    output: str

    def changes(self) -> list[tuple[str, str]]:
        """Every step that changes something, as (what, logical name), sorted."""
        return sorted({(step.op, step.name) for step in self.steps if step.op not in UNCHANGED})

    def succeeded(self) -> Run:
        """The run itself, which must not have failed."""
        assert not self.failed, self.output
        return self

    def refused(self) -> str:
        """All errors of a run, which must have failed."""
        assert self.failed, self.output
        return "\n".join(self.errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One back end with its home, for one cluster."""

    home: Path
    kubeconfig: Path
    command: automation.PulumiCommand

    @classmethod
    def at(cls, home: Path, kubeconfig: Path) -> Engine:
        """An engine with all its files below `home`.

        Raises:
            NotInstalledError: a program is missing.
        """
        programs = home / "installed/bin"
        programs.mkdir(parents=True)
        for name in ("pulumi", "pulumi-resource-kubernetes"):
            (programs / name).symlink_to(find(name, target=TARGET))
        (home / "state").mkdir()
        (home / "pulumi").mkdir()
        command = automation.PulumiCommand(root=str(programs.parent))
        return cls(home=home, kubeconfig=kubeconfig, command=command)

    def stack(
        self,
        name: str,
        directory: Path,
        *,
        run: Callable[[], None] | None = None,
        hosts: Path | None = None,
    ) -> Stack:
        """The stack of a project's directory, which holds its Pulumi.yaml and stack file.

        Args:
            name: the stack's.
            directory: the project's.
            run: the program; this package's own unless another is given.
            hosts: a folder of language hosts, which then run the project's program.
        """
        inline = None if hosts else run or partial(program, directory)
        path = {"PATH": f"{hosts}{os.pathsep}{os.environ['PATH']}"} if hosts else {}
        workspace = automation.LocalWorkspace(
            work_dir=str(directory),
            pulumi_home=str(self.home / "pulumi"),
            program=inline,
            env_vars=path
            | {
                "KUBECONFIG": str(self.kubeconfig),
                "PULUMI_BACKEND_URL": f"file://{self.home / 'state'}",
                "PULUMI_CONFIG_PASSPHRASE": "",
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
            },
            pulumi_command=self.command,
        )
        return Stack(engine=automation.Stack.create_or_select(name, workspace))


@dataclass(slots=True, kw_only=True)
class Stack:
    """One stack; every operation returns what the engine told of it."""

    engine: automation.Stack
    may_own: bool = False  # whether something of it may be in the cluster

    def up(self, **options: Any) -> Run:
        """Update, without the preview that the command line runs first."""
        self.may_own = True
        return self._operation(self.engine.up, **options)

    def preview(self, **options: Any) -> Run:
        """What an update would do."""
        return self._operation(self.engine.preview, **options)

    def refresh(self) -> Run:
        """Read the cluster into the state."""
        return self._operation(self.engine.refresh)

    def destroy(self) -> Run:
        """Delete what the stack owns."""
        run = self._operation(self.engine.destroy)
        self.may_own = run.failed
        return run

    def variable(self, name: str, value: str | None) -> None:
        """Set a variable of the engine's environment, or take it away."""
        if value is None:
            self.engine.workspace.env_vars.pop(name)
        else:
            self.engine.workspace.env_vars[name] = value

    def _operation(self, operation: Callable[..., Any], **options: Any) -> Run:
        told = _Told()
        failed = False
        try:
            operation(
                on_event=told.events.append,
                on_output=told.lines.append,
                on_error=told.lines.append,
                color="never",
                **options,
            )
        except automation.CommandError:
            failed = True
        return told.run(failed=failed)


@dataclass(slots=True)
class _Told:
    events: list[EngineEvent] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def run(self, *, failed: bool) -> Run:
        begun = (e.resource_pre_event for e in self.events)
        ended = (e.res_outputs_event for e in self.events)
        return Run(
            failed=failed,
            steps=_steps(event.metadata for event in begun if event),
            done=_steps(event.metadata for event in ended if event),
            errors=self._errors(),
            output="\n".join(self.lines),
        )

    def _errors(self) -> tuple[str, ...]:
        found = (event.diagnostic_event for event in self.events)
        return tuple(
            plain(one.message).strip() for one in found if one and one.severity == "error"
        )


def plain(text: str) -> str:
    """A message without the engine's marks for colours: ``<{%reset%}>``."""
    while (start := text.find("<{%")) >= 0:
        text = text[:start] + text[text.index("%}>", start) + 3 :]
    return text


def _steps(found: Iterable[StepEventMetadata]) -> tuple[Step, ...]:
    return tuple(
        Step(
            op=one.op.value,
            name=one.urn.rpartition("::")[2],
            type=one.type,
            inputs=(one.new.inputs if one.new else None) or {},
            changed=tuple(sorted(one.detailed_diff or ())),
        )
        for one in found
    )
