"""Findings about descriptions that are converted into settings."""

from __future__ import annotations

from typing import Final

from fsm_stack.catalogue.rule import Rule

RULES: Final = (
    Rule(
        id="helm-value-coerced",
        severity="warning",
        title="a Helm value is a list in another form",
        why=(
            "--set reads only {a,b} as a list: a bare value stays a scalar, and [a] stays a text. The "
            "chart then writes a MeshConfig that the API server refuses."
        ),
        fix="Write {a,b} for --set, or a YAML list in a values file.",
        source="requirements C13 and C14; helm pkg/strvals",
    ),
    Rule(
        id="helm-value-ignored",
        severity="warning",
        title="a Helm value has no effect on the mesh",
        why="The chart or FSM's programs drop it: the mesh does not become what its author meant.",
        fix="Remove the value, or set what the message names.",
        source="flomesh-io/fsm charts/fsm/templates",
    ),
)
