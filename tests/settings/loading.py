"""Shorthands for loading settings in tests."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from fsm_stack.settings.stack_file import load_mapping, load_text

if TYPE_CHECKING:
    from fsm_stack.settings.models.stack import StackSettings

TODAY = date(2026, 7, 1)


def found(data: dict[str, Any], *, without: str = "") -> list[tuple[str, str, str]]:
    """Id, path and message of every finding of settings in the file's form, but one id's.

    Without what every port of the mesh is told: tests of other checks have such ports.
    """
    loaded = load_mapping(data, name="", today=TODAY)
    return [
        (item.id, item.place.path, item.message)
        for item in loaded.findings
        if item.id not in {without, "excludes-mesh-port"}
    ]


def settings(data: dict[str, Any] | None = None) -> StackSettings:
    """Settings that must be without errors."""
    return load_mapping(data or {}, name="", today=TODAY).require()


def said(text: str) -> list[str]:
    """Every finding of a stack file's text, as the command line prints it."""
    return [item.as_text() for item in load_text(text, file="Pulumi.t.yaml", today=TODAY).findings]
