"""Checks of a pod's lists and ranges, merged with the mesh's: what is refused, what it means."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from fsm_stack.findings.finding import Finding, Severity, finding
from fsm_stack.injector.annotations import parse_list
from fsm_stack.injector.go_values import is_cidr
from fsm_stack.injector.profile import Refusal
from fsm_stack.lists import EXCLUDED_RANGES, INCLUDED_RANGES, OUTBOUND_PORTS
from fsm_stack.settings.checks.ranges import covers, spans
from fsm_stack.settings.models.values import (
    SINGLE_PORTS,
    cidr_bounds,
    network_text,
    ports_of_range,
)
from fsm_stack.well_known import MULTIPORT_MAX, PORT_MAX, RESERVED_PORTS
from fsm_stack.workloads.lint.subject import Subject, annotation_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.lists import ListName

_EXPECTED: Final = {
    "ports": "comma-separated ports from 1 to 65535",
    "ranges": "comma-separated IPv4 CIDRs such as 10.0.0.0/8",
}


def not_ascii(subject: Subject) -> Iterator[Finding]:
    """C42: a full-width comma and its like, named."""
    for _, key in subject.lists():
        value = subject.annotations.get(key)
        if type(value) is not str:
            continue
        for position, character in enumerate(value, start=1):
            if not character.isascii():
                name = unicodedata.name(character, "an unnamed character")
                yield finding(
                    "not-ascii",
                    f"annotation {key}: expected ASCII, got U+{ord(character):04X} {name} "
                    f"at position {position}",
                    path=annotation_path(key),
                    value=value,
                )
                break


def refused(subject: Subject) -> Iterator[Finding]:
    """H4, H5: a list that the injector refuses, in its own words, and what it expected."""
    for name, key in subject.lists():
        value = subject.annotations.get(key)
        if type(value) is not str:
            continue
        try:
            parse_list(name, value, key)
        except Refusal as refusal:
            position = 1 + subject.parts(key).index(refusal.value or "")
            yield finding(
                refusal.rule_id,
                f"{key}={value!r}: expected {_EXPECTED[name.holds]}, got {refusal.value!r} at "
                f"position {position}; the injector refuses the pod",
                path=annotation_path(key),
                value=refusal.value,
                fix=_nearest(subject, name, key),
            )


def _nearest(subject: Subject, name: ListName, key: str) -> str:
    """What comes nearest to a refused list: the single ports of its ranges, where they fit."""
    parts = subject.parts(key)
    if not any(parts):
        return "Remove the annotation."
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit()]
    ranges = tuple(map(ports_of_range, parts))
    if name.holds != "ports" or not any(ranges):
        return ""
    ports = sorted({*numbers, *(port for ports in ranges for port in ports)})
    mesh = subject.mesh.lists.entries(name)
    if len({*ports, *mesh}) <= MULTIPORT_MAX:
        return f'{SINGLE_PORTS}: write {key}: "{",".join(map(str, ports))}".'
    return f"{SINGLE_PORTS}, {MULTIPORT_MAX} at most with the mesh's. {_instead(subject, name)}"


def _instead(subject: Subject, name: ListName) -> str:
    """What does for a pod what more ports than fit would do."""
    if name is OUTBOUND_PORTS:
        cluster = ", ".join((*subject.ranges.pods, *subject.ranges.services))
        only = f" ({cluster})" if cluster else ""
        return (
            f"Exclude the servers' addresses with {subject.key(EXCLUDED_RANGES)}, or let only the "
            f"cluster's ranges{only} be redirected with {subject.key(INCLUDED_RANGES)}."
        )
    return (
        "Inbound there is nothing wider than single ports: move the mesh's to the pods that need "
        "them, or let the application listen on fewer."
    )


def port_range(subject: Subject) -> Iterator[Finding]:
    """H4: a port that the injector takes and the kernel does not."""
    for name, key in subject.lists("ports"):
        for port in subject.own(name):
            if port > PORT_MAX:
                yield finding(
                    "invalid-port",
                    f"{key}: expected a port from 1 to {PORT_MAX}, got {port}; the injector takes "
                    "it, and the init container fails",
                    path=annotation_path(key),
                    value=port,
                )


def too_many(subject: Subject) -> Iterator[Finding]:
    """H1: one multiport match with more ports than the kernel takes, after the merge."""
    for name, key in subject.lists("ports"):
        own, mesh = subject.own(name), subject.mesh.lists.entries(name)
        together = {*own, *mesh}
        if own and len(together) > MULTIPORT_MAX:
            there = len(set(mesh))
            yield finding(
                "too-many-ports",
                f"{key}: expected at most {MULTIPORT_MAX} ports together with the mesh's list, "
                f"got {len(together)}: {len(together) - there} here, {there} there",
                path=annotation_path(key),
                fix=_instead(subject, name),
            )


def duplicates(subject: Subject) -> Iterator[Finding]:
    """A value that its list, or the mesh's, has already."""
    for name, key in subject.lists():
        seen: set[object] = set()
        for value in subject.own(name):
            if value in seen or value in subject.mesh.lists.entries(name):
                where = "the annotation" if value in seen else "the mesh's list"
                yield finding(
                    "duplicate-entry",
                    f"{key}: {value} is in {where} already",
                    path=annotation_path(key),
                    value=value,
                )
            seen.add(value)


