"""What a stack declares: its lists, the mesh's and each profile's; bypasses; what it accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import did_you_mean
from fsm_stack.findings.catalogue import all_rules
from fsm_stack.findings.finding import Finding, finding
from fsm_stack.lists import (
    EXCLUDED_RANGES,
    LISTS,
    OUTBOUND_PORTS,
    POD_LISTS,
    Lists,
    merged,
    unique,
)
from fsm_stack.settings.models.stack import CONTROL_PLANE_PORTS, METADATA_RANGES
from fsm_stack.settings.models.values import CidrEntry, PortEntry
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from fsm_stack.lists import ListName
    from fsm_stack.settings.models.stack import AnnotationProfile, StackSettings
    from fsm_stack.settings.models.values import InterfaceEntry
    from fsm_stack.yaml.places import Path

    AnyEntry = PortEntry | CidrEntry | InterfaceEntry
    Placed = Callable[[Path, Finding], Finding]


def list_paths(settings: StackSettings) -> Iterator[tuple[Path, ListName, tuple[AnyEntry, ...]]]:
    """Every redirection list of a stack: its path, its name, its entries.

    The mesh's lists come first, then each profile's, in the order of the file.
    """
    traffic = settings.traffic
    for listed in LISTS:
        yield ("traffic", listed.key), listed, getattr(traffic, listed.setting)
    for name, profile in settings.annotation_profiles.items():
        for listed in POD_LISTS:
            path: Path = ("annotationProfiles", name, listed.key)
            yield path, listed, getattr(profile, listed.setting)


def preset_entries(
    profile: AnnotationProfile, settings: StackSettings
) -> Iterator[tuple[ListName, PortEntry | CidrEntry]]:
    """The entries that a profile's presets stand for, each with its list."""
    for preset in profile.presets:
        if preset == "kubernetes-api":
            if settings.cluster.api_server is not None:
                address = settings.cluster.api_server.address
                yield EXCLUDED_RANGES, _range(f"{address}/32", "the Kubernetes API server")
        elif preset == "control-plane":
            for port in CONTROL_PLANE_PORTS:
                reason = "FSM's control plane"
                yield OUTBOUND_PORTS, PortEntry.model_construct(value=port, reason=reason)
        else:
            yield EXCLUDED_RANGES, _range(METADATA_RANGES[preset], "cloud instance metadata")


def _range(value: str, reason: str) -> CidrEntry:
    return CidrEntry.model_construct(value=value, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """Every list of a stack, worked out once.

    Attributes:
        mesh: the mesh-wide lists.
        own: each profile's lists, presets first.
        both: what a pod with the profile's annotations gets in this mesh.
    """

    mesh: Lists
    own: Mapping[str, Lists]
    both: Mapping[str, Lists]


def effective(settings: StackSettings) -> Effective:
    """The lists of the mesh and of every profile, in the order of the file."""
    mesh = mesh_lists(settings)
    own = {name: profile_lists(settings, name) for name in settings.annotation_profiles}
    both = {name: merged(mesh, lists) for name, lists in own.items()}
    return Effective(mesh=mesh, own=own, both=both)


def mesh_lists(settings: StackSettings) -> Lists:
    """The mesh-wide lists, as declared."""
    traffic = settings.traffic
    return Lists(
        **{name.field: tuple(e.value for e in getattr(traffic, name.setting)) for name in LISTS}
    )


def profile_lists(settings: StackSettings, name: str) -> Lists:
    """One profile's lists, presets first; what its annotations carry.

    Raises:
        KeyError: the stack has no such profile.
    """
    profile = settings.annotation_profiles[name]
    presets = tuple(preset_entries(profile, settings))

    def values(listed: ListName) -> tuple[Any, ...]:
        entries = (entry for known, entry in presets if known is listed)
        return unique(entry.value for entry in (*entries, *getattr(profile, listed.setting)))

    return Lists(**{listed.field: values(listed) for listed in POD_LISTS})


EVERYWHERE: Final = ""


def register(settings: StackSettings) -> dict[str, Lists] | None:
    """What pods may carry in their annotations; None: the stack does not guard it.

    By namespace: what ``guard.allow`` names; under :data:`EVERYWHERE` the profiles' entries, and
    the mesh's own, which change nothing.
    """
    if settings.guard.bypasses == "off":
        return None
    known = effective(settings)
    found = {EVERYWHERE: _union((known.mesh, *known.own.values()))}
    for allowed in settings.guard.allow:
        entries = {
            listed.field: tuple(entry.value for entry in getattr(allowed, listed.setting))
            for listed in POD_LISTS
        }
        before = found.get(allowed.namespace, Lists())
        found[allowed.namespace] = _union((before, Lists(**entries)))
    return found


def _union(parts: Iterable[Lists]) -> Lists:
    every = tuple(parts)
    return Lists(
        **{
            listed.field: unique(value for lists in every for value in lists.entries(listed))
            for listed in POD_LISTS
        }
    )


def places_of(settings: StackSettings | None) -> dict[str, Sequence[str]]:
    """The ranges behind ``pods``, ``services``, ``api-server`` and ``metadata``."""
    found: dict[str, Sequence[str]] = {"metadata": (METADATA_RANGES["cloud-metadata"],)}
    if settings is not None:
        cluster = settings.cluster
        found |= {"pods": cluster.pod_ranges, "services": cluster.service_ranges}
        if cluster.api_server is not None:
            found["api-server"] = (f"{cluster.api_server.address}/32",)
    return found


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
