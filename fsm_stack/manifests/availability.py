"""Autoscalers and disruption budgets of controller and injector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsm_stack.manifests.labels import CONTROLLER, INJECTOR
from fsm_stack.manifests.manifest import Manifest, Part, Wave

if TYPE_CHECKING:
    from fsm_stack.settings.components import Autoscaling
    from fsm_stack.settings.stack import StackSettings


def _utilization(resource: str, percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": resource, "target": target}}


def _autoscaler(settings: StackSettings, app: str, autoscaling: Autoscaling) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": f"{app}-hpa", "namespace": settings.namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": app},
            "minReplicas": autoscaling.min_replicas,
            "maxReplicas": autoscaling.max_replicas,
            "metrics": [
                _utilization("cpu", autoscaling.cpu_utilization),
                _utilization("memory", autoscaling.memory_utilization),
            ],
        },
    }


def _disruption_budget(settings: StackSettings, app: str) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {
            "name": f"{app}-pdb",
            "namespace": settings.namespace,
            "labels": {"app": app},
        },
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": app}}},
    }


def availability(settings: StackSettings) -> tuple[Manifest, ...]:
    """The autoscalers and disruption budgets that the settings ask for.

    Source: flomesh-io/fsm charts/fsm/templates fsm-*-hpa.yaml, fsm-*-pod-disruption-budget.yaml;
    their API versions are gone from Kubernetes 1.25 and 1.26, so ours are the ones that replaced
    them.
    """
    objects = []
    for app, component in (
        (CONTROLLER, settings.components.controller),
        (INJECTOR, settings.components.injector),
    ):
        if component.autoscaling.enabled:
            objects.append(_autoscaler(settings, app, component.autoscaling))
        if component.pod_disruption_budget:
            objects.append(_disruption_budget(settings, app))
    return tuple(
        Manifest(object=item, part=Part.CONTROL_PLANE, wave=Wave.CONTROL_PLANE) for item in objects
    )