def reserved(subject: Subject) -> Iterator[Finding]:
    """A port exclusion that names one of the sidecar's own ports."""
    for name, key in subject.lists("ports"):
        for port in subject.own(name):
            if port in RESERVED_PORTS:
                yield finding(
                    "reserved-port-excluded",
                    f"{key}: port {port} is reserved: {RESERVED_PORTS[port]}",
                    path=annotation_path(key),
                    value=port,
                )


def ignored(subject: Subject) -> Iterator[Finding]:
    """H11: lists on a pod that gets no init container."""
    mode, result = subject.mesh.interception_mode, subject.mutation
    if result is None or result.interception is not None or subject.injected:
        return
    if given := subject.given():
        if subject.machine:
            why = "a VirtualMachine gets no init container: its own start script redirects"
        elif subject.mesh.system.intercepts(mode):
            why = "Windows pods get no init container"
        else:
            why = f"interceptionMode {mode!r} has no init container"
        yield finding(
            "lists-ignored",
            f"{', '.join(given)}: ignored, {why}",
            path=annotation_path(given[0]),
        )


def unregistered(subject: Subject) -> Iterator[Finding]:
    """An entry that the stack's guard lets no pod of this namespace carry."""
    register, namespace = subject.ranges.registered, subject.namespace.name
    if register is None:
        return
    known = [register[place] for place in ("", namespace) if place in register]
    for name, key in subject.lists():
        for value in subject.own(name):
            if not any(value in lists.entries(name) for lists in known):
                yield finding(
                    "bypass-unregistered",
                    f"{key}: {value} is in no profile, and namespace {namespace} may not carry it",
                    path=annotation_path(key),
                    value=value,
                )


CHECKS: Final = (
    not_ascii,
    refused,
    port_range,
    too_many,
    duplicates,
    reserved,
    ignored,
    unregistered,
)


_LAST: Final = 2**32 - 1
# What kubeadm-style clusters use when nobody chose. Source: flannel's and kubeadm's documentation.
_USUAL: Final = (("10.244.0.0/16", "pod"), ("10.96.0.0/16", "service"))


def ipv4(ranges: Iterable[str]) -> tuple[str, ...]:
    """The IPv4 ranges, with a plain prefix length: Go takes leading zeros there.

    A mesh's list may hold anything: what is no CIDR is left out.
    """
    found = []
    for text in ranges:
        if ":" not in text and is_cidr(text):
            address, _, prefix = text.partition("/")
            found.append(f"{address}/{int(prefix)}")
    return tuple(found)


def ipv6(subject: Subject) -> Iterator[Finding]:
    """H2: an IPv6 range, which the injector takes and the IPv4 table does not."""
    for name, key in subject.lists("ranges"):
        for text in subject.own(name):
            if ":" in text:
                yield finding(
                    "ipv6-cidr",
                    f"{key}: expected an IPv4 CIDR, got {text}; the injector takes it, and the "
                    "init container fails",
                    path=annotation_path(key),
                    value=text,
                )


def host_bits(subject: Subject) -> Iterator[Finding]:
    """H7: a range that is larger than its text looks."""
    for name, key in subject.lists("ranges"):
        for text in ipv4(subject.own(name)):
            network = network_text(text)
            if network != text:
                first, last = cidr_bounds(text)
                address = text.partition("/")[0]
                yield finding(
                    "host-bits",
                    f"{key}: {text} matches the {last - first + 1} addresses of {network}",
                    path=annotation_path(key),
                    value=text,
                    fix=f"Write {network} for the range, or {address}/32 for the one address.",
                )


