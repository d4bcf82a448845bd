"""Services, autoscalers and disruption budgets, whole."""

from __future__ import annotations

from typing import Any

import pytest

from tests.manifests.stacks import FULL, bundle_of, named

TCP_PORTS = {
    "fsm-bootstrap": [("crdconversion", 9443), ("health", 9091)],
    "fsm-injector": [("sidecar-inject", 9090)],
    "fsm-validator": [("validator", 9093)],
}


@pytest.mark.parametrize("name", TCP_PORTS)
def test_ports_lead_to_the_programs_ports(name: str) -> None:
    """Source: flomesh-io/fsm charts/fsm/templates, the Services' ports."""
    assert named({}, "Service", name).object["spec"]["ports"] == [
        {"name": port, "port": number, "targetPort": number} for port, number in TCP_PORTS[name]
    ]


def test_the_controllers_ports() -> None:
    """DNS is asked on its usual port and answered on one that needs no right of its own."""
    assert named({}, "Service", "fsm-controller").object["spec"] == {
        "ports": [
            {"name": "pipy-admin-port", "port": 6060, "targetPort": 6060},
            {"name": "debug-port", "port": 9092, "targetPort": 9092},
            {"name": "healthz", "port": 9091, "targetPort": 9091},
            {"name": "webhook", "port": 9443, "targetPort": 9443},
            {"name": "dns-proxy", "port": 53, "targetPort": 15053, "protocol": "UDP"},
        ],
        "selector": {"app": "fsm-controller"},
    }


def test_the_validator_is_the_controller() -> None:
    spec = named({}, "Service", "fsm-validator").object["spec"]
    assert spec["selector"] == {"app": "fsm-controller"}


def utilization(resource: str, percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": resource, "target": target}}


@pytest.mark.parametrize("app", ["fsm-controller", "fsm-injector"])
def test_an_autoscaler_follows_its_settings(app: str) -> None:
    scaling = {
        "enabled": True,
        "minReplicas": 2,
        "maxReplicas": 7,
        "cpuUtilization": 61,
        "memoryUtilization": 73,
    }
    component = {"autoscaling": scaling}
    data = {"components": {app.removeprefix("fsm-"): component}}
    assert named(data, "HorizontalPodAutoscaler", f"{app}-hpa").object == {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": f"{app}-hpa", "namespace": "fsm-system"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": app},
            "minReplicas": 2,
            "maxReplicas": 7,
            "metrics": [utilization("cpu", 61), utilization("memory", 73)],
        },
    }


@pytest.mark.parametrize("app", ["fsm-controller", "fsm-injector"])
def test_a_disruption_budget_keeps_one_pod(app: str) -> None:
    assert named(FULL, "PodDisruptionBudget", f"{app}-pdb").object == {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": f"{app}-pdb", "namespace": "fsm-system", "labels": {"app": app}},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": app}}},
    }


def test_nothing_scales_that_was_not_asked_to() -> None:
    kinds = {one.kind for one in bundle_of({})}
    assert not kinds & {"HorizontalPodAutoscaler", "PodDisruptionBudget"}
