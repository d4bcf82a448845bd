"""Fixtures over a real Kubernetes of one node: `node`, and a namespace of a test's own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster.apiserver import NotInstalledError

from .image import images
from .machine import unavailable
from .node import node as running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .node import Node


def absent(reason: str) -> None:
    """Skip on a user's machine; fail in CI, where a skip would read as a pass."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """The node, for the whole run."""
    if reason := unavailable():
        absent(reason)
    with tempfile.TemporaryDirectory(prefix="fsm-stack-node-") as folder:
        home = Path(folder)
        try:
            with running(home, images((), home=home)) as made:
                yield made
        except NotInstalledError as error:
            absent(str(error).replace("test-cluster", "test-node"))


@pytest.fixture
def namespace(node: Node) -> Iterator[str]:
    """A new namespace outside the mesh."""
    new = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "test-"}}
    made = node.api.create(new)
    yield made["metadata"]["name"]
    node.api.delete(made)
