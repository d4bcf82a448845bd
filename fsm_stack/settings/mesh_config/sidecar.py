"""Section ``sidecar``: the proxy beside each application, and its init container."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from fsm_stack.settings.components import Resources
from fsm_stack.settings.duration import Duration
from fsm_stack.settings.mesh_config.dns import LocalDnsProxy, XNetDnsProxy
from fsm_stack.settings.mesh_config.scalars import Count
from fsm_stack.settings.model import Model

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
