"""Pods that nobody sees: a webhook that cannot answer lets a real controller make none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .client import eventually
from .test_verify import BUNDLE, NAMESPACE, SERVICE, answers, expected, ref, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .client import Api

pytestmark = pytest.mark.cluster

Json = dict[str, Any]
HOOK = "MutatingWebhookConfiguration"
DEPLOYMENT = ref("Deployment", "refused", "demo", "apps/v1")


@pytest.fixture
def refusing(controlled_api: Api) -> Iterator[Api]:
    """The namespace and the webhook of the dev environment; no injector is behind it.

    Nor is a Service: else the API server would look for the injector at the address that another
    test gave its endpoints, outside of this machine.
    """
    known = expected()
    if controlled_api.exists(SERVICE):
        controlled_api.delete(SERVICE)
    controlled_api.apply(dict(known.objects["Namespace", "", "demo"]))
    hook = json.loads(json.dumps(known.objects[HOOK, "", known.webhook]))
    hook["webhooks"][0]["clientConfig"]["caBundle"] = BUNDLE
    controlled_api.apply(hook)
    yield controlled_api
    controlled_api.delete(hook)
    controlled_api.delete(NAMESPACE)

    def gone() -> bool | None:
        return not controlled_api.exists(NAMESPACE) or None

    eventually("namespace demo is gone", gone, seconds=60)


def test_a_deployment_whose_every_pod_is_refused_is_an_error(refusing: Api) -> None:
    labels = {"app": "refused"}
    note = {"flomesh.io/outbound-port-exclusion-list": "abc"}
    template = {"metadata": {"labels": labels, "annotations": note},
                "spec": {"containers": [{"name": "app", "image": "web:1"}]}}  # fmt: skip
    refusing.apply(DEPLOYMENT | {
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    })  # fmt: skip

    def refused() -> bool | None:
        status = refusing.get(DEPLOYMENT).get("status") or {}
        return any(one["type"] == "ReplicaFailure" for one in status.get("conditions", ())) or None

    eventually("the Deployment says why it has no pod", refused, seconds=60)
    for words in ((), ("deploy/refused", "-n", "demo")):
        result = verify(refusing, *words, "--check", "owner-pods", "-o", "json")
        assert result.exit_code == 1
        annotation, lacking = answers(result)["owner-pods"]["findings"]
        assert annotation["message"].startswith("the injector refuses its next pods: Invalid port")
        assert lacking["message"] == (
            "0 of 2 pods exist: webhook fsm-inject.k8s.io does not answer, and without it no pod "
            "is made"
        )
        assert lacking["value"].startswith(
            'Internal error occurred: failed calling webhook "fsm-inject.k8s.io"'
        )
        assert lacking["severity"] == "error"
    named = verify(refusing, "deploy/refused", "-n", "demo", "--check", "pod-ready")
    assert named.exit_code == 3
    assert "has no pod to look at: 0 of 2 pods exist" in named.output
