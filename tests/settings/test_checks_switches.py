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


IMAGE = "registry.example.com:5000/mesh/fsm-stack:0.1.0"
DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize("schedule", ["*/15 * * * *", "@hourly", "0 6 * * MON-FRI"])
@pytest.mark.parametrize(
    "image", [IMAGE, f"{IMAGE}@{DIGEST}", f"fsm-stack@{DIGEST}", "mesh/fsm-stack:0.1.0"]
)
def test_a_scheduled_verify_with_a_pinned_image_is_fine(schedule: str, image: str) -> None:
    assert found({"verify": {"schedule": schedule, "image": image, "metricsPort": 9090}}) == []


@pytest.mark.parametrize(
    ("verify", "expected"),
    [
        (
            {"schedule": "@hourly"},
            (
                "missing-key",
                "verify.image",
                "expected verify.image, the image of fsm-stack, beside a schedule; got nothing",
            ),
        ),
        (
            {"image": IMAGE},
            ("no-effect", "verify.schedule", "nothing runs without verify.schedule"),
        ),
        (
            {"schedule": "@hourly", "image": "mesh/fsm-stack:latest"},
            (
                "mutable-image",
                "verify.image",
                "fsm-stack's own image is named by the moving tag latest",
            ),
        ),
        (
            {"schedule": "@hourly", "image": "registry.example.com:5000/fsm-stack"},
            (
                "mutable-image",
                "verify.image",
                "fsm-stack's own image is named by the moving tag latest",
            ),
        ),
        (
            {"schedule": "every hour", "image": IMAGE},
            (
                "invalid-value",
                "verify.schedule",
                "expected a schedule as cron writes it, such as */15 * * * * or @hourly, got "
                "'every hour'",
            ),
        ),
        (
            {"schedule": "@hourly", "image": "https://registry.example.com/fsm-stack"},
            (
                "invalid-value",
                "verify.image",
                "expected an image as in registry.example.com/team/fsm-stack:0.1.0, without "
                "https://, got 'https://registry.example.com/fsm-stack'",
            ),
        ),
    ],
    ids=[
        "no image",
        "no schedule",
        "latest",
        "no tag",
        "no schedule of cron's",
        "no image's name",
    ],
)
def test_a_scheduled_verify_that_would_not_run_is_told(
    verify: dict[str, str], expected: tuple[str, str, str]
) -> None:
    assert found({"verify": verify}) == [expected]


def test_other_systems_have_no_control_plane_to_run_it_beside() -> None:
    data = {"system": "osm", "verify": {"schedule": "@hourly", "image": IMAGE}}

    assert ("not-in-system", "verify") in [item[:2] for item in found(data)]


SHARED = [
    ("ingress", "enabled", "the ingress class"),
    ("gatewayAPI", "enabled", "the gateway's webhooks"),
    ("serviceLB", "enabled", "every Service's load balancer"),
    ("mesh", "enableMultiClusters", "the cluster's place among others"),
]


@pytest.mark.parametrize(("section", "key", "what"), SHARED)
def test_a_second_mesh_leaves_what_is_the_clusters_to_the_first(
    section: str, key: str, what: str
) -> None:
    def said(release: str) -> list[tuple[str, str, str]]:
        mesh = {"mesh": {"releaseName": release}}
        data = mesh | {section: {**mesh.get(section, {}), key: True}}
        return [item for item in found(data) if item[0] == "one-mesh-only"]

    assert said("fsm") == []
    assert said("blue") == [
        (
            "one-mesh-only",
            f"{section}.{key}",
            "expected false beside another mesh, which mesh.releaseName blue says: "
            f"{what} can be of one mesh only",
        )
    ]


def test_a_list_that_the_guard_does_not_look_at_is_too_large() -> None:
    """The API server bounds what a policy's rules may cost."""
    ranges = [f"{one >> 8}.{one & 255}.0.0/16" for one in range(256, 2257)]
    data = {"guard": {"meshConfig": "deny"}}

    def said(count: int) -> list[tuple[str, str, str]]:
        lists = {"outboundIPRangeExclusionList": ranges[:count]}
        return [item for item in found(data | {"traffic": lists}) if item[0] == "too-large"]

    assert said(2000) == []
    assert said(2001) == [
        (
            "too-large",
            "traffic.outboundIPRangeExclusionList",
            "expected at most 2000 entries where guard.meshConfig is on, got 2001",
        )
    ]


def test_lists_that_no_config_map_holds_are_too_large() -> None:
    """Each profile's annotations have the mesh's ranges again."""
    ranges = [f"{one >> 8}.{one & 255}.0.0/16" for one in range(256, 1256)]
    profiles = {f"p{one}": {"inboundPortExclusionList": [8080]} for one in range(120)}
    data = {"traffic": {"outboundIPRangeInclusionList": ranges}, "annotationProfiles": profiles}
    assert [item for item in found(data) if item[0] == "too-large"] == [
        (
            "too-large",
            "traffic",
            "expected lists of at most 1048576 bytes for the ConfigMap that says what is "
            "redirected, got more than 1089000: the mesh's lists count once for itself and once "
            "for each profile",
        )
    ]
