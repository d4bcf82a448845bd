"""Checks of one stack's settings: each a small generator of findings, listed in a tuple."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.lists import EXCLUDED_RANGES, INCLUDED_RANGES
from fsm_stack.settings.checks import control_plane, lists, names, programs, ranges, workloads
from fsm_stack.settings.effective import effective
from fsm_stack.well_known import CONFIG_MAP_MAX

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
    *programs.CHECKS,
    *workloads.CHECKS,
)


# Bytes of the shortest range in a file: 1.0.0.0/8
_RANGE_MIN: Final = 9


def _too_large(settings: StackSettings) -> tuple[Path, Finding] | None:
    """Lists that no ConfigMap holds: the mesh's ranges count again for each profile."""
    profiles = settings.annotation_profiles.values()
    keys = [listed.setting for listed in (EXCLUDED_RANGES, INCLUDED_RANGES)]
    mesh = sum(len(getattr(settings.traffic, key)) for key in keys)
    own = sum(len(getattr(profile, key)) for profile in profiles for key in keys)
    size = (mesh * (1 + len(profiles)) + own) * _RANGE_MIN
    if size <= CONFIG_MAP_MAX:
        return None
    message = (
        f"expected lists of at most {CONFIG_MAP_MAX} bytes for the ConfigMap that says what is "
        f"redirected, got more than {size}: the mesh's lists count once for itself and once for "
        "each profile"
    )
    return lists.at(("traffic",), "too-large", message)


def check_settings(settings: StackSettings, today: date) -> Iterator[tuple[Path, Finding]]:
    """Every finding of valid settings, with its path in the file."""
    told = _too_large(settings)
    if told is None:
        known = effective(settings)
        for list_check in LIST_CHECKS:
            yield from list_check(settings, known)
    else:
        yield told
    for check in CHECKS:
        yield from check(settings, today)
