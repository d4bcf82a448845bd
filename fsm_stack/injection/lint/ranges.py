"""Checks of a pod's address ranges, after the merge with the mesh's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.findings import Finding, Severity, finding
from fsm_stack.injection.go_values import is_cidr
from fsm_stack.injection.lint.subject import Subject, annotation_path
from fsm_stack.lists import EXCLUDED_RANGES, INCLUDED_RANGES
from fsm_stack.settings.checks.ranges import covers, spans
from fsm_stack.settings.values import cidr_bounds, network_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


CHECKS: Final = (ipv6, host_bits, everything, mesh_traffic, dead_inclusions)
