"""Checks of one stack's settings: each a small generator of findings, listed in a tuple."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.settings.checks import control_plane, lists, names, ranges, workloads
from fsm_stack.settings.effective import effective

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.settings.effective import Effective
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml.places import Path

    Check = Callable[[StackSettings, date], Iterator[tuple[Path, Finding]]]
    ListCheck = Callable[[StackSettings, Effective], Iterator[tuple[Path, Finding]]]

# They look at whole lists, the mesh's and each profile's, which are merged once for all of them.
LIST_CHECKS: Final[tuple[ListCheck, ...]] = (*lists.LIST_CHECKS, *ranges.LIST_CHECKS)

CHECKS: Final[tuple[Check, ...]] = (
    *lists.CHECKS,
    *ranges.CHECKS,
    *control_plane.CHECKS,
    *names.CHECKS,
    *workloads.CHECKS,
)


def check_settings(settings: StackSettings, today: date) -> Iterator[tuple[Path, Finding]]:
    """Every finding of valid settings, with its path in the file."""
    known = effective(settings)
    for list_check in LIST_CHECKS:
        yield from list_check(settings, known)
    for check in CHECKS:
        yield from check(settings, today)
