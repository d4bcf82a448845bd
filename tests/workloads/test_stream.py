"""Streams of documents: what passes through, what is written anew, and where findings stand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fsm_stack.errors import InputError
from fsm_stack.workloads.documents import split
from fsm_stack.workloads.edit import as_diff, corrected
from fsm_stack.workloads.stream import Context, Outcome, run
from fsm_stack.yaml.write import dump
from tests.given import ID, mesh

if TYPE_CHECKING:
    from collections.abc import Callable

DEPLOYMENT = """\
# who answers for this: the shop team
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  annotations:
    flomesh.io/outbound-port-exclusion-list: "6379, 7070"  # redis
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: example.com/web:1
          ports:
            - {name: http, containerPort: 8080}
          readinessProbe:
            tcpSocket: {port: http}
"""
OTHERS = """\
# untouched: odd   spacing, 'quotes', a date and an octal
kind: ConfigMap
data: {when: 2024-01-01,   mode: 0644, pod: "Pod"}
--- # a comment on the marker
kind:   Service
...
"""
NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: {flomesh.io/monitored-by: fsm}
  annotations: {flomesh.io/sidecar-injection: enabled}
"""


def context(name: str = "fsm", **options: Any) -> Context:
    known = options.pop("mesh", None) or mesh(name)
    return Context(mesh=known, proxy_id=lambda *_: ID, dump=dump, **options)


def outcomes(text: str, known: Context | None = None) -> list[Outcome]:
    documents = split(text.splitlines(keepends=True), file="web.yaml")
    return list(run(documents, known or context()))


def test_the_documents_sources_are_the_stream() -> None:
    for text in (
        OTHERS,
        DEPLOYMENT,
        f"---\n{OTHERS}---\r\n{DEPLOYMENT}---\n---\n",
        "",
        "\n\n---\n",
        "--- {a: 1}\n--- |\n  ---x\n",
    ):
        found = split(text.splitlines(keepends=True), file="x")
        assert "".join(document.source for document in found) == text


def test_what_is_not_injected_passes_through_byte_for_byte() -> None:
    assert "".join(item.text for item in outcomes(OTHERS)) == OTHERS
    declined = DEPLOYMENT.replace(
        "labels: {app: web}\n    spec",
        'annotations: {flomesh.io/sidecar-injection: "no"}\n    spec',
    )
    (only,) = outcomes(declined)
    assert only.text == declined
    assert only.seen[0].preview.decision.outcome == "leave"


def test_only_the_changed_document_is_written_anew() -> None:
    text = f"{OTHERS}---\n{DEPLOYMENT}---\n{OTHERS}"
    found = outcomes(text)
    written = "".join(item.text for item in found)
    assert written.startswith(f"{OTHERS}---\napiVersion: apps/v1\n")
    assert written.endswith(f"---\n{OTHERS}")


@pytest.mark.parametrize("name", ["fsm", "osm-edge", "osm"])
def test_the_text_means_the_mutated_object(name: str) -> None:
    """The pieces' text is spliced in; it is what dumping the whole would mean."""
    (only,) = outcomes(DEPLOYMENT, context(name))
    (seen,) = only.seen
    whole = seen.workload.with_pod(seen.preview.pod)
    assert yaml.safe_load(only.text) == yaml.safe_load(dump(whole)) == whole
    assert "ownerReferences" not in only.text


def test_a_deployments_pods_know_their_deployment() -> None:
    (only,) = outcomes(DEPLOYMENT)
    containers = only.seen[0].preview.pod["spec"]["containers"]
    environment = {item["name"]: item.get("value") for item in containers[-1]["env"]}
    assert environment["POD_CONTROLLER_KIND"] == "Deployment"
    assert environment["POD_CONTROLLER_NAME"] == "web"


TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "x"}]}}


