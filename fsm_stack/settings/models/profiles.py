"""Annotation profiles: named sets of pod-scoped settings, and the presets they may start from."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from fsm_stack.settings.models.base import Model
from fsm_stack.settings.models.values import CidrEntry, PortEntry

Preset = Literal[
    "kubernetes-api",
    "cloud-metadata",
    "cloud-metadata-alibaba",
    "cloud-metadata-oracle-classic",
    "control-plane",
]

PRESETS: Final[dict[str, str]] = {
    "kubernetes-api": "traffic to the Kubernetes API server, at cluster.apiServer.address",
    "cloud-metadata": "instance metadata of AWS, Azure, Google Cloud and others, 169.254.169.254",
    "cloud-metadata-alibaba": "instance metadata of Alibaba Cloud, 100.100.100.200",
    "cloud-metadata-oracle-classic": "instance metadata of Oracle Cloud Classic, 192.0.0.192",
    "control-plane": "traffic to FSM's control plane: its repository 6060, health 9091, "
    "webhooks 9090, 9093 and 9443",
}

# Each cloud's documented link-local or reserved metadata address.
METADATA_RANGES: Final = {
    "cloud-metadata": "169.254.169.254/32",
    "cloud-metadata-alibaba": "100.100.100.200/32",
    "cloud-metadata-oracle-classic": "192.0.0.192/32",
}

# Ports of FSM's services. Source: the chart's Services fsm-controller, fsm-injector,
# fsm-validator and fsm-bootstrap.
CONTROL_PLANE_PORTS: Final = (6060, 9090, 9091, 9093, 9443)


class AnnotationProfile(Model):
    """Pod-scoped redirection settings under a name, merged with the mesh's by the injector."""

    description: str = Field("", description="What kind of pod this is for.")
    presets: tuple[Preset, ...] = Field((), description="Common exclusions to start from.")
    outbound_port_exclusion_list: tuple[PortEntry, ...] = Field(
        (), description="Outbound ports that bypass the sidecar."
    )
    inbound_port_exclusion_list: tuple[PortEntry, ...] = Field(
        (), description="Inbound ports that bypass the sidecar."
    )
    outbound_ip_range_exclusion_list: tuple[CidrEntry, ...] = Field(
        (),
        alias="outboundIPRangeExclusionList",
        description="Outbound ranges that bypass the sidecar.",
    )
    outbound_ip_range_inclusion_list: tuple[CidrEntry, ...] = Field(
        (),
        alias="outboundIPRangeInclusionList",
        description="The only outbound ranges that go through the sidecar.",
    )
