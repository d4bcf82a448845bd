"""Fixtures over a real Kubernetes of one node: `node`, and a namespace of a test's own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fsm_stack.systems import OSM, OSM_EDGE
from tests.cluster.apiserver import NotInstalledError

from .image import images
from .machine import unavailable
from .node import node as running
from .stack import OTHER_TAG, Stack, image_names, make_project, objects_of
from .workloads import wait_deployment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .node import Node


CONTROL_PLANE_SECONDS = 180
# Their control planes are not declared by a stack: these are what the suite's own manifests name.
OLD_SIDECAR = "flomesh/pipy:1.5.11"  # of a release before
OTHER_SYSTEMS = tuple(
    f"{image}:{OTHER_TAG}"
    for system in (OSM_EDGE, OSM)
    for image in (
        system.images.init,
        system.images.sidecar,
        system.images.healthcheck,
        system.images.injector,
    )
)


def absent(reason: str) -> None:
    """Skip on a user's machine; fail in CI, where a skip would read as a pass."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A folder for everything that the run leaves on this machine, which goes with it."""
    if reason := unavailable():
        absent(reason)
    with tempfile.TemporaryDirectory(prefix="fsm-stack-node-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def project(home: Path) -> Path:
    """The project of the stack that runs on the node."""
    folder = home / "project"
    make_project(folder)
    return folder


@pytest.fixture(scope="session")
def node(home: Path, project: Path) -> Iterator[Node]:
    """The node, for the whole run."""
    names = (*image_names(objects_of(project)), *OTHER_SYSTEMS, OLD_SIDECAR)
    try:
        with running(home, images(names, home=home)) as made:
            yield made
    except NotInstalledError as error:
        absent(str(error).replace("test-cluster", "test-node"))


@pytest.fixture(scope="session")
def stack(node: Node, project: Path) -> Stack:
    """FSM's control plane, all Ready; scenarios put back what they break."""
    made = Stack(node=node, project=project)
    made.apply()
    for manifest in made.objects():
        if manifest.kind == "Deployment":
            wait_deployment(node.api, dict(manifest.object), seconds=CONTROL_PLANE_SECONDS)
    return made


@pytest.fixture
def namespace(node: Node) -> Iterator[str]:
    """A new namespace outside the mesh."""
    new = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "test-"}}
    made = node.api.create(new)
    yield made["metadata"]["name"]
    node.api.delete(made)
