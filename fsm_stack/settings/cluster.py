"""The cluster that a stack is meant for: who it is, and the ranges that checks need."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from fsm_stack.settings import forms
from fsm_stack.settings.model import DnsLabel, Model
from fsm_stack.settings.values import Cidr, Port

# The newest release that this package was brought up on; see docs/install.md.
CURRENT_KUBERNETES: Final = "1.34"
# The first 1.N that serves discovery.k8s.io/v1. From it on FSM's informers list EndpointSlices.
# Source: flomesh-io/fsm pkg/version/utils.go, MinEndpointSliceVersion.
ENDPOINT_SLICES_SINCE: Final = 21
KubernetesVersion = Annotated[str, StringConstraints(pattern=forms.KUBERNETES_VERSION)]
Address = Annotated[str, StringConstraints(pattern=forms.IPV4_ADDRESS)]


class ApiServer(Model):
    """Where pods reach the Kubernetes API server."""

    address: Address = Field(description="Its IPv4 address, as pods see it.")
    port: Port = Field(443, description="Its port.")


class Cluster(Model):
    """What identifies the cluster, and its address ranges."""

    context: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        None, description="The kubeconfig context; compared before anything talks to a cluster."
    )
    uid: Annotated[str, StringConstraints(pattern=forms.UID)] | None = Field(
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
