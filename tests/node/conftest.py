"""Fixtures over a real Kubernetes of one node: the node, and FSM's control plane on it.

Its pods run stand-ins of the suite's own (`standins`). Where FSM's programs can be had,
`FSM_STACK_FSM_IMAGES` names a folder of image archives, as `docker save` writes them: under the
names that the stack renders they take the stand-ins' place, and the same scenarios judge them.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fsm_stack.systems import OSM, OSM_EDGE
from tests.apiserver.apiserver import NotInstalledError

from . import other_system
from .image import images
from .machine import unavailable
from .node import node as running
from .stack import Stack, image_names, make_project, objects_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .node import Node


OLD_SIDECAR = "flomesh/pipy:1.5.11"  # of a release before


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
def other_projects(home: Path) -> dict[str, Path]:
    """Projects of the systems of which a stack gives the MeshConfig only."""
    found = {system.name: home / system.name for system in (OSM_EDGE, OSM)}
    for name, folder in found.items():
        other_system.make_project(folder, name)
    return found


@pytest.fixture(scope="session")
def node(home: Path, project: Path, other_projects: dict[str, Path]) -> Iterator[Node]:
    """The node, for the whole run."""
    others = [name for one in other_projects.values() for name in other_system.image_names(one)]
    names = (*image_names(objects_of(project)), *others, OLD_SIDECAR)
    try:
        with running(home, images(names, home=home)) as made:
            yield made
    except NotInstalledError as error:
        absent(str(error))


@pytest.fixture(scope="session")
def stack(node: Node, project: Path) -> Stack:
    """FSM's control plane, all Ready; scenarios put back what they break."""
    made = Stack(node=node, project=project)
    made.apply()
    made.wait_up()
    return made


@pytest.fixture
def namespace(node: Node) -> Iterator[str]:
    """A new namespace outside the mesh."""
    new = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "test-"}}
    made = node.api.create(new)
    yield made["metadata"]["name"]
    node.api.delete(made)
