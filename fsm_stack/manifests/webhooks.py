"""Webhook configurations, as injector and controller write them when they start.

They are declared first, so that `up` does not fail on objects that the programs created meanwhile.
What the programs overwrite is no setting; the CA bundle is theirs alone (see ``foreign``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.manifests.manifest import (
    CONTROLLER,
    INJECTOR,
    INJECTOR_PORT,
    VALIDATOR,
    VALIDATOR_PORT,
    Manifest,
    Part,
    Wave,
    metadata,
)
from fsm_stack.well_known import GATEWAY_MUTATING_WEBHOOK, GATEWAY_VALIDATING_WEBHOOK

if TYPE_CHECKING:
    from fsm_stack.manifests.manifest import Key
    from fsm_stack.settings.models.stack import StackSettings

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
            (mutating, "", GATEWAY_MUTATING_WEBHOOK),
            (validating, "", GATEWAY_VALIDATING_WEBHOOK),
        ),
    }


def webhooks(settings: StackSettings) -> tuple[Manifest, ...]:
    """The four webhook configurations of a control plane.

    The two ``flomesh-*`` ones start empty; the controller fills them with the webhooks of the
    features that are on. Declaring them means that destroying the stack removes them too.
    Source: flomesh-io/fsm charts/fsm/templates *-webhook-configuration.yaml,
    pkg/manager/reconciler/registers.go.
    """
    controllers = (
        validator_webhook(settings),
        _configuration(settings, "MutatingWebhookConfiguration", GATEWAY_MUTATING_WEBHOOK, None),
        _configuration(
            settings, "ValidatingWebhookConfiguration", GATEWAY_VALIDATING_WEBHOOK, None
        ),
    )
    return (
        Manifest(object=injector_webhook(settings), part=Part.INJECTOR_WEBHOOK, wave=Wave.WEBHOOK),
        *(
            Manifest(object=item, part=Part.CONTROL_PLANE, wave=Wave.WEBHOOK)
            for item in controllers
        ),
    )
