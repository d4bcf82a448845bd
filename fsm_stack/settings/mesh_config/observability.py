"""Section ``observability``: logs and traces; credentials are named, never held."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema

from fsm_stack.settings.mesh_config.refusal import refusal
from fsm_stack.settings.mesh_config.scalars import (
    Fraction,
    HostName,
    LogLevel,
    SmallPort,
    UrlPath,
)
from fsm_stack.settings.model import DnsName, Model


def _no_secret(value: object) -> None:
    if value is None or value == "":
        return
    raise refusal(
        "secret-value",
        "expected no value: the credentials of remote logging are a secret, and no setting takes "
        "one",
        "Put it into a Secret in the control plane's namespace and name that in "
        "observability.remoteLogging.secretName.",
    )


class Tracing(Model):
    """Where sidecars send traces."""

    enable: bool = Field(False, description="Let sidecars send traces.")
    port: SmallPort | None = Field(
        None, description="Port of the collector; 9411 where tracing is on and nothing is set."
    )
    address: HostName | None = Field(
        None, description="Host of the collector; Jaeger beside the control plane if absent."
    )
    endpoint: UrlPath | None = Field(
        None,
        description="Path at the collector; /api/v2/spans where tracing is on and nothing is set.",
    )
    sampled_fraction: Fraction | None = Field(
        None, description="Share of requests that are traced, from '0' to '1'; all if absent."
    )


class RemoteLogging(Model):
    """Where sidecars send access logs."""

    enable: bool = Field(False, description="Let sidecars send access logs.")
    level: Annotated[int, Field(ge=0, le=2)] | None = Field(
        None, description="How much is sent, 0 to 2; 2 where it is on and nothing is set."
    )
    port: SmallPort | None = Field(
        None, description="Port of the collector; 30514 where it is on and nothing is set."
    )
    address: HostName | None = Field(None, description="Host of the collector.")
    endpoint: UrlPath | None = Field(None, description="Path at the collector.")
    authorization: SkipJsonSchema[Annotated[None, BeforeValidator(_no_secret)]] = Field(
        None, exclude=True, description="Not a setting: credentials belong into secretName."
    )
    sampled_fraction: Fraction | None = Field(
        None,
        description="Share of requests that are logged, from '0' to '1'; all where it is on and "
        "nothing is set.",
    )
    secret_name: DnsName = Field(
        "fsm-remote-logging-secret",
        description="The Secret with the collector's credentials, beside the control plane.",
    )


class Observability(Model):
    """Logs and traces."""

    fsm_log_level: LogLevel = Field("info", description="How much the control plane logs.")
    tracing: Tracing = Field(
        default_factory=Tracing.model_construct, description="Traces of requests."
    )
    remote_logging: RemoteLogging = Field(
        default_factory=RemoteLogging.model_construct, description="Access logs of sidecars."
    )
