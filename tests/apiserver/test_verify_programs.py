"""A control plane that is down, told by what a real API server and real controllers say."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from fsm_stack.cli.main import cli
from tests.verify.world import expected as of_text

from .client import ApiError, eventually
from .test_verify import (
    INJECTOR,
    ROOT,
    account,
    answers,
    documented_rules,
    expected,
    ref,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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

    def gone() -> bool:  # a ReplicaSet that is left makes pods of the next test's, and takes them
        return not (api.list("apps/v1", "ReplicaSet", namespace="fsm-system") or pods(api))

    eventually("the pods and their ReplicaSets are gone", gone, seconds=60)


def pods(api: Api) -> list[Json]:
    return [
        item for item in api.list("v1", "Pod") if item["metadata"]["namespace"] == "fsm-system"
    ]


def findings(api: Api) -> list[Json]:
    result = verify(api, "--check", CHECK, "-o", "json")
    found: list[Json] = answers(result)[CHECK].get("findings", [])
    return found


def of_injector(api: Api) -> list[Json]:
    return [item for item in findings(api) if "fsm-injector" in item["place"]["path"]]


def injector(api: Api) -> Json:
    return of_injector(api)[0]


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
        eventually("the injector's pod", lambda: _pod(programs), seconds=60)

        # What refused an earlier test's pods may not be over yet.
        eventually("it waits", lambda: told(programs, "program-unschedulable"), seconds=60)

        def crashes() -> Json | None:
            tell(programs, "fsm-injector", crashing())
            return told(programs, "program-crash")

        crashed = eventually("its crashes are told", crashes, seconds=60)
        programs.patch(INJECTOR, {"spec": {"replicas": 0}})
        zero = injector(programs)
    finally:
        undeploy(programs)
    assert crashed["message"] == (
        "fsm-injector: 0 of 1 pods are available: container fsm-injector needs more memory than "
        "its limit, and was killed: OOMKilled, 3 restarts"
    )
    assert (zero["id"], zero["fix"]) == (
        "program-scaled-to-zero",
        "kubectl scale deployment/fsm-injector --replicas=1 -n fsm-system",
    )


def told(api: Api, rule_id: str) -> Json | None:
    """What is said of the injector, where it is this."""
    return next((item for item in of_injector(api) if item["id"] == rule_id), None)


def tell(api: Api, app: str, status: Json) -> None:
    """Write a status of a program's pods, as a kubelet would; one may be replaced meanwhile."""
    for pod in pods(api):
        if pod["metadata"]["labels"]["app"] == app:
            name = ref("Pod", pod["metadata"]["name"], "fsm-system")
            with suppress(ApiError):
                api.patch(name, {"status": status}, subresource="status")


def _pod(api: Api, app: str = "fsm-injector") -> Json | None:
    named = (item for item in pods(api) if item["metadata"]["labels"]["app"] == app)
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


BESIDE = """\
config:
  fsm-stack:releaseAssets: {source: omit}
  fsm-stack:traffic: {interceptionMode: NodeLevel}
  fsm-stack:ingress: {enabled: true}
"""
CLASS = ref("IngressClass", "pipy", None, "networking.k8s.io/v1")
DAEMONS = ref("DaemonSet", "fsm-xnetwork", "fsm-system", "apps/v1")
NODE = ref("Node", "node")
OF_NODE = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
ENFORCE = "pod-security.kubernetes.io/enforce"


def beside(api: Api, project: Path, config: Path | None = None) -> tuple[Json, list[list[str]]]:
    """The check's answer, and of each finding about what runs beside its id, message and fix."""
    words = ["verify", "nodes", "-C", str(project), "--check", CHECK, "-o", "json",
             "--kubeconfig", str(config or api.kubeconfig)]  # fmt: skip
    answer = answers(CliRunner().invoke(cli, words))[CHECK]
    places = ("DaemonSet fsm-system/fsm-xnetwork", "IngressClass pipy")
    told = [
        [one["id"], one["message"], one["fix"]]
        for one in answer["findings"]
        if one["place"]["path"] in places
    ]
    return answer, told


