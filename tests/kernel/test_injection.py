"""The init container of an injected pod, run as the kubelet runs it, does what `trace` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from judged import expected
from network import BACKENDS, POD_IP

from fsm_stack.injector.mesh import MeshView, mesh_view
from fsm_stack.iptables.packet import Packet
from fsm_stack.systems import SYSTEMS, system
from fsm_stack.well_known import SIDECAR_UID
from fsm_stack.workloads.documents import split
from fsm_stack.workloads.stream import Context, run
from fsm_stack.yaml.write import dump

if TYPE_CHECKING:
    from network import Arrival, Backend, Network

pytestmark = pytest.mark.kernel

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec:
  template:
    metadata:
      labels: {{app: web}}
      annotations:
        {prefix}/outbound-port-exclusion-list: "6379, 7070"
        {prefix}/inbound-port-exclusion-list: "9999"
        {prefix}/outbound-ip-range-exclusion-list: 198.18.1.0/24
        {prefix}/outbound-ip-range-inclusion-list: "198.18.0.0/16,198.19.7.0/24"
    spec:
      containers:
      - name: web
        readinessProbe: {{tcpSocket: {{port: 8080}}}}
"""
TRAFFIC = {
    "outboundPortExclusionList": [443],
    "outboundIPRangeExclusionList": ["198.18.2.2/32"],
    "networkInterfaceExclusionList": ["eth1"],
    "interceptionMode": "iptables",
}


def mesh(name: str) -> MeshView:
    images = {
        f"{prefix}_DEFAULT_{image}_IMAGE": "example.com/image:1"
        for prefix in ("FSM", "OSM")
        for image in ("SIDECAR", "ENVOY", "INIT_CONTAINER", "HEALTHCHECK_CONTAINER")
    }
    config = {"traffic": TRAFFIC, "sidecar": {"localProxyMode": "PodIP"}}
    return mesh_view(system(name), config, environment=images)


def injected(name: str) -> dict[str, Any]:
    """The pod template as `inject` writes it, read from its text."""
    text = DEPLOYMENT.format(prefix=system(name).annotation_prefix)
    context = Context(mesh=mesh(name), proxy_id=lambda *_: "id", dump=dump)
    (outcome,) = run(split(text.splitlines(keepends=True), file="web.yaml"), context)
    spec: dict[str, Any] = yaml.safe_load(outcome.text)["spec"]["template"]["spec"]
    return spec


def outbound(destination: str, port: int, *, uid: int = 1000, interface: str = "eth0") -> Packet:
    return Packet(
        direction="outbound", destination=destination, port=port, uid=uid, interface=interface
    )


PACKETS = {
    "redirected": outbound("198.18.0.9", 80),
    "a port of the pod": outbound("198.18.0.9", 6379),
    "a port of the mesh": outbound("198.18.0.9", 443),
    "a range of the pod": outbound("198.18.1.9", 80),
    "a range of the mesh": outbound("198.18.2.2", 80),
    "not included": outbound("192.0.2.1", 80),
    "an excluded interface": outbound("198.19.7.1", 80, interface="eth1"),
    "the sidecar": outbound("198.18.0.9", 80, uid=SIDECAR_UID),
    "itself": outbound("127.0.0.1", 8080, interface="lo"),
    "inbound": Packet(direction="inbound", destination=POD_IP, port=8080, interface="eth0"),
    "inbound, excluded": Packet(
        direction="inbound", destination=POD_IP, port=9999, interface="eth0"
    ),
    "a rewritten probe": Packet(
        direction="inbound", destination=POD_IP, port=15904, interface="eth0"
    ),
}
LISTENERS = {"redirected": 15001, "inbound": 15003}


@pytest.mark.requirement("C6", "C8", "C9", "C10", "C11", "C18", "C29", "C37")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_mutated_pods_script_does_what_trace_says(
    pod: Network, name: str, backend: Backend
) -> None:
    """From the manifest's text to real connections, for lists of the pod and of the mesh."""
    (init,) = injected(name)["initContainers"]
    assert (init["command"], init["args"][0]) == (["/bin/sh"], "-c")
    script = init["args"][1]
    done = pod.load(script, backend)
    assert (done.returncode, done.stderr) == (0, "")
    arrived: list[Arrival] = pod.connect(list(PACKETS.values()))
    for (what, packet), arrival in zip(PACKETS.items(), arrived, strict=True):
        assert arrival == expected(packet, script), what
        if what in LISTENERS:
            assert arrival.port == LISTENERS[what], what
        else:
            assert arrival.port == packet.port, what
