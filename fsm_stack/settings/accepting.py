"""What a stack takes on purpose: accepted findings, and every bypass that it declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsm_stack.findings.catalogue import all_rules
from fsm_stack.findings.finding import Finding, finding
from fsm_stack.lists import LISTS
from fsm_stack.settings.checks.lists import list_paths
from fsm_stack.settings.effective import preset_entries
from fsm_stack.settings.problems import nearest
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

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
        path: Path = ("accept", index)
        where = f"accept[{index}]"
        known = all_rules().get(entry.id)
        if known is None:
            close = nearest(entry.id, sorted(all_rules()))
            hint = f"; did you mean {close!r}?" if close else ""
            kept.append(
                placed(
                    path,
                    finding(
                        "accept-unknown",
                        f"expected a finding's id, got {entry.id!r}{hint}",
                        path=where,
                    ),
                )
            )
            continue
        hits = [item for item in kept if item.id == entry.id and item.place.path == entry.path]
        if not known.acceptable:
            message = f"{entry.id} at {entry.path} cannot be accepted"
            kept.append(placed(path, finding("accept-refused", message, path=where)))
        elif not hits:
            message = f"no finding {entry.id} at {entry.path}"
            kept.append(placed(path, finding("accept-unused", message, path=where)))
        elif entry.until is not None and entry.until < today:
            message = f"{entry.id} at {entry.path} was accepted until {entry.until}"
            kept.append(placed(path, finding("accept-expired", message, path=where)))
        else:
            kept = [item for item in kept if item not in hits]
            accepted.extend(hits)
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
