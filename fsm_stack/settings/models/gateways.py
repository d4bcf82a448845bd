"""Sections of gateways and load balancers, and ``pluginChains``: the modules of sidecars.

Ranges and choices are those of upstream's v1alpha3 CRD, defaults those of its chart.
"""

import struct
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fsm_stack.settings.models.base import (
    Count,
    DnsName,
    LogLevel,
    Model,
    matching,
    section,
    setting,
)
from fsm_stack.settings.models.values import Port

ImageReference = Annotated[
    str,
    matching(
        r"^[a-z0-9][A-Za-z0-9._:/@-]*$", "an image such as example.com/team/lb:1.2", max_length=255
    ),
]


class IngressHttp(Model):
    """The plain listener."""

    enabled: bool = setting(True, "Serve HTTP.")
    bind: Port = setting(80, "Port of the service.")
    listen: Port = setting(8000, "Port of the container.")
    node_port: Port = setting(30508, "Port of the nodes.")


class SslPassthrough(Model):
    """TLS that the backend ends."""

    enabled: bool = setting(False, "Pass TLS on to backends as it is.")
    upstream_port: Port = setting(443, "Port of the backends.")


class IngressTls(Model):
    """The TLS listener."""

    enabled: bool = setting(False, "Serve TLS.")
    bind: Port = setting(443, "Port of the service.")
    listen: Port = setting(8443, "Port of the container.")
    node_port: Port = setting(30607, "Port of the nodes.")
    mtls: bool = setting(False, "Ask clients for a certificate.", alias="mTLS")
    ssl_passthrough: SslPassthrough = section(SslPassthrough, "TLS that the backend ends.")


class Ingress(Model):
    """FSM's ingress controller."""

    enabled: bool = setting(False, "Use FSM's ingress controller.")
    namespaced: bool = setting(False, "One ingress for each namespace.")
    type: Literal["LoadBalancer", "NodePort"] = setting(
        "LoadBalancer", "Type of the ingress's service."
    )
    log_level: LogLevel = setting("info", "How much the ingress logs.")
    http: IngressHttp = section(IngressHttp, "The plain listener.")
    tls: IngressTls = section(IngressTls, "The TLS listener.")


class GatewayApi(Model):
    """FSM's implementation of the Gateway API."""

    enabled: bool = setting(False, "Use FSM's Gateway API controller.")
    log_level: LogLevel = setting("info", "How much gateways log.")


class ServiceLb(Model):
    """FSM's load balancer for services without a cloud."""

    enabled: bool = setting(False, "Use FSM's service load balancer.")
    image: ImageReference = setting(
        "flomesh/mirrored-klipper-lb:v0.4.7", "Its image on the nodes."
    )


class Flb(Model):
    """Flomesh's external load balancer."""

    enabled: bool = setting(False, "Use an external load balancer of Flomesh.")
    strict_mode: bool = setting(False, "Serve only namespaces that have a Secret.")
    upstream_mode: Literal["NodePort", "Endpoint"] = setting(
        "Endpoint", "Balance to node ports, or to endpoints."
    )
    secret_name: DnsName = setting(
        "fsm-flb-secret", "The Secret with its address and credentials."
    )


class EgressGateway(Model):
    """FSM's gateway for traffic that leaves the mesh."""

    enabled: bool = setting(False, "Use FSM's egress gateway.")
    log_level: LogLevel = setting("error", "How much the gateway logs.")
    mode: Literal["http2tunnel", "sock5"] = setting(
        "http2tunnel", "How sidecars reach the gateway."
    )
    port: Port = setting(1080, "Port of the gateway.")
    admin_port: Port = setting(6060, "Port of its administration.")
    replicas: Count = setting(1, "Number of gateway pods.")


def single_precision(value: float) -> float:
    """The shortest decimal that names the nearest 32-bit float: upstream's type of a priority."""
    nearest = struct.unpack("f", struct.pack("f", value))[0]
    shorter = (float(f"{nearest:.{digits}g}") for digits in range(1, 10))
    return next(s for s in shorter if struct.pack("f", s) == struct.pack("f", nearest))


class Plugin(Model):
    """One module of a chain."""

    plugin: Annotated[
        str,
        matching(
            r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", "a module's path such as demo/filter", max_length=253
        ),
    ] = Field(description="The module's path in the repository, without .js.")
    priority: Annotated[
        float, Field(ge=-1e6, le=1e6, allow_inf_nan=False), AfterValidator(single_precision)
    ] = Field(description="Its place: a higher number runs earlier.")
    disable: bool = setting(False, "Leave the module out.")


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

    inbound_tcp: tuple[Plugin, ...] = setting(
        _INBOUND_TCP, "Modules for inbound TCP.", alias="inbound-tcp"
    )
    inbound_http: tuple[Plugin, ...] = setting(
        _INBOUND_HTTP, "Modules for inbound HTTP.", alias="inbound-http"
    )
    outbound_tcp: tuple[Plugin, ...] = setting(
        _OUTBOUND_TCP, "Modules for outbound TCP.", alias="outbound-tcp"
    )
    outbound_http: tuple[Plugin, ...] = setting(
        _OUTBOUND_HTTP, "Modules for outbound HTTP.", alias="outbound-http"
    )
