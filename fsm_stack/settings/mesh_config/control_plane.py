"""Sections ``clusterSet``, ``repoServer``, ``certificate`` and ``connector``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from fsm_stack.settings.duration import Duration
from fsm_stack.settings.mesh_config.scalars import HostName, PlaceName, SmallPort
from fsm_stack.settings.model import DnsLabel, DnsName, Model

Text = Annotated[str, StringConstraints(pattern=r"^[ -~]*$", max_length=1024)]
Identity = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]{0,62})$")]


class ClusterProperty(Model):
    """A name and a value that describe the cluster."""

    name: Annotated[str, StringConstraints(pattern=r"^[ -~]+$", max_length=253)] = Field(
        description="The property's name."
    )
    value: Text = Field(description="The property's value.")


class ClusterSet(Model):
    """Where this cluster stands among the clusters of a multi-cluster mesh."""

    is_managed: bool = Field(False, description="A control plane of another cluster manages it.")
    uid: Identity | None = Field(
        None, description="The cluster's identity; derived from the stack if absent."
    )
    region: PlaceName = Field("default", description="The cluster's region.")
    zone: PlaceName = Field("default", description="The cluster's zone.")
    group: PlaceName = Field("default", description="The cluster's group.")
    name: PlaceName = Field("local", description="The cluster's name.")
    control_plane_uid: Identity | None = Field(
        None,
        alias="controlPlaneUID",
        description="The identity of the cluster that manages this one.",
    )
    properties: tuple[ClusterProperty, ...] = Field((), description="More about the cluster.")


class RepoServer(Model):
    """The Pipy repository from which sidecars take their scripts."""

    ipaddr: HostName = Field("127.0.0.1", description="Address of the repository.")
    port: SmallPort = Field(6060, description="Port of the repository.")
    codebase: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]*$", max_length=253)] = (
        Field("", description="Folder of the repository in which FSM keeps its scripts.")
    )


class SecretName(Model):
    """A Secret of any namespace."""

    name: DnsName = Field(description="The Secret's name.")
    namespace: DnsLabel = Field(description="The Secret's namespace.")


class IngressGatewayCertificate(Model):
    """The certificate that FSM issues for an ingress gateway."""

    subject_alt_names: tuple[HostName, ...] = Field(
        min_length=1, description="Names and addresses that the certificate is for."
    )
    validity_duration: Duration = Field(description="How long the certificate is valid.")
    secret: SecretName = Field(description="The Secret in which FSM keeps the certificate.")


class Certificate(Model):
    """Certificates of services."""

    service_cert_validity_duration: Duration = Field(
        "24h", description="How long a service's certificate is valid."
    )
    # FSM takes 2048 in place of a size outside these. Source: pkg/configurator GetCertKeyBitSize.
    cert_key_bit_size: Annotated[int, Field(ge=2048, le=4096)] = Field(
        2048, description="Size of RSA keys, from 2048 to 4096 bits."
    )
    ingress_gateway: IngressGatewayCertificate | None = Field(
        None, description="A certificate for an ingress gateway."
    )


class LoadBalancer(Model):
    """How requests are spread over services that connectors bring in."""

    type: Literal["ActiveActive", "FailOver"] = Field(
        "ActiveActive", description="Use all of them, or the first that is available."
    )
    master_namespace: DnsLabel | None = Field(
        None, description="FailOver: the namespace that is used first."
    )
    slave_namespaces: tuple[DnsLabel, ...] = Field(
        (), description="FailOver: the namespaces that are used next."
    )


class Connector(Model):
    """Connectors to other service registries.

    Upstream's ``viaGateway`` is no setting: fsm-connector writes it at run time, as upstream's own
    DO_NOT_EDIT notice beside it says. Source: flomesh-io/fsm pkg/connector/cli/sync.go.
    """

    lb: LoadBalancer = Field(
        default_factory=LoadBalancer.model_construct, description="Balancing over registries."
    )
