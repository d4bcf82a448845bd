from __future__ import annotations

from typing import Any

import pytest

from .loading import found

WITHOUT = [
    (
        {"traffic": {"inboundExternalAuthorization": {"enable": True}}},
        "traffic.inboundExternalAuthorization.enable",
        "enable is true, and no address and no port is set",
    ),
    (
        {"traffic": {"inboundExternalAuthorization": {"enable": True, "address": "opa"}}},
        "traffic.inboundExternalAuthorization.enable",
        "enable is true, and no port is set",
    ),
    (
        {"observability": {"remoteLogging": {"enable": True}}},
        "observability.remoteLogging.enable",
        "enable is true, and no address is set",
    ),
]


@pytest.mark.parametrize(("data", "path", "message"), WITHOUT)
def test_a_switch_needs_its_destination(data: dict[str, Any], path: str, message: str) -> None:
    assert found(data) == [("no-destination", path, message)]


def test_a_switch_with_its_destination_is_fine() -> None:
    there = {"enable": True, "address": "opa.shop", "port": 8181}
    assert found({"traffic": {"inboundExternalAuthorization": there}}) == []
    assert found({"observability": {"tracing": {"enable": True}}}) == []  # Jaeger by default


@pytest.mark.parametrize(
    ("low", "high", "count"),
    [
        ("TLSv1_3", "TLSv1_2", 1),
        ("TLSv1_2", "TLSv1_2", 0),
        ("TLSv1_3", "TLS_AUTO", 0),
        ("TLS_AUTO", "TLSv1_0", 0),
    ],
)
def test_the_oldest_tls_version_is_at_most_the_newest(low: str, high: str, count: int) -> None:
    data = {"sidecar": {"tlsMinProtocolVersion": low, "tlsMaxProtocolVersion": high}}
    paths = [item[:2] for item in found(data)]
    assert paths == [("invalid-value", "sidecar.tlsMinProtocolVersion")] * count


@pytest.mark.parametrize("life", ["0", "0s", "0h0m"])
def test_certificates_live_longer_than_not_at_all(life: str) -> None:
    assert [
        item[:2] for item in found({"certificate": {"serviceCertValidityDuration": life}})
    ] == [("invalid-value", "certificate.serviceCertValidityDuration")]
    gateway = {
        "subjectAltNames": ["a"],
        "validityDuration": life,
        "secret": {"name": "a", "namespace": "b"},
    }
    assert [item[1] for item in found({"certificate": {"ingressGateway": gateway}})] == [
        "certificate.ingressGateway.validityDuration"
    ]


@pytest.mark.parametrize("part", ["registry", "tag"])
def test_a_part_of_an_image_that_fsm_cannot_read_is_told(part: str) -> None:
    """MeshConfig has one registry and one tag for what the controller starts."""
    assert [item[:2] for item in found({"images": {"gateway": {part: "x"}}})] == [
        ("no-effect", f"images.gateway.{part}")
    ]
    assert found({"images": {"injector": {part: "x"}, "healthcheck": {part: "x"}}}) == []


def test_an_api_server_inside_the_pod_range_may_be_meant() -> None:
    """Virtual clusters run theirs as a pod."""
    cluster = {"podRanges": ["10.0.0.0/8"], "apiServer": {"address": "10.0.0.1"}}
    assert [item[:2] for item in found({"cluster": cluster})] == [
        ("api-server-in-pod-range", "cluster.apiServer.address")
    ]


def test_the_repositorys_folder_is_a_label_of_the_controller() -> None:
    (item,) = found({"repoServer": {"codebase": "a/b"}})
    assert item[:2] == ("invalid-value", "repoServer.codebase")
    assert found({"repoServer": {"codebase": "team-a"}}) == []