@pytest.mark.parametrize(
    ("api", "kind", "spec"),
    [
        ("v1", "Pod", TEMPLATE["spec"]),
        ("v1", "ReplicationController", {"template": TEMPLATE}),
        ("apps/v1", "Deployment", {"template": TEMPLATE}),
        ("apps/v1", "StatefulSet", {"template": TEMPLATE}),
        ("apps/v1", "DaemonSet", {"template": TEMPLATE}),
        ("apps/v1", "ReplicaSet", {"template": TEMPLATE}),
        ("batch/v1", "Job", {"template": TEMPLATE}),
        ("batch/v1", "CronJob", {"jobTemplate": {"spec": {"template": TEMPLATE}}}),
    ],
)
def test_every_kind_of_workload_is_injected(api: str, kind: str, spec: Any) -> None:
    manifest = {"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    for text in (json.dumps(manifest), yaml.safe_dump(manifest)):
        (only,) = outcomes(text)
        assert only.text.count("fsm-proxy-uuid") == 1
        assert only.seen[0].workload.title == f"{kind} x"


def test_a_list_keeps_its_other_items() -> None:
    """`kubectl get all -o json` prints one."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    listed = {"apiVersion": "v1", "kind": "List", "items": [service, yaml.safe_load(DEPLOYMENT)]}
    (only,) = outcomes(json.dumps(listed))
    written = json.loads(only.text)
    assert written["items"][0] == service
    assert "fsm-proxy-uuid" in json.dumps(written["items"][1])
    assert only.seen[0].findings[0].place.path.startswith("items[1].")


def test_the_items_of_a_typed_list_need_not_name_their_kind() -> None:
    listed = {"apiVersion": "v1", "kind": "PodList", "items": [{"spec": TEMPLATE["spec"]}]}
    (only,) = outcomes(json.dumps(listed))
    assert only.seen[0].workload.kind == "Pod"


def test_a_namespace_in_the_stream_counts() -> None:
    text = f"{NAMESPACE}---\n{DEPLOYMENT}"
    ids = [item.id for item in outcomes(text)[1].seen[0].findings]
    assert ids == ["annotation-misplaced"]
    declined = text.replace("sidecar-injection: enabled", "sidecar-injection: disabled")
    assert outcomes(declined)[1].seen[0].preview.decision.outcome == "leave"


@pytest.mark.requirement("C16")
def test_an_annotation_on_the_wrong_object_is_shown_where_it_belongs() -> None:
    (only,) = outcomes(DEPLOYMENT)
    (seen,) = only.seen
    assert [item.as_text() for item in seen.findings if item.id == "annotation-misplaced"] == [
        "web.yaml:8:5 Deployment/shop/web metadata.annotations.flomesh.io/outbound-port-exclusion-list: error: "
        "annotation flomesh.io/outbound-port-exclusion-list stands on the Deployment, where nobody "
        "reads it [annotation-misplaced] Fix: Move it to spec.template.metadata.annotations."
    ]
    known = mesh()
    right = corrected(DEPLOYMENT, [seen.workload], known.system)
    assert (
        as_diff(DEPLOYMENT, right, file="web.yaml")
        == """\
--- a/web.yaml
+++ b/web.yaml
@@ -4,13 +4,13 @@
 metadata:
   name: web
   namespace: shop
-  annotations:
-    flomesh.io/outbound-port-exclusion-list: "6379, 7070"  # redis
 spec:
   selector: {matchLabels: {app: web}}
   template:
     metadata:
       labels: {app: web}
+      annotations:
+        flomesh.io/outbound-port-exclusion-list: "6379, 7070"  # redis
     spec:
       containers:
         - name: web
"""
    )
    (mended,) = outcomes(right)
    assert "annotation-misplaced" not in {item.id for item in mended.seen[0].findings}
    assert "--dports 6379,7070 -j RETURN" in (mended.seen[0].preview.script or "")


def test_an_annotation_that_stands_everywhere_counts_where_it_is_read() -> None:
    """Kustomize's commonAnnotations write it on the Deployment and on the pod template."""
    both = DEPLOYMENT.replace("annotations:", "annotations: &shared").replace(
        "labels: {app: web}", "labels: {app: web}\n      annotations: *shared"
    )
    (seen,) = outcomes(both)[0].seen
    assert "--dports 6379,7070 -j RETURN" in (seen.preview.script or "")
    assert "annotation-misplaced" not in {item.id for item in seen.findings}
    assert corrected(both, [seen.workload], mesh().system) == both
    other = both.replace("*shared", '{flomesh.io/outbound-port-exclusion-list: "80"}')
    assert "annotation-misplaced" in {item.id for item in outcomes(other)[0].seen[0].findings}


def test_a_correction_leaves_flow_style_as_it_was() -> None:
    """A reviewer of the diff looks for one move."""
    ports = "          ports: [{containerPort: 8080}]\n"
    block = "          ports:\n            - {name: http, containerPort: 8080}\n"
    text = DEPLOYMENT.replace(block, ports).replace("{port: http}", "{port: 8080}")
    assert ports in text
    (seen,) = outcomes(text)[0].seen
    assert ports in corrected(text, [seen.workload], mesh().system)


def test_a_cronjobs_job_template_is_the_wrong_place_too() -> None:
    """Two objects stand above its pods, and nobody reads either."""
    text = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: night}
spec:
  jobTemplate:
    metadata:
      annotations: {flomesh.io/sidecar-injection: "no"}
    spec:
      template:
        spec:
          containers: [{name: night}]
