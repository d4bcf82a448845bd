"""What the programs of the control plane are told, written out whole.

Source: flomesh-io/fsm charts/fsm/templates, the Deployments' args.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.manifests.stacks import named

PROGRAMS = ("fsm-bootstrap", "fsm-controller", "fsm-injector")
COMMON = "--verbosity info --fsm-namespace fsm-system --fsm-version v1.5.1"
ISSUER = (
    "--ca-bundle-secret-name fsm-ca-bundle --certificate-manager tresor "
    "--trust-domain cluster.local --enable-mesh-root-certificate=false "
    "--cert-manager-issuer-name fsm-ca --cert-manager-issuer-kind Issuer "
    "--cert-manager-issuer-group cert-manager.io --enable-reconciler=false"
)


def _program(data: dict[str, Any], name: str) -> dict[str, Any]:
    spec = named(data, "Deployment", name).object["spec"]["template"]["spec"]
    [found] = [one for one in spec["containers"] if one["name"] == name]
    return dict(found)


def _arguments(data: dict[str, Any], name: str) -> str:
    return " ".join(_program(data, name)["args"])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("fsm-bootstrap", f"{COMMON} {ISSUER}"),
        (
            "fsm-controller",
            f"{COMMON} --fsm-service-account fsm --mesh-name fsm "
            f"--validator-webhook-config fsm-validator-mesh-fsm {ISSUER} "
            "--enable-multi-clusters=false --validate-traffic-target=true",
        ),
        (
            "fsm-injector",
            f"{COMMON} --mesh-name fsm --webhook-config-name fsm-webhook-fsm "
            f"--webhook-timeout 20 {ISSUER} --fsm-container-pull-policy=IfNotPresent",
        ),
    ],
)
def test_the_arguments_of_a_default_stack(name: str, arguments: str) -> None:
    assert _arguments({}, name) == arguments
    assert _program({}, name)["command"] == [f"/{name}"]


@pytest.mark.parametrize(
    ("data", "flag", "programs"),
    [
        ({"mesh": {"validateTrafficTarget": False}}, "--validate-traffic-target=false",
         {"fsm-controller"}),
        ({"mesh": {"enableMultiClusters": True}}, "--enable-multi-clusters=true",
         {"fsm-controller"}),
        ({"mesh": {"enableReconciler": True}}, "--enable-reconciler=true", set(PROGRAMS)),
        ({"mesh": {"trustDomain": "prod.example"}}, "--trust-domain prod.example", set(PROGRAMS)),
        ({"images": {"pullPolicy": "Always"}}, "--fsm-container-pull-policy=Always",
         {"fsm-injector"}),
        ({"observability": {"fsmLogLevel": "debug"}}, "--verbosity debug", set(PROGRAMS)),
        ({"mesh": {"namespace": "mesh"}}, "--fsm-namespace mesh", set(PROGRAMS)),
        ({"mesh": {"name": "blue"}}, "--mesh-name blue", {"fsm-controller", "fsm-injector"}),
        ({"fsmVersion": "1.6.0"}, "--fsm-version v1.6.0", set(PROGRAMS)),
        ({"certificateProvider": {"kind": "cert-manager",
                                  "certManager": {"issuerName": "root"}}},
         "--certificate-manager cert-manager", set(PROGRAMS)),
        ({"certificateProvider": {"kind": "cert-manager",
                                  "certManager": {"issuerName": "root"}}},
         "--cert-manager-issuer-name root", set(PROGRAMS)),
    ],
)  # fmt: skip
def test_a_setting_reaches_every_program_that_takes_it_and_no_other(
    data: dict[str, Any], flag: str, programs: set[str]
) -> None:
    assert {name for name in PROGRAMS if f" {flag} " in f" {_arguments(data, name)} "} == programs


@pytest.mark.parametrize(
    ("name", "ready", "alive", "delay"),
    [
        ("fsm-bootstrap", "/healthz", "/healthz", 5),
        ("fsm-controller", "/health/ready", "/health/alive", 1),
        ("fsm-injector", "/healthz", "/healthz", 5),
    ],
)
def test_the_probes_of_a_program(name: str, ready: str, alive: str, delay: int) -> None:
    program = _program({}, name)
    for kind, path in (("readinessProbe", ready), ("livenessProbe", alive)):
        assert program[kind] == {
            "initialDelaySeconds": delay,
            "timeoutSeconds": 5,
            "httpGet": {"scheme": "HTTP", "path": path, "port": 9091},
        }
