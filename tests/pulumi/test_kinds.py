from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.errors import NotProvidedError
from fsm_stack.manifests.manifest import Manifest, Part, Wave
from fsm_stack.pulumi.kinds import OWNER, declared, logical_names, resource_class
from fsm_stack.settings.models.stack import Deployment

from .recorder import run


def manifest(api_version: str, kind: str, *, name: str = "x", **rest: Any) -> Manifest:
    namespace = rest.pop("namespace", None)
    options = {key: rest.pop(key) for key in ("patch", "retain") if key in rest}
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return Manifest(
        object={"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest},
        part=Part.CONTROL_PLANE,
        wave=Wave.FOUNDATION,
        **options,
    )


@pytest.mark.parametrize(
    ("api_version", "kind", "expected"),
    [
        ("v1", "ConfigMap", "pulumi_kubernetes.core.v1.ConfigMap"),
        ("apps/v1", "Deployment", "pulumi_kubernetes.apps.v1.Deployment"),
        ("apps/v1", "DaemonSet", "pulumi_kubernetes.apps.v1.DaemonSet"),
        (
            "networking.k8s.io/v1",
            "IngressClass",
            "pulumi_kubernetes.networking.v1.IngressClass",
        ),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "pulumi_kubernetes.autoscaling.v2.HorizontalPodAutoscaler",
        ),
        (
            "policy/v1",
            "PodDisruptionBudget",
            "pulumi_kubernetes.policy.v1.PodDisruptionBudget",
        ),
        (
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "pulumi_kubernetes.rbac.v1.RoleBinding",
        ),
        (
            "admissionregistration.k8s.io/v1",
            "ValidatingAdmissionPolicy",
            "pulumi_kubernetes.admissionregistration.v1.ValidatingAdmissionPolicy",
        ),
        (
            "config.flomesh.io/v1alpha3",
            "MeshConfig",
            "pulumi_kubernetes.apiextensions.CustomResource",
        ),
    ],
)
def test_an_object_has_its_own_class(api_version: str, kind: str, expected: str) -> None:
    found = resource_class(manifest(api_version, kind))

    assert (
        f"{found.__module__.removesuffix('.' + kind)}.{found.__name__}".replace(
            "CustomResource.CustomResource", "CustomResource"
        )
        == expected
    )


def test_a_version_that_the_sdk_does_not_know_is_an_error() -> None:
    with pytest.raises(NotProvidedError) as error:
        resource_class(manifest("apps/v9", "Deployment"))

    assert str(error.value) == ("apps/v9 Deployment: pulumi_kubernetes has no apps.v9.Deployment")


def test_a_custom_resource_with_more_than_a_spec_is_an_error() -> None:
    """The SDK's class for custom resources would drop the rest without a word."""

    def program() -> None:
        thing = manifest("x.io/v1", "Thing", data={})
        declared("x", thing, opts=None, deployment=Deployment())

    with pytest.raises(NotProvidedError) as error:
        run(program)

    assert str(error.value) == (
        "x.io/v1 Thing: expected apiVersion, kind, metadata and spec only, got data"
    )


def test_keys_are_sent_as_they_are() -> None:
    """Labels, data and CRD schemas hold keys of people; Pulumi translates names of its own."""
    body = {
        "data": {"snake_case": "1", "camelCase": "2", "kebab-case.json": "3"},
        "binaryData": {"archive_tgz": "AAAA"},
        "immutable": False,
    }
    config_map = manifest("v1", "ConfigMap", **body)

    recorder = run(lambda: declared("x", config_map, opts=None, deployment=Deployment()) and None)

    sent = recorder["x"].inputs
    assert sent["metadata"].pop("annotations") == {OWNER: "organization/fsm-stack/dev"}
    assert sent == config_map.object


def test_a_name_depends_on_its_own_object_only() -> None:
    """Else adding an object would rename, and so delete and create, another."""
    objects = [
        manifest("v1", "ConfigMap", namespace="fsm-system"),
        manifest("v1", "ConfigMap", namespace="shop"),
        manifest("v1", "Namespace"),
    ]

    assert logical_names(objects, "fsm-system") == (
        "configmap-x",
        "configmap-x-in-shop",
        "namespace-x",
    )
