"""A finding and its path in one call; the entries that checks walk over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.findings import Finding, Severity, finding
from fsm_stack.settings.effective import POD_LISTS
from fsm_stack.settings.yaml_text import Path, path_text

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def list_paths(settings: StackSettings) -> Iterator[tuple[Path, str, tuple[AnyEntry, ...]]]:
    """Every redirection list of a stack: its path, its key, its entries.

    The mesh's lists come first, then each profile's, in the order of the file.
    """
    traffic = settings.traffic
    for field, key in POD_LISTS.items():
        yield ("traffic", key), key, getattr(traffic, field)
    interfaces = "networkInterfaceExclusionList"
    yield ("traffic", interfaces), interfaces, traffic.network_interface_exclusion_list
    for name, profile in settings.annotation_profiles.items():
        for field, key in POD_LISTS.items():
            yield ("annotationProfiles", name, key), key, getattr(profile, field)
