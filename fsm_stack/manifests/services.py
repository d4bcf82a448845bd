"""The control plane's Services, autoscalers, disruption budgets and webhooks.

They are declared first, so that `up` does not fail on objects that the programs created meanwhile.
What the programs overwrite is no setting; the CA bundle is theirs alone (see ``foreign``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

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
from fsm_stack.well_known import GATEWAY_MUTATING_WEBHOOK, GATEWAY_VALIDATING_WEBHOOK

if TYPE_CHECKING:
    from fsm_stack.manifests.manifest import Key
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


_API: Final = "admissionregistration.k8s.io/v1"


def _rule(operations: str, group: str, version: str, resources: str) -> dict[str, Any]:
    return {
        "operations": operations.split(),
        "apiGroups": [group],
        "apiVersions": [version],
        "resources": resources.split(),
    }


def _namespace_selector(settings: StackSettings) -> dict[str, Any]:
    """Monitored namespaces, without those that opt out and the control plane's own."""
    system = settings.profile
    return {
        "matchLabels": {system.monitored_by_label: settings.mesh_name},
        "matchExpressions": [
            {"key": system.ignore_label, "operator": "DoesNotExist"},
            {"key": "name", "operator": "NotIn", "values": [settings.namespace]},
            {"key": "control-plane", "operator": "DoesNotExist"},
        ],
    }


def _webhook(
    settings: StackSettings, name: str, service: str, port: int, path: str
) -> dict[str, Any]:
    return {
        "name": name,
        "clientConfig": {
            "service": {
                "namespace": settings.namespace,
                "name": service,
                "path": path,
                "port": port,
            }
        },
        "failurePolicy": "Fail",
        "matchPolicy": "Exact",
        "namespaceSelector": _namespace_selector(settings),
        "sideEffects": "NoneOnDryRun",
        "admissionReviewVersions": ["v1"],
    }


def _configuration(
    settings: StackSettings, kind: str, name: str, app: str | None, *webhooks: dict[str, Any]
) -> dict[str, Any]:
    about = metadata(settings, name, app=app, namespaced=False)
    if app is not None and settings.mesh.enable_reconciler:
        # The reconciler watches objects with this label and restores them.
        about["labels"]["flomesh.io/reconcile"] = "true"
    # An empty list would be a field of ours that the server drops: every apply would be a change.
    listed = {"webhooks": list(webhooks)} if webhooks else {}
    return {"apiVersion": _API, "kind": kind, "metadata": about, **listed}


def injector_webhook(settings: StackSettings) -> dict[str, Any]:
    """The configuration that sends new pods of monitored namespaces to the injector.

    Source: flomesh-io/fsm pkg/injector/webhook.go, createOrUpdateMutatingWebhook.
    """
    webhook = _webhook(
        settings, "fsm-inject.k8s.io", INJECTOR, INJECTOR_PORT, "/mutate-pod-creation"
    )
    webhook["rules"] = [
        _rule("CREATE", "*", "v1", "pods"),
        _rule("CREATE", "machine.flomesh.io", "v1alpha1", "virtualmachines"),
    ]
    webhook["timeoutSeconds"] = settings.components.injector.webhook_timeout_seconds
    return _configuration(
        settings,
        "MutatingWebhookConfiguration",
        settings.mutating_webhook_name,
        INJECTOR,
        webhook,
    )


def validator_webhook(settings: StackSettings) -> dict[str, Any]:
    """The configuration that lets the controller check policies.

    Source: flomesh-io/fsm pkg/validator/patch.go, createOrUpdateValidatingWebhook.
    """
    changes = "CREATE UPDATE"
    webhook = _webhook(settings, "fsm-validator.k8s.io", VALIDATOR, VALIDATOR_PORT, "/validate")
    webhook["rules"] = [
        _rule(changes, "policy.flomesh.io", "v1alpha1", "ingressbackends egresses egressgateways"),
        _rule(changes, "plugin.flomesh.io", "v1alpha1", "plugins pluginchains pluginconfigs"),
    ]
    if settings.mesh.validate_traffic_target:
        webhook["rules"].append(_rule(changes, "access.smi-spec.io", "v1alpha3", "traffictargets"))
    return _configuration(
        settings,
        "ValidatingWebhookConfiguration",
        settings.validating_webhook_name,
        CONTROLLER,
        webhook,
    )


def webhook_writers(settings: StackSettings) -> dict[str, tuple[Key, ...]]:
    """Which webhook configurations a program of the control plane completes when it starts."""
    mutating, validating = "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"
    return {
        INJECTOR: ((mutating, "", settings.mutating_webhook_name),),
        CONTROLLER: (
            (validating, "", settings.validating_webhook_name),
            *(
                ()
                if settings.beside_another
                else (
                    (mutating, "", GATEWAY_MUTATING_WEBHOOK),
                    (validating, "", GATEWAY_VALIDATING_WEBHOOK),
                )
            ),
        ),
    }


def webhooks(settings: StackSettings) -> tuple[Manifest, ...]:
    """The webhook configurations of a control plane.

    The two ``flomesh-*`` ones start empty; the controller fills them with the webhooks of the
    features that are on. Declaring them means that destroying the stack removes them too. Their
    names are fixed in FSM's programs, so a second mesh leaves them to the first.
    Source: flomesh-io/fsm charts/fsm/templates *-webhook-configuration.yaml,
    pkg/manager/reconciler/registers.go.
    """
    controllers = [validator_webhook(settings)]
    if not settings.beside_another:
        controllers += [
            _configuration(settings, f"{kind}WebhookConfiguration", name, None)
            for kind, name in (
                ("Mutating", GATEWAY_MUTATING_WEBHOOK),
                ("Validating", GATEWAY_VALIDATING_WEBHOOK),
            )
        ]
    return (
        Manifest(object=injector_webhook(settings), part=Part.INJECTOR_WEBHOOK, wave=Wave.WEBHOOK),
        *(
            Manifest(object=item, part=Part.CONTROL_PLANE, wave=Wave.WEBHOOK)
            for item in controllers
        ),
    )
