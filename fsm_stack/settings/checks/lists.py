"""Checks of the lists as lists: length, duplicates, ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import Severity, finding
from fsm_stack.lists import EXCLUDED_RANGES, INCLUDED_RANGES, OUTBOUND_PORTS, POD_LISTS
from fsm_stack.settings.effective import list_paths
from fsm_stack.settings.models.policy import GUARDED_ENTRIES_MAX
from fsm_stack.settings.models.traffic import check_mode
from fsm_stack.well_known import MULTIPORT_MAX, RESERVED_PORTS, USUAL_SERVICE_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.lists import ListName
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
    """A finding of a rule, and its path; who knows the file gives it its place there."""
    return path, finding(rule_id, message, value=value, fix=fix, severity=severity)


_PORT_LISTS: Final = tuple(listed for listed in POD_LISTS if listed.holds == "ports")


def _instead(settings: StackSettings, listed: ListName, *, profile: bool) -> str:
    """What does for traffic what more ports than one match takes would do."""
    there = "the mesh's ports" if profile else "ports"
    move = f"move {there} to the annotationProfiles of the pods that need them"
    if listed is not OUTBOUND_PORTS:
        return f"Inbound there is nothing wider than single ports: {move}."
    cluster = ", ".join((*settings.cluster.pod_ranges, *settings.cluster.service_ranges))
    only = f" ({cluster})" if cluster else ""
    return (
        f"Exclude the servers' addresses with {EXCLUDED_RANGES.key}, let only the cluster's "
        f"ranges{only} be redirected with {INCLUDED_RANGES.key}, or {move}."
    )


def too_many_ports(settings: StackSettings, effective: Effective) -> Found:
    """H1: more ports than one multiport match takes, in the mesh or in a merged profile."""
    mesh = effective.mesh
    for listed in _PORT_LISTS:
        count = len(set(mesh.entries(listed)))
        if count > MULTIPORT_MAX:
            message = f"expected at most {MULTIPORT_MAX} ports, got {count}"
            fix = _instead(settings, listed, profile=False)
            yield at(("traffic", listed.key), "too-many-ports", message, fix=fix)
    for name, both in effective.both.items():
        pod = effective.own[name]
        for listed in _PORT_LISTS:
            ports, own, shared = (lists.entries(listed) for lists in (both, pod, mesh))
            if own and len(ports) > MULTIPORT_MAX:
                message = (
                    f"expected at most {MULTIPORT_MAX} ports together with the mesh's list, got "
                    f"{len(ports)}: {len(set(own) - set(shared))} here, {len(set(shared))} there"
                )
                fix = _instead(settings, listed, profile=True)
                path = ("annotationProfiles", name, listed.key)
                yield at(path, "too-many-ports", message, fix=fix)


def mesh_ports(settings: StackSettings, _today: date) -> Found:
    """H31: a port that leaves the mesh in every pod, towards the cluster's own services too."""
    entries = settings.traffic.outbound_port_exclusion_list
    if settings.traffic.interception_mode == "NodeLevel" or not entries:
        return
    cluster = settings.cluster
    own = " and ".join(
        f"{what} in {', '.join(ranges)}"
        for what, ranges in (("services", cluster.service_ranges), ("pods", cluster.pod_ranges))
        if ranges
    )
    lost = (
        f"traffic to {own or 'services and pods of the cluster'} on it bypasses the mesh too, and "
        "no profile's inclusions bring it back"
    )
    rest = []
    for index, entry in enumerate(entries):
        if entry.value in USUAL_SERVICE_PORTS:
            message = f"port {entry.value}, usual among services, is excluded in every pod: {lost}"
            path: Path = ("traffic", OUTBOUND_PORTS.key, index)
            yield at(path, "excludes-mesh-port", message, value=entry.value)
        else:
            rest.append(str(entry.value))
    if rest := list(dict.fromkeys(rest)):
        which = f"port {rest[0]} is" if len(rest) == 1 else f"each of {', '.join(rest)} is"
        message = f"{which} excluded in every pod: {lost}"
        path = ("traffic", OUTBOUND_PORTS.key)
        yield at(path, "excludes-mesh-port", message, severity=Severity.INFO)


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


def incomplete(settings: StackSettings, _today: date) -> Found:
    """An entry without what the stack's policy asks of every bypass."""
    policy = settings.bypass_policy
    asked = {
        "reason": policy.require_reason,
        "owner": policy.require_owner,
        "until": policy.require_until,
    }
    wanted = [key for key, required in asked.items() if required]
    for path, _, entries in list_paths(settings) if wanted else ():
        for index, entry in enumerate(entries):
            if missing := [key for key in wanted if not getattr(entry, key)]:
                said = ", ".join(key for key in wanted if key not in missing)
                message = (
                    f"{entry.value}: expected {', '.join(wanted)}, got {said or 'none of them'}"
                )
                rest = "".join(f", {key}: …" for key in missing)
                fix = f"Write {{value: {entry.value}{rest}}}, beside what is there."
                yield at((*path, index), "bypass-incomplete", message, value=entry.value, fix=fix)


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


def guarded(settings: StackSettings, _today: date) -> Found:
    """A list of the mesh that is too long for the guard to look at."""
    if settings.guard.mesh_config == "off":
        return
    for path, _, entries in list_paths(settings):
        if path[0] == "traffic" and len(entries) > GUARDED_ENTRIES_MAX:
            message = (
                f"expected at most {GUARDED_ENTRIES_MAX} entries where guard.meshConfig is on, "
                f"got {len(entries)}"
            )
            yield at(path, "too-large", message)


LIST_CHECKS: Final = (too_many_ports,)
CHECKS: Final = (
    mesh_ports,
    duplicates,
    reserved_ports,
    expired,
    incomplete,
    mode,
    ignored,
    guarded,
)
