from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from network import network, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from network import Network


@pytest.fixture(scope="session")
def pod_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Two namespaces for the whole run; each test flushes the rules."""
    if reason := unavailable():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with network(tmp_path_factory.mktemp("shims")) as made:
        yield made


@pytest.fixture
def pod(pod_network: Network) -> Iterator[Network]:
    """The network without rules."""
    pod_network.flush()
    yield pod_network
    pod_network.flush()
