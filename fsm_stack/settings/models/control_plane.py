"""Sections ``clusterSet``, ``repoServer``, ``certificate``, ``connector`` and ``featureFlags``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from fsm_stack.settings.models.base import DnsLabel, DnsName, Model
from fsm_stack.settings.models.scalars import HostName, PlaceName, SmallPort
from fsm_stack.units import Duration

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


class FeatureFlags(Model):
    """Features of the control plane that can be switched."""

    enable_egress_policy: bool = Field(True, description="Obey Egress policies.")
    enable_snapshot_cache_mode: bool = Field(
        False, description="Serve sidecars from snapshots of their configuration."
    )
    enable_async_proxy_service_mapping: bool = Field(
        False, description="Map sidecars to services in the background."
    )
    enable_ingress_backend_policy: bool = Field(
        True, description="Obey IngressBackend policies for traffic from ingress."
    )
    enable_access_control_policy: bool = Field(
        True, description="Obey AccessControl policies for traffic from outside the mesh."
    )
    enable_access_cert_policy: bool = Field(
        False, description="Issue certificates to services outside the mesh."
    )
    enable_traffic_warmup_policy: bool = Field(False, description="Obey TrafficWarmup policies.")
    enable_sidecar_pretty_config: bool = Field(
        True, description="Write the configuration of sidecars for people to read."
    )
    enable_sidecar_active_health_checks: bool = Field(
        False, description="Let sidecars check the health of the services they talk to."
    )
    enable_retry_policy: bool = Field(False, description="Obey Retry policies.")
    enable_plugin_policy: bool = Field(False, description="Obey Plugin policies.")
    enable_auto_default_route: bool = Field(
        False, description="Give gateways a default route by themselves."
    )
    enable_validate_gateway_listener_hostname: bool = Field(
        True, description="Refuse Gateways whose listener's host name is wrong."
    )
    enable_validate_http_route_hostnames: bool = Field(
        True,
        alias="enableValidateHTTPRouteHostnames",
        description="Refuse HTTPRoutes whose host names are wrong.",
    )
    enable_validate_grpc_route_hostnames: bool = Field(
        True,
        alias="enableValidateGRPCRouteHostnames",
        description="Refuse GRPCRoutes whose host names are wrong.",
    )
    enable_validate_tls_route_hostnames: bool = Field(
        True,
        alias="enableValidateTLSRouteHostnames",
        description="Refuse TLSRoutes whose host names are wrong.",
    )
    use_endpoint_slices_for_gateway: bool = Field(
        True,
        description="Compute gateway routes from EndpointSlices; false before Kubernetes 1.21.",
    )
    drop_route_rule_if_no_available_backends: bool = Field(
        False, description="Leave out route rules without available backends."
    )
