"""Checks of one stack's settings: each a small generator of findings, listed in ``CHECKS``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.settings.checks import control_plane, lists, names, ranges, switches, workloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from fsm_stack.findings import Finding
    from fsm_stack.settings.stack import StackSettings
    from fsm_stack.settings.yaml_text import Path

    Check = Callable[[StackSettings, date], Iterator[tuple[Path, Finding]]]

CHECKS: Final[tuple[Check, ...]] = (
    *lists.CHECKS,
    *ranges.CHECKS,
    *control_plane.CHECKS,
    *names.CHECKS,
    *switches.CHECKS,
    *workloads.CHECKS,
)


def check_settings(settings: StackSettings, today: date) -> Iterator[tuple[Path, Finding]]:
    """Every finding of valid settings, with its path in the file."""
    for check in CHECKS:
        yield from check(settings, today)