def test_redirection_on_the_nodes_and_the_ingress_class_are_told_by_a_real_controller(
    programs: Api, tmp_path: Path
) -> None:
    """What FSM needs on a node is refused by the level that its other programs live with."""
    api, apply = programs, "Run `pulumi up --refresh` for the stack."
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    (tmp_path / "Pulumi.nodes.yaml").write_text(BESIDE, encoding="utf-8")
    objects = of_text(BESIDE).objects
    deploy(api)
    try:
        assert beside(api, tmp_path)[1] == [
            ["program-absent", "fsm-xnetwork is not there", apply],
            ["program-absent", "ingress class pipy is not there: FSM serves no Ingress", apply],
        ]
        api.apply(CLASS | {"spec": {"controller": "example.com/other"}})
        (_, stolen) = beside(api, tmp_path)[1]
        assert stolen == [
            "program-absent",
            "ingress class pipy is of controller example.com/other, expected "
            "flomesh.io/ingress-pipy: FSM serves no Ingress",
            f"kubectl delete ingressclass pipy, then: {apply}",
        ]
        declared = dict(objects["IngressClass", "", "pipy"])
        with pytest.raises(ApiError, match="field is immutable"):  # so nothing less helps
            api.apply(declared, force=True)
        api.delete(CLASS)
        api.apply(declared)
        api.create(NODE | {"metadata": {"name": "node", "labels": OF_NODE}})
        api.patch(NODE, {"spec": {"taints": []}})  # a node that is made starts as one not ready
        api.patch(NAMESPACE, {"metadata": {"labels": {ENFORCE: "baseline"}}})
        api.apply(dict(objects["DaemonSet", "fsm-system", "fsm-xnetwork"]))

        def told(rule: str) -> list[str] | None:
            found = beside(api, tmp_path)[1]
            return found[0] if [one[0] for one in found] == [rule] else None

        refused = eventually("a refusal is told", lambda: told("program-refused"), seconds=60)
        assert refused[1:] == [
            "fsm-xnetwork: 0 of 1 pods are available: pod security baseline:latest of namespace "
            "fsm-system refuses its pods",
            f"kubectl label namespace fsm-system {ENFORCE}=privileged --overwrite, then: kubectl "
            "rollout restart daemonset/fsm-xnetwork -n fsm-system",
        ]
        api.patch(NAMESPACE, {"metadata": {"labels": {ENFORCE: "privileged"}}})
        again = {"kubectl.kubernetes.io/restartedAt": "2026-07-01T12:00:00Z"}
        api.patch(DAEMONS, {"spec": {"template": {"metadata": {"annotations": again}}}})
        eventually("its pod", lambda: _pod(api, "fsm-xnetwork"), seconds=60)
        waits = eventually("it waits", lambda: told("cluster-control-plane"), seconds=60)
        assert waits[1] == "fsm-xnetwork: 0 of 1 pods are available"

        def well() -> bool | None:
            """The controller may make a pod of the template before, and replace it."""
            tell(api, "fsm-xnetwork", ready())
            return beside(api, tmp_path)[1] == [] or None

        eventually("all is well", well, seconds=60)

        rules = [one for one in documented_rules() if one["resources"] != ["ingressclasses"]]
        config = account(api, "verify-no-classes", rules, tmp_path)
        answer, found = beside(api, tmp_path, config)
        assert found == []
        assert "ingressclasses.networking.k8s.io is forbidden" in answer["why"]
    finally:
        for item in (DAEMONS, CLASS, NODE):
            with suppress(ApiError):
                api.delete(item)
        api.patch(NAMESPACE, {"metadata": {"labels": {ENFORCE: None}}})
        undeploy(api)


def ready() -> Json:
    return {
        "phase": "Running",
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": "2026-07-01T12:00:00Z"}
            for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ],
    }
