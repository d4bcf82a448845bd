"""Section ``pluginChains``: the order of Pipy modules in a sidecar."""

from __future__ import annotations

import struct
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from fsm_stack.settings.model import Model


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
