"""A server that takes the connection and says nothing."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

import pytest

from fsm_stack.cluster import connect as cluster_connect
from fsm_stack.errors import CouldNotCheckError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_server_that_never_answers_is_given_up_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it has answered once it has no list to make that could take long."""
    monkeypatch.setattr(cluster_connect, "FIRST_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        config = {
            "current-context": "silent",
            "contexts": [{"name": "silent", "context": {"cluster": "silent", "user": ""}}],
            "clusters": [
                {"name": "silent",
                 "cluster": {"server": f"http://127.0.0.1:{server.getsockname()[1]}"}}
            ],
            "users": [{"name": "", "user": {}}],
        }  # fmt: skip
        kubeconfig = tmp_path / "config"
        kubeconfig.write_text(json.dumps(config))
        cluster = cluster_connect.connect(kubeconfig=kubeconfig, context=None)
        start = time.monotonic()
        with pytest.raises(CouldNotCheckError, match="no answer in 3 attempts"):
            cluster.read("/api/v1/namespaces/kube-system")
        assert time.monotonic() - start < cluster_connect.READ_SECONDS / 3
