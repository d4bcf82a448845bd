"""What people paste: descriptions of any kind, events, logs; used, or named with the reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.cluster.session import Request, context_of
from fsm_stack.errors import InputError
from fsm_stack.snapshot.describe import read_description
from fsm_stack.verify.check import Report, run_checks
from fsm_stack.verify.every import CHECKS
from fsm_stack.verify.report import as_json, lines

from .world import expected, pod_json, world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TIMEOUT = (
    'Error creating: Internal error occurred: failed calling webhook "fsm-inject.k8s.io": failed '
    'to call webhook: Post "https://fsm-injector.fsm-system.svc:9090/mutate-pod-creation": dial '
    "tcp 10.3.146.3:9090: i/o timeout"
)
REACH = "the API server does not reach webhook fsm-inject.k8s.io in time, and without it no pod is made"
REPLICA_SET = f"""\
Name:           web-7f9c5d
Namespace:      demo
Labels:         app=web
Controlled By:  Deployment/web
Replicas:       0 current / 2 desired
Pods Status:    0 Running / 0 Waiting / 0 Succeeded / 0 Failed
Pod Template:
  Labels:       app=web
  Annotations:  flomesh.io/sidecar-injection: enabled
  Containers:
   web:
    Image:        registry.example/web:1
Conditions:
  Type             Status  Reason
  ----             ------  ------
  ReplicaFailure   True    FailedCreate
Events:
  Type     Reason        Age                 From                   Message
  ----     ------        ----                ----                   -------
  Warning  FailedCreate  18s (x14 over 60s)  replicaset-controller  {TIMEOUT}
