"""Section ``featureFlags``."""

from __future__ import annotations

from pydantic import Field

from fsm_stack.settings.model import Model


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
