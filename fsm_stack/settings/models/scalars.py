"""Small typed values that several sections share, and how they refuse a value."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from fsm_stack.settings.models import base
from fsm_stack.settings.models.values import parse_port


def refusal(rule_id: str, message: str, fix: str = "") -> PydanticCustomError:
    """An error for a validator to raise; the text is context, because braces are a template."""
    return PydanticCustomError(rule_id, "{message}", {"message": message, "fix": fix})


# Log levels of FSM's programs. Source: the enum in upstream's v1alpha3 CRD.
LogLevel = Literal["trace", "debug", "info", "warn", "error", "fatal", "panic", "disabled"]

# Upstream holds these ports in Go's int16; a higher one makes every program's decoding fail.
# Source: flomesh-io/fsm pkg/apis/config/v1alpha3, RepoServerSpec, TracingSpec, RemoteLoggingSpec.
SMALL_PORT_MAX: Final = 32767


def _small_port(value: object) -> int:
    port = parse_port(value)
    if port > SMALL_PORT_MAX:
        raise refusal(
            "invalid-port",
            f"expected a port from 1 to {SMALL_PORT_MAX}, got {port}; FSM holds this port in 16 "
            "signed bits",
            "Let the server listen on a lower port.",
        )
    return port


SmallPort = Annotated[
    int,
    BeforeValidator(_small_port),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": SMALL_PORT_MAX}),
]

# A whole number that every reader holds: Go's int32.
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]

# A host name or an address; the alphabet has no blank and no shell syntax.
HostName = Annotated[str, StringConstraints(pattern=base.HOST_NAME, max_length=253)]
# A path in a URL, with a query where a collector wants one.
UrlPath = Annotated[
    str,
    StringConstraints(pattern=r"^/[A-Za-z0-9._~/%-]*(\?[A-Za-z0-9._~/%=&+-]*)?$", max_length=1024),
]
IPv4 = Annotated[
    str,
    StringConstraints(pattern=base.IPV4_ADDRESS),
]
IPv6 = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){2,7}$", max_length=45)
]
IPAddress = Annotated[
    str,
    StringConstraints(
        pattern=rf"^({base.IPV4}|[0-9A-Fa-f]{{0,4}}(:[0-9A-Fa-f]{{0,4}}){{2,7}})$",
        max_length=45,
    ),
]
# A share from 0 to 1, as text: upstream's type is a string.
Fraction = Annotated[str, StringConstraints(pattern=r"^(0(\.[0-9]{1,9})?|1(\.0{1,9})?)$")]
# A name in a place of a multi-cluster: region, zone, group, cluster.
PlaceName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=63)
]
