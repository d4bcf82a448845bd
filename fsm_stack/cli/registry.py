"""The verbs of ``fsm-stack``, grouped by task.

A new verb is one line here and a module with a :class:`click.Command`. The line repeats the
verb's short help, so that ``fsm-stack --help`` imports none of them; a test compares the two.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Entry(NamedTuple):
    """One verb: its name, where its command is (``module:attribute``), its short help."""

    name: str
    target: str
    help: str


SECTIONS: Final[tuple[tuple[str, tuple[Entry, ...]], ...]] = (
    (
        "Before a change",
        (
            Entry(
                "validate",
                "fsm_stack.cli.validate:validate",
                "Check stack files; report every problem with its place.",
            ),
            Entry(
                "explain",
                "fsm_stack.cli.explain:explain",
                "Say what a finding means and how to mend it.",
            ),
            Entry(
                "bypasses",
                "fsm_stack.cli.bypasses:bypasses",
                "List what bypasses the mesh: why, whose, until when.",
            ),
            Entry(
                "inject",
                "fsm_stack.cli.inject:inject",
                "Show workloads as their pods will run.",
            ),
            Entry(
                "lint",
                "fsm_stack.cli.lint:lint",
                "Check workloads against a stack's mesh.",
            ),
            Entry(
                "annotate",
                "fsm_stack.cli.annotate:annotate",
                "Print annotations for pods, or patch manifests.",
            ),
            Entry(
                "schema",
                "fsm_stack.cli.schema:schema",
                "Print the JSON Schema of stack files, for editors.",
            ),
        ),
    ),
    (
        "Traffic",
        (
            Entry(
                "trace",
                "fsm_stack.cli.trace:trace",
                "Say what happens to one connection, and by which rule.",
            ),
            Entry(
                "rules",
                "fsm_stack.cli.rules:rules",
                "Show the rules that pods get, each with its reason.",
            ),
            Entry(
                "coverage",
                "fsm_stack.cli.coverage:coverage",
                "Say what goes through the sidecar and what does not.",
            ),
            Entry(
                "read",
                "fsm_stack.cli.read:read",
                "Say what a script or a dump of rules means.",
            ),
            Entry(
                "tidy",
                "fsm_stack.cli.tidy:tidy",
                "Make a stack's lists smaller without changing what they do.",
            ),
        ),
    ),
    (
        "Render",
        (
            Entry(
                "render",
                "fsm_stack.cli.render:render",
                "Write a stack's objects and scripts as files for Git.",
            ),
            Entry(
                "vendor",
                "fsm_stack.cli.vendor:vendor",
                "Take the Pipy scripts out of an FSM chart archive.",
            ),
        ),
    ),
    (
        "A running mesh",
        (
            Entry(
                "verify",
                "fsm_stack.cli.verify:verify",
                "Check a cluster: why is traffic (not) redirected?",
            ),
            Entry(
                "restart-list",
                "fsm_stack.cli.restart_list:restart_list",
                "Print the restarts that bring stale pods up to date.",
            ),
            Entry(
                "snapshot",
                "fsm_stack.cli.snapshot:snapshot",
                "Save what checks read of a cluster, for a look elsewhere.",
            ),
        ),
    ),
    (
        "This tool",
        (
            Entry(
                "completion",
                "fsm_stack.cli.completion:completion",
                "Print the shell's completion script.",
            ),
        ),
    ),
)
ENTRIES: Final = {entry.name: entry for _, entries in SECTIONS for entry in entries}
