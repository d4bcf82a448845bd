"""Pods whose sidecar or init container is of another release than the injector gives now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Status
from fsm_stack.verify.restarting.restarts import restarts

from .world import World, managed, world

RESTART = "kubectl rollout restart deployment/web -n shop"
SIDECAR, INIT = 1, 0


def older(mesh: World, image: str = "flomesh/pipy:1.5.0") -> World:
    mesh.the("Pod")["spec"]["containers"][SIDECAR]["image"] = image
    return mesh


def test_a_pod_of_the_declared_release_is_not_stale() -> None:
    mesh = world()
    assert mesh.outcome("pod-images").status is Status.PASSED
    assert restarts(mesh.context()).owners == ()


def test_a_sidecar_of_an_older_release_is_stale_and_restarted() -> None:
    mesh = older(world())
    (found,) = mesh.outcome("pod-images").findings
    assert found.message == (
        "sidecar has flomesh/pipy:1.5.0, not flomesh/pipy:1.5.12: it was made before that counted"
    )
    assert found.fix == RESTART
    (owner,) = restarts(mesh.context()).owners
    assert owner.why == "sidecar has flomesh/pipy:1.5.0, not flomesh/pipy:1.5.12"


def test_an_init_container_of_an_older_release_is_stale() -> None:
    mesh = world()
    mesh.the("Pod")["spec"]["initContainers"][INIT]["image"] = "flomesh/fsm-sidecar-init:1.4.0"
    assert mesh.messages("pod-images") == [
        "fsm-init has flomesh/fsm-sidecar-init:1.4.0, not flomesh/fsm-sidecar-init:1.5.1: it was "
        "made before that counted"
    ]


@pytest.mark.parametrize(
    "image", ["mirror.example:5000/team/pipy:1.5.12", "flomesh/pipy:1.5.12@sha256:aa"]
)
def test_a_mirror_and_a_digest_are_the_same_release(image: str) -> None:
    """A mirror changes every pod, at every restart: a restart would be in vain."""
    assert older(world(), image).messages("pod-images") == []


@pytest.mark.parametrize("kind", ["Pod", "Namespace"])
def test_an_image_that_a_pod_or_namespace_chooses_is_what_it_is_compared_with(kind: str) -> None:
    mesh = older(world())
    name = "shop" if kind == "Namespace" else ""
    notes = mesh.the(kind, name)["metadata"].setdefault("annotations", {})
    notes["flomesh.io/sidecar-image"] = "flomesh/pipy:1.5.0"
    assert mesh.messages("pod-images") == []
    mesh.the("Pod")["spec"]["containers"][SIDECAR]["image"] = "flomesh/pipy:1.5.12"
    assert mesh.messages("pod-images") == [
        "sidecar has flomesh/pipy:1.5.12, not flomesh/pipy:1.5.0: it was made before that counted"
    ]


def test_where_the_cluster_gives_another_image_it_comes_first() -> None:
    """A restart under that MeshConfig would give the old image again."""
    mesh = older(world())
    item = mesh.the("MeshConfig")
    item["spec"]["sidecar"]["sidecarImage"] = "flomesh/pipy:1.5.0"
    (found,) = mesh.outcome("pod-images").findings
    assert found.fix == f"Run `pulumi up --refresh` for the stack, then: {RESTART}"
    item["metadata"]["managedFields"] = [managed("kubectl-patch", "spec.sidecar.sidecarImage")]
    listed = restarts(mesh.context())
    assert listed.owners == ()
    assert listed.later == (
        "Run `pulumi up --refresh` for the stack with deployment.forceMeshConfig: true: a plain "
        "one ends in a conflict with kubectl-patch: 1 pod waits for that",
    )


def test_where_the_injector_gives_another_image_it_comes_first() -> None:
    mesh = world()
    image = "flomesh/fsm-sidecar-init:1.4.0"
    mesh.the("Pod")["spec"]["initContainers"][INIT]["image"] = image
    injector = mesh.the("Deployment", "fsm-injector")
    (container,) = injector["spec"]["template"]["spec"]["containers"]
    for entry in container["env"]:
        if entry["name"] == "FSM_DEFAULT_INIT_CONTAINER_IMAGE":
            entry["value"] = image
    injector["metadata"]["managedFields"] = [
        managed("kubectl-set", "spec.template.spec.containers.env")
    ]
    (found,) = mesh.outcome("pod-images").findings
    assert found.fix == (
        "Run `PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up --refresh` for the stack: a plain one "
        f"ends in a conflict with kubectl-set, then: {RESTART}"
    )


def test_without_a_stack_the_clusters_own_mesh_counts() -> None:
    mesh = older(world())
    mesh.known = replace(mesh.known, origin="cluster", objects={})
    assert len(mesh.messages("pod-images")) == 1
    assert mesh.known.settings is not None
    del mesh.known.settings["sidecar"]["sidecarImage"]
    assert len(mesh.messages("pod-images")) == 1
    mesh.remove("Deployment", "fsm-injector")
    assert mesh.outcome("pod-images").status is Status.NOT_APPLICABLE
    mesh.not_read[Part.CONTROL_PLANE] = "not read: deployments is forbidden"
    assert mesh.outcome("pod-images").status is Status.NOT_RUN
