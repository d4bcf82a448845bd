"""Every bypass of the mesh that a stack declares, with its reason, owner and end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm_stack.lists import LISTS
from fsm_stack.settings.checks.at import list_paths
from fsm_stack.settings.effective import preset_entries
from fsm_stack.settings.yaml_text import path_text

if TYPE_CHECKING:
    from datetime import date

    from fsm_stack.settings.stack import StackSettings


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
        scope = str(path[1]) if path[0] == "annotationProfiles" else "mesh"
        found.extend(
            Bypass(
                scope=scope,
                kind=listed.key,
                value=str(entry.value),
                reason=entry.reason,
                owner=entry.owner,
                until=entry.until,
                expired=entry.until is not None and entry.until < today,
                path=path_text((*path, index)),
            )
            for index, entry in enumerate(entries)
        )
    for name, profile in settings.annotation_profiles.items():
        presets = sorted(
            preset_entries(profile, settings), key=lambda preset: LISTS.index(preset[0])
        )
        found.extend(
            Bypass(
                scope=name,
                kind=listed.key,
                value=str(entry.value),
                reason=entry.reason,
                owner="",
                until=None,
                expired=False,
                path=path_text(("annotationProfiles", name, "presets")),
            )
            for listed, entry in presets
        )
    return tuple(sorted(found, key=lambda item: item.scope != "mesh"))
