"""Checks of one pod in one mesh: a tuple of functions, each a generator of findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.injection.lint import containers, keys, lists, probes, ranges
from fsm_stack.injection.lint.subject import ClusterRanges, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings import Finding

__all__ = ["CHECKS", "ClusterRanges", "Subject", "lint"]

CHECKS = (
    *keys.CHECKS,
    *lists.CHECKS,
    *ranges.CHECKS,
    *containers.CHECKS,
    *probes.CHECKS,
)


def lint(subject: Subject) -> Iterator[Finding]:
    """Every finding of a pod, check by check."""
    for check in CHECKS:
        yield from check(subject)
