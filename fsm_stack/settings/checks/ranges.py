"""Checks of address ranges: host bits, coverage of the mesh's own traffic, dead inclusions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import Severity
from fsm_stack.lists import EXCLUDED_RANGES, INCLUDED_RANGES, INTERFACES, Lists
from fsm_stack.settings.checks.lists import at
from fsm_stack.settings.effective import list_paths
from fsm_stack.settings.models.values import address_text, cidr_bounds, network_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.settings.checks.lists import Found
    from fsm_stack.settings.effective import Effective
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml.places import Path

    Span = tuple[int, int]

_LAST: Final = 2**32 - 1

# The name that CNI plugins are asked for. Source: cri-o and containerd, default interface name.
POD_INTERFACE: Final = "eth0"

# What kubeadm-style clusters use when nobody chose. Source: flannel's and kubeadm's documentation.
USUAL_RANGES: Final = {
    "10.244.0.0/16": "pod",
    "10.96.0.0/12": "service",
    "10.96.0.0/16": "service",
}


def spans(texts: Iterable[str]) -> tuple[Span, ...]:
    """The union of CIDRs as sorted, disjoint, inclusive intervals."""
    joined: list[Span] = []
    for first, last in sorted(cidr_bounds(text) for text in texts):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def covers(union: Iterable[Span], text: str) -> bool:
    """Whether a union of intervals covers a whole CIDR."""
    first, last = cidr_bounds(text)
    return any(low <= first and last <= high for low, high in union)


def host_bits(settings: StackSettings, _today: date) -> Found:
    """H7: a range that is larger than its text looks."""
    texts: list[tuple[Path, str]] = [
        ((*path, index), str(entry.value))
        for path, listed, entries in list_paths(settings)
        if listed.holds == "ranges"
        for index, entry in enumerate(entries)
    ]
    cluster = settings.cluster
    for key, values in (
        ("podRanges", cluster.pod_ranges),
        ("serviceRanges", cluster.service_ranges),
    ):
        texts += [(("cluster", key, index), value) for index, value in enumerate(values)]
    for path, text in texts:
        network = network_text(text)
        if network != text:
            address = text.partition("/")[0]
            first, last = cidr_bounds(text)
            count = last - first + 1
            yield at(
                path,
                "host-bits",
                f"{text} matches the {count} addresses of {network}",
                value=text,
                fix=f"Write {network} for the range, or {address}/32 for the one address.",
            )


def everything(settings: StackSettings, effective: Effective) -> Found:
    """H8: exclusions that leave nothing to intercept."""
    for index, entry in enumerate(settings.traffic.network_interface_exclusion_list):
        path: Path = ("traffic", INTERFACES.key, index)
        name = entry.value
        if name == "+":
            yield at(path, "excludes-everything", "'+' matches every interface", value="+")
        elif name == POD_INTERFACE or (name[-1] == "+" and POD_INTERFACE.startswith(name[:-1])):
            message = (
                f"{name} matches {POD_INTERFACE}, in most clusters the one interface that a pod "
                "has besides lo: nothing is intercepted there"
            )
            severity = Severity.WARNING
            yield at(path, "excludes-everything", message, value=name, severity=severity)
    mesh = effective.mesh
    if spans(mesh.excluded_ranges) == ((0, _LAST),):
        yield _whole(("traffic", EXCLUDED_RANGES.key), mesh.excluded_ranges, mesh.excluded_ranges)
        return
    for name, both in effective.both.items():
        if spans(both.excluded_ranges) == ((0, _LAST),):
            own = settings.annotation_profiles[name].outbound_ip_range_exclusion_list
            path = ("annotationProfiles", name, EXCLUDED_RANGES.key)
            yield _whole(path, tuple(e.value for e in own), both.excluded_ranges)


def _whole(path: Path, listed: tuple[str, ...], together: tuple[str, ...]) -> tuple[Path, Finding]:
    for index, text in enumerate(listed):
        if cidr_bounds(text) == (0, _LAST):
            message = f"{text} excludes every address: nothing outbound is intercepted"
            return at((*path, index), "excludes-everything", message, value=text)
    message = f"{', '.join(together)} together exclude every address"
    return at(path, "excludes-everything", message)


def mesh_traffic(settings: StackSettings, effective: Effective) -> Found:
    """H9: an exclusion over the addresses of the mesh's own pods and services."""
    cluster = settings.cluster
    declared = [(text, "pod") for text in cluster.pod_ranges]
    declared += [(text, "service") for text in cluster.service_ranges]
    own = cluster.api_server and f"{cluster.api_server.address}/32"
    for path, listed, entries in list_paths(settings):
        if listed is not EXCLUDED_RANGES:
            continue
        for index, entry in enumerate(entries):
            text = str(entry.value)
            if text != own and cidr_bounds(text) != (0, _LAST):
                yield from _against(text, (*path, index), declared)
    yield from _together(effective, declared)


