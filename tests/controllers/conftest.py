"""A cluster of each module's own: what a GitOps controller leaves must not meet another one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.apiserver.apiserver import NotInstalledError, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.apiserver.client import Api


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Where everything that a module starts has its files."""
    with tempfile.TemporaryDirectory(prefix="fsm-stack-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def api(home: Path) -> Iterator[Api]:
    """An API server with its controllers: Deployments make pods, deletions end."""
    server = home / "server"
    server.mkdir()
    try:
        with serve(server, controllers=True) as api:
            yield api
    except NotInstalledError as error:
        if os.environ.get("CI") == "true":  # where a skip would read as a pass
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
