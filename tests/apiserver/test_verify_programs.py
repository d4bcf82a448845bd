"""A control plane that is down, told by what a real API server and real controllers say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .client import eventually
from .test_verify import INJECTOR, answers, expected, ref, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .client import Api

pytestmark = pytest.mark.cluster

Json = dict[str, Any]
CHECK = "cluster-control-plane"
NAMESPACE = ref("Namespace", "fsm-system")
QUOTA = ref("ResourceQuota", "few", "fsm-system")
PROGRAMS = ("fsm-bootstrap", "fsm-controller", "fsm-injector")


@pytest.fixture(scope="module")
def programs(controlled_api: Api) -> Iterator[Api]:
    """The namespace of the control plane; the test applies Deployments, real controllers act."""
    api = controlled_api
    for item in expected().objects.values():
        if item["kind"] in {"CustomResourceDefinition", "MeshConfig", "Service"} or item[
            "metadata"
        ]["name"] in {"fsm-system", "fsm", "fsm-redirection"}:
            api.apply(dict(item))
    api.apply({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1,
        "metadata": {"name": "in-tests"},
    })  # fmt: skip
    yield api
    api.delete(NAMESPACE)


def deploy(api: Api) -> None:
    for name in PROGRAMS:
        api.apply(dict(expected().objects["Deployment", "fsm-system", name]))


def undeploy(api: Api) -> None:
    for name in PROGRAMS:
        api.delete(ref("Deployment", name, "fsm-system", "apps/v1"))
    eventually("the pods are gone", lambda: not pods(api) or None, seconds=60)


def pods(api: Api) -> list[Json]:
    return [
        item for item in api.list("v1", "Pod") if item["metadata"]["namespace"] == "fsm-system"
    ]


def findings(api: Api) -> list[Json]:
    result = verify(api, "--check", CHECK, "-o", "json")
    found: list[Json] = answers(result)[CHECK].get("findings", [])
    return found


def injector(api: Api) -> Json:
    return next(item for item in findings(api) if "fsm-injector" in item["place"]["path"])


def condition(api: Api, kind: str) -> bool | None:
    status = api.get(INJECTOR).get("status") or {}
    return any(one["type"] == kind for one in status.get("conditions", ())) or None


def test_nothing_installed_is_one_finding(programs: Api) -> None:
    (found,) = findings(programs)
    assert found["id"] == "control-plane-absent"
    assert found["fix"] == "Run `pulumi up --refresh` for the stack."


@pytest.mark.parametrize(
    ("hinder", "clear", "means"),
    [
        (
            lambda a: a.apply(QUOTA | {"spec": {"hard": {"pods": "0"}}}),
            lambda a: a.delete(QUOTA),
            "ResourceQuota few of namespace fsm-system leaves no room for its pods",
        ),
        (
            lambda a: a.patch(NAMESPACE, {"metadata": {"labels": {
                "pod-security.kubernetes.io/enforce": "restricted"}}}),
            lambda a: a.patch(NAMESPACE, {"metadata": {"labels": {
                "pod-security.kubernetes.io/enforce": None}}}),
            "pod security restricted:latest of namespace fsm-system refuses its pods",
        ),
    ],
)  # fmt: skip
def test_what_refuses_the_pods_is_named_in_the_servers_own_words(
    programs: Api, hinder: Callable[[Api], Any], clear: Callable[[Api], Any], means: str
) -> None:
    hinder(programs)
    try:
        deploy(programs)
        eventually("a ReplicaFailure", lambda: condition(programs, "ReplicaFailure"), seconds=60)
        found = injector(programs)
    finally:
        clear(programs)
        undeploy(programs)
    assert found["id"] == "program-refused"
    assert found["message"] == f"fsm-injector: 0 of 1 pods are available: {means}"


def test_a_pod_that_no_scheduler_sees_and_one_in_a_crash_loop(programs: Api) -> None:
    """No scheduler and no kubelet runs: the test writes what they would."""
    deploy(programs)
    try:
        pod = eventually("the injector's pod", lambda: _pod(programs), seconds=60)

        def waiting() -> Json | None:  # what refused an earlier test's pods may not be over yet
            found = injector(programs)
            return None if found["id"] == "program-refused" else found

        unscheduled = eventually("the refusal is over", waiting, seconds=30)
        programs.patch(
            ref("Pod", pod["metadata"]["name"], "fsm-system"),
            {"status": crashing()},
            subresource="status",
        )
        crashed = injector(programs)
        programs.patch(INJECTOR, {"spec": {"replicas": 0}})
        zero = injector(programs)
    finally:
        undeploy(programs)
    assert unscheduled["id"] == "program-unschedulable"
    assert crashed["id"] == "program-crash"
    assert crashed["message"] == (
        "fsm-injector: 0 of 1 pods are available: container fsm-injector needs more memory than "
        "its limit, and was killed: OOMKilled, 3 restarts"
    )
    assert (zero["id"], zero["fix"]) == (
        "program-scaled-to-zero",
        "kubectl scale deployment/fsm-injector --replicas=1 -n fsm-system",
    )


def _pod(api: Api) -> Json | None:
    named = (item for item in pods(api) if item["metadata"]["labels"]["app"] == "fsm-injector")
    return next(named, None)


def crashing() -> Json:
    about = {"image": "x", "imageID": "x"}
    ended = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    return {
        "phase": "Running",
        "conditions": [{"type": "PodScheduled", "status": "True"}],
        "initContainerStatuses": [
            about | {"name": "init-fsm-injector", "ready": True, "restartCount": 0, "state": ended}
        ],
        "containerStatuses": [
            about
            | {
                "name": "fsm-injector",
                "ready": False,
                "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            }
        ],
    }