def everything(subject: Subject) -> Iterator[Finding]:
    """H8: exclusions that leave nothing to intercept."""
    key = subject.key(EXCLUDED_RANGES)
    own = ipv4(subject.own(EXCLUDED_RANGES))
    both = (*own, *ipv4(subject.mesh.lists.excluded_ranges))
    if own and spans(both) == ((0, _LAST),):
        alone = next((text for text in own if cidr_bounds(text) == (0, _LAST)), None)
        what = f"{alone} excludes" if alone else f"{', '.join(both)} together exclude"
        yield finding(
            "excludes-everything",
            f"{key}: {what} every address: nothing outbound is intercepted",
            path=annotation_path(key),
            value=alone,
        )


def mesh_traffic(subject: Subject) -> Iterator[Finding]:
    """H9: an exclusion over the addresses of the mesh's own pods and services."""
    key = subject.key(EXCLUDED_RANGES)
    ranges = subject.ranges
    declared = [(text, "pod") for text in ranges.pods]
    declared += [(text, "service") for text in ranges.services]
    known = {kind for _, kind in declared}
    usual = [(text, kind) for text, kind in _USUAL if kind not in known]
    for text in ipv4(subject.own(EXCLUDED_RANGES)):
        bounds = cidr_bounds(text)
        if text == ranges.api_server or bounds == (0, _LAST):
            continue
        for other, kind in declared:
            if covers((bounds,), other):
                yield _mesh_finding(key, text, f"covers the cluster's {kind} range {other}")
            elif covers((cidr_bounds(other),), text) and bounds[0] < bounds[1]:
                message = f"is part of the cluster's {kind} range {other}"
                yield _mesh_finding(key, text, message, severity=Severity.WARNING)
        for other, kind in usual:
            if covers((bounds,), other):
                message = f"covers {other}, the usual {kind} range"
                yield _mesh_finding(key, text, message, severity=Severity.WARNING)
    yield from _together(subject, declared)


def _together(subject: Subject, declared: list[tuple[str, str]]) -> Iterator[Finding]:
    """Exclusions that cover a range of the cluster only together, the mesh's among them."""
    key = subject.key(EXCLUDED_RANGES)
    own, mesh = ipv4(subject.own(EXCLUDED_RANGES)), ipv4(subject.mesh.lists.excluded_ranges)
    union, before = spans((*own, *mesh)), spans(mesh)
    if union == ((0, _LAST),):
        return  # excludes-everything says more
    for other, kind in declared:
        alone = any(covers((cidr_bounds(text),), other) for text in own)
        if covers(union, other) and not covers(before, other) and not alone:
            yield finding(
                "excludes-mesh-traffic",
                f"{key}: together with the mesh's exclusions it covers the cluster's {kind} range "
                f"{other}",
                path=annotation_path(key),
            )


def _mesh_finding(
    key: str, text: str, message: str, *, severity: Severity | None = None
) -> Finding:
    return finding(
        "excludes-mesh-traffic",
        f"{key}: {text} {message}",
        path=annotation_path(key),
        value=text,
        severity=severity,
    )


def dead_inclusions(subject: Subject) -> Iterator[Finding]:
    """H10: an inclusion that an exclusion takes back whole."""
    excluded, included = subject.key(EXCLUDED_RANGES), subject.key(INCLUDED_RANGES)
    own = ipv4(subject.own(INCLUDED_RANGES))
    union = spans((*ipv4(subject.own(EXCLUDED_RANGES)), *ipv4(subject.mesh.lists.excluded_ranges)))
    for text in own:
        if covers(union, text):
            yield finding(
                "dead-inclusion",
                f"{included}: {text} is excluded as a whole; nothing of it is redirected",
                path=annotation_path(included),
                value=text,
            )
    alive = spans(ipv4(subject.mesh.lists.excluded_ranges))
    for text in ipv4(subject.mesh.lists.included_ranges):
        if text not in own and covers(union, text) and not covers(alive, text):
            yield finding(
                "dead-inclusion",
                f"{excluded}: it takes the mesh's inclusion {text} back whole",
                path=annotation_path(excluded),
                value=text,
            )


RANGE_CHECKS: Final = (ipv6, host_bits, everything, mesh_traffic, dead_inclusions)
