"""Checks of a pod's redirection lists: what the injector refuses, and what the kernel does."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from fsm_stack.findings import Finding, finding
from fsm_stack.injection.annotations import parse_ports, parse_ranges
from fsm_stack.injection.lint.subject import Subject, annotation_path
from fsm_stack.injection.merge import merge_ports
from fsm_stack.injection.refusal import Refusal
from fsm_stack.well_known import MULTIPORT_MAX, PORT_MAX, RESERVED_PORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def not_ascii(subject: Subject) -> Iterator[Finding]:
    """C42: a full-width comma and its like, named."""
    for key in subject.list_keys():
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
    outbound, inbound, excluded, included = subject.list_keys()
    parsers: tuple[tuple[str, Callable[[str, str], object], str], ...] = (
        (outbound, parse_ports, "comma-separated ports from 1 to 65535"),
        (inbound, parse_ports, "comma-separated ports from 1 to 65535"),
        (excluded, parse_ranges, "comma-separated IPv4 CIDRs such as 10.0.0.0/8"),
        (included, parse_ranges, "comma-separated IPv4 CIDRs such as 10.0.0.0/8"),
    )
    for key, parse, expected in parsers:
        value = subject.annotations.get(key)
        if type(value) is not str:
            continue
        try:
            parse(value, key)
        except Refusal as refusal:
            position = 1 + subject.parts(key).index(refusal.value or "")
            yield finding(
                refusal.rule_id,
                f"{key}={value!r}: expected {expected}, got {refusal.value!r} at position "
                f"{position}; the injector refuses the pod",
                path=annotation_path(key),
                value=refusal.value,
                fix="Remove the annotation." if not value.strip() else "",
            )


def port_range(subject: Subject) -> Iterator[Finding]:
    """H4: a port that the injector takes and the kernel does not."""
    for key in subject.list_keys()[:2]:
        for port in subject.ports(key):
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
    outbound, inbound, _, _ = subject.list_keys()
    for key, mesh in (
        (outbound, subject.mesh.outbound_ports),
        (inbound, subject.mesh.inbound_ports),
    ):
        own = subject.ports(key)
        together = merge_ports(own, mesh)
        if own and len(together) > MULTIPORT_MAX:
            there = len(set(mesh))
            yield finding(
                "too-many-ports",
                f"{key}: expected at most {MULTIPORT_MAX} ports together with the mesh's list, "
                f"got {len(together)}: {len(together) - there} here, {there} there",
                path=annotation_path(key),
            )


def duplicates(subject: Subject) -> Iterator[Finding]:
    """A value that its list, or the mesh's, has already."""
    mesh = subject.mesh
    shared = (mesh.outbound_ports, mesh.inbound_ports, mesh.excluded_ranges, mesh.included_ranges)
    for position, key in enumerate(subject.list_keys()):
        values: tuple[object, ...]
        values = subject.ports(key) if position < 2 else subject.ranges_of(key)  # noqa: PLR2004
        seen: set[object] = set()
        for value in values:
            if value in seen or value in shared[position]:
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
    for key in subject.list_keys()[:2]:
        for port in subject.ports(key):
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
    given = [key for key in subject.list_keys() if key in subject.annotations]
    if given:
        if subject.mesh.system.intercepts(mode):
            why = "Windows pods get no init container"
        else:
            why = f"interceptionMode {mode!r} has no init container"
        yield finding(
            "lists-ignored",
            f"{', '.join(given)}: ignored, {why}",
            path=annotation_path(given[0]),
        )


CHECKS: Final = (not_ascii, refused, port_range, too_many, duplicates, reserved, ignored)
