"""The mesh as its injector sees it: of a MeshConfig, of the environment, of a stack."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.injector.mesh import mesh_view
from fsm_stack.injector.of_settings import enrolled, mesh_of
from fsm_stack.systems import FSM, OSM, OSM_EDGE, system
from tests.settings.loading import settings


def test_a_mesh_is_named_and_placed_as_its_stack_says() -> None:
    stack = settings(
        {
            "mesh": {"name": "blue", "namespace": "mesh", "trustDomain": "example.com"},
            "images": {"pullPolicy": "Always"},
            "sidecar": {"logLevel": "debug", "localDNSProxy": {"enable": True}},
            "traffic": {"outboundPortExclusionList": [6379]},
        }
    )
    mesh = mesh_of(stack, controller_ip="10.96.0.9")
    assert (mesh.name, mesh.namespace, mesh.trust_domain) == ("blue", "mesh", "example.com")
    assert (mesh.pull_policy, mesh.log_level) == ("Always", "debug")
    assert (mesh.controller_ip, mesh.dns_proxy) == ("10.96.0.9", True)
    assert mesh.lists.outbound_ports == (6379,)
    assert mesh_of(stack).controller_ip is None


IMAGES_OF_RELEASES = {
    "fsm": (
        "flomesh/pipy:1.5.12",
        "",
        "flomesh/fsm-sidecar-init:1.5.1",
        "flomesh/fsm-healthcheck:1.5.1",
    ),
    "osm-edge": (
        "flomesh/pipy:0.90.3-38",
        "envoyproxy/envoy-windows:latest",
        "flomesh/osm-edge-sidecar-init:1.3.9",
        "flomesh/osm-edge-healthcheck:1.3.9",
    ),
    "osm": (
        "envoyproxy/envoy-distroless:v1.23.1@sha256:"
        "293ffbe026e50a9463e909d9114278ca0af076b33d59d77a4a369acc6cbc53a0",
        "envoyproxy/envoy-windows:latest",
        "openservicemesh/init:latest-main",
        "openservicemesh/osm-healthcheck:latest-main",
    ),
}


@pytest.mark.parametrize("name", IMAGES_OF_RELEASES)
def test_a_stack_without_images_has_those_of_its_release(name: str) -> None:
    mesh = mesh_of(settings({"system": name}), controller_ip="10.96.0.9")
    assert (
        mesh.sidecar_image,
        mesh.sidecar_windows_image,
        mesh.init_image,
        mesh.healthcheck_image,
    ) == IMAGES_OF_RELEASES[name]
    # OSM has no DNS proxy, and so does not look for the Service.
    assert mesh.controller_ip == (None if name == "osm" else "10.96.0.9")


def test_an_enrolled_namespace_is_as_the_stack_declares_it() -> None:
    names = [
        {"name": "shop"},
        {"name": "bank", "metrics": True},
        {"name": "mill", "sidecarInjection": False},
    ]
    stack = settings({"mesh": {"name": "blue"}, "enrolledNamespaces": names})
    views = enrolled(stack, mesh_of(stack))
    assert {name: dict(view.annotations) for name, view in views.items()} == {
        "shop": {"flomesh.io/sidecar-injection": "enabled"},
        "bank": {"flomesh.io/metrics": "enabled", "flomesh.io/sidecar-injection": "enabled"},
        "mill": {"flomesh.io/sidecar-injection": "disabled"},
    }
    assert [(view.name, view.assumed) for view in views.values()] == [
        ("shop", False),
        ("bank", False),
        ("mill", False),
    ]
    assert views["shop"].labels == {
        "flomesh.io/monitored-by": "blue",
        "kubernetes.io/metadata.name": "shop",
    }


TRACING = {
    "TRACING_ADDRESS": "jaeger.osm-system.svc.cluster.local:9411",
    "TRACING_ENDPOINT": "/api/v2/spans",
    "TRACING_SAMPLED_FRACTION": "1.00",
}
LOGGING = {"REMOTE_LOGGING_LEVEL": "0", "REMOTE_LOGGING_SAMPLED_FRACTION": "1.00"}


@pytest.mark.parametrize(
    ("observability", "dns", "expected"),
    [
        ({}, {}, {}),
        ({"tracing": {"address": "a", "port": 1}, "remoteLogging": {"level": 2}}, {}, {}),
        ({"tracing": {"enable": True}}, {}, TRACING),
        (
            {"tracing": {"enable": True, "address": "a", "port": 1, "endpoint": "/b"}},
            {},
            TRACING | {"TRACING_ADDRESS": "a:1", "TRACING_ENDPOINT": "/b"},
        ),
        (
            {"tracing": {"enable": True, "port": -1}},
            {},
            TRACING | {"TRACING_ADDRESS": "jaeger.osm-system.svc.cluster.local:4294967295"},
        ),
        ({"remoteLogging": {"enable": True}}, {}, LOGGING),
        ({"remoteLogging": {"enable": True, "address": "a"}}, {}, LOGGING),
        ({"remoteLogging": {"enable": True, "port": 1}}, {}, LOGGING),
        (
            {
                "remoteLogging": {
                    "enable": True,
                    "level": 2,
                    "address": "a",
                    "port": 1,
                    "endpoint": "/b",
                    "authorization": "c",
                    "sampledFraction": "0.25",
                }
            },
            {},
            {
                "REMOTE_LOGGING_LEVEL": "2",
                "REMOTE_LOGGING_ADDRESS": "a:1",
                "REMOTE_LOGGING_ENDPOINT": "/b",
                "REMOTE_LOGGING_AUTHORIZATION": "c",
                "REMOTE_LOGGING_SAMPLED_FRACTION": "0.25",
            },
        ),
        ({}, {"enable": True}, {"LOCAL_DNS_PROXY": "true"}),
        (
            {},
            {
                "enable": True,
                "primaryUpstreamDNSServerIPAddr": "1.1.1.1",
                "secondaryUpstreamDNSServerIPAddr": "8.8.8.8",
            },
            {
                "LOCAL_DNS_PROXY": "true",
                "LOCAL_DNS_PROXY_PRIMARY_UPSTREAM": "1.1.1.1",
                "LOCAL_DNS_PROXY_SECONDARY_UPSTREAM": "8.8.8.8",
            },
        ),
    ],
)
def test_osm_edges_sidecar_learns_of_what_is_enabled(
    observability: dict[str, Any], dns: dict[str, Any], expected: dict[str, str]
) -> None:
    """What has no value is left out; a remote log needs a host and a port to have an address."""
    spec = {"observability": observability, "sidecar": {"localDNSProxy": dns}}
    assert dict(mesh_view(OSM_EDGE, spec, environment={}).more_environment) == expected
    assert mesh_view(FSM, spec, environment={}).more_environment == ()


@pytest.mark.parametrize(
    ("sidecar", "environment", "expected"),
    [
        ({}, {}, ("pipy", "pipy", "", 15128)),
        ({}, {"OSM_DEFAULT_SIDECAR_CLASS": "envoy"}, ("envoy", "envoy", "", 15128)),
        ({"sidecarClass": "Envoy"}, {}, (None, "Envoy", "", 15128)),
        (
            {"sidecarClass": "pipy"},
            {"OSM_DEFAULT_SIDECAR_CLASS": "envoy"},
            ("pipy", "pipy", "driver", 6060),
        ),
        ({"sidecarClass": "PIPY"}, {}, (None, "PIPY", "driver", 6060)),
        ({"sidecarClass": "other"}, {}, (None, "other", "", 0)),
    ],
)
def test_osm_edges_driver_is_that_of_the_mesh_configs_class(
    sidecar: dict[str, Any], environment: dict[str, str], expected: tuple[Any, ...]
) -> None:
    """In any case of letters, where the class itself is compared exactly; without a port: 0."""
    drivers = [
        {"sidecarName": "Pipy", "sidecarImage": "driver", "proxyServerPort": 6060},
        {"sidecarName": "other"},
    ]
    spec = {"sidecar": {"sidecarDrivers": drivers, **sidecar}}
    mesh = mesh_view(OSM_EDGE, spec, environment=environment)
    seen = (mesh.sidecar_kind, mesh.sidecar_class, mesh.sidecar_image, mesh.repo_port)
    assert seen == expected


@pytest.mark.parametrize(
    ("name", "spec", "environment", "images"),
    [
        ("fsm", {}, {"SIDECAR": "a", "INIT_CONTAINER": "b"}, ("a", "", "b")),
        (
            "fsm",
            {"sidecarImage": "c", "initContainerImage": "d"},
            {"SIDECAR": "a", "INIT_CONTAINER": "b"},
            ("c", "", "b"),
        ),
        (
            "osm",
            {"envoyImage": "c", "envoyWindowsImage": "e", "initContainerImage": "d"},
            {"ENVOY": "a", "ENVOY_WINDOWS": "a", "INIT_CONTAINER": "b"},
            ("c", "e", "d"),
        ),
        ("osm", {}, {"ENVOY": "a", "ENVOY_WINDOWS": "e", "SIDECAR": "x"}, ("a", "e", "")),
        (
            "osm-edge",
            {
                "sidecarClass": "pipy",
                "sidecarDrivers": [
                    {
                        "sidecarName": "pipy",
                        "sidecarImage": "f",
                        "sidecarImageWindowsImage": "g",
                        "initContainerImage": "h",
                    }
                ],
            },
            {"SIDECAR": "a", "SIDECAR_WINDOWS": "a", "INIT_CONTAINER": "b"},
            ("f", "g", "h"),
        ),
        ("osm-edge", {"SidecarImageWindowsImage": "g"}, {"SIDECAR": "a"}, ("a", "g", "")),
    ],
)
def test_an_image_of_the_mesh_goes_before_its_drivers_and_the_environments(
    name: str, spec: dict[str, str], environment: dict[str, str], images: tuple[str, str, str]
) -> None:
    known = system(name)
    prefix = "FSM" if known is FSM else "OSM"
    given = {f"{prefix}_DEFAULT_{key}_IMAGE": image for key, image in environment.items()}
    mesh = mesh_view(known, {"sidecar": spec}, environment=given)
    assert (mesh.sidecar_image, mesh.sidecar_windows_image, mesh.init_image) == images


@pytest.mark.parametrize(
    ("spec", "environment", "expected"),
    [
        ({}, {}, ("fsm-controller.fsm-system", 6060, "")),
        ({"ipaddr": "10.0.0.1", "port": 80, "codebase": "a"}, {}, ("10.0.0.1", 80, "a")),
        ({"ipaddr": "127.0.0.9", "port": -1}, {}, ("fsm-controller.fsm-system", 6060, "")),
        ({"ipaddr": "LocalHost", "codebase": "/a/b/"}, {}, ("fsm-controller.fsm-system", 6060, "a/b")),
        (
            {"ipaddr": "10.0.0.1", "codebase": "a"},
            {"FSM_REPO_SERVER_IPADDR": "10.0.0.2", "FSM_REPO_SERVER_CODEBASE": "b"},
            ("10.0.0.2", 6060, "b"),
        ),
    ],
)  # fmt: skip
def test_a_sidecar_is_sent_to_the_repository_and_never_to_itself(
    spec: dict[str, Any], environment: dict[str, str], expected: tuple[str, int, str]
) -> None:
    mesh = mesh_view(FSM, {"repoServer": spec}, environment=environment)
    assert (mesh.repo_host, mesh.repo_port, mesh.codebase) == expected


def test_resources_are_stored_as_kubernetes_stores_them() -> None:
    """OSM and osm-edge set none of the init and health-check containers."""
    given = {"limits": {"cpu": 0.5, "memory": "1024Mi", "odd": "x"}, "requests": {}}
    sidecar = dict.fromkeys(("resources", "initResources", "healthcheckResources"), given)
    stored = {"limits": {"cpu": "500m", "memory": "1Gi", "odd": "x"}}
    for known in (FSM, OSM_EDGE, OSM):
        mesh = mesh_view(known, {"sidecar": sidecar}, environment={})
        own = stored if known is FSM else {}
        assert (mesh.resources, mesh.init_resources, mesh.healthcheck_resources) == (
            stored,
            own,
            own,
        )


def test_a_cluster_without_a_mesh_config_has_gos_zero_values() -> None:
    mesh = mesh_view(FSM, None, environment={})
    assert (mesh.name, mesh.namespace, mesh.log_level) == ("fsm", "fsm-system", "error")
    assert (mesh.interception_mode, mesh.local_proxy_mode, mesh.trust_domain) == (
        "",
        "",
        "cluster.local",
    )
    assert {mesh.hold, mesh.graceful_exit, mesh.privileged, mesh.dns_proxy} == {False}
    assert (mesh.sidecar_image, mesh.init_image, mesh.resources) == ("", "", {})