def _together(effective: Effective, declared: list[tuple[str, str]]) -> Found:
    """Exclusions that cover a range of the cluster only as a whole."""
    mesh = effective.mesh
    scopes: list[tuple[Path, Lists, tuple[str, ...]]] = [
        (("traffic", EXCLUDED_RANGES.key), mesh, ()),
    ]
    for name, both in effective.both.items():
        path: Path = ("annotationProfiles", name, EXCLUDED_RANGES.key)
        scopes.append((path, both, mesh.excluded_ranges))
    for path, lists, inherited in scopes:
        union, before = spans(lists.excluded_ranges), spans(inherited)
        if union == ((0, _LAST),):
            continue  # excludes-everything says more
        for known, kind in declared:
            alone = any(covers(spans([text]), known) for text in lists.excluded_ranges)
            if covers(union, known) and not covers(before, known) and not alone:
                parts = [text for text in lists.excluded_ranges if _overlap(text, known)]
                parts.sort(key=cidr_bounds)
                message = f"{', '.join(parts)} together cover the cluster's {kind} range {known}"
                yield at(path, "excludes-mesh-traffic", message)


def _overlap(one: str, other: str) -> bool:
    (first, last), (low, high) = cidr_bounds(one), cidr_bounds(other)
    return first <= high and low <= last


def narrow_inclusions(settings: StackSettings, effective: Effective) -> Found:
    """Inclusions without the cluster's own ranges: the mesh's traffic is not among them."""
    cluster, mesh = settings.cluster, effective.mesh
    scopes: list[tuple[Path, tuple[str, ...], tuple[str, ...]]] = [
        (("traffic", INCLUDED_RANGES.key), mesh.included_ranges, ()),
    ]
    for name, pod in effective.own.items():
        if pod.included_ranges:
            both = effective.both[name].included_ranges
            scopes.append(
                (("annotationProfiles", name, INCLUDED_RANGES.key), both, mesh.included_ranges)
            )
    for path, included, inherited in scopes:
        union, before = spans(included), spans(inherited)
        if not included:
            continue
        for kind, severity, ranges, through in (
            ("service", Severity.WARNING, cluster.service_ranges, "cluster addresses"),
            ("pod", Severity.INFO, cluster.pod_ranges, "pod addresses, as headless services do,"),
        ):
            for known in ranges:
                if covers(union, known) or (inherited and not covers(before, known)):
                    continue
                message = (
                    f"the inclusions leave out the cluster's {kind} range {known}: requests to "
                    f"{through} bypass the sidecar"
                )
                yield at(path, "inclusion-misses-mesh", message, severity=severity)


def _against(text: str, path: Path, declared: list[tuple[str, str]]) -> Found:
    first, last = cidr_bounds(text)
    kinds = {kind for _, kind in declared}
    for known, kind in declared:
        low, high = cidr_bounds(known)
        if first <= low and high <= last:
            message = f"{text} covers the cluster's {kind} range {known}"
            yield at(path, "excludes-mesh-traffic", message, value=text)
        elif low <= first and last <= high and first < last:
            message = f"{text} is part of the cluster's {kind} range {known}"
            yield at(path, "excludes-mesh-traffic", message, value=text, severity=Severity.WARNING)
    for known, kind in USUAL_RANGES.items():
        low, high = cidr_bounds(known)
        if kind not in kinds and first <= low and high <= last:
            message = (
                f"{text} covers {known}, the usual {kind} range; "
                f"cluster.{kind}Ranges does not say which range this cluster uses"
            )
            yield at(
                path,
                "excludes-mesh-traffic",
                message,
                value=text,
                severity=Severity.WARNING,
                fix=f"Set cluster.{kind}Ranges, so that this can be decided.",
            )
            kinds.add(kind)


def dead_inclusions(settings: StackSettings, effective: Effective) -> Found:
    """H10: an inclusion that an exclusion takes back whole."""
    mesh = effective.mesh
    yield from _dead(("traffic", INCLUDED_RANGES.key), mesh.included_ranges, mesh)
    for name, profile in settings.annotation_profiles.items():
        both = effective.both[name]
        listed = tuple(e.value for e in profile.outbound_ip_range_inclusion_list)
        path: Path = ("annotationProfiles", name, INCLUDED_RANGES.key)
        yield from _dead(path, listed, both)
        yield from _dead_by_profile(name, mesh, both)


def _dead(path: Path, listed: tuple[str, ...], together: Lists) -> Found:
    union = spans(together.excluded_ranges)
    for index, text in enumerate(listed):
        if covers(union, text):
            low, high = (address_text(bound) for bound in cidr_bounds(text))
            message = (
                f"{text} ({low} to {high}) is excluded as a whole; nothing of it is redirected"
            )
            yield at((*path, index), "dead-inclusion", message, value=text)


def _dead_by_profile(name: str, mesh: Lists, both: Lists) -> Found:
    """An inclusion of the mesh that is alive there, and dead in pods of a profile."""
    alone, together = spans(mesh.excluded_ranges), spans(both.excluded_ranges)
    for text in mesh.included_ranges:
        if covers(together, text) and not covers(alone, text):
            message = f"this profile's exclusions take the mesh's inclusion {text} back whole"
            yield at(("annotationProfiles", name, EXCLUDED_RANGES.key), "dead-inclusion", message)


def api_server(settings: StackSettings, _today: date) -> Found:
    """An API server address inside the pod range: probably a mistake of copying."""
    server = settings.cluster.api_server
    if server is None:
        return
    address = cidr_bounds(f"{server.address}/32")[0]
    for text in settings.cluster.pod_ranges:
        low, high = cidr_bounds(text)
        if low <= address <= high:
            message = (
                f"expected an address outside the pod range {text}, got {address_text(address)}"
            )
            yield at(("cluster", "apiServer", "address"), "api-server-in-pod-range", message)


LIST_CHECKS: Final = (everything, mesh_traffic, narrow_inclusions, dead_inclusions)
CHECKS: Final = (host_bits, api_server)
