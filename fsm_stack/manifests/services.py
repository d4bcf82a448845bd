"""The control plane's Services, autoscalers and disruption budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsm_stack.manifests.manifest import (
    BOOTSTRAP,
    CONTROLLER,
    DEBUG_PORT,
    DNS_PROXY_PORT,
    HEALTH_PORT,
    INJECTOR,
    INJECTOR_PORT,
    VALIDATOR,
    VALIDATOR_PORT,
    WEBHOOK_PORT,
    Manifest,
    Part,
    Wave,
    metadata,
)

if TYPE_CHECKING:
    from fsm_stack.settings.models.components import Autoscaling
    from fsm_stack.settings.models.stack import StackSettings


def _port(name: str, port: int, target: int | None = None, **more: str) -> dict[str, Any]:
    """A Service port, its target said: what is not declared is not restored."""
    return {"name": name, "port": port, "targetPort": target or port, **more}


def _service(settings: StackSettings, name: str, app: str, *ports: dict[str, Any]) -> Manifest:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(settings, name, app=app),
        "spec": {"ports": list(ports), "selector": {"app": app}},
    }
    return Manifest(object=service, part=Part.CONTROL_PLANE, wave=Wave.FOUNDATION)


def services(settings: StackSettings) -> tuple[Manifest, ...]:
    """Bootstrap, controller, injector, and the controller's validator under a name of its own.

    Source: flomesh-io/fsm charts/fsm/templates fsm-bootstrap-service.yaml, fsm-service.yaml,
    fsm-injector-service.yaml, fsm-validator-service.yaml.
    """
    repository = settings.repo_server.port
    return (
        _service(
            settings,
            BOOTSTRAP,
            BOOTSTRAP,
            _port("crdconversion", WEBHOOK_PORT),
            _port("health", HEALTH_PORT),
        ),
        _service(
            settings,
            CONTROLLER,
            CONTROLLER,
            _port("pipy-admin-port", repository),
            _port("debug-port", DEBUG_PORT),
            _port("healthz", HEALTH_PORT),
            _port("webhook", WEBHOOK_PORT),
            _port("dns-proxy", 53, DNS_PROXY_PORT, protocol="UDP"),
        ),
        _service(settings, INJECTOR, INJECTOR, _port("sidecar-inject", INJECTOR_PORT)),
        _service(settings, VALIDATOR, CONTROLLER, _port("validator", VALIDATOR_PORT)),
    )


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