"""
EVENTS = f"""\
LAST SEEN   TYPE      REASON         OBJECT                 MESSAGE
18s         Warning   FailedCreate   replicaset/web-7f9c5d  {TIMEOUT}
2m          Normal    Scheduled      pod/web-1              assigned
"""
LOG = """\
modprobe: can't change directory to '/lib/modules': No such file or directory
iptables-restore v1.8.7 (legacy): iptables-restore: unable to initialize table 'nat'
Try `iptables-restore -h' or 'iptables-restore --help' for more information.
"""
NO_TABLE = "the node's kernel has no nat table for this iptables back end, or the container may not use it"


@pytest.fixture
def verified(tmp_path: Path) -> Callable[..., Report]:
    """The report about texts, each given as a file."""

    def ask(*texts: str, only: str = "") -> Report:
        files = []
        for number, text in enumerate(texts):
            files.append(tmp_path / f"{number}.txt")
            files[-1].write_text(text, encoding="utf-8")
        context = context_of(Request(files=tuple(files)))
        checks = [one for one in CHECKS if only in {"", one.id}]
        return Report(context=context, outcomes=run_checks(context, checks))

    return ask


def found(report: Report) -> list[tuple[str, str]]:
    return [(item.place.path, item.message) for item in report.findings]


def test_a_described_replica_set_is_no_pod_and_its_event_is_the_answer(
    verified: Callable[..., Report],
) -> None:
    report = verified(REPLICA_SET)
    assert report.context.pods == ()
    assert found(report) == [("ReplicaSet demo/web-7f9c5d", REACH)]
    assert report.findings[0].value == TIMEOUT
    assert report.findings[0].fix == (
        "Let the API server connect to port 9090 of the injector's pods: a firewall rule from the "
        "control plane to the nodes, or a NetworkPolicy, then: kubectl rollout restart "
        "deployment/web -n demo"
    )


def test_the_first_line_of_a_pasted_event_is_its_cause(verified: Callable[..., Report]) -> None:
    shown = list(lines(verified(EVENTS)))
    assert shown[0].startswith(f"1 problem: {REACH}; ")
    assert "unused  Event web-1.2: no warning about pods or what makes them" in shown


def test_a_log_alone_has_its_cause_and_its_line_whole(verified: Callable[..., Report]) -> None:
    report = verified(LOG)
    (item,) = report.findings
    assert (item.id, item.message) == ("told-cause", NO_TABLE)
    assert item.value == LOG.splitlines()[1]


def failing() -> dict[str, Any]:
    item = pod_json(expected())
    item["status"]["initContainerStatuses"][0] |= {
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 2}},
        "restartCount": 4,
        "ready": False,
    }
    return item


def test_a_log_beside_the_one_pod_that_fails_is_that_pods(
    verified: Callable[..., Report],
) -> None:
    report = verified(json.dumps(failing()), LOG, only="pod-init")
    (item,) = report.findings
    assert item.message.endswith(NO_TABLE)
    assert item.value == LOG.splitlines()[1]
    assert report.context.snapshot.texts == ()


def test_who_has_read_the_log_is_not_sent_to_read_it(verified: Callable[..., Report]) -> None:
    log = {"kind": "PodLog", "metadata": {"name": "web-7f9c5d-x2x", "namespace": "shop"},
           "text": "out of cheese"}  # fmt: skip
    report = verified(json.dumps({"items": [failing(), log]}), only="pod-init")
    (item,) = report.findings
    assert item.value == "out of cheese"
    assert item.fix == (
        "Mend what its log says, then: kubectl rollout restart deployment/web -n shop"
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            "Name: web\nNamespace: demo\nType: ClusterIP\nIP: 10.0.0.1\nEndpoints: <none>\n",
            "Service",
        ),
        ("Name: n1\nRoles: <none>\nTaints: <none>\n", "Node"),
        ("Name: c\nNamespace: demo\n\nData\n====\nkey:\n----\n1\n", "ConfigMap"),
        ("Name: x\nNamespace: demo\nLabels: <none>\nSpec:\n  Size: 1\n", "object"),
    ],
)
def test_a_description_that_no_check_reads_is_named_and_is_no_pod(
    verified: Callable[..., Report], text: str, kind: str
) -> None:
    with pytest.raises(InputError, match=f"^{kind} .*: no check reads it$"):
        verified(text)


def test_what_is_not_used_beside_what_is_stands_in_the_report(
    verified: Callable[..., Report],
) -> None:
    service = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "b"}}
    report = verified(json.dumps({"items": [pod_json(expected()), service, service]}), "hello\n")
    assert as_json(report)["passedOver"][0] == "2 Secrets: no check reads it"
    assert as_json(report)["passedOver"][1].endswith("a log or an error with a known cause")


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (
            "Deployment",
            "Replicas: 2 desired | 0 updated | 0 total | 0 available\nStrategyType: RollingUpdate",
        ),
        ("StatefulSet", "Replicas: 2 desired | 0 total\nUpdate Strategy: RollingUpdate"),
        (
            "DaemonSet",
            "Desired Number of Nodes Scheduled: 2\nCurrent Number of Nodes Scheduled: 0",
        ),
        ("Job", "Parallelism: 1\nCompletions: 1"),
        ("CronJob", "Schedule: 0 * * * *\nConcurrency Policy: Forbid"),
    ],
)
def test_a_described_owner_is_the_owner(
    verified: Callable[..., Report], kind: str, field: str
) -> None:
    text = f"Name: web\nNamespace: demo\n{field}\nPod Template:\n  Annotations: flomesh.io/x: y\n"
    events = (
        "Events:\n  Type     Reason        Age  From        Message\n"
        f"  Warning  FailedCreate  1s   controller  {TIMEOUT}\n"
    )
    report = verified(text + events)
    assert list(report.context.snapshot.owners) == [(kind, "demo", "web")]
    assert found(report) == [(f"{kind} demo/web", REACH)]


def test_the_jobs_application_that_ended_is_no_container_that_is_not_ready(
    verified: Callable[..., Report],
) -> None:
    item = job_pod(exit_code=0)
    report = verified(json.dumps(item), only="pod-ready")
    assert [(one.id, one.message) for one in report.findings] == [
        ("never-completes",
         "the application ended with exit code 0, and the sidecar keeps the pod: Job migrate "
         "never completes"),
    ]  # fmt: skip
    assert "not ready" not in "\n".join(lines(report))
    assert "sidecar-injection: disabled" in report.findings[0].fix


def test_a_jobs_application_that_failed_says_so(verified: Callable[..., Report]) -> None:
    report = verified(json.dumps(job_pod(exit_code=3)), only="pod-ready")
    assert [one.message for one in report.findings] == [
        "container app ended with exit code 3, and the sidecar keeps the pod: Job migrate does "
        "not see that it failed"
    ]


def test_a_job_that_works_is_well(verified: Callable[..., Report]) -> None:
    item = job_pod(exit_code=0)
    item["status"]["containerStatuses"][0] |= {"ready": True, "state": {"running": {}}}
    assert verified(json.dumps(item), only="pod-ready").findings == ()


def job_pod(*, exit_code: int) -> dict[str, Any]:
    item = pod_json(expected(), "migrate-x8k2p")
    owner = {"kind": "Job", "name": "migrate", "controller": True}
    item["metadata"]["ownerReferences"] = [owner]
    ended = {"terminated": {"exitCode": exit_code, "reason": "Completed"}}
    item["status"]["containerStatuses"][0] |= {"ready": False, "state": ended}
    return item


def behind(**of_container: Any) -> dict[str, Any]:  # JSON
    item = pod_json(expected())
    item["spec"]["initContainers"].append({"name": "vault-agent-init", **of_container})
    item["status"]["initContainerStatuses"].append(
        {"name": "vault-agent-init", "ready": False, "state": {"running": {}}}
    )
    for one in item["status"]["containerStatuses"]:
        one |= {"ready": False, "state": {"waiting": {"reason": "PodInitializing"}}}
    item["status"]["phase"] = "Pending"
    return item


def test_an_init_container_behind_the_meshs_is_the_cause(verified: Callable[..., Report]) -> None:
    report = verified(json.dumps(behind()), only="pod-ready")
    (item,) = report.findings
    assert item.id == "init-redirected"
    assert item.message == (
        "init container vault-agent-init, number 2, runs after fsm-init: what it sends is "
        "redirected to a sidecar that does not run yet; no container of the pod starts before it "
        "has ended"
    )
    for remedy in ("Let it run first", "outbound-port-exclusion-list", "user 1500", "hold-app"):
        assert remedy in item.fix


@pytest.mark.parametrize(
    "of_container", [{"securityContext": {"runAsUser": 1500}}, {"restartPolicy": "Always"}]
)
def test_one_that_is_not_redirected_is_not(
    verified: Callable[..., Report], of_container: dict[str, Any]
) -> None:
    report = verified(json.dumps(behind(**of_container)), only="pod-ready")
    assert {one.id for one in report.findings} == {"pod-ready"}


CHAINED = (
    "iptables -t nat -N PROXY_OUTPUT && iptables -t nat -N PROXY_REDIRECT && iptables -t nat -A "
    "PROXY_REDIRECT -p tcp -j REDIRECT --to-port 15001 && iptables -t nat -A OUTPUT -p tcp -j "
    "PROXY_OUTPUT && iptables -t nat -A PROXY_OUTPUT -j PROXY_REDIRECT"
)


@pytest.mark.parametrize(
    ("script", "suspected"),
    [
        (CHAINED, False),
        (CHAINED.replace(" && ", "\n"), True),
        (CHAINED.partition(" && ")[2].partition(" && ")[2], True),
    ],
    ids=["stops at -N", "goes on", "makes no chain"],
)
def test_a_script_that_stops_at_its_first_chain_doubles_no_jump(
    verified: Callable[..., Report], script: str, *, suspected: bool
) -> None:
    """A second run of the oldest generation ends with "Chain already exists"."""
    item = failing()
    item["spec"]["initContainers"][0]["args"] = ["-c", script]
    report = verified(json.dumps(item), only="pod-live-rules")
    assert bool(report.findings) is suspected


def misplaced() -> dict[str, Any]:
    pod = pod_json(expected())
    pod["metadata"]["labels"]["flomesh.io/sidecar-injection"] = "enabled"
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": "shop", "labels": {"flomesh.io/monitored-by": "fsm"},
            "annotations": {"flomesh.io/sidecar-injection": "enabled"}}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": "old", "labels": {"openservicemesh.io/monitored-by": "fsm"},
            "annotations": {"openservicemesh.io/sidecar-injection": "enabled"}}},
    ]  # fmt: skip
    return {"apiVersion": "v1", "kind": "List", "items": [pod, *spaces]}


def test_keys_where_nobody_reads_them_are_named_in_one_round(
    verified: Callable[..., Report],
) -> None:
    report = verified(json.dumps(misplaced()))
    assert [(item.id, item.place.path, item.fix) for item in report.findings] == [
        ("label-other-mesh", "namespace old",
         "kubectl label namespace old flomesh.io/monitored-by=fsm --overwrite"),
        ("annotation-other-mesh", "namespace old",
         "kubectl annotate namespace old flomesh.io/sidecar-injection=enabled --overwrite"),
        ("annotation-as-label", "pod shop/web-7f9c5d-x2x",
         "Move it to spec.template.metadata.annotations: kubectl edit deployment/web -n shop"),
    ]  # fmt: skip


def test_an_annotation_that_the_template_has_otherwise_is_lost_too() -> None:
    """Its presence alone is no proof: the restart gives the pod the template's value."""
    mesh = world()
    key = "flomesh.io/outbound-port-exclusion-list"
    mesh.the("Pod")["metadata"]["annotations"][key] = "5432"
    template = mesh.the("Deployment", "web")["spec"]["template"]["metadata"]["annotations"]
    template[key] = "5433"
    (item,) = mesh.outcome("pod-annotation-effect").findings
    assert item.id == "annotation-lost"
    assert item.message.endswith(
        "has another value in its owner's template: the restart that would make this one count "
        "changes it"
    )
    template[key] = "5432"
    assert mesh.outcome("pod-annotation-effect").findings == ()


def test_an_event_of_a_described_pod_is_why_it_is_not_ready(
    verified: Callable[..., Report],
) -> None:
    """Told as one problem: the event is the cause, the container that waits follows."""
    text = """\
Name:             web-7f9c5d-x2x
Namespace:        shop
Labels:           fsm-proxy-uuid=0e8a
Annotations:      <none>
Status:           Pending
Containers:
  sidecar:
    Image:          flomesh/pipy:9
    State:          Waiting
      Reason:       ImagePullBackOff
    Ready:          False
Events:
  Type     Reason  Age               From     Message
  ----     ------  ----              ----     -------
  Normal   Pulling 3m (x4 over 5m)   kubelet  Pulling image "flomesh/pipy:9"
  Warning  Failed  3m (x4 over 5m)   kubelet  Failed to pull image "flomesh/pipy:9": not found
  Warning  Failed  90s (x6 over 5m)  kubelet  Error: ImagePullBackOff
"""
    shown = list(lines(verified(text)))
    assert shown[0].startswith("1 problem: image flomesh/pipy:9 is not in its registry; ")
    told = "pod shop/web-7f9c5d-x2x: image flomesh/pipy:9 is not in its registry [told-cause]"
    assert f"    error: {told}" in shown
    hence = "hence pod-ready: the sidecar is not ready: waiting, ImagePullBackOff"
    assert any(line.strip().startswith(hence) for line in shown)
    assert not any(line.strip().startswith("kubectl describe") for line in shown)


def test_a_replica_set_as_json_says_what_it_was_told(verified: Callable[..., Report]) -> None:
    item = {
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": "web-7f9c5d", "namespace": "demo", "ownerReferences": [
            {"kind": "Deployment", "name": "web", "controller": True}]},
        "spec": {"replicas": 2},
        "status": {"conditions": [{"type": "ReplicaFailure", "status": "True",
                                   "reason": "FailedCreate", "message": TIMEOUT}]},
    }  # fmt: skip
    event = {"kind": "Event", "type": "Warning", "reason": "FailedCreate", "message": TIMEOUT,
             "metadata": {"name": "e", "namespace": "demo"},
             "involvedObject": {"kind": "ReplicaSet", "name": "web-7f9c5d", "namespace": "demo"},
             }  # fmt: skip
    for items in ([item], [event], [item, event]):
        report = verified(json.dumps({"kind": "List", "items": items}))
        assert found(report) == [("ReplicaSet demo/web-7f9c5d", REACH)]


def test_json_of_a_cluster_that_answers_has_its_time(verified: Callable[..., Report]) -> None:
    context = world().context()
    live = as_json(Report(context=context, outcomes=run_checks(context, ())))
    assert live["taken"] == "2026-07-01T12:00:00Z"
    assert as_json(verified(LOG))["taken"] is None


@pytest.mark.parametrize("number", ["9" * 5000, "\u00b2", "-", ""])
@pytest.mark.parametrize(
    "field",
    ["Replicas: N desired | N total", "Desired Number of Nodes Scheduled: N", "Parallelism: N",
     "Containers:\n  app:\n    Ports: N/TCP\n    Restart Count: N\n    State: Terminated\n"
     "      Exit Code: N"],
)  # fmt: skip
def test_a_number_that_is_none_ends_in_no_traceback(number: str, field: str) -> None:
    text = f"Name: web\nNamespace: demo\nUpdate Strategy: x\n{field.replace('N', number)}\n"
    assert [item["metadata"]["name"] for item in read_description(text)] == ["web"]


DESCRIBED = """\
Name:         gate-1
Namespace:    edge
Labels:       osm-proxy-uuid=1f1f8a9e
Status:       Pending
Controlled By:  DaemonSet/gate
Init Containers:
  osm-init:
    Command:
      /bin/sh
    Args:
      -c
      iptables -t nat -N PROXY_INBOUND
    State:          Waiting
      Reason:       CrashLoopBackOff
    Last State:     Terminated
      Reason:       Error
      Exit Code:    1
    Ready:          False
    Restart Count:  6
Containers:
  gate:
    State:          Waiting
      Reason:       PodInitializing
    Ready:          False
  envoy:
    State:          Waiting
      Reason:       PodInitializing
    Ready:          False
Events:
  Type     Reason   Age  From     Message
  ----     ------   ---  ----     -------
  Warning  BackOff  2m   kubelet  Back-off restarting failed container
"""
RAN_BEFORE = "iptables: Chain already exists.\n"


@pytest.mark.parametrize("pasted", [(DESCRIBED, RAN_BEFORE), (f"{DESCRIBED}\n{RAN_BEFORE}",)])
def test_a_log_pasted_with_a_description_is_not_asked_for_again(
    verified: Callable[..., Report], pasted: tuple[str, ...]
) -> None:
    """As two files, or as one text; doubled jumps are not the cause: -N stops the second run."""
    report = verified(*pasted)
    (item,) = (one for one in report.findings if one.id == "pod-init")
    assert item.message.endswith("the script ran before in this network namespace")
    assert item.value == RAN_BEFORE.strip()
    assert "kubectl logs" not in "".join(one.fix for one in report.findings)
    assert "doubled-jump" not in {one.id for one in report.findings}
    (alone,) = (one for one in verified(DESCRIBED).findings if one.id == "pod-init")
    assert alone.fix == "kubectl logs gate-1 -c osm-init -n edge"


def test_an_annotation_among_a_templates_labels_is_said_of_the_owner_once() -> None:
    mesh = world()
    key = "flomesh.io/sidecar-injection"
    owner = mesh.the("Deployment", "web")
    owner["spec"]["template"]["metadata"]["labels"] = {key: "enabled"}
    mesh.the("Pod")["metadata"]["labels"][key] = "enabled"
    (item,) = mesh.outcome("owner-annotations").findings
    assert (item.id, item.place.path) == ("annotation-as-label", "Deployment shop/web")
    assert item.fix == (
        "Move it to spec.template.metadata.annotations: kubectl edit deployment/web -n shop"
    )
    assert mesh.outcome("pod-annotation-effect").findings == ()
    owner["spec"]["template"]["metadata"]["annotations"] = {key: "enabled"}
    assert mesh.outcome("owner-annotations").findings == ()


KNATIVE = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"template": {"spec": {"containers": [{"name": "web"}]}}},
}
MANIFESTS = "nothing of a cluster was looked at: the files hold manifests only"


def test_another_groups_service_is_none_of_the_control_planes(
    verified: Callable[..., Report],
) -> None:
    whole = [KNATIVE, world().the("MeshConfig")]
    report = verified(json.dumps({"kind": "List", "items": whole}))
    assert report.context.snapshot.services == {}
    assert report.context.snapshot.passed_over == ("Service shop/web: no check reads it",)


@pytest.mark.parametrize(
    ("made", "wanted"),
    [({}, True), ({"status": {"phase": "Running"}}, False),
     ({"metadata": {"name": "p", "namespace": "shop",
                    "creationTimestamp": "2026-07-01T10:00:00Z"}}, False)],
)  # fmt: skip
def test_manifests_alone_are_no_look_at_a_cluster(
    verified: Callable[..., Report],
    made: dict[str, Any],
    wanted: bool,  # noqa: FBT001
) -> None:
    """That no problem was found would be said of what nobody has seen."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"},
           "spec": {"containers": [{"name": "a", "image": "x"}]}} | made  # fmt: skip
    label = {"flomesh.io/monitored-by": "fsm"}
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "shop", "labels": label},
    }
    report = verified(json.dumps({"kind": "List", "items": [namespace, pod]}))
    assert next(lines(report)).startswith(MANIFESTS) is wanted


@pytest.mark.parametrize(
    ("text", "reader"),
    [("*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n", "; fsm-stack read FILE reads rules"),
     ("#!/bin/sh\nif ! iptables-restore <<EOF\n*nat\nCOMMIT\nEOF\nthen exit 1; fi\n",
      "; fsm-stack read FILE reads rules"),
     ("config:\n  fsm-stack:mesh: {}\n", "; fsm-stack validate STACK reads stack files"),
     ("a shopping list\n", "")],
)  # fmt: skip
def test_who_reads_a_text_that_is_none_of_the_forms_is_said(
    verified: Callable[..., Report], text: str, reader: str
) -> None:
    with pytest.raises(InputError) as error:
        verified(text)
    assert str(error.value).endswith(f"a log or an error with a known cause{reader}")
