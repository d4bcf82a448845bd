"""The comparison of pods itself: one meaning in two spellings, and two meanings that look alike."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fsm_stack.systems import FSM
from tests.parity.same_pod import meaning

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "containers": [
            {
                "name": "app",
                "image": "web:1",
                "env": [{"name": "A", "value": "1"}],
                "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                "livenessProbe": {"httpGet": {"port": 8080, "path": "/live"}},
                "lifecycle": {"preStop": {"httpGet": {"port": 8080}}},
                "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
            }
        ],
    },
}


def changed(path: str, value: object) -> dict[str, Any]:
    """The pod with one field at ``spec.containers.0.name``."""
    pod = copy.deepcopy(POD)
    *steps, last = path.split(".")
    place: Any = pod
    for step in steps:
        place = place[int(step)] if step.isdecimal() else place.setdefault(step, {})
    place[last] = value
    return pod


CONTAINER = "spec.containers.0"


@pytest.mark.parametrize(
    ("path", "empty"),
    [
        ("metadata.generateName", ""),
        ("metadata.namespace", ""),
        ("metadata.annotations", {}),
        ("metadata.finalizers", []),
        ("metadata.creationTimestamp", None),
        ("spec.nodeName", ""),
        ("spec.hostNetwork", False),
        ("spec.initContainers", []),
        ("spec.tolerations", []),
        (f"{CONTAINER}.command", []),
        (f"{CONTAINER}.imagePullPolicy", ""),
        (f"{CONTAINER}.resources", {}),
        (f"{CONTAINER}.tty", False),
        (f"{CONTAINER}.ports.0.name", ""),
        (f"{CONTAINER}.ports.0.hostPort", 0),
        (f"{CONTAINER}.livenessProbe.httpGet.scheme", ""),
        (f"{CONTAINER}.livenessProbe.httpGet.host", ""),
        (f"{CONTAINER}.livenessProbe.httpGet.httpHeaders", []),
        (f"{CONTAINER}.livenessProbe.exec", None),
        (f"{CONTAINER}.lifecycle.preStop.httpGet.scheme", ""),
        (f"{CONTAINER}.volumeMounts.0.readOnly", False),
        (f"{CONTAINER}.volumeMounts.0.subPath", ""),
        ("status", {}),
    ],
)
def test_an_empty_field_that_go_drops_makes_no_other_pod(path: str, empty: object) -> None:
    assert meaning(changed(path, empty), FSM) == meaning(POD, FSM)


def test_an_empty_name_and_value_are_absent_ones() -> None:
    unnamed = changed("metadata", {"labels": {"app": "web"}})
    assert meaning(changed("metadata.name", ""), FSM) == meaning(unnamed, FSM)
    unset = changed(f"{CONTAINER}.env", [{"name": "A"}])
    assert meaning(changed(f"{CONTAINER}.env.0.value", ""), FSM) == meaning(unset, FSM)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", ""),
        ("metadata.labels.app", ""),  # an entry of a map is no field
        ("metadata.annotations", {"plain": ""}),
        ("spec.runtimeClassName", ""),  # a pointer
        ("spec.automountServiceAccountToken", False),
        ("spec.securityContext", {}),
        ("spec.containers", []),
        (f"{CONTAINER}.name", ""),  # without omitempty
        (f"{CONTAINER}.args", [""]),
        (f"{CONTAINER}.env.0.name", ""),
        (f"{CONTAINER}.securityContext", {"runAsUser": 0}),
        (f"{CONTAINER}.livenessProbe.httpGet.path", ""),
        (f"{CONTAINER}.livenessProbe.httpGet.scheme", "HTTPS"),
        (f"{CONTAINER}.volumeMounts.0.readOnly", True),
        (f"{CONTAINER}.ports.0.protocol", "UDP"),
    ],
)
def test_what_go_tells_apart_is_another_pod(path: str, value: object) -> None:
    assert meaning(changed(path, value), FSM) != meaning(POD, FSM)


def test_a_quantity_is_compared_as_it_is_stored() -> None:
    half, milli = ({"limits": {"cpu": amount}} for amount in ("0.5", "500m"))
    assert meaning(changed(f"{CONTAINER}.resources", half), FSM) == meaning(
        changed(f"{CONTAINER}.resources", milli), FSM
    )
