"""The node itself: what every other scenario takes for granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .workloads import container, pod, ready_count, wait_ready

if TYPE_CHECKING:
    from .node import Node

pytestmark = pytest.mark.node


def test_a_pod_runs_and_answers_on_its_own_address(node: Node, namespace: str) -> None:
    """From the node, as a kubelet's probe would ask."""
    given = pod(namespace, "web", container("http:8080", "tcp:9000"))
    node.api.create(given)
    (live,) = wait_ready(node.api, given)
    address = live["status"]["podIP"]
    assert ready_count(live) == (1, 1)
    assert node.machine.run("busybox", "nc", address, "9000") == f"app {address} 9000\n"


def test_a_service_leads_to_its_pods_by_name(node: Node, namespace: str) -> None:
    """Name server, kube-proxy and the pods' network work together."""
    server = pod(namespace, "server", container("tcp:9000"))
    client = pod(namespace, "client", container("tcp:9001"))
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server", "namespace": namespace},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 9000}]},
    }
    for one in (server, client, service):
        node.api.create(one)
    answered, asking = wait_ready(node.api, server, client)
    address = answered["status"]["podIP"]

    said = node.execute(asking, "app", "sh", "-c",
                        f"until nc server.{namespace} 80 </dev/null; do :; done")  # fmt: skip
    assert said == f"app {address} 9000\n"
