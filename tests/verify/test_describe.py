"""The text of kubectl describe, where it differs from the API's JSON."""

from __future__ import annotations

from fsm_stack.snapshot.describe import read_description
from fsm_stack.snapshot.snapshot import Assembly, Source
from fsm_stack.verify.check import Status, run_checks

from .world import World, check, world

PORTS = "flomesh.io/outbound-port-exclusion-list"
TEXT = f"""\
Name:             web-7f9c5d-x2x
Namespace:        shop
Labels:           app=web
Annotations:      flomesh.io/sidecar-injection: enabled
                  {PORTS}:
                    10001,10002,10003,10004,10005,10006,10007,10008,10009,10010,10011,10012,10013,10014,10015
                  other: x: y
Status:           Running
Controlled By:    ReplicaSet/web-7f9c5d
Init Containers:
  fsm-init:
    Image:         flomesh/fsm-sidecar-init:1.5.1
    Args:
      -c
      *nat
      :FSM_PROXY_OUTBOUND - [0:0]
      -A FSM_PROXY_OUTBOUND -j RETURN
      COMMIT
    State:          Waiting
      Reason:       CrashLoopBackOff
    Last State:     Terminated
      Reason:       Error
      Exit Code:    2
    Ready:          False
    Restart Count:  3
Containers:
  app:
    Image:          web:1
    Ports:          8080/TCP, 9090/TCP
    Host Ports:     0/TCP, 0/TCP
    State:          Waiting
      Reason:       PodInitializing
    Ready:          False
"""


def described(text: str) -> World:
    mesh = world()
    mesh.remove("Pod")
    assembly = Assembly()
    for item in read_description(text):
        assembly.add(item)
    mesh.described = assembly.snapshot(Source(context="files")).pods
    return mesh


def test_a_value_below_its_key_is_the_value() -> None:
    (pod,) = described(TEXT).described
    assert pod.annotations[PORTS].startswith("10001,10002")
    assert pod.annotations["flomesh.io/sidecar-injection"] == "enabled"
    assert not pod.cut


def test_states_ports_and_the_owner_are_read() -> None:
    (pod,) = described(TEXT).described
    init = pod.container("fsm-init")
    assert init is not None
    assert (init.state.reason, init.last.exit_code, init.restarts) == ("CrashLoopBackOff", 2, 3)
    app = pod.container("app")
    assert app is not None
    assert app.ports == (8080, 9090)
    assert pod.owner is not None
    assert (pod.owner.kind, pod.owner.name) == ("Deployment", "web")


def test_a_value_that_is_cut_off_is_compared_with_nothing() -> None:
    mesh = described(TEXT.replace("10015\n", "...\n"))
    for name in ("pod-annotations", "pod-rules", "pod-stale"):
        (outcome,) = run_checks(mesh.context(), [check(name)])
        assert outcome.status is Status.NOT_RUN
        assert outcome.why == (
            "pod shop/web-7f9c5d-x2x: kubectl describe cuts off its annotations: kubectl get -o "
            "json does not"
        )
