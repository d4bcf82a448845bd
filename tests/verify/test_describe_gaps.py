"""What kubectl describe does not print, or somebody left out, is unknown and never passed."""

from __future__ import annotations

import pytest

from fsm_stack.snapshot.describe import looks_like_description, read_description
from fsm_stack.snapshot.snapshot import Assembly, Source
from fsm_stack.verify.check import Status
from fsm_stack.verify.restarting.restarts import restarts

from .world import DEV, World, expected, pod_json, world

NOT_TOLD = (
    "the description of shop/web-7f9c5d-x2x leaves its annotations out: give them, too, as kubectl "
    "get -o jsonpath='{.metadata.annotations}' prints them"
)


def text(script: str, *, annotations: str = "Annotations:      <none>\n", gap: str = "") -> str:
    """What kubectl describe prints of an injected pod, as far as checks read it."""
    lines = "".join(f"      {line}\n" for line in script.splitlines())
    return f"""\
Name:             web-7f9c5d-x2x
Namespace:        shop
Node:             node-1/192.168.0.9
Labels:           app=web
                  fsm-proxy-uuid=0e8a
{annotations}{gap}Status:           Running
IP:               10.244.0.7
Controlled By:    ReplicaSet/web-7f9c5d
Init Containers:
  fsm-init:
    Image:         flomesh/fsm-sidecar-init:1.5.1
    Args:
      -c
{lines}    State:          Terminated
      Reason:       Completed
      Exit Code:    0
    Ready:          True
    Restart Count:  0
  log-shipper:
    State:          Running
    Ready:          False
    Restart Count:  0
Containers:
  app:
    Port:           8080/TCP
    State:          Running
    Ready:          True
    Restart Count:  0
  sidecar:
    Image:          flomesh/pipy:1.5.12
    State:          Running
    Ready:          True
    Restart Count:  0
"""


def script(stack: str = DEV) -> str:
    found: str = pod_json(expected(stack))["spec"]["initContainers"][0]["args"][1]
    return found


def described(shown: str) -> World:
    mesh = world()
    mesh.remove("Pod")
    assembly = Assembly()
    for item in read_description(shown):
        assembly.add(item)
    mesh.described = assembly.snapshot(Source(context="files")).pods
    return mesh


def test_a_whole_description_is_compared() -> None:
    mesh = described(text(script()))
    for name in ("pod-annotations", "pod-rules", "pod-stale", "pod-annotation-effect"):
        assert mesh.outcome(name).status is Status.PASSED, name


@pytest.mark.parametrize(
    "shown",
    [text(script(), annotations="", gap="...\n"), text(script(), gap="                  ...\n")],
)
def test_annotations_that_are_left_out_are_not_counted_as_read(shown: str) -> None:
    mesh = described(shown)
    for name in ("pod-annotations", "pod-annotation-effect"):
        outcome = mesh.outcome(name)
        assert (outcome.status, outcome.why) == (Status.NOT_RUN, NOT_TOLD)
    assert mesh.outcome("pod-rules").status is Status.PASSED  # no annotation could add to it


def test_what_an_annotation_may_have_declared_is_no_difference() -> None:
    more = script(DEV.replace("[6379, 7070]", "[6379, 7070, 8080]"))
    mesh = described(text(more, annotations="", gap="...\n"))
    for name in ("pod-rules", "pod-stale"):
        outcome = mesh.outcome(name)
        assert (outcome.status, outcome.why) == (Status.NOT_RUN, NOT_TOLD)
    listed = restarts(mesh.context())
    assert (listed.owners, listed.unknown) == ((), (NOT_TOLD,))


def test_what_the_mesh_declares_is_missed_whatever_the_annotations_are() -> None:
    other = script(DEV.replace("[6379, 7070]", "[7070, 8080]"))
    mesh = described(text(other, annotations="", gap="...\n"))
    outcome = mesh.outcome("pod-rules")
    assert [item.message for item in outcome.findings] == [
        "outbound ports 6379: the script has no rule for them"
    ]
    assert (outcome.status, outcome.why) == (Status.FAILED, NOT_TOLD)


def test_a_user_that_is_not_printed_is_not_counted_as_another_one() -> None:
    outcome = described(text(script())).outcome("pod-reserved")
    assert outcome.status is Status.NOT_RUN
    assert outcome.why.endswith("kubectl describe names no user: kubectl get -o json does")
    taken = text(script()).replace("8080/TCP", "15003/TCP")
    assert described(taken).messages("pod-reserved") == [
        "container app uses port 15003: the sidecar's inbound listener"
    ]


def test_an_init_container_that_keeps_running_is_counted_as_a_native_sidecar() -> None:
    mesh = described(text(script()))
    (finding,) = mesh.outcome("pod-ready").findings
    assert finding.message == "container log-shipper is not ready: running"
    assert finding.value == "READY 2/3, status Running"
    ready = text(script()).replace("Ready:          False", "Ready:          True")
    assert described(ready).outcome("pod-ready").status is Status.PASSED


def test_the_nodes_own_address_is_that_of_a_pod_in_its_network() -> None:
    (own,) = described(text(script())).described
    (shared,) = described(text(script()).replace("10.244.0.7", "192.168.0.9")).described
    assert (own.host_network, shared.host_network) == (False, True)


def test_a_pod_that_is_being_deleted_is_left_alone() -> None:
    going = text(script()).replace("Running\nIP", "Terminating (lasts 1s)\nIP")
    outcome = described(going).outcome("pod-ready")
    assert outcome.why == "pod shop/web-7f9c5d-x2x is being deleted"
    assert outcome.status is Status.NOT_APPLICABLE


def test_an_owner_that_is_left_out_is_no_pod_of_its_own() -> None:
    shown = text(script(DEV.replace("7070", "7171"))).replace(
        "Controlled By:    ReplicaSet/web-7f9c5d", "..."
    )
    (finding,) = described(shown).outcome("pod-stale").findings
    assert finding.fix == "# restart its owner: the description leaves out which one that is"


@pytest.mark.parametrize(
    "typed", ["$ kubectl describe pod web -n shop\n", "kubectl describe pod web\n\n", ""]
)
def test_the_command_may_stand_above_what_it_printed(typed: str) -> None:
    assert looks_like_description(typed + text(script()))
    assert described(typed + text(script())).described[0].name == "web-7f9c5d-x2x"
    assert not looks_like_description(typed + "no pods found\n")
