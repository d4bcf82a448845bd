"""What a stack declares for its redirection lists: the mesh's, and each profile's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.lists import ListName
    from fsm_stack.settings.models.stack import AnnotationProfile, StackSettings


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
