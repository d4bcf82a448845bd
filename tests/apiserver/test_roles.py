"""The API server itself lets the control plane's account do what FSM's programs ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.manifests.rights import recorded
from tests.manifests.stacks import bundle_of

from .client import eventually

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


def allowed(api: Api, request: dict[str, str]) -> bool:
    """The API server's own answer, as ``kubectl auth can-i`` gets it."""
    resource, _, subresource = request["resource"].partition("/")
    attributes = {**request, "resource": resource, "subresource": subresource}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {
            "user": ACCOUNT,
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
