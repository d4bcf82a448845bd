"""The cluster that a stack is meant for, who joins its mesh, and who issues certificates."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from fsm_stack.settings.models import base
from fsm_stack.settings.models.base import DataKey, DnsLabel, DnsName, Model
from fsm_stack.settings.models.values import Cidr, Port

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
    port: Port = Field(443, description="Its port.")


class Cluster(Model):
    """What identifies the cluster, and its address ranges."""

    context: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        None, description="The kubeconfig context; compared before anything talks to a cluster."
    )
    uid: Annotated[str, StringConstraints(pattern=base.UID)] | None = Field(
        None, description="The UID of namespace kube-system; compared before anything is changed."
    )
    kubernetes_version: KubernetesVersion = Field(
        CURRENT_KUBERNETES,
        description="The cluster's Kubernetes version, such as \"1.34\"; what FSM's programs ask "
        "for, and are allowed, depends on it.",
    )
    pod_ranges: tuple[Cidr, ...] = Field((), description="Ranges of pod addresses.")
    service_ranges: tuple[Cidr, ...] = Field((), description="Ranges of service addresses.")
    api_server: ApiServer | None = Field(
        None, description="The API server; the kubernetes-api preset excludes it."
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
    create: bool = Field(
        False,
        description="Make the namespace where it is absent. It is never deleted: leaving the list "
        "takes its label and annotations off, and its workloads stay.",
    )
    sidecar_injection: bool | None = Field(
        True,
        description="The injection annotation: true enabled, false disabled, null none.",
    )
    metrics: bool = Field(False, description="Ask for Prometheus annotations on its pods.")


class SecretKeyReference(Model):
    """One key of a Secret in the control plane's namespace."""

    name: DnsName = Field(description="The Secret's name.")
    key: DataKey = Field(description="The key in its data.")


class Vault(Model):
    """HashiCorp Vault as the issuer."""

    host: Annotated[str, StringConstraints(pattern=base.HOST, max_length=253)] = Field(
        description="Vault's host name."
    )
    port: Port = Field(8200, description="Vault's port.")
    protocol: Literal["http", "https"] = Field("https", description="How Vault is reached.")
    role: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")] = Field(
        "flomesh", description="Vault's role for the mesh."
    )
    token_secret: SecretKeyReference = Field(
        description="Where Vault's token is; the token itself is never a setting."
    )


class CertManager(Model):
    """cert-manager as the issuer."""

    issuer_name: DnsName = Field("fsm-ca", description="The issuer's name.")
    issuer_kind: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]+$")] = Field(
        "Issuer", description="The issuer's kind: Issuer, ClusterIssuer or an external one."
    )
    issuer_group: DnsName = Field("cert-manager.io", description="The issuer's API group.")


class CertificateProvider(Model):
    """The issuer: FSM's own (tresor), Vault or cert-manager."""

    kind: Literal["tresor", "vault", "cert-manager"] = Field("tresor", description="The issuer.")
    vault: Vault | None = Field(None, description="Required when kind is vault.")
    cert_manager: CertManager = Field(
        default_factory=CertManager.model_construct, description="Used when kind is cert-manager."
    )
    ca_bundle_secret_name: DnsName = Field(
        "fsm-ca-bundle", description="The Secret in which the control plane keeps its CA."
    )
