"""The DNS proxies of the sidecar and of the node network."""

from __future__ import annotations

from pydantic import Field

from fsm_stack.settings.mesh_config.scalars import HostName, IPAddress, IPv4, IPv6
from fsm_stack.settings.model import DnsLabel, DnsName, Model
from fsm_stack.settings.values import Port


class ResolvedAddress(Model):
    """An answer of the DNS proxy."""

    ipv4: IPv4 = Field(description="The IPv4 address of the answer.")
    ipv6: IPv6 | None = Field(None, description="The IPv6 address of the answer.")


class WildcardDomain(Model):
    """Answers for names that resolve nowhere else."""

    enable: bool = Field(False, description="Answer names that resolve nowhere else.")
    los: tuple[ResolvedAddress, ...] = Field((), description="Loopback addresses of the answer.")
    ips: tuple[ResolvedAddress, ...] = Field(
        (ResolvedAddress.model_construct(ipv4="127.0.0.2"),),
        description="Addresses of the answer.",
    )


class ResolvedDomain(Model):
    """Fixed answers for one name."""

    dn: HostName = Field(description="The domain name.")
    ips: tuple[ResolvedAddress, ...] = Field(description="Its addresses.")


class LocalDnsProxy(Model):
    """The sidecar's DNS proxy."""

    enable: bool = Field(False, description="Let the sidecar answer DNS queries.")
    primary_upstream_dns_server_ip_addr: IPAddress | None = Field(
        None,
        alias="primaryUpstreamDNSServerIPAddr",
        description="The DNS server that is asked first.",
    )
    secondary_upstream_dns_server_ip_addr: IPAddress | None = Field(
        None,
        alias="secondaryUpstreamDNSServerIPAddr",
        description="The DNS server that is asked second.",
    )
    generate_ipv6_based_on_ipv4: bool = Field(
        False,
        alias="generateIPv6BasedOnIPv4",
        description="Derive IPv6 answers from IPv4 answers.",
    )
    wildcard: WildcardDomain = Field(
        default_factory=WildcardDomain.model_construct,
        description="Answers for names that resolve nowhere else.",
    )
    db: tuple[ResolvedDomain, ...] = Field((), description="Fixed answers.")


class DnsUpstream(Model):
    """A DNS server behind the node network's proxy: a service, or an address."""

    name: DnsName | None = Field(None, description="The service's name.")
    namespace: DnsLabel | None = Field(
        None, description="The service's namespace; the control plane's if absent."
    )
    ip: IPAddress | None = Field(None, description="An address, in place of a service.")
    port: Port = Field(53, description="The server's port.")


class XNetDnsProxy(Model):
    """The DNS proxy of the node network (NodeLevel)."""

    enable: bool = Field(False, description="Let the node network answer DNS queries.")
    upstreams: tuple[DnsUpstream, ...] = Field(
        (DnsUpstream.model_construct(name="fsm-controller"),),
        description="The DNS servers behind it.",
    )
