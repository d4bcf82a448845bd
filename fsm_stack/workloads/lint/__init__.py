"""Checks of one pod in one mesh: a tuple of functions, each a generator of findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.workloads.lint import around, containers, foreign, keys, lists, probes
from fsm_stack.workloads.lint.subject import ClusterRanges, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsm_stack.findings.finding import Finding

    Check = Callable[[Subject], Iterator[Finding]]

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
    wrote wrong is said. A virtual machine gets a label, so that only what is in vain is said.
    """
    further: tuple[Check, ...] = () if subject.left_alone else CHECKS
    if subject.machine:
        further = (lists.ignored,)
    for check in (*ALWAYS, *further):
        yield from check(subject)
