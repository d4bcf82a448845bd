"""Checks of a pod's redirection lists: what the injector refuses, and what the kernel does."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from fsm_stack.findings import Finding, finding
from fsm_stack.injection.annotations import parse_list
from fsm_stack.injection.lint.subject import Subject, annotation_path
from fsm_stack.injection.refusal import Refusal
from fsm_stack.well_known import MULTIPORT_MAX, PORT_MAX, RESERVED_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

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
                fix="Remove the annotation." if not value.strip() else "",
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
