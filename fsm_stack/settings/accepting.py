"""What a stack takes on purpose: accepted findings, and every bypass that it declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm_stack.errors import did_you_mean
from fsm_stack.findings.catalogue import all_rules
from fsm_stack.findings.finding import Finding, finding
from fsm_stack.lists import LISTS
from fsm_stack.settings.checks.lists import list_paths
from fsm_stack.settings.effective import preset_entries
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from fsm_stack.lists import ListName
    from fsm_stack.settings.checks.lists import AnyEntry
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml.places import Path

    Placed = Callable[[Path, Finding], Finding]


def apply_accepted(
    settings: StackSettings | None,
    findings: tuple[Finding, ...],
    today: date,
    placed: Placed,
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Split findings into those that count and those that the stack takes.

    Args:
        settings: None when nothing could be read; then nothing is accepted.
        findings: what validation and checks found.
        today: an entry past its date accepts nothing.
        placed: puts a finding at its place in the file.

    Returns:
        What counts (with findings about ``accept`` itself), and what is accepted.
    """
    if settings is None or not settings.accept:
        return findings, ()
    kept = list(findings)
    accepted: list[Finding] = []
    for index, entry in enumerate(settings.accept):
        known = all_rules().get(entry.id)
        hits = [item for item in kept if item.id == entry.id and item.place.path == entry.path]
        if known is None:
            hint = did_you_mean(entry.id, all_rules())
            problem = "accept-unknown", f"expected a finding's id, got {entry.id!r}{hint}"
        elif not known.acceptable:
            problem = "accept-refused", f"{entry.id} at {entry.path} cannot be accepted"
        elif not hits:
            problem = "accept-unused", f"no finding {entry.id} at {entry.path}"
        elif entry.until is not None and entry.until < today:
            message = f"{entry.id} at {entry.path} was accepted until {entry.until}"
            problem = "accept-expired", message
        else:
            kept = [item for item in kept if item not in hits]
            accepted.extend(hits)
            continue
        path: Path = ("accept", index)
        kept.append(placed(path, finding(*problem, path=path_text(path))))
    return tuple(kept), tuple(accepted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bypass:
    """One entry that takes traffic out of the mesh.

    Attributes:
        scope: ``mesh``, or the name of an annotation profile.
        kind: the list's key, for example ``outboundPortExclusionList``.
        value: the port, range or interface as text.
        reason: why; empty when nobody said.
        owner: who answers for it; empty when nobody does.
        until: its last day, or None.
        expired: whether that day is past.
        path: where it is in the stack file.
    """

    scope: str
    kind: str
    value: str
    reason: str
    owner: str
    until: date | None
    expired: bool
    path: str


def bypasses(settings: StackSettings, today: date) -> tuple[Bypass, ...]:
    """All bypasses: the mesh's first, then each profile's, presets before its own lists.

    Inclusions are bypasses of everything else; they are listed under their own kind.
    """
    found: list[Bypass] = []
    for path, listed, entries in list_paths(settings):
        found += [
            _bypass(entry, listed, (*path, index), today) for index, entry in enumerate(entries)
        ]
    for name, profile in settings.annotation_profiles.items():
        path = ("annotationProfiles", name, "presets")
        presets = sorted(preset_entries(profile, settings), key=lambda one: LISTS.index(one[0]))
        found += [_bypass(entry, listed, path, today) for listed, entry in presets]
    return tuple(sorted(found, key=lambda item: item.scope != "mesh"))


def _bypass(entry: AnyEntry, listed: ListName, path: Path, today: date) -> Bypass:
    return Bypass(
        scope=str(path[1]) if path[0] == "annotationProfiles" else "mesh",
        kind=listed.key,
        value=str(entry.value),
        reason=entry.reason,
        owner=entry.owner,
        until=entry.until,
        expired=entry.until is not None and entry.until < today,
        path=path_text(path),
    )
