"""From a pod's annotations and the mesh's lists to the script of its init container."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from fsm_stack.injection.annotations import keys_of, pod_lists
from fsm_stack.injection.merge import merge_ports, merge_ranges
from fsm_stack.injection.pieces import init_container
from fsm_stack.iptables.lists import InterceptLists
from fsm_stack.iptables.script import script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injection.mesh import MeshView
    from fsm_stack.injection.piece import Piece
    from fsm_stack.systems import System


class Interception(NamedTuple):
    """What the init container of a pod does.

    Attributes:
        lists: the script generator's arguments, merged.
        script: the text.
        piece: the init container.
        system: whose script.
    """

    lists: InterceptLists
    script: str
    piece: Piece
    system: System


def interception(annotations: Mapping[str, str], mesh: MeshView) -> Interception:
    """The init container's part of a pod with these annotations.

    Raises:
        Refusal: for the first annotation that the injector does not take.
    """
    first, second, third, fourth = keys_of(mesh.system).lists
    get = annotations.get
    return _interception(mesh, get(first), get(second), get(third), get(fourth))


@lru_cache(maxsize=1024)
def _interception(mesh: MeshView, *values: str | None) -> Interception:
    given = {
        key: value
        for key, value in zip(keys_of(mesh.system).lists, values, strict=True)
        if value is not None
    }
    pod = pod_lists(given, mesh.system)
    merged = InterceptLists(
        local_proxy_mode=mesh.local_proxy_mode,
        network_interface_exclusions=mesh.interfaces,
        outbound_ip_range_exclusions=merge_ranges(pod.excluded_ranges, mesh.excluded_ranges),
        outbound_ip_range_inclusions=merge_ranges(pod.included_ranges, mesh.included_ranges),
        outbound_port_exclusions=merge_ports(pod.outbound_ports, mesh.outbound_ports),
        inbound_port_exclusions=merge_ports(pod.inbound_ports, mesh.inbound_ports),
        dns_proxy=mesh.dns_proxy and mesh.system.has_dns_rule,
    )
    text = script(merged, mesh.system)
    return Interception(
        lists=merged, script=text, piece=init_container(mesh, text), system=mesh.system
    )
