"""Checks of the lists as lists: length, duplicates, ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import finding
from fsm_stack.lists import POD_LISTS
from fsm_stack.settings.effective import list_paths
from fsm_stack.settings.models.traffic import check_mode
from fsm_stack.well_known import MULTIPORT_MAX, RESERVED_PORTS
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from fsm_stack.findings.finding import Finding, Severity
    from fsm_stack.settings.effective import Effective
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml.places import Path

    Found = Iterator[tuple[Path, Finding]]


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


_PORT_LISTS: Final = tuple(listed for listed in POD_LISTS if listed.holds == "ports")


def too_many_ports(_settings: StackSettings, effective: Effective) -> Found:
    """H1: more ports than one multiport match takes, in the mesh or in a merged profile."""
    mesh = effective.mesh
    for listed in _PORT_LISTS:
        count = len(set(mesh.entries(listed)))
        if count > MULTIPORT_MAX:
            message = f"expected at most {MULTIPORT_MAX} ports, got {count}"
            yield at(("traffic", listed.key), "too-many-ports", message)
    for name, both in effective.both.items():
        pod = effective.own[name]
        for listed in _PORT_LISTS:
            ports, own, shared = (lists.entries(listed) for lists in (both, pod, mesh))
            if own and len(ports) > MULTIPORT_MAX:
                message = (
                    f"expected at most {MULTIPORT_MAX} ports together with the mesh's list, got "
                    f"{len(ports)}: {len(set(own) - set(shared))} here, {len(set(shared))} there"
                )
                yield at(("annotationProfiles", name, listed.key), "too-many-ports", message)


def duplicates(settings: StackSettings, _today: date) -> Found:
    """A value that its list has already."""
    for path, _, entries in list_paths(settings):
        seen: set[object] = set()
        for index, entry in enumerate(entries):
            if entry.value in seen:
                message = f"{entry.value} is in the list already"
                yield at((*path, index), "duplicate-entry", message, value=entry.value)
            seen.add(entry.value)


def reserved_ports(settings: StackSettings, _today: date) -> Found:
    """A port exclusion that names one of the sidecar's own ports."""
    for path, listed, entries in list_paths(settings):
        if listed.holds != "ports":
            continue
        for index, entry in enumerate(entries):
            purpose = RESERVED_PORTS.get(entry.value) if isinstance(entry.value, int) else None
            if purpose:
                message = f"port {entry.value} is reserved: {purpose}"
                yield at((*path, index), "reserved-port-excluded", message, value=entry.value)


def expired(settings: StackSettings, today: date) -> Found:
    """An entry past the end that its author gave it."""
    for path, _, entries in list_paths(settings):
        for index, entry in enumerate(entries):
            if entry.until is not None and entry.until < today:
                owner = f"; ask {entry.owner}" if entry.owner else ""
                message = f"{entry.value} was to go by {entry.until}{owner}"
                yield at((*path, index), "bypass-expired", message, value=entry.value)


def mode(settings: StackSettings, _today: date) -> Found:
    """C21: an interception mode that the system does not have."""
    message = check_mode(settings.traffic.interception_mode, settings.system)
    if message is not None:
        yield at(
            ("traffic", "interceptionMode"),
            "unsupported-mode",
            message,
            value=settings.traffic.interception_mode,
        )


def ignored(settings: StackSettings, _today: date) -> Found:
    """H11: lists that NodeLevel interception never reads."""
    if settings.traffic.interception_mode != "NodeLevel":
        return
    for path, _, entries in list_paths(settings):
        if entries:
            message = "interceptionMode NodeLevel ignores this list"
            yield at(path, "lists-ignored", message)


LIST_CHECKS: Final = (too_many_ports,)
CHECKS: Final = (duplicates, reserved_ports, expired, mode, ignored)
