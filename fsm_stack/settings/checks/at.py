"""A finding and its path in one call; the entries that checks walk over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.findings import Finding, Severity, finding
from fsm_stack.lists import LISTS, POD_LISTS
from fsm_stack.settings.yaml_text import Path, path_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.lists import ListName
    from fsm_stack.settings.stack import StackSettings
    from fsm_stack.settings.values import CidrEntry, InterfaceEntry, PortEntry

    AnyEntry = PortEntry | CidrEntry | InterfaceEntry


def at(
    path: Path,
    rule_id: str,
    message: str,
    *,
    value: object = None,
    fix: str = "",
    severity: Severity | None = None,
) -> tuple[Path, Finding]:
    """A finding of a rule at a path."""
    return path, finding(
        rule_id, message, path=path_text(path), value=value, fix=fix, severity=severity
    )


def list_paths(settings: StackSettings) -> Iterator[tuple[Path, ListName, tuple[AnyEntry, ...]]]:
    """Every redirection list of a stack: its path, its name, its entries.

    The mesh's lists come first, then each profile's, in the order of the file.
    """
    traffic = settings.traffic
    for listed in LISTS:
        yield ("traffic", listed.key), listed, getattr(traffic, listed.setting)
    for name, profile in settings.annotation_profiles.items():
        for listed in POD_LISTS:
            path: Path = ("annotationProfiles", name, listed.key)
            yield path, listed, getattr(profile, listed.setting)
