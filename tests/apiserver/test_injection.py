"""Mutated pods before a real API server: accepted, and stored as the injector's own would be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.systems import SYSTEMS
from fsm_stack.workloads.lint import Subject
from fsm_stack.workloads.lint.containers import lost_fields
from fsm_stack.workloads.preview import preview
from tests.given import ID, container, mesh, namespace, pod
from tests.parity.test_pods import CORPUS, answered, mesh_of, namespace_of

from .client import ApiError

if TYPE_CHECKING:
    from .client import Api

pytestmark = pytest.mark.cluster

# What each creation makes anew.
OWN = ("uid", "creationTimestamp", "managedFields", "resourceVersion", "generation")
PROBES = {
    "http": {"livenessProbe": {"httpGet": {"path": "/live", "port": "http"}}},
    "https": {"startupProbe": {"httpGet": {"port": 8080, "scheme": "HTTPS"}}},
    "tcp": {"readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 3}},
    "grpc": {"readinessProbe": {"grpc": {"port": 8080}}},
}


def created(api: Api, place: str, given: dict[str, Any]) -> dict[str, Any] | str:
    """What the server would store of a pod, or why it would not; strict, and never stored."""
    manifest = {**given, "metadata": {**given["metadata"], "namespace": place}}
    try:
        stored = api.create(manifest, dry_run=True)
    except ApiError as error:
        return str(error)
    for name in OWN:
        stored["metadata"].pop(name, None)
    return stored


@pytest.fixture
def place(api: Api, namespace: str) -> str:
    """A namespace in which pods can be created: each needs a service account."""
    for name in ("default", "web", "web-sa"):
        api.apply(
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": name, "namespace": namespace},
            }
        )
    return namespace


@pytest.mark.requirement("C6", "C23")
@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_mutated_pod_is_accepted_whole(api: Api, place: str, name: str, probe: str) -> None:
    """Strict validation refuses any field that Kubernetes does not have."""
    known = mesh(name)
    given = pod(
        {known.system.annotation("outbound-port-exclusion-list"): "6379"},
        containers=[container(**PROBES[probe])],
        initContainers=[{"name": "setup", "image": "example.com/setup:1"}],
    )
    seen = preview(given, mesh=known, namespace=namespace(of=known), proxy_id=ID)
    stored = created(api, place, dict(seen.pod))
    assert isinstance(stored, dict), stored
    spec: Any = seen.pod["spec"]
    for kind in ("containers", "initContainers"):
        names = [item["name"] for item in spec[kind]]
        assert [item["name"] for item in stored["spec"][kind]] == names
    assert stored["spec"]["initContainers"][-1]["args"] == ["-c", seen.script]
    assert stored["metadata"]["labels"][known.system.proxy_label] == ID


def recorded(name: str) -> list[dict[str, Any]]:
    path = CORPUS / f"{name}-pods.jsonl"
    if not path.is_file():
        pytest.skip(f"recorded pods not found in {CORPUS}: set FSM_STACK_CORPUS")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if "out" in row and row["out"]["patched"]]


@pytest.mark.requirement("C6")
@pytest.mark.parametrize("name", SYSTEMS)
def test_what_is_stored_is_what_the_injectors_own_pod_would_be(
    api: Api, place: str, name: str
) -> None:
    """Differences of encoding end in the server: defaults, quantities, fields that are empty.

    A field that the injector's older client library drops stays in our pod, with a finding.
    """
    compared = 0
    for row in recorded(name):
        given = row["in"]
        if given["pod"].get("kind") != "Pod" or not given["pod"]["metadata"].get("name"):
            continue
        if isinstance(created(api, place, given["pod"]), str):
            continue  # the server refuses it before it asks any injector
        known = mesh_of(name, given)
        answer = answered(given, known)
        assert isinstance(answer, tuple), given["name"]
        assert answer[1] is not None, given["name"]
        stored = created(api, place, answer[1].plain())
        if stored != created(api, place, row["out"]["pod"]):
            lost = lost_fields(
                Subject.of(
                    given["pod"], mesh=known, namespace=namespace_of(given), mutation=answer[1]
                )
            )
            assert [item.id for item in lost] != [], given["name"]
        compared += isinstance(stored, dict)
    assert compared > 50
