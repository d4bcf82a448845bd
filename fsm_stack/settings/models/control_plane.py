"""The cluster, its control plane, who joins its mesh, and who issues certificates."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from fsm_stack.settings.models import base
from fsm_stack.settings.models.base import (
    DataKey,
    DnsLabel,
    DnsName,
    Duration,
    HostName,
    Model,
    PlaceName,
    section,
    setting,
)  # fmt: skip
from fsm_stack.settings.models.values import Cidr, Port, SmallPort

# The newest release that this package was brought up on; see docs/install.md.
CURRENT_KUBERNETES: Final = "1.34"
# The first 1.N that serves discovery.k8s.io/v1. From it on FSM's informers list EndpointSlices.
# Source: flomesh-io/fsm pkg/version/utils.go, MinEndpointSliceVersion.
ENDPOINT_SLICES_SINCE: Final = 21
KubernetesVersion = Annotated[str, StringConstraints(pattern=base.KUBERNETES_VERSION)]
Address = Annotated[str, StringConstraints(pattern=base.IPV4_ADDRESS)]


class ApiServer(Model):
    """Where pods reach the Kubernetes API server."""

    address: Address = Field(description="Its IPv4 address, as pods see it.")
    port: Port = setting(443, "Its port.")


class Cluster(Model):
    """What identifies the cluster, and its address ranges."""

    context: Annotated[str, StringConstraints(min_length=1)] | None = setting(
        None, "The kubeconfig context; compared before anything talks to a cluster."
    )
    uid: Annotated[str, StringConstraints(pattern=base.UID)] | None = setting(
        None, "The UID of namespace kube-system; compared before anything is changed."
    )
    kubernetes_version: KubernetesVersion = setting(
        CURRENT_KUBERNETES,
        "The cluster's Kubernetes version, such as \"1.34\"; what FSM's programs ask "
        "for, and are allowed, depends on it.",
    )
    openshift: bool = setting(
        False,
        "The cluster is an OpenShift: it gives pods their user IDs, so FSM's programs ask for "
        "none.",
    )
    pod_ranges: tuple[Cidr, ...] = setting((), "Ranges of pod addresses.")
    service_ranges: tuple[Cidr, ...] = setting((), "Ranges of service addresses.")
    api_server: ApiServer | None = setting(
        None, "The API server; the kubernetes-api preset excludes it."
    )

    @property
    def kubernetes_minor(self) -> int:
        """The N of Kubernetes 1.N."""
        return int(self.kubernetes_version.split(".")[1])

    @property
    def serves_endpoint_slices(self) -> bool:
        """Whether the API server serves EndpointSlices in the version that FSM reads."""
        return self.kubernetes_minor >= ENDPOINT_SLICES_SINCE


class EnrolledNamespace(Model):
    """A namespace whose new pods join the mesh."""

    name: DnsLabel = Field(description="The namespace.")
    create: bool = setting(
        False,
        "Make the namespace where it is absent. It is never deleted: leaving the list "
        "takes its label and annotations off, and its workloads stay.",
    )
    sidecar_injection: bool | None = setting(
        True, "The injection annotation: true enabled, false disabled, null none."
    )
    metrics: bool = setting(False, "Ask for Prometheus annotations on its pods.")


class SecretKeyReference(Model):
    """One key of a Secret in the control plane's namespace."""

    name: DnsName = Field(description="The Secret's name.")
    key: DataKey = Field(description="The key in its data.")


class Vault(Model):
    """HashiCorp Vault as the issuer."""

    host: Annotated[str, StringConstraints(pattern=base.HOST, max_length=253)] = Field(
        description="Vault's host name."
    )
    port: Port = setting(8200, "Vault's port.")
    protocol: Literal["http", "https"] = setting("https", "How Vault is reached.")
    role: Annotated[
        str, base.matching(r"^[A-Za-z0-9_.-]+$", "a name of letters, digits, '-', '_' and '.'")
    ] = setting("flomesh", "Vault's role for the mesh.")
    token_secret: SecretKeyReference = Field(
        description="Where Vault's token is; the token itself is never a setting."
    )


class CertManager(Model):
    """cert-manager as the issuer."""

    issuer_name: DnsName = setting("fsm-ca", "The issuer's name.")
    issuer_kind: Annotated[
        str, base.matching(r"^[A-Za-z]+$", "a kind such as Issuer or ClusterIssuer")
    ] = setting("Issuer", "The issuer's kind: Issuer, ClusterIssuer or an external one.")
    issuer_group: DnsName = setting("cert-manager.io", "The issuer's API group.")


class CertificateProvider(Model):
    """The issuer: FSM's own (tresor), Vault or cert-manager."""

    kind: Literal["tresor", "vault", "cert-manager"] = setting("tresor", "The issuer.")
    vault: Vault | None = setting(None, "Required when kind is vault.")
    cert_manager: CertManager = section(CertManager, "Used when kind is cert-manager.")
    ca_bundle_secret_name: DnsName = setting(
        "fsm-ca-bundle", "The Secret in which the control plane keeps its CA."
    )
    mesh_root_certificate: bool = setting(
        False, "Let a MeshRootCertificate name the issuer, so that it can be changed in service."
    )


