"""Sections ``traffic`` and ``warmup``: what is redirected, how, and how requests are routed."""

from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from fsm_stack.settings.models.base import (
    Duration,
    HostName,
    Model,
    matching,
    refusal,
    section,
    setting,
)
from fsm_stack.settings.models.values import CidrEntry, InterfaceEntry, Port, PortEntry
from fsm_stack.settings.problems import shown
from fsm_stack.systems import system

# Every mode that some system has; which of them a stack may use depends on its system.
# Source: the enum in FSM's v1alpha3 CRD; requirement C21 for osm-edge. OSM has no such field.
MODES: Final = ("PodLevel", "NodeLevel", "iptables")


def _aside(mode: object) -> str:
    """What a mode that people try is, in a clause; empty for a typing error."""
    if isinstance(mode, str) and mode.casefold() == "ebpf":
        return "; eBPF interception is not a mode here"
    return ""


def parse_mode(value: object) -> str:
    """A mode of one of the systems.

    Raises:
        PydanticCustomError: ``unsupported-mode``, naming the modes and the likely right one.
    """
    if isinstance(value, str) and value in MODES:
        return value
    folded = str(value).casefold()
    meant = next((mode for mode in MODES if mode.casefold() == folded), None)
    raise refusal(
        "unsupported-mode",
        f"FSM has PodLevel and NodeLevel, osm-edge has iptables, got {shown(value)}"
        f"{_aside(value)}",
        f"Write {meant}." if meant else "Write PodLevel (FSM) or iptables (osm-edge).",
    )


def check_mode(mode: str | None, system_name: str) -> str | None:
    """What is wrong with an interception mode in a system, with the right value; None if nothing.

    Args:
        mode: the setting ``traffic.interceptionMode``; None when the stack does not set it.
        system_name: ``fsm``, ``osm-edge`` or ``osm``.
    """
    known = system(system_name)
    if mode is None or mode in known.interception_modes:
        return None
    if not known.interception_modes:
        return (
            f"{known.title} has no interception modes, got {shown(mode)}; its init container "
            "always redirects: remove the setting"
        )
    first = known.interception_modes[0]
    modes = " and ".join(known.interception_modes)
    choice = modes if len(known.interception_modes) > 1 else f"only {modes}"
    return f"{known.title} has {choice}, got {shown(mode)}{_aside(mode)}; write {first}"


def effective_mode(mode: str | None, system_name: str) -> str | None:
    """The mode that counts: the setting, or the system's own default; None where it has none."""
    modes = system(system_name).interception_modes
    return mode or (modes[0] if modes else None)


InterceptionMode = Annotated[
    Literal["PodLevel", "NodeLevel", "iptables"],
    BeforeValidator(parse_mode),
    WithJsonSchema({"type": "string", "enum": list(MODES)}),
]


Weight = Annotated[int, Field(ge=0, le=100)]


class Warmup(Model):
    """The mesh's default warm-up policy."""

    enable: bool = setting(False, "Warm new endpoints up.")
    duration: Duration = setting("90s", "How long an endpoint warms up.")
    min_weight: Weight = setting(10, "Share of its weight at the start, in percent.")
    max_weight: Weight = setting(100, "Share of its weight at the end, in percent.")
    aggression: Annotated[float, Field(ge=1, le=1e6, allow_inf_nan=False)] = setting(
        1.0, "How fast the share grows: 1 is linear, more is faster at first."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_weight > self.max_weight:
            raise refusal(
                "invalid-value",
                f"expected minWeight at most maxWeight, got {self.min_weight} and "
                f"{self.max_weight}",
                f"Set minWeight to {self.max_weight} or less.",
            )
        return self


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

    with_namespace: KeptTrue = setting(
        True, "Accept a connected service's name with its namespace."
    )


class ServiceAccessNames(Model):
    """Host names under which a service of the mesh is reached."""

    must_with_service_port: bool = setting(False, "Accept a service's name only with its port.")
    with_trust_domain: KeptTrue = setting(True, "Accept a service's name with the trust domain.")
    must_with_namespace: KeptTrue = setting(
        True, "Accept a service's name only with its namespace."
    )
    cloud: CloudServiceAccessNames = section(
        CloudServiceAccessNames, "Names of services that connectors bring in."
    )


class ExternalAuthorization(Model):
    """A service that is asked before inbound and ingress traffic is let in."""

    enable: bool = setting(False, "Ask an external service to authorize traffic.")
    address: HostName | None = setting(None, "Host of the authorization service.")
    port: Port | None = setting(None, "Port of the authorization service.")
    stat_prefix: (
        Annotated[
            str,
            matching(
                r"^[A-Za-z0-9_.-]+$", "a name of letters, digits, '-', '_' and '.'", max_length=253
            ),
        ]
        | None
    ) = setting(None, "Prefix of the statistics about it.")
    timeout: Duration | None = setting(None, "How long an answer may take.")
    failure_mode_allow: bool = setting(False, "Let traffic in when the service does not answer.")


class Traffic(Model):
    """What the sidecar intercepts, and the mesh's default policies."""

    interception_mode: InterceptionMode | None = setting(
        None,
        "Who redirects traffic. FSM: PodLevel (an init container, the default) or "
        "NodeLevel (the node; the lists are then ignored). osm-edge: iptables.",
    )
    enable_egress: bool = setting(True, "Let pods reach hosts outside the mesh.")
    outbound_ip_range_exclusion_list: tuple[CidrEntry, ...] = setting(
        (),
        "Outbound ranges that bypass the sidecar, in every pod.",
        alias="outboundIPRangeExclusionList",
    )
    outbound_ip_range_inclusion_list: tuple[CidrEntry, ...] = setting(
        (),
        "The only outbound ranges that go through the sidecar, in every pod.",
        alias="outboundIPRangeInclusionList",
    )
    outbound_port_exclusion_list: tuple[PortEntry, ...] = setting(
        (), "Outbound ports that bypass the sidecar, in every pod."
    )
    inbound_port_exclusion_list: tuple[PortEntry, ...] = setting(
        (), "Inbound ports that bypass the sidecar, in every pod."
    )
    enable_permissive_traffic_policy_mode: bool = setting(
        True, "Let all services of the mesh talk to each other without policies."
    )
    inbound_external_authorization: ExternalAuthorization = section(
        ExternalAuthorization, "External authorization of inbound and ingress traffic."
    )
    network_interface_exclusion_list: tuple[InterfaceEntry, ...] = setting(
        (), "Network interfaces whose traffic bypasses the sidecar, in every pod."
    )
    http1_per_request_load_balancing: bool = setting(
        False,
        "Balance each HTTP/1 request, not each connection.",
        alias="http1PerRequestLoadBalancing",
    )
    http2_per_request_load_balancing: bool = setting(
        True,
        "Balance each HTTP/2 request, not each connection.",
        alias="http2PerRequestLoadBalancing",
    )
    service_access_mode: Literal["ip", "domain", "mixed"] = setting(
        "mixed", "Reach services by address, by name, or by both."
    )
    service_access_names: ServiceAccessNames = section(
        ServiceAccessNames, "Host names under which services are reached."
    )
