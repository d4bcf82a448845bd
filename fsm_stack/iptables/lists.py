"""The injector's own arguments: the faithful door into the script generator."""

from __future__ import annotations

from dataclasses import dataclass

POD_IP_MODE = "PodIP"


@dataclass(frozen=True, slots=True, kw_only=True)
class InterceptLists:
    """What the injector's script generator takes, after parsing and merging.

    Nothing is checked, sorted or removed here, because upstream does none of that: a port may be
    70000, a range may be ``garbage``. Strict settings lower to this; findings say what is wrong.

    Attributes:
        local_proxy_mode: ``sidecar.localProxyMode``; only exactly ``PodIP`` changes the script.
        network_interface_exclusions: interface names, ``+`` at the end is the kernel's wildcard.
        outbound_ip_range_exclusions: CIDRs as written.
        outbound_ip_range_inclusions: CIDRs as written; empty means every address.
        outbound_port_exclusions: in order, mesh first.
        inbound_port_exclusions: in order, mesh first.
        dns_proxy: ``sidecar.localDNSProxy.enable``; matters only where the system has the rule.
    """

    local_proxy_mode: str = ""
    network_interface_exclusions: tuple[str, ...] = ()
    outbound_ip_range_exclusions: tuple[str, ...] = ()
    outbound_ip_range_inclusions: tuple[str, ...] = ()
    outbound_port_exclusions: tuple[int, ...] = ()
    inbound_port_exclusions: tuple[int, ...] = ()
    dns_proxy: bool = False