_PLAIN: Final = "one line of printable ASCII"
Text = Annotated[str, base.matching(r"^[ -~]*$", _PLAIN, max_length=1024)]
Identity = Annotated[
    str,
    base.matching(
        r"^[A-Za-z0-9]([A-Za-z0-9-]{0,62})$",
        "at most 63 letters, digits and '-', with a letter or digit first",
    ),
]


class ClusterProperty(Model):
    """A name and a value that describe the cluster."""

    name: Annotated[str, base.matching(r"^[ -~]+$", _PLAIN, max_length=253)] = Field(
        description="The property's name."
    )
    value: Text = Field(description="The property's value.")


class ClusterSet(Model):
    """Where this cluster stands among the clusters of a multi-cluster mesh."""

    is_managed: bool = setting(False, "A control plane of another cluster manages it.")
    uid: Identity | None = setting(
        None, "The cluster's identity; derived from the stack if absent."
    )
    region: PlaceName = setting("default", "The cluster's region.")
    zone: PlaceName = setting("default", "The cluster's zone.")
    group: PlaceName = setting("default", "The cluster's group.")
    name: PlaceName = setting("local", "The cluster's name.")
    control_plane_uid: Identity | None = setting(
        None, "The identity of the cluster that manages this one.", alias="controlPlaneUID"
    )
    properties: tuple[ClusterProperty, ...] = setting((), "More about the cluster.")


class RepoServer(Model):
    """The Pipy repository from which sidecars take their scripts."""

    ipaddr: HostName = setting("127.0.0.1", "Address of the repository.")
    port: SmallPort = setting(6060, "Port of the repository.")
    codebase: Annotated[
        str,
        base.matching(
            r"^[A-Za-z0-9._/-]*$",
            "a path of letters, digits, '-', '_', '.' and '/'",
            max_length=253,
        ),
    ] = setting("", "Folder of the repository in which FSM keeps its scripts.")


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

    service_cert_validity_duration: Duration = setting(
        "24h", "How long a service's certificate is valid."
    )
    # FSM takes 2048 in place of a size outside these. Source: pkg/configurator GetCertKeyBitSize.
    cert_key_bit_size: Annotated[int, Field(ge=2048, le=4096)] = setting(
        2048, "Size of RSA keys, from 2048 to 4096 bits."
    )
    ingress_gateway: IngressGatewayCertificate | None = setting(
        None, "A certificate for an ingress gateway."
    )


class LoadBalancer(Model):
    """How requests are spread over services that connectors bring in."""

    type: Literal["ActiveActive", "FailOver"] = setting(
        "ActiveActive", "Use all of them, or the first that is available."
    )
    master_namespace: DnsLabel | None = setting(
        None, "FailOver: the namespace that is used first."
    )
    slave_namespaces: tuple[DnsLabel, ...] = setting(
        (), "FailOver: the namespaces that are used next."
    )


class Connector(Model):
    """Connectors to other service registries.

    Upstream's ``viaGateway`` is no setting: fsm-connector writes it at run time, as upstream's own
    DO_NOT_EDIT notice beside it says. Source: flomesh-io/fsm pkg/connector/cli/sync.go.
    """

    lb: LoadBalancer = section(LoadBalancer, "Balancing over registries.")


class FeatureFlags(Model):
    """Features of the control plane that can be switched."""

    enable_egress_policy: bool = setting(True, "Obey Egress policies.")
    enable_snapshot_cache_mode: bool = setting(
        False, "Serve sidecars from snapshots of their configuration."
    )
    enable_async_proxy_service_mapping: bool = setting(
        False, "Map sidecars to services in the background."
    )
    enable_ingress_backend_policy: bool = setting(
        True, "Obey IngressBackend policies for traffic from ingress."
    )
    enable_access_control_policy: bool = setting(
        True, "Obey AccessControl policies for traffic from outside the mesh."
    )
    enable_access_cert_policy: bool = setting(
        False, "Issue certificates to services outside the mesh."
    )
    enable_traffic_warmup_policy: bool = setting(False, "Obey TrafficWarmup policies.")
    enable_sidecar_pretty_config: bool = setting(
        True, "Write the configuration of sidecars for people to read."
    )
    enable_sidecar_active_health_checks: bool = setting(
        False, "Let sidecars check the health of the services they talk to."
    )
    enable_retry_policy: bool = setting(False, "Obey Retry policies.")
    enable_plugin_policy: bool = setting(False, "Obey Plugin policies.")
    enable_auto_default_route: bool = setting(
        False, "Give gateways a default route by themselves."
    )
    enable_validate_gateway_listener_hostname: bool = setting(
        True, "Refuse Gateways whose listener's host name is wrong."
    )
    enable_validate_http_route_hostnames: bool = setting(
        True,
        "Refuse HTTPRoutes whose host names are wrong.",
        alias="enableValidateHTTPRouteHostnames",
    )
    enable_validate_grpc_route_hostnames: bool = setting(
        True,
        "Refuse GRPCRoutes whose host names are wrong.",
        alias="enableValidateGRPCRouteHostnames",
    )
    enable_validate_tls_route_hostnames: bool = setting(
        True,
        "Refuse TLSRoutes whose host names are wrong.",
        alias="enableValidateTLSRouteHostnames",
    )
    use_endpoint_slices_for_gateway: bool = setting(
        True, "Compute gateway routes from EndpointSlices; false before Kubernetes 1.21."
    )
    drop_route_rule_if_no_available_backends: bool = setting(
        False, "Leave out route rules without available backends."
    )
