"""Section ``sidecar``: the proxy beside each application, its init container, the DNS proxies."""

from typing import Annotated, Literal

from pydantic import Field

from fsm_stack.settings.models.base import (
    Count,
    DnsLabel,
    DnsName,
    Duration,
    HostName,
    IPAddress,
    IPv4,
    IPv6,
    Model,
    matching,
    section,
    setting,
)
from fsm_stack.settings.models.components import Resources
from fsm_stack.settings.models.values import Port


class ResolvedAddress(Model):
    """An answer of the DNS proxy."""

    ipv4: IPv4 = Field(description="The IPv4 address of the answer.")
    ipv6: IPv6 | None = setting(None, "The IPv6 address of the answer.")


class WildcardDomain(Model):
    """Answers for names that resolve nowhere else."""

    enable: bool = setting(False, "Answer names that resolve nowhere else.")
    los: tuple[ResolvedAddress, ...] = setting((), "Loopback addresses of the answer.")
    ips: tuple[ResolvedAddress, ...] = setting(
        (ResolvedAddress.model_construct(ipv4="127.0.0.2"),), "Addresses of the answer."
    )


class ResolvedDomain(Model):
    """Fixed answers for one name."""

    dn: HostName = Field(description="The domain name.")
    ips: tuple[ResolvedAddress, ...] = Field(description="Its addresses.")


class LocalDnsProxy(Model):
    """The sidecar's DNS proxy."""

    enable: bool = setting(False, "Let the sidecar answer DNS queries.")
    primary_upstream_dns_server_ip_addr: IPAddress | None = setting(
        None, "The DNS server that is asked first.", alias="primaryUpstreamDNSServerIPAddr"
    )
    secondary_upstream_dns_server_ip_addr: IPAddress | None = setting(
        None, "The DNS server that is asked second.", alias="secondaryUpstreamDNSServerIPAddr"
    )
    generate_ipv6_based_on_ipv4: bool = setting(
        False, "Derive IPv6 answers from IPv4 answers.", alias="generateIPv6BasedOnIPv4"
    )
    wildcard: WildcardDomain = section(
        WildcardDomain, "Answers for names that resolve nowhere else."
    )
    db: tuple[ResolvedDomain, ...] = setting((), "Fixed answers.")


class DnsUpstream(Model):
    """A DNS server behind the node network's proxy: a service, or an address."""

    name: DnsName | None = setting(None, "The service's name.")
    namespace: DnsLabel | None = setting(
        None, "The service's namespace; the control plane's if absent."
    )
    ip: IPAddress | None = setting(None, "An address, in place of a service.")
    port: Port = setting(53, "The server's port.")


class XNetDnsProxy(Model):
    """The DNS proxy of the node network (NodeLevel)."""

    enable: bool = setting(False, "Let the node network answer DNS queries.")
    upstreams: tuple[DnsUpstream, ...] = setting(
        (DnsUpstream.model_construct(name="fsm-controller"),), "The DNS servers behind it."
    )


# Source: FSM's values.schema.json, fsm.sidecar.sidecarLogLevel; Pipy's --log-level takes it.
SidecarLogLevel = Literal["trace", "debug", "info", "warning", "warn", "error", "critical", "off"]
# Source: the comment of SidecarSpec.TLSMinProtocolVersion in FSM's v1alpha3 types.
TlsVersion = Literal["TLS_AUTO", "TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"]
# Names of ciphers and curves in OpenSSL's spelling; which exist depends on the sidecar's build.
CryptoName = Annotated[
    str, matching(r"^[A-Za-z0-9_-]+$", "a name of letters, digits, '-' and '_'", max_length=64)
]


class Sidecar(Model):
    """The proxy that is injected into pods."""

    enable_privileged_init_container: bool = setting(
        False, "Run the init container, which loads the rules, as privileged."
    )
    compress_config: bool = setting(True, "Compress the configuration of sidecars.")
    hold_application_until_proxy_starts: bool = setting(
        True, "Start the application only once its sidecar is ready."
    )
    graceful_exit_until_downstream_ends: bool = setting(
        True, "Keep the sidecar until its open connections have ended."
    )
    log_level: SidecarLogLevel = setting("error", "How much sidecars log.")
    sidecar_disabled_mtls: bool = setting(
        False, "Let sidecars talk to each other without mTLS.", alias="sidecarDisabledMTLS"
    )
    max_data_plane_connections: Count = setting(
        0, "Most sidecars that one controller serves; 0 is no limit."
    )
    config_resync_interval: Duration = setting(
        "0s", "How often all sidecars get their configuration anew; 0s is never."
    )
    sidecar_timeout: Count = setting(
        60, "Connect, idle, read and write timeout of sidecars, in seconds."
    )
    resources: Resources = section(Resources, "Resources of sidecars.")
    init_resources: Resources = section(Resources, "Resources of init containers.")
    healthcheck_resources: Resources = section(
        Resources, "Resources of the helper for TCP probes."
    )
    tls_min_protocol_version: TlsVersion | None = setting(
        None, "The oldest TLS version that sidecars accept."
    )
    tls_max_protocol_version: TlsVersion | None = setting(
        None, "The newest TLS version that sidecars offer."
    )
    cipher_suites: tuple[CryptoName, ...] = setting(
        (), "Ciphers for TLS 1.0 to 1.2, in OpenSSL's names."
    )
    ecdh_curves: tuple[CryptoName, ...] = setting((), "Curves of the key exchange.")
    local_proxy_mode: Literal["Localhost", "PodIP"] = setting(
        "Localhost", "Where a sidecar reaches its application."
    )
    local_dns_proxy: LocalDnsProxy = section(
        LocalDnsProxy, "The sidecar's DNS proxy.", alias="localDNSProxy"
    )
    xnet_dns_proxy: XNetDnsProxy = section(
        XNetDnsProxy, "The DNS proxy of the node network (NodeLevel).", alias="xnetDNSProxy"
    )
