from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from .apiserver import KUBERNETES_VERSION
from .client import Api, ApiError, eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.cluster


def config_map(namespace: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": namespace},
        "data": data,
    }


def pod(namespace: str, **spec: object) -> dict[str, Any]:
    containers = [{"name": "app", "image": "app"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "app", "namespace": namespace},
        "spec": {"containers": containers, **spec},
    }


def test_server_answers_the_version_it_was_built_from(api: Api) -> None:
    """Clients read features from the version; a build without one says v0.0.0-master."""
    assert api.request("GET", "/version")["gitVersion"] == KUBERNETES_VERSION


def test_upstream_meshconfig_crd_is_established(api: Api, upstream_crds: Path) -> None:
    """Upstream's own schema judges the MeshConfigs that we declare."""
    text = (upstream_crds / "config.flomesh.io_meshconfigs.yaml").read_text()
    live = api.apply(yaml.safe_load(text))

    states = {one["type"]: one["status"] for one in live["status"]["conditions"]}
    assert states == {"NamesAccepted": "True", "Established": "True"}
    assert api.list("config.flomesh.io/v1alpha3", "MeshConfig") == ()


def test_applying_an_object_twice_changes_nothing(api: Api, namespace: str) -> None:
    """Else every `pulumi up` would be an update."""
    first = api.apply(config_map(namespace, mode="strict"))
    second = api.apply(config_map(namespace, mode="strict"))

    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert api.get(config_map(namespace)) == second


def test_an_unknown_field_is_refused(api: Api, namespace: str) -> None:
    """A misspelt field that the server dropped would be a setting without effect."""
    with pytest.raises(ApiError) as refused:
        api.create(pod(namespace, hostNetwrk=True))

    assert (refused.value.code, refused.value.reason) == (400, "BadRequest")
    assert refused.value.message == (
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: '
        'unknown field "spec.hostNetwrk"'
    )
    assert not api.exists(pod(namespace))


def test_an_unknown_field_is_refused_when_applied(api: Api, namespace: str) -> None:
    """Server-side apply checks fields in another place of the server than a creation does."""
    with pytest.raises(ApiError) as refused:
        api.apply(pod(namespace, hostNetwrk=True))

    assert refused.value.code == 500
    assert ".spec.hostNetwrk: field not declared in schema" in refused.value.message


def test_a_field_of_another_manager_is_a_conflict_that_names_it(api: Api, namespace: str) -> None:
    """The conflict is what a user of the stack meets after someone patched by hand."""
    api.apply(config_map(namespace, mode="strict"), manager="fsm-bootstrap")

    with pytest.raises(ApiError) as refused:
        api.apply(config_map(namespace, mode="relaxed"), manager="pulumi")
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")
    assert refused.value.causes == (
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "fsm-bootstrap"',
            "field": ".data.mode",
        },
    )

    taken = api.apply(config_map(namespace, mode="relaxed"), manager="pulumi", force=True)
    assert taken["data"] == {"mode": "relaxed"}


def test_a_dry_run_keeps_nothing(api: Api, namespace: str) -> None:
    """Admission answers, and the next test finds the server as it was."""
    api.apply(config_map(namespace, mode="strict"), dry_run=True)

    assert not api.exists(config_map(namespace))


def test_a_pod_without_controllers_stays_as_a_test_leaves_it(api: Api, namespace: str) -> None:
    """Nothing schedules or starts it; a test that needs a running pod writes that status."""
    assert api.create(pod(namespace))["status"]["phase"] == "Pending"

    api.patch(pod(namespace), {"status": {"phase": "Running"}}, subresource="status")

    (listed,) = api.list("v1", "Pod", namespace=namespace)
    assert (listed["kind"], listed["status"]["phase"]) == ("Pod", "Running")
    api.delete(pod(namespace))


def test_a_validating_admission_policy_refuses(api: Api, namespace: str) -> None:
    """Policies guard the MeshConfig in a cluster; the server must run them for such a test."""
    name = f"no-relaxed-{namespace}"
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["configmaps"],
    }
    validation = {"expression": "object.data.mode != 'relaxed'", "message": "mode is relaxed"}
    scope = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    policy = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    api.apply(
        policy
        | {
            "kind": "ValidatingAdmissionPolicy",
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [rule]},
                "validations": [validation],
            },
        }
    )
    api.apply(
        policy
        | {
            "kind": "ValidatingAdmissionPolicyBinding",
            "spec": {
                "policyName": name,
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": scope},
            },
        }
    )

    def refusal() -> ApiError | None:
        try:
            api.create(config_map(namespace, mode="relaxed"), dry_run=True)
        except ApiError as error:
            return error
        return None

    refused = eventually("the policy is in force", refusal, seconds=30)
    assert (refused.code, refused.reason) == (422, "Invalid")
    assert refused.message.endswith(
        f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: mode is relaxed"
    )


def test_controllers_end_a_deleted_namespace(controlled_api: Api) -> None:
    """A destroyed stack is gone only where a controller ends its namespaces."""
    which = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mesh"}}
    controlled_api.create(which)
    controlled_api.create(config_map("mesh", mode="strict"))

    controlled_api.delete(which)

    eventually("the namespace is gone", lambda: not controlled_api.exists(which), seconds=60)
