"""The API server itself lets the control plane's account do what FSM's programs ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.manifests.verifying import APP, RULES
from tests.manifests.rights import recorded
from tests.manifests.stacks import bundle_of

from .client import ApiError, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.manifests.manifest import Manifest

    from .client import Api

pytestmark = pytest.mark.cluster

ACCOUNT = "system:serviceaccount:fsm-system:fsm"
RBAC = ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role")


def rbac_of(data: dict[str, Any]) -> list[Manifest]:
    return [item for item in bundle_of(data) if item.kind in RBAC]


@pytest.fixture
def roles(api: Api) -> Iterator[Api]:
    """The rendered roles and bindings, and nothing else of the stack."""
    applied = rbac_of({})
    for manifest in applied:
        api.apply(dict(manifest.object), manager="fsm-stack")
    eventually("the roles count", lambda: allowed(api, one("", "pods", "list")), seconds=20)
    yield api
    for manifest in applied:
        if manifest.kind != "Namespace":
            api.delete(dict(manifest.object))


def one(group: str, resource: str, verb: str, namespace: str = "") -> dict[str, str]:
    return {"group": group, "resource": resource, "verb": verb, "namespace": namespace}


def allowed(api: Api, request: dict[str, str], account: str = ACCOUNT) -> bool:
    """The API server's own answer, as ``kubectl auth can-i`` gets it."""
    resource, _, subresource = request["resource"].partition("/")
    attributes = {**request, "resource": resource, "subresource": subresource}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {
            "user": account,
            "groups": ["system:serviceaccounts", "system:serviceaccounts:fsm-system"],
            "resourceAttributes": attributes,
        },
    }
    return bool(api.create(review)["status"]["allowed"])


def test_every_recorded_request_is_allowed(roles: Api) -> None:
    """The right answer of one rule taken away is the next test's."""
    refused = [row for row in recorded() if not allowed(roles, row)]
    assert refused == []


def test_without_its_rule_the_request_is_refused(roles: Api) -> None:
    """So the test above can fail: this very rule was missing once, and no program started."""
    (role,) = (
        dict(item.object)
        for item in rbac_of({"cluster": {"kubernetesVersion": "1.20"}})
        if (item.kind, item.name) == ("ClusterRole", "fsm")
    )
    roles.apply(role, manager="fsm-stack")
    slices = one("discovery.k8s.io", "endpointslices", "list")
    eventually("the rule is gone", lambda: not allowed(roles, slices), seconds=20)


def test_nobody_else_got_the_rights(roles: Api) -> None:
    """Bindings name one account of one namespace."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {
            "user": "system:serviceaccount:fsm-system:default",
            "groups": ["system:serviceaccounts", "system:serviceaccounts:fsm-system"],
            "resourceAttributes": one("", "secrets", "list"),
        },
    }
    assert roles.create(review)["status"]["allowed"] is False


VERIFY = {
    "verify": {
        "schedule": "*/15 * * * *",
        "image": "registry.example.com/fsm-stack:0.1.0",
        "metricsPort": 9090,
    }
}
VERIFY_ACCOUNT = f"system:serviceaccount:fsm-system:{APP}"


@pytest.fixture
def scheduled(api: Api) -> Iterator[dict[str, dict[str, Any]]]:
    """The CronJob of ``verify`` and its rights, by kind."""
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fsm-system"}})
    objects = {item.kind: dict(item.object) for item in bundle_of(VERIFY) if item.name == APP}
    for manifest in objects.values():
        api.apply(manifest, manager="fsm-stack")
    listed = one("", "pods", "list")
    eventually("the role counts", lambda: allowed(api, listed, VERIFY_ACCOUNT), seconds=20)
    yield objects
    for manifest in objects.values():
        api.delete(manifest)


def test_the_scheduled_verify_may_read_what_it_reads(
    api: Api, scheduled: dict[str, dict[str, Any]]
) -> None:
    """Every right of the role is granted by the server, cluster-wide, and none beside it."""
    assert set(scheduled) == {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "CronJob"}
    requests = [
        one(group, resource, verb, "shop")
        for rule in RULES
        if "resourceNames" not in rule
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
    assert len(requests) > 20
    assert [row for row in requests if not allowed(api, row, VERIFY_ACCOUNT)] == []
    configmap = one("", "configmaps", "get", "fsm-system")
    assert allowed(api, {**configmap, "name": "fsm-redirection"}, VERIFY_ACCOUNT)


@pytest.mark.parametrize(
    "request_",
    [
        one("", "secrets", "get", "fsm-system"),
        one("", "secrets", "list"),
        one("", "configmaps", "get", "fsm-system"),
        one("", "pods", "create", "shop"),
        one("", "pods", "delete", "shop"),
        one("", "pods/exec", "create", "shop"),
        one("apps", "deployments", "patch", "shop"),
        one("config.flomesh.io", "meshconfigs", "update", "fsm-system"),
        one("rbac.authorization.k8s.io", "clusterroles", "escalate"),
    ],
    ids=lambda row: f"{row['verb']} {row['resource']}",
)
@pytest.mark.usefixtures("scheduled")
def test_the_scheduled_verify_may_do_nothing_else(api: Api, request_: dict[str, str]) -> None:
    assert not allowed(api, request_, VERIFY_ACCOUNT)


def test_a_namespace_with_the_strictest_pod_security_takes_the_pod(
    api: Api, namespace: str, scheduled: dict[str, dict[str, Any]]
) -> None:
    """The server's own admission judges it; without one of its lines the pod is refused."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    api.apply({**space, "metadata": {"name": namespace, "labels": labels}})
    template = scheduled["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": "verify", "namespace": namespace},
        "spec": template["spec"],
    }

    api.create(pod, dry_run=True)

    root = {**template["spec"], "securityContext": {}}
    with pytest.raises(ApiError, match="restricted"):
        api.create({**pod, "spec": root}, dry_run=True)
