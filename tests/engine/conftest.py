"""Fixtures over a real engine: one API server and one back end for the session."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.apiserver.apiserver import NotInstalledError, serve

from .engine import Engine
from .project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.apiserver.client import Api


def serving() -> Iterator[tuple[Api, Engine]]:
    """An API server with its controllers, and an engine that talks to it alone."""
    with tempfile.TemporaryDirectory(prefix="fsm-stack-") as folder:
        home = Path(folder)
        (home / "server").mkdir()
        (home / "engine").mkdir()
        try:
            engine = Engine.at(home / "engine", home / "server/kubeconfig")
            with serve(home / "server", controllers=True) as api:
                yield api, engine
        except NotInstalledError as error:
            if os.environ.get("CI") == "true":  # where a skip would read as a pass
                pytest.fail(str(error), pytrace=False)
            pytest.skip(str(error))


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[Api, Engine]]:
    """The cluster and the engine of all tests that leave nothing behind."""
    yield from serving()


@pytest.fixture(scope="session")
def api(served: tuple[Api, Engine]) -> Api:
    """The cluster."""
    return served[0]


@pytest.fixture(scope="session")
def engine(served: tuple[Api, Engine]) -> Engine:
    """The engine."""
    return served[1]


@pytest.fixture
def project(tmp_path: Path, engine: Engine) -> Iterator[Project]:
    """A project of the test's own; nothing of its stacks is left in the cluster."""
    made = Project.made(tmp_path, engine)
    yield made
    made.end()
