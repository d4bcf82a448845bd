"""The pods of the three programs, written out whole but for arguments and probes.

Source: flomesh-io/fsm charts/fsm/templates, the Deployments, and values.yaml.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.manifests.stacks import EVERYTHING, bundle_of, named

OWN_TESTS = {"args", "readinessProbe", "livenessProbe", "startupProbe"}
WAITING = [
    "curl", "http://fsm-bootstrap.fsm-system:9091/healthz", "--connect-timeout", "2",
    "--retry", "50", "--retry-connrefused", "--retry-delay", "5",
]  # fmt: skip
CURL = {"image": "flomesh/fsm-curl:1.5.1", "imagePullPolicy": "IfNotPresent"}


def _amounts(request: tuple[str, str], limit: tuple[str, str]) -> dict[str, dict[str, str]]:
    (least, some), (most, much) = request, limit
    return {
        "limits": {"cpu": most, "memory": much},
        "requests": {"cpu": least, "memory": some},
    }


SMALL = _amounts(("200m", "128M"), ("500m", "512M"))


def _pod(name: str) -> dict[str, Any]:
    template: dict[str, Any] = named({}, "Deployment", name).object["spec"]["template"]
    return template


def _containers(name: str, part: str) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in one.items() if key not in OWN_TESTS}
        for one in _pod(name)["spec"].get(part, [])
    ]


def _own_name(variable: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}


@pytest.mark.parametrize("name", ["fsm-bootstrap", "fsm-controller", "fsm-injector"])
def test_what_all_pods_have(name: str) -> None:
    template = _pod(name)
    assert template["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9091",
    }
    spec = template["spec"]
    assert spec["priorityClassName"] == "system-node-critical"
    assert spec["serviceAccountName"] == "fsm"
    assert spec["securityContext"] == {
        "runAsUser": 1000,
        "runAsGroup": 3000,
        "fsGroup": 2000,
        "supplementalGroups": [5555],
    }
    linux = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    chips = {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]}
    same = {"matchExpressions": [{"key": "app", "operator": "In", "values": [name]}]}
    assert spec["affinity"] == {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [linux, chips]}]
            }
        },
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "podAffinityTerm": {
                        "labelSelector": same,
                        "topologyKey": "kubernetes.io/hostname",
                    },
                    "weight": 100,
                }
            ]
        },
    }


def test_pods_ask_an_openshift_for_no_user_of_their_own() -> None:
    """It gives the users; all else is as anywhere."""
    verified = {"verify": {"schedule": "@hourly", "image": "fsm-stack:1"}}
    anywhere, there = (
        {
            (item.kind, item.name): item.object["spec"]
            for item in bundle_of(EVERYTHING | verified | {"cluster": {"openshift": on}})
            if item.kind in {"Deployment", "CronJob"}
        }
        for on in (False, True)
    )
    users = {"securityContext", "runAsUser", "runAsGroup"}
    assert anywhere != there
    for key, spec in there.items():
        # The ingress' contexts are settings, in the chart as here.
        assert key[1] == "fsm-ingress" or "runAsUser" not in json.dumps(spec), key
        assert _without(spec, users) == _without(anywhere[key], users)


def _without(value: Any, keys: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(one, keys) for key, one in value.items() if key not in keys}
    return [_without(one, keys) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("logs", [False, True])
def test_fluent_bit_may_read_the_logs_of_openshifts_nodes(*, logs: bool) -> None:
    asked = {"cluster": {"openshift": True}, "components": {"fluentBit": {"enabled": logs}}}
    rules = named(asked, "ClusterRole", "fsm").object["rules"]
    constraint = {
        "apiGroups": ["security.openshift.io"],
        "resources": ["securitycontextconstraints"],
        "resourceNames": ["hostaccess"],
        "verbs": ["use"],
    }
    assert (constraint in rules) == logs


def test_the_pod_of_bootstrap() -> None:
    assert _containers("fsm-bootstrap", "initContainers") == []
    assert _containers("fsm-bootstrap", "containers") == [
        {
            "name": "fsm-bootstrap",
            "image": "flomesh/fsm-bootstrap:1.5.1",
            "imagePullPolicy": "IfNotPresent",
            "ports": [
                {"name": "crdconversion", "containerPort": 9443},
                {"name": "metrics", "containerPort": 9091},
            ],
            "command": ["/fsm-bootstrap"],
            "resources": _amounts(("300m", "128M"), ("500m", "512M")),
            "env": [_own_name("BOOTSTRAP_POD_NAME")],
        }
    ]
    [program] = _pod("fsm-bootstrap")["spec"]["containers"]
    assert program["startupProbe"] == {
        "periodSeconds": 5,
        "failureThreshold": 60,
        "timeoutSeconds": 5,
        "httpGet": {"scheme": "HTTP", "path": "/healthz", "port": 9091},
    }


def test_the_pod_of_the_controller() -> None:
    repository = {"mountPath": "/repo", "name": "shared-repo"}
    assert _containers("fsm-controller", "initContainers") == [
        {"name": "init-fsm-controller", **CURL, "command": WAITING, "resources": SMALL},
        {
            "name": "init-untar",
            **CURL,
            "command": ["sh", "-c", "tar -C /repo -zxvf /scripts.tar.gz\n"],
            "volumeMounts": [
                {
                    "mountPath": "/scripts.tar.gz",
                    "name": "fsm-init-repo-scripts",
                    "subPath": "scripts.tar.gz",
                },
                repository,
            ],
            "resources": SMALL,
        },
    ]
    assert _containers("fsm-controller", "containers") == [
        {
            "name": "fsm-pipy-repo",
            "image": "flomesh/pipy-repo:1.5.12",
            "imagePullPolicy": "IfNotPresent",
            "ports": [{"name": "pipy-admin-port", "containerPort": 6060}],
            "command": ["pipy"],
            "resources": _amounts(("500m", "256M"), ("2", "2G")),
        },
        {
            "name": "fsm-controller",
            "image": "flomesh/fsm-controller:1.5.1",
            "imagePullPolicy": "IfNotPresent",
            "ports": [
                {"name": "admin-port", "containerPort": 15000},
                {"name": "metrics", "containerPort": 9091},
                {"name": "webhook", "containerPort": 9443},
                {"name": "dns-proxy", "containerPort": 15053, "protocol": "UDP"},
            ],
            "command": ["/fsm-controller"],
            "resources": _amounts(("500m", "256M"), ("2", "2G")),
            "env": [_own_name("CONTROLLER_POD_NAME")],
            "volumeMounts": [repository],
        },
    ]
    spec = _pod("fsm-controller")["spec"]
    assert spec["volumes"] == [
        {"name": "fsm-init-repo-scripts", "configMap": {"name": "fsm-init-repo-scripts"}},
        {"name": "shared-repo", "emptyDir": {}},
    ]
    [admin, _] = spec["containers"]
    assert admin["args"] == ["--admin-port=6060"]
    for kind in ("readinessProbe", "livenessProbe"):
        assert admin[kind] == {
            "initialDelaySeconds": 1,
            "timeoutSeconds": 5,
            "httpGet": {"scheme": "HTTP", "path": "/", "port": 6060},
        }


def test_the_pod_of_the_injector() -> None:
    assert _containers("fsm-injector", "initContainers") == [
        {"name": "init-fsm-injector", **CURL, "command": WAITING, "resources": SMALL}
    ]
    [program] = _containers("fsm-injector", "containers")
    del program["env"]  # test_deployments.py has it
    assert program == {
        "name": "fsm-injector",
        "image": "flomesh/fsm-injector:1.5.1",
        "imagePullPolicy": "IfNotPresent",
        "ports": [
            {"name": "sidecar-inject", "containerPort": 9090},
            {"name": "metrics", "containerPort": 9091},
        ],
        "command": ["/fsm-injector"],
        "resources": _amounts(("500m", "128M"), ("1", "512M")),
    }
