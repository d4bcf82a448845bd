"""Section ``sidecar``: the proxy beside each application, its init container, the DNS proxies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from fsm_stack.settings.models.base import DnsLabel, DnsName, Model
from fsm_stack.settings.models.components import Resources
from fsm_stack.settings.models.scalars import Count, HostName, IPAddress, IPv4, IPv6
from fsm_stack.settings.models.values import Port
from fsm_stack.units import Duration


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


# Source: FSM's values.schema.json, fsm.sidecar.sidecarLogLevel; Pipy's --log-level takes it.
SidecarLogLevel = Literal["trace", "debug", "info", "warning", "warn", "error", "critical", "off"]
# Source: the comment of SidecarSpec.TLSMinProtocolVersion in FSM's v1alpha3 types.
TlsVersion = Literal["TLS_AUTO", "TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"]
# Names of ciphers and curves in OpenSSL's spelling; which exist depends on the sidecar's build.
CryptoName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]


class Sidecar(Model):
    """The proxy that is injected into pods."""

    enable_privileged_init_container: bool = Field(
        False, description="Run the init container, which loads the rules, as privileged."
    )
    compress_config: bool = Field(True, description="Compress the configuration of sidecars.")
    hold_application_until_proxy_starts: bool = Field(
        True, description="Start the application only once its sidecar is ready."
    )
    graceful_exit_until_downstream_ends: bool = Field(
        True, description="Keep the sidecar until its open connections have ended."
    )
    log_level: SidecarLogLevel = Field("error", description="How much sidecars log.")
    sidecar_disabled_mtls: bool = Field(
        False,
        alias="sidecarDisabledMTLS",
        description="Let sidecars talk to each other without mTLS.",
    )
    max_data_plane_connections: Count = Field(
        0, description="Most sidecars that one controller serves; 0 is no limit."
    )
    config_resync_interval: Duration = Field(
        "0s", description="How often all sidecars get their configuration anew; 0s is never."
    )
    sidecar_timeout: Count = Field(
        60, description="Connect, idle, read and write timeout of sidecars, in seconds."
    )
    resources: Resources = Field(
        default_factory=Resources.model_construct, description="Resources of sidecars."
    )
    init_resources: Resources = Field(
        default_factory=Resources.model_construct, description="Resources of init containers."
    )
    healthcheck_resources: Resources = Field(
        default_factory=Resources.model_construct,
        description="Resources of the helper for TCP probes.",
    )
    tls_min_protocol_version: TlsVersion | None = Field(
        None, description="The oldest TLS version that sidecars accept."
    )
    tls_max_protocol_version: TlsVersion | None = Field(
        None, description="The newest TLS version that sidecars offer."
    )
    cipher_suites: tuple[CryptoName, ...] = Field(
        (), description="Ciphers for TLS 1.0 to 1.2, in OpenSSL's names."
    )
    ecdh_curves: tuple[CryptoName, ...] = Field((), description="Curves of the key exchange.")
    local_proxy_mode: Literal["Localhost", "PodIP"] = Field(
        "Localhost", description="Where a sidecar reaches its application."
    )
    local_dns_proxy: LocalDnsProxy = Field(
        default_factory=LocalDnsProxy.model_construct,
        alias="localDNSProxy",
        description="The sidecar's DNS proxy.",
    )
    xnet_dns_proxy: XNetDnsProxy = Field(
        default_factory=XNetDnsProxy.model_construct,
        alias="xnetDNSProxy",
        description="The DNS proxy of the node network (NodeLevel).",
    )
