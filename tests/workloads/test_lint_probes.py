"""Probes that work without the mesh and fail in it, or are answered for another container."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.workloads.preview import preview
from tests.given import ID, container, found, mesh, namespace, pod, probe

HTTP: dict[str, Any] = {"httpGet": {"port": 80}}
HTTPS: dict[str, Any] = {"httpGet": {"port": 443, "scheme": "HTTPS"}}
TCP: dict[str, Any] = {"tcpSocket": {"port": 80}}
EXEC: dict[str, Any] = {"exec": {}}
ENVOY = {"sidecarClass": "envoy"}


@pytest.mark.parametrize(
    ("probes", "pipy", "envoy"),
    [
        ([HTTP], [], []),
        ([HTTP, HTTP], ["warning: b: answers as a"], ["warning: a: answers as b"]),
        ([HTTP, TCP], [], ["error: a: fails"]),
        ([TCP, TCP], [], []),
        ([TCP, HTTP], ["error: a: no helper", "error: b: fails"], ["error: a: no helper"]),
        ([EXEC, HTTP], ["error: b: fails"], []),
        ([HTTP, EXEC], [], []),
        ([HTTPS, HTTPS], [], ["error: a: fails", "error: b: fails"]),
        ([HTTPS, TCP], [], ["error: a: fails"]),
        ([HTTP, HTTPS], ["warning: b: answers as a"], ["error: a: fails", "error: b: fails"]),
        ([HTTPS, HTTP], ["error: a: no helper", "error: b: fails"],
         ["error: a: no helper", "warning: a: answers as b"]),
    ],
)  # fmt: skip
def test_a_probe_that_the_sidecar_mistakes_is_found(
    probes: list[dict[str, Any]], pipy: list[str], envoy: list[str]
) -> None:
    """Pipy's script goes by the first container's probe, Envoy's bootstrap by the last one's."""
    given = pod(
        containers=[
            container(name, **probe(**handler))
            for name, handler in zip("ab", probes, strict=False)
        ]
    )
    for name, options, expected in (
        ("fsm", {}, pipy),
        ("osm-edge", {}, pipy),
        ("osm-edge", {"sidecar": ENVOY}, envoy),
        ("osm", {}, []),
    ):
        known = mesh(name, **options)
        result = preview(given, mesh=known, namespace=namespace(of=known), proxy_id=ID)
        said = [f"{item.severity}: {item.message}" for item in result.findings]
        assert len(said) == len(expected), said
        for message, words in zip(sorted(said), sorted(expected), strict=True):
            severity, who, what = words.split(": ")
            assert message.startswith(f"{severity}: container {who}: ")
            assert {
                "fails": "this readiness probe fails: the sidecar goes by container",
                "no helper": "adds no helper, so nothing answers this readiness probe (",
                "answers as a": "the sidecar answers this readiness probe as container a's",
                "answers as b": "the sidecar answers this readiness probe as container b's",
            }[what] in message


def test_an_excluded_port_may_be_probed_over_grpc() -> None:
    grpc = pod(containers=[container(**probe(grpc={"port": 9090}))])
    assert set(found(grpc, "osm")) == {"probe-intercepted"}
    assert found(grpc, traffic={"inboundPortExclusionList": [9090]}) == {}
    grpc["metadata"]["annotations"] = {"flomesh.io/inbound-port-exclusion-list": "9090"}
    assert found(grpc) == {}


@pytest.mark.parametrize("handler", ["httpGet", "tcpSocket", "grpc"])
def test_probes_of_native_sidecars_are_intercepted(handler: str) -> None:
    """Nobody rewrites them. Their startup probes are over when the redirection begins."""
    native = container("agent", **probe(**{handler: {"port": 8080}}), restartPolicy="Always")
    given = pod(initContainers=[native])
    assert found(given)["probe-intercepted"] == (
        f"container agent: the readiness probe ({handler}, port 8080) is not rewritten: the "
        "kubelet's connection ends at the sidecar, which resets it"
    )
    native["readinessProbe"][handler]["port"] = "http"
    assert "port 8080)" in found(given)["probe-intercepted"]
    native["readinessProbe"][handler]["port"] = "nowhere"
    assert "probe-intercepted" not in found(given)
    native["startupProbe"] = native.pop("readinessProbe")
    assert "probe-intercepted" not in found(given)


def test_an_http_probe_of_a_host_asks_it_on_the_sidecars_port() -> None:
    given = pod(containers=[container(**probe(httpGet={"port": 80, "host": "example.com"}))])
    assert found(given) == {
        "probe-host": "container web: the readiness probe asks example.com; the injector keeps "
        "the host and makes the port 15902"
    }