"""
    (seen,) = outcomes(text)[0].seen
    (found,) = [item for item in seen.findings if item.id == "annotation-misplaced"]
    assert (found.place.line, found.fix) == (
        7,
        "Move it to spec.jobTemplate.spec.template.metadata.annotations.",
    )
    right = corrected(text, [seen.workload], mesh().system)
    pod = yaml.safe_load(right)["spec"]["jobTemplate"]["spec"]["template"]
    assert pod["metadata"] == {"annotations": {"flomesh.io/sidecar-injection": "no"}}
    assert outcomes(right)[0].seen[0].preview.decision.outcome == "leave"


def test_a_misspelt_annotation_on_the_wrong_object_is_named_too() -> None:
    text = DEPLOYMENT.replace("port-exclusion-list", "ports-exclusion-list")
    (message,) = [
        item.message
        for item in outcomes(text)[0].seen[0].findings
        if item.id == "annotation-unknown"
    ]
    assert message == (
        "annotation flomesh.io/outbound-ports-exclusion-list: no such annotation of FSM; did you "
        "mean flomesh.io/outbound-port-exclusion-list?"
    )


@pytest.mark.requirement("C16")
def test_an_annotation_that_the_owners_template_lacks_is_lost_at_a_restart() -> None:
    """The documents annotate a live pod, and then restart it."""
    owner = {"kind": "ReplicaSet", "name": "web-1", "controller": True}
    annotations = {"flomesh.io/outbound-port-exclusion-list": "80"}
    live = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1-x", "annotations": annotations, "ownerReferences": [owner]},
        "spec": TEMPLATE["spec"],
    }
    replicas = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web-1"},
        "spec": {"template": TEMPLATE},
    }
    listed = {"apiVersion": "v1", "kind": "List", "items": [live, replicas]}
    (lost,) = [
        item
        for item in outcomes(json.dumps(listed))[0].seen[0].findings
        if item.id == "annotation-lost"
    ]
    assert (lost.severity, lost.message) == (
        "warning",
        "annotation flomesh.io/outbound-port-exclusion-list is on a pod of ReplicaSet web-1: a "
        "restart makes the pod anew, from the template",
    )
    (alone,) = [
        item
        for item in outcomes(json.dumps(live))[0].seen[0].findings
        if item.id == "annotation-lost"
    ]
    assert (alone.severity, "not in the input" in alone.message) == ("info", True)


def test_an_annotation_that_the_owners_template_has_otherwise_is_lost_too() -> None:
    """Its presence alone is no proof: the restart gives the pod the template's value."""
    key = "flomesh.io/outbound-port-exclusion-list"
    owner = {"kind": "ReplicaSet", "name": "web-1", "controller": True}
    live = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1-x", "annotations": {key: "80"}, "ownerReferences": [owner]},
        "spec": TEMPLATE["spec"],
    }
    replicas = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web-1"},
        "spec": {"template": {**TEMPLATE, "metadata": {"annotations": {key: "81"}}}},
    }
    listed = {"apiVersion": "v1", "kind": "List", "items": [live, replicas]}
    (message,) = [
        item.message
        for item in outcomes(json.dumps(listed))[0].seen[0].findings
        if item.id == "annotation-lost"
    ]
    assert message == (
        f"annotation {key} is on a pod of ReplicaSet web-1, whose template has another value: a "
        "restart makes the pod anew, from the template"
    )


@pytest.mark.requirement("C16")
@pytest.mark.parametrize(
    ("made", "api", "kind", "spec"),
    [
        ("ReplicaSet", "apps/v1", "Deployment", lambda template: {"template": template}),
        (
            "Job",
            "batch/v1",
            "CronJob",
            lambda template: {"jobTemplate": {"spec": {"template": template}}},
        ),
    ],
)
def test_the_owner_of_a_pods_owner_is_known_by_its_name(
    made: str, api: str, kind: str, spec: Callable[[Any], Any]
) -> None:
    """``kubectl get deployments,pods`` prints no ReplicaSet."""
    owner = {"kind": made, "name": "web-1", "controller": True}
    annotations = {"flomesh.io/outbound-port-exclusion-list": "80"}
    live = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1-x", "annotations": annotations, "ownerReferences": [owner]},
        "spec": TEMPLATE["spec"],
    }
    maker = {"apiVersion": api, "kind": kind, "metadata": {"name": "web"}}
    for template, severities in (
        (TEMPLATE, ["warning"]),
        ({**TEMPLATE, "metadata": {"annotations": annotations}}, []),
    ):
        items = [live, {**maker, "spec": spec(template)}]
        (only,) = outcomes(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        lost = [item for item in only.seen[0].findings if item.id == "annotation-lost"]
        assert [item.severity for item in lost] == severities
        assert all(f"a pod of {kind} web:" in item.message for item in lost)


def test_a_live_pods_status_stays_where_it_was() -> None:
    """A diff shows only what the injector changes."""
    live = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": TEMPLATE["spec"],
        "status": {"phase": "Running"},
    }  # fmt: skip
    (only,) = outcomes(json.dumps(live))
    assert list(json.loads(only.text)) == list(live)


def test_a_broken_document_says_where() -> None:
    with pytest.raises(InputError) as caught:
        outcomes(f"{OTHERS}---\nkind: Pod\n  a: b\n")
    assert str(caught.value) == (
        "web.yaml:9: expected YAML or JSON: mapping values are not allowed in this context"
    )


def test_the_users_own_mark_breaks_nothing() -> None:
    pod = json.dumps(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"},
         "spec": {"containers": [{"name": "x", "args": ["\ue000\ue001"]}]}}
    )  # fmt: skip
    for text in (pod, yaml.safe_dump(json.loads(pod))):
        (only,) = outcomes(text)
        (seen,) = only.seen
        assert yaml.safe_load(only.text) == seen.preview.pod
        assert seen.preview.mutation is not None
        assert json.loads(seen.preview.mutation.text()) == seen.preview.pod
