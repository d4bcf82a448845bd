"""Strict settings through the faithful door: the injector's own lists, and pod annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.iptables.lists import InterceptLists
from fsm_stack.settings.effective import PodLists, merged, mesh_lists

if TYPE_CHECKING:
    from fsm_stack.settings.stack import StackSettings
    from fsm_stack.systems import System

# Order in which the injector parses them. Source: flomesh-io/fsm pkg/injector, iptables lists.
_ANNOTATIONS: Final = (
    ("outbound-port-exclusion-list", "outbound_ports"),
    ("inbound-port-exclusion-list", "inbound_ports"),
    ("outbound-ip-range-exclusion-list", "excluded_ranges"),
    ("outbound-ip-range-inclusion-list", "included_ranges"),
)


def intercept_lists(settings: StackSettings, pod: PodLists | None = None) -> InterceptLists:
    """What the injector's script generator gets for a pod with these annotations.

    Args:
        settings: the stack.
        pod: the pod's own lists; None for a pod without redirection annotations.
    """
    lists = merged(mesh_lists(settings), pod or PodLists())
    interfaces = settings.traffic.network_interface_exclusion_list
    return InterceptLists(
        local_proxy_mode=settings.sidecar.local_proxy_mode,
        network_interface_exclusions=tuple(entry.value for entry in interfaces),
        outbound_ip_range_exclusions=lists.excluded_ranges,
        outbound_ip_range_inclusions=lists.included_ranges,
        outbound_port_exclusions=lists.outbound_ports,
        inbound_port_exclusions=lists.inbound_ports,
        dns_proxy=settings.profile.has_dns_rule and settings.sidecar.local_dns_proxy.enable,
    )


def pod_annotations(lists: PodLists, system: System) -> dict[str, str]:
    """The annotations that carry a pod's lists; an empty list has none, since "" is refused."""
    annotations = {
        system.annotation(name): ",".join(str(value) for value in getattr(lists, field))
        for name, field in _ANNOTATIONS
    }
    return {key: value for key, value in annotations.items() if value}
