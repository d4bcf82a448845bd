"""What is read of a control plane: little of a healthy one, and why of one that is down."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.cluster.read import Reader
from fsm_stack.cluster.snapshot_file import read_files, save
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.systems import FSM
from fsm_stack.verify.check import Status, run_checks
from tests.verify.world import check, program_pod, world

from .test_api import Server, mesh

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .test_api import Scripted

Json = dict[str, Any]
PODS = "/api/v1/namespaces/fsm-system/pods?"
LOG = "/api/v1/namespaces/fsm-system/pods/fsm-injector-5d9c8d7f5b-x2xzq/log?"
DEPLOYMENTS = "/apis/apps/v1/namespaces/fsm-system/deployments"
EVENTS = "/api/v1/namespaces/fsm-system/events"
REFUSED = (
    'endpointslices.discovery.k8s.io is forbidden: User "system:serviceaccount:fsm-system:fsm" '
    'cannot list resource "endpointslices" in API group "discovery.k8s.io" at the cluster scope'
)


def deployment(available: int) -> Json:
    return {
        "metadata": {"name": "fsm-injector", "namespace": "fsm-system"},
        "spec": {"replicas": 1},
        "status": {"replicas": 1, "availableReplicas": available},
    }


def cluster(
    pod: Json, *, available: int, more: Callable[[str], Scripted | None] = lambda _: None
) -> Server:
    def answer(path: str) -> Scripted:
        if (known := more(path)) is not None:
            return known
        if path.startswith(PODS):
            return 200, {"items": [pod]}
        if path.startswith(DEPLOYMENTS):
            return 200, {"items": [deployment(available)]}
        return mesh(path)

    return Server(answer)


def crashing() -> Json:
    pod = program_pod("fsm-injector")
    pod["status"]["containerStatuses"][0] |= {
        "ready": False,
        "restartCount": 4,
        "state": {"running": {}},
        "lastState": {"terminated": {"exitCode": 1}},
    }
    return pod


def test_of_a_healthy_control_plane_no_event_and_no_log_is_read() -> None:
    server = cluster(program_pod("fsm-injector"), available=1)
    found = Reader(cluster=server.cluster()).snapshot(systems=[FSM], namespace="fsm-system")
    assert not [path for path in server.asked if path.startswith((LOG, EVENTS))]
    assert [one.name for one in found.program_pods] == ["fsm-injector-5d9c8d7f5b-x2xzq"]
    assert [path for path in server.asked if path.startswith(PODS)] == [
        f"{PODS}limit=500&labelSelector=app+in+%28fsm-bootstrap%2Cfsm-controller%2Cfsm-injector"
        "%2Cosm-bootstrap%2Cosm-controller%2Cosm-injector%29"
    ]


def test_of_a_container_that_restarts_the_log_before_is_read_too() -> None:
    """Its newest instance may not have got as far yet."""

    def more(path: str) -> Scripted | None:
        if path.startswith(LOG):
            return 200, REFUSED if "previous=true" in path else "starting"
        if path.startswith(EVENTS):
            return 200, {"items": [{
                "metadata": {"name": "e", "namespace": "fsm-system"}, "type": "Warning",
                "reason": "BackOff", "message": "Back-off", "involvedObject": {"kind": "Pod"},
            }]}  # fmt: skip
        return None

    server = cluster(crashing(), available=0, more=more)
    found = Reader(cluster=server.cluster()).snapshot(systems=[FSM], namespace="fsm-system")
    key = ("fsm-system/fsm-injector-5d9c8d7f5b-x2xzq", "fsm-injector")
    assert found.program_logs == {key: f"starting\n{REFUSED}"}
    assert [event["reason"] for event in found.events] == ["BackOff"]
    query = "container=fsm-injector&tailLines=50&limitBytes=65536"
    assert [path for path in server.asked if path.startswith(LOG)] == [
        f"{LOG}{query}",
        f"{LOG}{query}&previous=true",
    ]
    assert f"{EVENTS}?limit=500&fieldSelector=type%3DWarning" in server.asked


@pytest.mark.parametrize(
    ("where", "part", "message"),
    [
        (PODS, Part.PROGRAM_PODS, "pods is forbidden"),
        (EVENTS, Part.EVENTS, "events is forbidden"),
        (LOG, Part.PROGRAM_LOGS, "pods/log is forbidden"),
        ("/apis/rbac.authorization.k8s.io/", Part.RIGHTS, "clusterroles is forbidden"),
    ],
)
def test_what_may_not_be_read_is_named_and_the_rest_goes_on(
    where: str, part: Part, message: str
) -> None:
    server = cluster(
        crashing(),
        available=0,
        more=lambda path: (403, {"message": message}) if path.startswith(where) else None,
    )
    found = Reader(cluster=server.cluster()).snapshot(systems=[FSM], namespace="fsm-system")
    assert found.not_read == {part: f"not read: {message}"}
    assert [one.name for one in found.pods if one.namespace == "shop"] == ["a", "b"]


def test_a_declared_role_that_lost_its_label_is_read_by_its_name() -> None:
    """Else it would be told as gone."""

    def more(path: str) -> Scripted | None:
        if path == "/apis/rbac.authorization.k8s.io/v1/clusterroles/fsm":
            return 200, {"metadata": {"name": "fsm"}, "rules": []}
        return None

    server = cluster(program_pod("fsm-injector"), available=1, more=more)
    reader = Reader(cluster=server.cluster())
    found = reader.snapshot(
        systems=[FSM], namespace="fsm-system", rights=[("ClusterRole", "", "fsm")]
    )
    assert list(found.rights) == [("ClusterRole", "", "fsm")]


def test_the_events_of_an_owner_without_pods_are_read_where_its_status_is_silent() -> None:
    owner = {
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 1},
    }

    def more(path: str) -> Scripted | None:
        if path.startswith("/apis/apps/v1/namespaces/shop/statefulsets"):
            return 200, {"items": [owner]}
        return None

    server = cluster(program_pod("fsm-injector"), available=1, more=more)
    Reader(cluster=server.cluster()).snapshot(systems=[FSM], namespace="fsm-system")
    assert [path for path in server.asked if "/events" in path] == [
        "/api/v1/namespaces/shop/events?limit=500&fieldSelector="
        "type%3DWarning%2Creason%3DFailedCreate"
    ]


def test_a_saved_snapshot_tells_the_same_cause(tmp_path: Path) -> None:
    """And of a log only the lines that tell it."""

    def more(path: str) -> Scripted | None:
        return (200, f"token=canary\n{REFUSED}") if path.startswith(LOG) else None

    kept: list[Json] = []
    server = cluster(crashing(), available=0, more=more)
    reader = Reader(cluster=server.cluster(), sink=kept.append)
    live = reader.snapshot(systems=[FSM], namespace="fsm-system")
    file = tmp_path / "mesh.jsonl"
    save(file, live, kept)
    assert "canary" not in file.read_text()
    saved = read_files([file])
    assert saved.program_pods == live.program_pods
    assert saved.program_logs == live.program_logs
    assert REFUSED in str(saved.program_logs)


def test_a_snapshot_of_before_loads_and_says_what_it_lacks(tmp_path: Path) -> None:
    mesh_ = world()
    old = {Part.PROGRAM_PODS, Part.PROGRAM_LOGS, Part.EVENTS, Part.RIGHTS}
    head = {
        "fsmStackSnapshot": 1, "context": "dev", "server": "", "uid": "", "taken": "",
        "read": [part.value for part in Part if part not in old], "notRead": {},
    }  # fmt: skip
    kinds = {"Deployment", "Service", "MeshConfig"}
    objects = [item for item in mesh_.objects if item["kind"] in kinds]
    file = tmp_path / "old.jsonl"
    file.write_text("".join(f"{json.dumps(item)}\n" for item in [head, *objects]))
    context = replace(mesh_.context(), snapshot=read_files([file]))
    programs, rights = run_checks(
        context, [check("cluster-control-plane"), check("cluster-rights")]
    )
    assert programs.status is Status.PASSED
    assert (rights.status, rights.why) == (
        Status.NOT_RUN,
        "roles of the control plane: not read of context dev",
    )
