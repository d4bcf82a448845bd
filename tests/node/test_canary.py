"""An exclusion is tried on running pods, promoted or given up, by the commands that are printed.

The judge is the nat table of the pod: the rule that counted the connection. The commands run as
they stand in the output; `pulumi up` is the bundle applied again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.iptables.packet import Untouched, Verdict, redirected_to
from fsm_stack.manifests.canary import BETA_SINCE, plural_of
from fsm_stack.well_known import CANARY_KINDS, CANARY_LABEL
from tests.apiserver.apiserver import KUBERNETES_VERSION
from tests.apiserver.client import eventually

from .stack import STACK
from .test_breakages import declare, the_pod
from .test_traffic import outbound, probed, verdict
from .verified import green, verified
from .workloads import container, deployment, gone, pod, wait_deployment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .stack import Stack

pytestmark = pytest.mark.node

NAMESPACE = "demo"
TRIED = deployment(pod(NAMESPACE, "tried", container("http:8080")))
PORT = 9443
TO_SIDECAR, PAST_IT = redirected_to(15001), Untouched()
SERVES_POLICIES = int(KUBERNETES_VERSION.split(".")[1]) >= BETA_SINCE
POLICIES = ",".join(plural_of(kind) for kind in CANARY_KINDS)
OWNERS = "deployments,statefulsets,daemonsets,pods"
WAYS = [
    pytest.param(
        "policy",
        marks=pytest.mark.skipif(
            not SERVES_POLICIES, reason=f"Kubernetes {KUBERNETES_VERSION} serves no such policy"
        ),
    ),
    "templates",
]


@pytest.fixture
def mesh(stack: Stack) -> Iterator[Stack]:
    """The mesh with a workload, in which all is well; afterwards as it was, whatever happened."""
    file = stack.project / f"Pulumi.{STACK}.yaml"
    declared = file.read_text()
    stack.api.create(TRIED)
    wait_deployment(stack.api, TRIED)
    green(stack)
    yield stack
    file.write_text(declared)
    for line in listed(stack):
        if not line.startswith("pod/"):
            stack.kubectl("delete", line, *(("-n", NAMESPACE) if "policy" not in line else ()))
    stack.apply(force=True)
    if stack.api.exists(TRIED):
        stack.api.delete(TRIED)
    gone(stack.api, TRIED)


def canary(mesh: Stack, *words: str) -> str:
    """What the command prints; it must find nothing wrong."""
    result = mesh.fsm_stack("canary", STACK, "--namespace", NAMESPACE, *words)
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def listed(mesh: Stack) -> list[str]:
    """What has the canary's label, by the commands of docs/canary.md."""
    label = ("-l", CANARY_LABEL, "-o", "name")
    found = mesh.kubectl("get", OWNERS, "-n", NAMESPACE, *label)
    if SERVES_POLICIES:
        found += mesh.kubectl("get", POLICIES, *label)
    return found.split()


def begin(mesh: Stack, way: str) -> dict[str, Any]:
    """Declare the entry, carry out what the canary prints, and wait for the new pod."""
    lists = [6379, 7070, PORT]
    declare(mesh, "traffic", mesh_traffic(mesh) | {"outboundPortExclusionList": lists})
    before = the_pod(mesh, TRIED)
    printed = canary(mesh, "--by", way)
    if way == "policy":
        mesh.kubectl("apply", "-f", "-", given=printed)

        def in_force() -> bool:
            made = mesh.api.create(pod(NAMESPACE, "next"), dry_run=True)
            return CANARY_LABEL in made["metadata"]["labels"]

        eventually("the policy is in force", in_force, seconds=60)
        restarts = [
            line.lstrip("# ") for line in printed.splitlines() if "rollout restart" in line
        ]
        assert len(restarts) == 1
        mesh.shell(restarts[0])
    else:
        mesh.shell(printed)
    return another(mesh, before)


def mesh_traffic(mesh: Stack) -> dict[str, Any]:
    return dict(
        mesh.settings.model_dump(mode="json", by_alias=True, exclude_unset=True)["traffic"]
    )


def another(mesh: Stack, before: dict[str, Any]) -> dict[str, Any]:
    """The pod that took another's place."""
    eventually(
        "another pod runs",
        lambda: the_pod(mesh, TRIED)["metadata"]["uid"] != before["metadata"]["uid"],
        seconds=90,
    )
    return the_pod(mesh, TRIED)


def fates(mesh: Stack, live: dict[str, Any]) -> list[Verdict]:
    """What the kernel does with connections to the port that is tried, and to its neighbour."""
    packets = [outbound("10.1.2.3", port) for port in (PORT, PORT + 1)]
    return [verdict(one["rules"]) for one in probed(mesh, live, packets)]


def started(live: dict[str, Any]) -> tuple[str, list[tuple[str, int]]]:
    """Which pod it is, and how often each of its containers was started again."""
    statuses = live["status"]["containerStatuses"]
    return live["metadata"]["uid"], [(one["name"], one["restartCount"]) for one in statuses]


@pytest.mark.parametrize("way", WAYS)
def test_a_tried_port_is_past_the_sidecar_and_stays_so_when_it_is_promoted(
    mesh: Stack, way: str
) -> None:
    assert fates(mesh, the_pod(mesh, TRIED)) == [TO_SIDECAR, TO_SIDECAR]
    live = begin(mesh, way)
    assert CANARY_LABEL in live["metadata"]["labels"]
    assert fates(mesh, live) == [PAST_IT, TO_SIDECAR]
    shown = json.loads(canary(mesh, "--status", "-o", "json"))
    assert shown["pods"] == [{"name": live["metadata"]["name"], "ready": True, "restarts": 0}]
    assert (shown["waiting"], shown["findings"]) == ([], [])

    assert "# first: Run `pulumi up --refresh` for the stack" in canary(mesh, "--promote")
    mesh.apply()
    promoted = canary(mesh, "--promote")
    assert "# first:" not in promoted
    assert "# 1 pod of the canary keeps its rules: no restart" in promoted
    mesh.shell(promoted)
    # What the templates carry stays until their owners change, and is without effect.
    rest = [] if way == "policy" else ["a canary was promoted: its annotations in pod templates"]

    def told() -> bool:
        messages = [one.message for one in verified(mesh)]
        return len(messages) == len(rest) and all(map(str.startswith, messages, rest))

    eventually("verify tells nothing else", told, seconds=60)
    same = the_pod(mesh, TRIED)
    assert started(same) == started(live)
    assert fates(mesh, same) == [PAST_IT, TO_SIDECAR]
    if way == "policy":
        assert [one for one in listed(mesh) if not one.startswith("pod/")] == []
    mesh.kubectl("rollout", "restart", "deployment/tried", "-n", NAMESPACE)
    assert fates(mesh, another(mesh, same)) == [PAST_IT, TO_SIDECAR]


@pytest.mark.parametrize("way", WAYS)
def test_a_port_that_is_given_up_goes_through_the_sidecar_again(mesh: Stack, way: str) -> None:
    live = begin(mesh, way)
    assert fates(mesh, live) == [PAST_IT, TO_SIDECAR]
    mesh.shell(canary(mesh, "--abort"))
    after = another(mesh, live)
    assert fates(mesh, after) == [TO_SIDECAR, TO_SIDECAR]
    eventually("nothing has the label", lambda: listed(mesh) == [], seconds=30)
    assert CANARY_LABEL not in after["metadata"]["labels"]
