"""Fixtures over a real API server: `api`, `controlled_api` and `namespace`."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.recordings import recordings

from .apiserver import NotInstalledError, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .client import Api

REPOSITORY = Path(__file__).resolve().parents[2]


@contextmanager
def or_skip() -> Iterator[None]:
    """A suite whose programs are missing is skipped; in CI it fails."""
    try:
        yield
    except NotInstalledError as error:
        if os.environ.get("CI") == "true":  # where a skip would read as a pass
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@contextmanager
def _served(*, controllers: bool) -> Iterator[Api]:
    with (
        tempfile.TemporaryDirectory(prefix="fsm-stack-") as home,
        or_skip(),
        serve(Path(home), controllers=controllers) as api,
    ):
        yield api


@pytest.fixture(scope="session")
def api() -> Iterator[Api]:
    """An API server and nothing else: what is applied stays as it is."""
    with _served(controllers=False) as api:
        yield api


@pytest.fixture(scope="session")
def controlled_api() -> Iterator[Api]:
    """A second API server, with the standard controllers: deletions end, owners make pods."""
    with _served(controllers=True) as api:
        yield api


@pytest.fixture
def namespace(api: Api) -> str:
    """A new namespace on `api`; it stays, because nothing there ends a namespace."""
    new = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "test-"}}
    name: str = api.create(new)["metadata"]["name"]
    return name


@pytest.fixture(scope="session")
def upstream_crds() -> Path:
    """The folder with upstream's CustomResourceDefinitions, which lies beside the repository."""
    folder = recordings("FSM_STACK_CRD", "crd")
    if not folder.is_dir():
        pytest.skip(f"no upstream CRDs in {folder}: set FSM_STACK_CRD to their folder")
    return folder.resolve()
