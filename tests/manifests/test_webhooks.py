"""Webhook configurations, whole: what the programs write, without their CA bundles."""

from __future__ import annotations

from typing import Any

from tests.manifests.stacks import named

MUTATING = "MutatingWebhookConfiguration"
VALIDATING = "ValidatingWebhookConfiguration"


def test_the_injectors_configuration() -> None:
    """Source: flomesh-io/fsm pkg/injector/webhook.go, createOrUpdateMutatingWebhook."""
    assert named({}, MUTATING, "fsm-webhook-fsm").object == {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {
            "name": "fsm-webhook-fsm",
            "labels": {
                "app.kubernetes.io/name": "flomesh.io",
                "app.kubernetes.io/instance": "fsm",
                "app.kubernetes.io/version": "v1.5.1",
                "app": "fsm-injector",
            },
        },
        "webhooks": [
            {
                "name": "fsm-inject.k8s.io",
                "clientConfig": {
                    "service": {
                        "namespace": "fsm-system",
                        "name": "fsm-injector",
                        "path": "/mutate-pod-creation",
                        "port": 9090,
                    }
                },
                "failurePolicy": "Fail",
                "matchPolicy": "Exact",
                "namespaceSelector": {
                    "matchLabels": {"flomesh.io/monitored-by": "fsm"},
                    "matchExpressions": [
                        {"key": "flomesh.io/ignore", "operator": "DoesNotExist"},
                        {"key": "name", "operator": "NotIn", "values": ["fsm-system"]},
                        {"key": "control-plane", "operator": "DoesNotExist"},
                    ],
                },
                "rules": [
                    {
                        "operations": ["CREATE"],
                        "apiGroups": ["*"],
                        "apiVersions": ["v1"],
                        "resources": ["pods"],
                    },
                    {
                        "operations": ["CREATE"],
                        "apiGroups": ["machine.flomesh.io"],
                        "apiVersions": ["v1alpha1"],
                        "resources": ["virtualmachines"],
                    },
                ],
                "sideEffects": "NoneOnDryRun",
                "timeoutSeconds": 20,
                "admissionReviewVersions": ["v1"],
            }
        ],
    }


def test_the_validators_configuration() -> None:
    """Source: flomesh-io/fsm pkg/validator/patch.go, createOrUpdateValidatingWebhook."""
    data = {"fsmVersion": "1.6.0", "mesh": {"name": "blue", "namespace": "mesh-control"}}
    assert named(data, VALIDATING, "fsm-validator-mesh-blue").object == {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {
            "name": "fsm-validator-mesh-blue",
            "labels": {
                "app.kubernetes.io/name": "flomesh.io",
                "app.kubernetes.io/instance": "blue",
                "app.kubernetes.io/version": "v1.6.0",
                "app": "fsm-controller",
            },
        },
        "webhooks": [
            {
                "name": "fsm-validator.k8s.io",
                "clientConfig": {
                    "service": {
                        "namespace": "mesh-control",
                        "name": "fsm-validator",
                        "path": "/validate",
                        "port": 9093,
                    }
                },
                "failurePolicy": "Fail",
                "matchPolicy": "Exact",
                "namespaceSelector": {
                    "matchLabels": {"flomesh.io/monitored-by": "blue"},
                    "matchExpressions": [
                        {"key": "flomesh.io/ignore", "operator": "DoesNotExist"},
                        {"key": "name", "operator": "NotIn", "values": ["mesh-control"]},
                        {"key": "control-plane", "operator": "DoesNotExist"},
                    ],
                },
                "rules": [
                    {
                        "operations": ["CREATE", "UPDATE"],
                        "apiGroups": ["policy.flomesh.io"],
                        "apiVersions": ["v1alpha1"],
                        "resources": ["ingressbackends", "egresses", "egressgateways"],
                    },
                    {
                        "operations": ["CREATE", "UPDATE"],
                        "apiGroups": ["plugin.flomesh.io"],
                        "apiVersions": ["v1alpha1"],
                        "resources": ["plugins", "pluginchains", "pluginconfigs"],
                    },
                    {
                        "operations": ["CREATE", "UPDATE"],
                        "apiGroups": ["access.smi-spec.io"],
                        "apiVersions": ["v1alpha3"],
                        "resources": ["traffictargets"],
                    },
                ],
                "sideEffects": "NoneOnDryRun",
                "admissionReviewVersions": ["v1"],
            }
        ],
    }


def test_traffic_targets_are_left_to_others_when_set() -> None:
    data: dict[str, Any] = {"mesh": {"validateTrafficTarget": False}}
    [webhook] = named(data, VALIDATING, "fsm-validator-mesh-fsm").object["webhooks"]
    assert [rule["resources"][0] for rule in webhook["rules"]] == ["ingressbackends", "plugins"]


def test_the_reconciler_finds_them_by_their_label() -> None:
    data = {"mesh": {"enableReconciler": True}}
    for kind, name in ((MUTATING, "fsm-webhook-fsm"), (VALIDATING, "fsm-validator-mesh-fsm")):
        labels = named(data, kind, name).object["metadata"]["labels"]
        assert labels["flomesh.io/reconcile"] == "true"
        assert "flomesh.io/reconcile" not in named({}, kind, name).object["metadata"]["labels"]


def test_the_timeout_is_the_one_setting_of_the_webhook() -> None:
    """The injector writes it from its flag, so both say the same."""
    data = {"components": {"injector": {"webhookTimeoutSeconds": 7}}}
    [webhook] = named(data, MUTATING, "fsm-webhook-fsm").object["webhooks"]
    assert webhook["timeoutSeconds"] == 7
    pod = named(data, "Deployment", "fsm-injector").object["spec"]["template"]["spec"]
    arguments = pod["containers"][0]["args"]
    assert arguments[arguments.index("--webhook-timeout") + 1] == "7"


def test_the_gateways_configurations_start_without_webhooks() -> None:
    """The controller fills them with those of the features that are on."""
    mutating = named({}, MUTATING, "flomesh-mutating-webhook-configuration")
    validating = named({}, VALIDATING, "flomesh-validating-webhook-configuration")
    assert [item.object.get("webhooks") for item in (mutating, validating)] == [None, None]
    assert mutating.foreign_paths == validating.foreign_paths == ("webhooks",)
