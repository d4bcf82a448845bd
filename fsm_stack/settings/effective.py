"""What a pod's redirection lists come to: the mesh's, a profile's, and both merged.

The merge is the injector's: ports of the mesh first, ranges of the pod first, each once.
Source: flomesh-io/fsm pkg/injector, merging of annotations with MeshConfig.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from fsm_stack.settings.profiles import CONTROL_PLANE_PORTS, METADATA_RANGES
from fsm_stack.settings.values import CidrEntry, PortEntry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_stack.settings.profiles import AnnotationProfile
    from fsm_stack.settings.stack import StackSettings

_T = TypeVar("_T")

# The lists that a pod's annotations can carry: field in the models, key in files.
POD_LISTS: Final = {
    "outbound_port_exclusion_list": "outboundPortExclusionList",
    "inbound_port_exclusion_list": "inboundPortExclusionList",
    "outbound_ip_range_exclusion_list": "outboundIPRangeExclusionList",
    "outbound_ip_range_inclusion_list": "outboundIPRangeInclusionList",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLists:
    """The four lists of one pod, as values: ports are ints, ranges are texts as written."""

    outbound_ports: tuple[int, ...] = ()
    inbound_ports: tuple[int, ...] = ()
    excluded_ranges: tuple[str, ...] = ()
    included_ranges: tuple[str, ...] = ()


def unique(values: Iterable[_T]) -> tuple[_T, ...]:
    """Values in order, first occurrence kept."""
    return tuple(dict.fromkeys(values))


def profile_entries(
    profile: AnnotationProfile, settings: StackSettings
) -> tuple[tuple[PortEntry, ...], tuple[CidrEntry, ...]]:
    """The outbound port and range exclusions that a profile's presets stand for."""
    ports: list[PortEntry] = []
    ranges: list[CidrEntry] = []
    for preset in profile.presets:
        if preset == "kubernetes-api":
            if settings.cluster.api_server is not None:
                address = settings.cluster.api_server.address
                ranges.append(_range(f"{address}/32", "the Kubernetes API server"))
        elif preset == "control-plane":
            ports.extend(
                PortEntry.model_construct(value=port, reason="FSM's control plane")
                for port in CONTROL_PLANE_PORTS
            )
        else:
            ranges.append(_range(METADATA_RANGES[preset], "cloud instance metadata"))
    return tuple(ports), tuple(ranges)


def _range(value: str, reason: str) -> CidrEntry:
    return CidrEntry.model_construct(value=value, reason=reason)


def mesh_lists(settings: StackSettings) -> PodLists:
    """The mesh-wide lists, as declared."""
    traffic = settings.traffic
    return PodLists(
        outbound_ports=tuple(e.value for e in traffic.outbound_port_exclusion_list),
        inbound_ports=tuple(e.value for e in traffic.inbound_port_exclusion_list),
        excluded_ranges=tuple(e.value for e in traffic.outbound_ip_range_exclusion_list),
        included_ranges=tuple(e.value for e in traffic.outbound_ip_range_inclusion_list),
    )


def profile_lists(settings: StackSettings, name: str) -> PodLists:
    """One profile's lists, presets first; what its annotations carry.

    Raises:
        KeyError: the stack has no such profile.
    """
    profile = settings.annotation_profiles[name]
    ports, ranges = profile_entries(profile, settings)
    return PodLists(
        outbound_ports=unique(e.value for e in (*ports, *profile.outbound_port_exclusion_list)),
        inbound_ports=unique(e.value for e in profile.inbound_port_exclusion_list),
        excluded_ranges=unique(
            e.value for e in (*ranges, *profile.outbound_ip_range_exclusion_list)
        ),
        included_ranges=unique(e.value for e in profile.outbound_ip_range_inclusion_list),
    )


def merged(mesh: PodLists, pod: PodLists) -> PodLists:
    """What the injector programs for a pod with these annotations in this mesh."""
    return PodLists(
        outbound_ports=unique((*mesh.outbound_ports, *pod.outbound_ports)),
        inbound_ports=unique((*mesh.inbound_ports, *pod.inbound_ports)),
        excluded_ranges=unique((*pod.excluded_ranges, *mesh.excluded_ranges)),
        included_ranges=unique((*pod.included_ranges, *mesh.included_ranges)),
    )
