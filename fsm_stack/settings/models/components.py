"""The control plane's Deployments: replicas, resources, scheduling, disruption, autoscaling."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from fsm_stack.settings.models.base import (
    DOMAIN,
    LABEL_KEY,
    LABEL_NAME,
    DnsName,
    Model,
    Positive,
)
from fsm_stack.units import Quantity

# Source: k8s.io/kubernetes pkg/apis/core/helper, IsExtendedResourceName.
EXTENDED_RESOURCE: Final = rf"^{DOMAIN}/{LABEL_NAME}$"
LabelKey = Annotated[str, StringConstraints(pattern=LABEL_KEY, max_length=317)]
# Source: k8s.io/apimachinery pkg/util/validation, IsValidLabelValue.
LABEL_VALUE: Final = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"
LabelValue = Annotated[str, StringConstraints(pattern=LABEL_VALUE)]
Percent = Annotated[int, Field(ge=1, le=100)]


class Resources(Model):
    """Requests and limits of one container."""

    limits: dict[str, Quantity] = Field(
        {}, description="Upper bounds, for example cpu and memory."
    )
    requests: dict[str, Quantity] = Field({}, description="What the scheduler reserves.")


class Toleration(Model):
    """A Kubernetes toleration."""

    key: str | None = Field(None, description="The taint's key.")
    operator: Literal["Exists", "Equal"] | None = Field(
        None, description="How key and value match."
    )
    value: str | None = Field(None, description="The taint's value.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="The taint's effect."
    )
    toleration_seconds: int | None = Field(None, description="How long NoExecute is tolerated.")


class Autoscaling(Model):
    """A HorizontalPodAutoscaler; replicas are then the autoscaler's."""

    enabled: bool = Field(False, description="Whether an autoscaler is declared.")
    min_replicas: Positive = Field(1, description="Lower bound.")
    max_replicas: Positive = Field(5, description="Upper bound.")
    cpu_utilization: Percent = Field(80, description="Average CPU use to hold, in percent.")
    memory_utilization: Percent = Field(80, description="Average memory use to hold, in percent.")


def _resources(cpu: str, memory: str, cpu_request: str, memory_request: str) -> Resources:
    return Resources.model_construct(
        limits={"cpu": cpu, "memory": memory},
        requests={"cpu": cpu_request, "memory": memory_request},
    )


class Component(Model):
    """What bootstrap, controller and injector have in common."""

    replicas: Positive = Field(1, description="Pods of the Deployment, unless it is autoscaled.")
    resources: Resources = Field(
        default_factory=Resources.model_construct,
        description="Resources of the main container; they replace the default as a whole.",
    )
    pod_labels: dict[LabelKey, LabelValue] = Field({}, description="More labels for its pods.")
    node_selector: dict[LabelKey, LabelValue] = Field({}, description="Labels a node must have.")
    tolerations: tuple[Toleration, ...] = Field((), description="Taints that its pods tolerate.")
    affinity: dict[str, Any] | None = Field(
        None,
        description="A Kubernetes affinity in place of the default: Linux on amd64 or arm64, "
        "pods spread over nodes.",
    )
    priority_class_name: DnsName = Field(
        "system-node-critical", description="Priority class of its pods."
    )


class Bootstrap(Component):
    """fsm-bootstrap: installs CRDs, converts them."""

    resources: Resources = Field(
        default_factory=lambda: _resources("0.5", "512M", "0.3", "128M"),
        description="Resources of the main container; they replace the default as a whole.",
    )


class Controller(Component):
    """fsm-controller and its Pipy repository."""

    resources: Resources = Field(
        default_factory=lambda: _resources("2", "2G", "0.5", "256M"),
        description="Resources of the main container; they replace the default as a whole.",
    )
    init_resources: Resources = Field(
        default_factory=lambda: _resources("500m", "512M", "200m", "128M"),
        description="Resources of init containers; they replace the default as a whole.",
    )
    repo_resources: Resources = Field(
        default_factory=lambda: _resources("2", "2G", "0.5", "256M"),
        description="Resources of the Pipy repository; they replace the default as a whole.",
    )
    standalone_repo_server: bool = Field(
        False,
        description="The Pipy repository runs elsewhere, at repoServer.ipaddr: none in the pod.",
    )
    pod_disruption_budget: bool = Field(False, description="Keep at least one pod in a drain.")
    autoscaling: Autoscaling = Field(
        default_factory=Autoscaling.model_construct, description="A HorizontalPodAutoscaler."
    )


class Injector(Component):
    """fsm-injector, the server of the mutating webhook."""

    resources: Resources = Field(
        default_factory=lambda: _resources("1", "512M", "0.5", "128M"),
        description="Resources of the main container; they replace the default as a whole.",
    )
    init_resources: Resources = Field(
        default_factory=lambda: _resources("500m", "512M", "200m", "128M"),
        description="Resources of init containers; they replace the default as a whole.",
    )
    pod_disruption_budget: bool = Field(False, description="Keep at least one pod in a drain.")
    autoscaling: Autoscaling = Field(
        default_factory=Autoscaling.model_construct, description="A HorizontalPodAutoscaler."
    )
    webhook_timeout_seconds: Annotated[int, Field(ge=1, le=30)] = Field(
        20, description="How long the API server waits for the webhook, 1 to 30 seconds."
    )


class Components(Model):
    """The three Deployments of the control plane."""

    bootstrap: Bootstrap = Field(
        default_factory=Bootstrap.model_construct, description="fsm-bootstrap."
    )
    controller: Controller = Field(
        default_factory=Controller.model_construct, description="fsm-controller."
    )
    injector: Injector = Field(
        default_factory=Injector.model_construct, description="fsm-injector."
    )
