"""Checks of one pod in one mesh: a tuple of functions, each a generator of findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.workloads.lint import around, containers, foreign, keys, lists, probes
from fsm_stack.workloads.lint.subject import ClusterRanges, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.findings.finding import Finding

__all__ = ["ALWAYS", "CHECKS", "ClusterRanges", "Subject", "lint"]

# Of every pod, and of those that get a sidecar.
ALWAYS = (*keys.CHECKS, *foreign.CHECKS, containers.host_network)
CHECKS = (
    *lists.CHECKS,
    *lists.RANGE_CHECKS,
    *containers.CHECKS,
    *probes.CHECKS,
    *probes.UNANSWERED_CHECKS,
    *around.CHECKS,
)


def lint(subject: Subject) -> Iterator[Finding]:
    """Every finding of a pod, check by check.

    Of a pod that is left alone nothing is redirected, and nothing collides: only what its author
    wrote wrong is said.
    """
    for check in ALWAYS if subject.left_alone else (*ALWAYS, *CHECKS):
        yield from check(subject)
