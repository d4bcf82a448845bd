"""Section ``traffic``: what is redirected to the sidecar, and how requests are routed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from fsm_stack.settings.duration import Duration
from fsm_stack.settings.mesh_config.interception import InterceptionMode
from fsm_stack.settings.mesh_config.refusal import refusal
from fsm_stack.settings.mesh_config.scalars import HostName
from fsm_stack.settings.model import Model
from fsm_stack.settings.values import CidrEntry, InterfaceEntry, Port, PortEntry


def _kept_true(value: object) -> object:
    if value is False:
        raise refusal(
            "invalid-value",
            "expected true: FSM cannot keep false here; its programs leave a false out when they "
            "write the MeshConfig, and its CRD then fills in true",
            "Remove the key.",
        )
    return value


# A flag with `omitempty` in the Go type and default true in the CRD: false does not survive.
KeptTrue = Annotated[
    bool, BeforeValidator(_kept_true), WithJsonSchema({"type": "boolean", "const": True})
]


class CloudServiceAccessNames(Model):
    """Names under which services of other registries are reached."""

    with_namespace: KeptTrue = Field(
        True, description="Accept a connected service's name with its namespace."
    )


class ServiceAccessNames(Model):
    """Host names under which a service of the mesh is reached."""

    must_with_service_port: bool = Field(
        False, description="Accept a service's name only with its port."
    )
    with_trust_domain: KeptTrue = Field(
        True, description="Accept a service's name with the trust domain."
    )
    must_with_namespace: KeptTrue = Field(
        True, description="Accept a service's name only with its namespace."
    )
    cloud: CloudServiceAccessNames = Field(
        default_factory=CloudServiceAccessNames.model_construct,
        description="Names of services that connectors bring in.",
    )


class ExternalAuthorization(Model):
    """A service that is asked before inbound and ingress traffic is let in."""

    enable: bool = Field(False, description="Ask an external service to authorize traffic.")
    address: HostName | None = Field(None, description="Host of the authorization service.")
    port: Port | None = Field(None, description="Port of the authorization service.")
    stat_prefix: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$", max_length=253)] | None
    ) = Field(None, description="Prefix of the statistics about it.")
    timeout: Duration | None = Field(None, description="How long an answer may take.")
    failure_mode_allow: bool = Field(
        False, description="Let traffic in when the service does not answer."
    )


class Traffic(Model):
    """What the sidecar intercepts, and the mesh's default policies."""

    interception_mode: InterceptionMode | None = Field(
        None,
        description="Who redirects traffic. FSM: PodLevel (an init container, the default) or "
        "NodeLevel (the node; the lists are then ignored). osm-edge: iptables.",
    )
    enable_egress: bool = Field(True, description="Let pods reach hosts outside the mesh.")
    outbound_ip_range_exclusion_list: tuple[CidrEntry, ...] = Field(
        (),
        alias="outboundIPRangeExclusionList",
        description="Outbound ranges that bypass the sidecar, in every pod.",
    )
    outbound_ip_range_inclusion_list: tuple[CidrEntry, ...] = Field(
        (),
        alias="outboundIPRangeInclusionList",
        description="The only outbound ranges that go through the sidecar, in every pod.",
    )
    outbound_port_exclusion_list: tuple[PortEntry, ...] = Field(
        (), description="Outbound ports that bypass the sidecar, in every pod."
    )
    inbound_port_exclusion_list: tuple[PortEntry, ...] = Field(
        (), description="Inbound ports that bypass the sidecar, in every pod."
    )
    enable_permissive_traffic_policy_mode: bool = Field(
        True, description="Let all services of the mesh talk to each other without policies."
    )
    inbound_external_authorization: ExternalAuthorization = Field(
        default_factory=ExternalAuthorization.model_construct,
        description="External authorization of inbound and ingress traffic.",
    )
    network_interface_exclusion_list: tuple[InterfaceEntry, ...] = Field(
        (), description="Network interfaces whose traffic bypasses the sidecar, in every pod."
    )
    http1_per_request_load_balancing: bool = Field(
        False,
        alias="http1PerRequestLoadBalancing",
        description="Balance each HTTP/1 request, not each connection.",
    )
    http2_per_request_load_balancing: bool = Field(
        True,
        alias="http2PerRequestLoadBalancing",
        description="Balance each HTTP/2 request, not each connection.",
    )
    service_access_mode: Literal["ip", "domain", "mixed"] = Field(
        "mixed", description="Reach services by address, by name, or by both."
    )
    service_access_names: ServiceAccessNames = Field(
        default_factory=ServiceAccessNames.model_construct,
        description="Host names under which services are reached.",
    )
