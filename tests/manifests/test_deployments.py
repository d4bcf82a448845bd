"""What the settings change in the three Deployments."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.errors import InputError
from tests.manifests.stacks import bundle_of, named

DIGEST = "sha256:" + "d" * 64


def _pod(data: dict[str, Any], name: str) -> dict[str, Any]:
    spec: dict[str, Any] = named(data, "Deployment", name).object["spec"]["template"]["spec"]
    return spec


def _images(data: dict[str, Any]) -> set[str]:
    return {
        container["image"]
        for name in ("fsm-bootstrap", "fsm-controller", "fsm-injector")
        for part in ("initContainers", "containers")
        for container in _pod(data, name).get(part, [])
    }


def test_images_of_the_release() -> None:
    assert _images({}) == {
        "flomesh/fsm-bootstrap:1.5.1",
        "flomesh/fsm-controller:1.5.1",
        "flomesh/fsm-curl:1.5.1",
        "flomesh/fsm-injector:1.5.1",
        "flomesh/pipy-repo:1.5.12",
    }


def test_a_digest_wins_and_the_tag_stays_for_readers() -> None:
    """The chart uses a digest only where the tag is empty."""
    data = {"images": {"tag": "1.5.1-custom", "injector": {"digest": DIGEST}}}
    [program] = _pod(data, "fsm-injector")["containers"]
    assert program["image"] == f"flomesh/fsm-injector:1.5.1-custom@{DIGEST}"


def test_each_image_has_its_own_digest() -> None:
    """The chart gives the connector the injector's."""
    data = {"images": {"injector": {"digest": DIGEST}}}
    digests = named(data, "MeshConfig", "fsm-mesh-config").object["spec"]["image"]["digest"]
    assert {key for key, value in digests.items() if value} == {"fsmInjector"}


def test_the_injector_learns_the_pods_images_from_its_environment() -> None:
    data = {"images": {"sidecarInit": {"digest": DIGEST}, "pipy": {"tag": "1.5.13"}}}
    [program] = _pod(data, "fsm-injector")["containers"]
    values = {item["name"]: item.get("value") for item in program["env"]}
    assert values == {
        "CONTROLLER_SVC_NAME": "fsm-controller",
        "INJECTOR_POD_NAME": None,
        "FSM_DEFAULT_SIDECAR_IMAGE": "flomesh/pipy:1.5.13",
        "FSM_DEFAULT_INIT_CONTAINER_IMAGE": f"flomesh/fsm-sidecar-init:1.5.1@{DIGEST}",
        "FSM_DEFAULT_HEALTHCHECK_CONTAINER_IMAGE": "flomesh/fsm-healthcheck:1.5.1",
    }


def test_a_repository_elsewhere_is_not_in_the_controllers_pod() -> None:
    data = {"components": {"controller": {"standaloneRepoServer": True}}}
    names = [container["name"] for container in _pod(data, "fsm-controller")["containers"]]
    assert names == ["fsm-controller"]


def test_an_affinity_replaces_the_default_and_an_empty_one_removes_it() -> None:
    own = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    assert _pod({"components": {"injector": {"affinity": own}}}, "fsm-injector")["affinity"] == own
    assert "affinity" not in _pod({"components": {"injector": {"affinity": {}}}}, "fsm-injector")


def test_a_pods_own_labels_cannot_be_overwritten() -> None:
    """The Deployment finds its pods by them."""
    data = {"components": {"injector": {"podLabels": {"app": "other", "team": "mesh"}}}}
    template = named(data, "Deployment", "fsm-injector").object["spec"]["template"]
    assert template["metadata"]["labels"] == {
        "app": "fsm-injector",
        "team": "mesh",
        "app.kubernetes.io/name": "flomesh.io",
        "app.kubernetes.io/instance": "fsm",
        "app.kubernetes.io/version": "v1.5.1",
    }


def test_a_selector_is_a_part_of_its_pods_labels() -> None:
    for item in bundle_of({"repoServer": {"codebase": "prod"}}):
        if item.kind == "Deployment":
            match = item.object["spec"]["selector"]["matchLabels"]
            labels = item.object["spec"]["template"]["metadata"]["labels"]
            assert match.items() <= labels.items()


def test_services_select_pods_of_the_bundle() -> None:
    manifests = bundle_of({})
    labels = [
        item.object["spec"]["template"]["metadata"]["labels"].items()
        for item in manifests
        if item.kind == "Deployment"
    ]
    for item in manifests:
        if item.kind == "Service":
            selector = item.object["spec"]["selector"].items()
            assert sum(selector <= pod for pod in labels) == 1, item.name


def test_services_lead_to_ports_that_a_container_opens() -> None:
    """The target is declared: one that is not would not be restored, nor seen as drift."""
    manifests = bundle_of({})
    opened = {
        (item.name, port["containerPort"], port.get("protocol", "TCP"))
        for item in manifests
        if item.kind == "Deployment"
        for container in item.object["spec"]["template"]["spec"]["containers"]
        for port in container["ports"]
    }
    led = {
        (item.object["spec"]["selector"]["app"], port["targetPort"], port.get("protocol", "TCP"))
        for item in manifests
        if item.kind == "Service"
        for port in item.object["spec"]["ports"]
    }
    # Upstream's debug server and its validator listen without a named port.
    assert led - opened == {("fsm-controller", 9092, "TCP"), ("fsm-controller", 9093, "TCP")}


def test_every_program_is_told_where_vault_is() -> None:
    vault = {"host": "v.example.com", "role": "mesh", "tokenSecret": {"name": "s", "key": "k"}}
    data = {"certificateProvider": {"kind": "vault", "vault": vault}}
    for name in ("fsm-bootstrap", "fsm-controller", "fsm-injector"):
        arguments = _pod(data, name)["containers"][-1]["args"]
        start = arguments.index("--vault-host")
        assert arguments[start : start + 12] == [
            *("--vault-host", "v.example.com"),
            *("--vault-port", "8200"),
            *("--vault-protocol", "https"),
            *("--vault-role", "mesh"),
            *("--vault-token-secret-name", "s"),
            *("--vault-token-secret-key", "k"),
        ]


def test_vault_without_its_settings_is_refused() -> None:
    with pytest.raises(InputError, match="expected Vault's host and tokenSecret"):
        bundle_of({"certificateProvider": {"kind": "vault"}})


def test_the_single_mesh_label_is_what_other_meshes_look_for() -> None:
    """Source: flomesh-io/fsm cmd/fsm-preinstall, singleMeshOK."""
    labels = named({}, "Deployment", "fsm-controller").object["metadata"]["labels"]
    assert labels["enforceSingleMesh"] == "true"
    data = {"mesh": {"enforceSingleMesh": False}}
    labels = named(data, "Deployment", "fsm-controller").object["metadata"]["labels"]
    assert "enforceSingleMesh" not in labels


def test_bootstrap_has_five_minutes_before_it_has_to_live() -> None:
    """It applies 64 CRDs before it answers; the liveness probe alone would restart it."""
    [program] = _pod({}, "fsm-bootstrap")["containers"]
    startup = program["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 300
    assert startup["httpGet"] == program["livenessProbe"]["httpGet"]


def test_the_other_programs_wait_for_bootstrap_and_need_no_such_probe() -> None:
    for name in ("fsm-controller", "fsm-injector"):
        assert all("startupProbe" not in one for one in _pod({}, name)["containers"])
