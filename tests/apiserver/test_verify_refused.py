"""Pods that nobody sees: a webhook that cannot answer lets a real controller make none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.workloads.quota import Limited, refusals

from .client import ApiError, eventually
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
            "0 of 2 pods exist: the Service of webhook fsm-inject.k8s.io is not there, and without it no pod "
            "is made"
        )
        assert lacking["value"].startswith(
            'Internal error occurred: failed calling webhook "fsm-inject.k8s.io"'
        )
        assert lacking["severity"] == "error"
    named = verify(refusing, "deploy/refused", "-n", "demo", "--check", "pod-ready")
    assert named.exit_code == 3
    assert "has no pod to look at: 0 of 2 pods exist" in named.output


QUOTAS = [
    ("ResourceQuota", {"hard": {"limits.cpu": "2"}}, {}),
    ("ResourceQuota", {"hard": {"requests.cpu": "1", "requests.memory": "1Gi"}},
     {"requests": {"cpu": "800m", "memory": "64Mi"}}),
    ("LimitRange", {"limits": [{"type": "Container", "max": {"cpu": "500m"}}]},
     {"limits": {"cpu": "2"}}),
    ("LimitRange", {"limits": [{"type": "Container", "min": {"memory": "32Mi"}}]},
     {"requests": {"memory": "16Mi"}}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec", "resources"), QUOTAS)
def test_the_api_server_says_of_a_quota_what_is_foretold(
    controlled_api: Api, kind: str, spec: Json, resources: Json
) -> None:
    """Beside it: a pod that is foretold to be admitted is."""
    space = controlled_api.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "quota-"}}
    )["metadata"]["name"]
    account = ref("ServiceAccount", "default", space)
    eventually("its account", lambda: controlled_api.exists(account) or None, seconds=60)
    which = ref(kind, "team", space)
    controlled_api.apply(which | {"spec": spec})
    if kind == "ResourceQuota":
        eventually(
            "the quota is counted",
            lambda: (controlled_api.get(which).get("status") or {}).get("used"),
            seconds=60,
        )
    item = controlled_api.get(which)
    given = {"ranges": [item] if kind == "LimitRange" else [],
             "quotas": [item] if kind == "ResourceQuota" else []}  # fmt: skip

    def foretold(amounts: Json) -> list[str]:
        one = [Limited(name=name, resources=amounts) for name in ("app", "sidecar")]
        return [words.partition(" (container ")[0] for _, _, words in refusals(one, **given)]

    def made(amounts: Json) -> None:
        containers = [{"name": name, "image": "web:1", "resources": amounts}
                      for name in ("app", "sidecar")]  # fmt: skip
        pod = ref("Pod", "next", space) | {"spec": {"containers": containers}}
        controlled_api.create(pod, dry_run=True)

    with pytest.raises(ApiError) as caught:
        made(resources)
    said = foretold(resources)
    assert said
    assert all(words in str(caught.value) for words in said)
    enough = {"cpu": "100m", "memory": "64Mi"}
    small = {"requests": enough, "limits": enough}
    assert foretold(small) == []
    made(small)
