"""Every section of MeshConfig v1alpha3 that a user may set."""

from __future__ import annotations

from pydantic import Field

from fsm_stack.settings.mesh_config.control_plane import (
    Certificate,
    ClusterSet,
    Connector,
    RepoServer,
)
from fsm_stack.settings.mesh_config.feature_flags import FeatureFlags
from fsm_stack.settings.mesh_config.gateways import (
    EgressGateway,
    Flb,
    GatewayApi,
    Ingress,
    ServiceLb,
)
from fsm_stack.settings.mesh_config.observability import Observability
from fsm_stack.settings.mesh_config.plugin_chains import PluginChains
from fsm_stack.settings.mesh_config.sidecar import Sidecar
from fsm_stack.settings.mesh_config.traffic import Traffic
from fsm_stack.settings.mesh_config.warmup import Warmup
from fsm_stack.settings.model import Model


class MeshSettings(Model):
    """The mesh-wide settings, section by section, in the order of upstream's Go type.

    The defaults are those of FSM's chart. Not here, because other settings decide them: the
    sections ``image`` and ``misc``, and ``sidecar.sidecarImage``. Source: flomesh-io/fsm f1b55bd8,
    pkg/apis/config/v1alpha3 and charts/fsm.
    """

    cluster_set: ClusterSet = Field(
        default_factory=ClusterSet.model_construct, description="The cluster's place among others."
    )
    sidecar: Sidecar = Field(
        default_factory=Sidecar.model_construct, description="The proxy beside each application."
    )
    repo_server: RepoServer = Field(
        default_factory=RepoServer.model_construct, description="The repository of Pipy scripts."
    )
    traffic: Traffic = Field(
        default_factory=Traffic.model_construct, description="What is redirected, and routing."
    )
    warmup: Warmup = Field(
        default_factory=Warmup.model_construct, description="Warm-up of new endpoints."
    )
    observability: Observability = Field(
        default_factory=Observability.model_construct, description="Logs and traces."
    )
    certificate: Certificate = Field(
        default_factory=Certificate.model_construct, description="Certificates of services."
    )
    feature_flags: FeatureFlags = Field(
        default_factory=FeatureFlags.model_construct, description="Switches of features."
    )
    plugin_chains: PluginChains = Field(
        default_factory=PluginChains.model_construct, description="Modules of sidecars."
    )
    ingress: Ingress = Field(
        default_factory=Ingress.model_construct, description="FSM's ingress controller."
    )
    gateway_api: GatewayApi = Field(
        default_factory=GatewayApi.model_construct,
        alias="gatewayAPI",
        description="FSM's Gateway API controller.",
    )
    service_lb: ServiceLb = Field(
        default_factory=ServiceLb.model_construct,
        alias="serviceLB",
        description="FSM's service load balancer.",
    )
    flb: Flb = Field(
        default_factory=Flb.model_construct, description="Flomesh's external load balancer."
    )
    egress_gateway: EgressGateway = Field(
        default_factory=EgressGateway.model_construct, description="FSM's egress gateway."
    )
    connector: Connector = Field(
        default_factory=Connector.model_construct, description="Connectors to other registries."
    )
