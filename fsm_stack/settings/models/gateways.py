"""Sections of gateways and load balancers, and ``pluginChains``: the modules of sidecars.

Ranges and choices are those of upstream's v1alpha3 CRD, defaults those of its chart.
"""

from __future__ import annotations

import struct
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from fsm_stack.settings.models.base import DnsName, Model
from fsm_stack.settings.models.scalars import Count, LogLevel
from fsm_stack.settings.models.values import Port

ImageReference = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]*$", max_length=255)
]


class IngressHttp(Model):
    """The plain listener."""

    enabled: bool = Field(True, description="Serve HTTP.")
    bind: Port = Field(80, description="Port of the service.")
    listen: Port = Field(8000, description="Port of the container.")
    node_port: Port = Field(30508, description="Port of the nodes.")


class SslPassthrough(Model):
    """TLS that the backend ends."""

    enabled: bool = Field(False, description="Pass TLS on to backends as it is.")
    upstream_port: Port = Field(443, description="Port of the backends.")


class IngressTls(Model):
    """The TLS listener."""

    enabled: bool = Field(False, description="Serve TLS.")
    bind: Port = Field(443, description="Port of the service.")
    listen: Port = Field(8443, description="Port of the container.")
    node_port: Port = Field(30607, description="Port of the nodes.")
    mtls: bool = Field(False, alias="mTLS", description="Ask clients for a certificate.")
    ssl_passthrough: SslPassthrough = Field(
        default_factory=SslPassthrough.model_construct, description="TLS that the backend ends."
    )


class Ingress(Model):
    """FSM's ingress controller."""

    enabled: bool = Field(False, description="Use FSM's ingress controller.")
    namespaced: bool = Field(False, description="One ingress for each namespace.")
    type: Literal["LoadBalancer", "NodePort"] = Field(
        "LoadBalancer", description="Type of the ingress's service."
    )
    log_level: LogLevel = Field("info", description="How much the ingress logs.")
    http: IngressHttp = Field(
        default_factory=IngressHttp.model_construct, description="The plain listener."
    )
    tls: IngressTls = Field(
        default_factory=IngressTls.model_construct, description="The TLS listener."
    )


class GatewayApi(Model):
    """FSM's implementation of the Gateway API."""

    enabled: bool = Field(False, description="Use FSM's Gateway API controller.")
    log_level: LogLevel = Field("info", description="How much gateways log.")


class ServiceLb(Model):
    """FSM's load balancer for services without a cloud."""

    enabled: bool = Field(False, description="Use FSM's service load balancer.")
    image: ImageReference = Field(
        "flomesh/mirrored-klipper-lb:v0.4.7", description="Its image on the nodes."
    )


class Flb(Model):
    """Flomesh's external load balancer."""

    enabled: bool = Field(False, description="Use an external load balancer of Flomesh.")
    strict_mode: bool = Field(False, description="Serve only namespaces that have a Secret.")
    upstream_mode: Literal["NodePort", "Endpoint"] = Field(
        "Endpoint", description="Balance to node ports, or to endpoints."
    )
    secret_name: DnsName = Field(
        "fsm-flb-secret", description="The Secret with its address and credentials."
    )


class EgressGateway(Model):
    """FSM's gateway for traffic that leaves the mesh."""

    enabled: bool = Field(False, description="Use FSM's egress gateway.")
    log_level: LogLevel = Field("error", description="How much the gateway logs.")
    mode: Literal["http2tunnel", "sock5"] = Field(
        "http2tunnel", description="How sidecars reach the gateway."
    )
    port: Port = Field(1080, description="Port of the gateway.")
    admin_port: Port = Field(6060, description="Port of its administration.")
    replicas: Count = Field(1, description="Number of gateway pods.")


def single_precision(value: float) -> float:
    """The shortest decimal that names the nearest 32-bit float: upstream's type of a priority."""
    nearest = struct.unpack("f", struct.pack("f", value))[0]
    shorter = (float(f"{nearest:.{digits}g}") for digits in range(1, 10))
    return next(s for s in shorter if struct.pack("f", s) == struct.pack("f", nearest))


class Plugin(Model):
    """One module of a chain."""

    plugin: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=253)
    ] = Field(description="The module's path in the repository, without .js.")
    priority: Annotated[
        float, Field(ge=-1e6, le=1e6, allow_inf_nan=False), AfterValidator(single_precision)
    ] = Field(description="Its place: a higher number runs earlier.")
    disable: bool = Field(False, description="Leave the module out.")


def _chain(first: int, *modules: str) -> tuple[Plugin, ...]:
    """Modules in steps of ten, from the highest priority down."""
    return tuple(
        Plugin.model_construct(plugin=f"modules/{module}", priority=float(first - 10 * place))
        for place, module in enumerate(modules)
    )


# The defaults are the chart's. Source: flomesh-io/fsm charts/fsm/values.yaml, fsm.pluginChains.
_INBOUND_TCP = _chain(
    130,
    "inbound-tls-termination",
    "inbound-tcp-routing",
    "inbound-tcp-load-balancing",
    "inbound-tcp-default",
)
_INBOUND_HTTP = _chain(
    180,
    "inbound-tls-termination",
    "inbound-http-routing",
    "inbound-metrics-http",
    "inbound-tracing-http",
    "inbound-logging-http",
    "inbound-throttle-service",
    "inbound-throttle-route",
    "inbound-http-load-balancing",
    "inbound-http-default",
)
_OUTBOUND_TCP = _chain(
    120, "outbound-tcp-routing", "outbound-tcp-load-balancing", "outbound-tcp-default"
)
_OUTBOUND_HTTP = _chain(
    160,
    "outbound-http-routing",
    "outbound-metrics-http",
    "outbound-tracing-http",
    "outbound-logging-http",
    "outbound-circuit-breaker",
    "outbound-http-load-balancing",
    "outbound-http-default",
)


class PluginChains(Model):
    """The chains of modules; a chain that is set replaces the whole default chain."""

    inbound_tcp: tuple[Plugin, ...] = Field(
        _INBOUND_TCP, alias="inbound-tcp", description="Modules for inbound TCP."
    )
    inbound_http: tuple[Plugin, ...] = Field(
        _INBOUND_HTTP, alias="inbound-http", description="Modules for inbound HTTP."
    )
    outbound_tcp: tuple[Plugin, ...] = Field(
        _OUTBOUND_TCP, alias="outbound-tcp", description="Modules for outbound TCP."
    )
    outbound_http: tuple[Plugin, ...] = Field(
        _OUTBOUND_HTTP, alias="outbound-http", description="Modules for outbound HTTP."
    )
