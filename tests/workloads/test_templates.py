"""Every object that makes pods is found, whoever defined it, and its template's place with it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from fsm_stack.systems import FSM
from fsm_stack.workloads.edit import annotated, corrected
from fsm_stack.workloads.objects import place_told, template_paths, workloads

from .test_stream import context, outcomes

SPEC = {"containers": [{"name": "web", "image": "example.com/web:1"}]}
PODS = {"spec": SPEC}
OWN = {"template": PODS}


@pytest.mark.parametrize(
    ("api", "kind", "body", "places"),
    [
        ("argoproj.io/v1alpha1", "Rollout", {"spec": OWN}, [("spec", "template")]),
        ("apps.kruise.io/v1alpha1", "CloneSet", {"spec": OWN}, [("spec", "template")]),
        ("serving.knative.dev/v1", "Service", {"spec": OWN}, [("spec", "template")]),
        ("apps.openshift.io/v1", "DeploymentConfig", {"spec": OWN}, [("spec", "template")]),
        ("extensions/v1beta1", "Deployment", {"spec": OWN}, [("spec", "template")]),
        (
            "flink.apache.org/v1beta1",
            "FlinkDeployment",
            {"spec": {"jobManager": {"podTemplate": PODS}, "podTemplate": PODS}},
            [("spec", "jobManager", "podTemplate"), ("spec", "podTemplate")],
        ),
        (
            "jobset.x-k8s.io/v1alpha2",
            "JobSet",
            {"spec": {"replicatedJobs": [{"template": {"spec": OWN}}]}},
            [("spec", "replicatedJobs", 0, "template", "spec", "template")],
        ),
        ("machine.flomesh.io/v1alpha1", "VirtualMachine", {"spec": {}}, [()]),
        ("v1", "Service", {"spec": {"ports": []}}, []),
        ("monitoring.coreos.com/v1", "Prometheus", {"spec": SPEC}, []),
        ("example.com/v1", "Odd", {"spec": {"template": {"spec": {"containers": "x"}}}}, []),
        ("example.com/v1", "Reported", {"status": OWN}, []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pods_form_is_found_wherever_it_is(
    api: str, kind: str, body: dict[str, Any], places: list[tuple[str | int, ...]]
) -> None:
    manifest = {"apiVersion": api, "kind": kind, **body}
    assert list(template_paths(manifest)) == places
    assert [item.template for item in workloads(manifest)] == places
    for path in places:
        assert bool(place_told(manifest, path)) == bool(path)


ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: cart
  namespace: shop
  annotations: {flomesh.io/outbound-port-exclusion-list: "5432"}
spec:
  template:
    spec:
      containers:
      - {name: cart, image: example.com/cart:1, ports: [{containerPort: 15001}]}
"""


def test_a_rollout_is_checked_as_a_deployment_is() -> None:
    (only,) = outcomes(ROLLOUT)
    assert [(item.id, item.place.line) for item in only.findings()] == [
        ("annotation-misplaced", 6),
        ("namespace-assumed", 8),
        ("reserved-port", 11),
    ]


SET = """\
apiVersion: jobset.x-k8s.io/v1alpha2
kind: JobSet
metadata:
  name: train
  namespace: shop
  annotations: {flomesh.io/outbound-port-exclusion-list: "5432"}
spec:
  replicatedJobs:
  - name: leader
    template:
      spec:
        template:
          spec:
            containers:
            - {name: leader, image: example.com/train:1}  # the first
  - name: worker
    template:
      spec:
        template:
          spec:
            containers:
            - {name: worker, image: example.com/train:1}
"""


def test_every_template_of_an_object_gets_its_sidecar_and_its_annotation() -> None:
    (only,) = outcomes(SET)
    jobs = yaml.safe_load(only.text)["spec"]["replicatedJobs"]
    pods = [job["template"]["spec"]["template"]["spec"] for job in jobs]
    assert [[one["name"] for one in pod["containers"]] for pod in pods] == [
        ["leader", "sidecar"],
        ["worker", "sidecar"],
    ]
    text = annotated(SET, tuple(workloads(yaml.safe_load(SET))), {"example.com/a": "1"})
    assert "image: example.com/train:1}  # the first\n" in text
    jobs = yaml.safe_load(text)["spec"]["replicatedJobs"]
    found = [job["template"]["spec"]["template"]["metadata"]["annotations"] for job in jobs]
    assert found == [{"example.com/a": "1"}] * 2


def test_an_annotation_above_several_templates_is_told_once_and_not_moved() -> None:
    """Nobody knows which of them was meant."""
    (only,) = outcomes(SET)
    ids = [item.id for item in only.findings()]
    assert ids.count("annotation-misplaced") == 1
    assert corrected(SET, tuple(workloads(yaml.safe_load(SET))), FSM) == SET


def test_a_virtual_machine_is_fsms_alone() -> None:
    text = (
        "apiVersion: machine.flomesh.io/v1alpha1\n"
        "kind: VirtualMachine\n"
        "metadata: {name: vm, namespace: shop}\n"
    )
    (ours,) = outcomes(text)
    assert [item.preview.decision.outcome for item in ours.seen] == ["inject"]
    (theirs,) = outcomes(text, context("osm"))
    assert not theirs.seen
    assert [item.name for item in theirs.passed] == ["VirtualMachine/shop/vm"]
