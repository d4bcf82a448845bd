"""Annotations put into text: the same as a document written anew, a line at a time."""

from __future__ import annotations

import io
from typing import Any

import pytest
import yaml

from fsm_stack.errors import InputError
from fsm_stack.systems import FSM
from fsm_stack.workloads import edit
from fsm_stack.workloads.documents import split
from fsm_stack.workloads.edit import annotated, corrected
from fsm_stack.workloads.objects import Workload, workloads

PORTS = "flomesh.io/outbound-port-exclusion-list"
WANTED = {
    PORTS: "81",
    "flomesh.io/sidecar-injection": "enabled",
}
HEAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n"
SPEC = "    spec:\n      containers:\n      - name: c\n        image: i\n"
# What people write in front of the pod template's spec, and what becomes of it.
LINES = """\
        flomesh.io/outbound-port-exclusion-list: "81"
        flomesh.io/sidecar-injection: "enabled"
"""
CASES = {
    "no metadata": ("", f"    metadata:\n      annotations:\n{LINES}"),
    "labels": (
        "    metadata:\n      labels: {app: web}  # its name\n",
        f"    metadata:\n      labels: {{app: web}}  # its name\n      annotations:\n{LINES}",
    ),
    "annotations": (
        "    metadata:\n      annotations:\n        a: |\n          b\n\n        # c\n",
        f"    metadata:\n      annotations:\n        a: |\n          b\n{LINES}\n        # c\n",
    ),
    "an older value": (
        "    metadata:\n      annotations:\n"
        "        flomesh.io/outbound-port-exclusion-list: '80'  # redis\n"
        "        flomesh.io/sidecar-injection: enabled  # as it is\n",
        "    metadata:\n      annotations:\n"
        '        flomesh.io/outbound-port-exclusion-list: "81"  # redis\n'
        "        flomesh.io/sidecar-injection: enabled  # as it is\n",
    ),
}
# What has no line: it is written anew.
ANEW = [
    "    metadata: {labels: {app: web}}\n",
    "    metadata: {}\n",
    "    metadata:\n",
    "    metadata:\n      annotations: {a: b}\n",
    "    metadata:\n      annotations:\n        flomesh.io/sidecar-injection: >-\n          x\n",
    "    metadata:\n      labels: &a {a: b}\n      annotations:\n        <<: *a\n",
]


def found(text: str) -> tuple[Workload, ...]:
    (document,) = split(text.splitlines(keepends=True), file="x.yaml")
    return tuple(workloads(document.load()))


def meant(text: str) -> Any:
    whole = yaml.safe_load(text)
    metadata = whole["spec"]["template"].get("metadata") or {}
    whole["spec"]["template"]["metadata"] = metadata
    metadata["annotations"] = dict(metadata.get("annotations") or {}) | WANTED
    return whole


@pytest.fixture
def no_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise AssertionError("the document was written anew")

    monkeypatch.setattr(edit, "edited_text", refuse)


@pytest.mark.usefixtures("no_anew")
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", CASES)
def test_lines_are_put_in_and_nothing_else_changes(name: str, end: str) -> None:
    before, after = CASES[name]
    text = (HEAD + before + SPEC).replace("\n", end)
    assert annotated(text, found(text), WANTED) == (HEAD + after + SPEC).replace("\n", end)
    mark = "\ufeff"
    assert annotated(mark + text, found(text), WANTED) == mark + annotated(
        text, found(text), WANTED
    )


@pytest.mark.usefixtures("no_anew")
def test_every_pod_template_of_a_list_gets_them() -> None:
    one = "- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: a\n  spec: {containers: []}\n"
    text = f"apiVersion: v1\nkind: List\nitems:\n{one}{one}"
    new = annotated(text, found(text), WANTED)
    items = yaml.safe_load(new)["items"]
    assert [item["metadata"]["annotations"] for item in items] == [WANTED, WANTED]
    assert len(new.splitlines()) == len(text.splitlines()) + 6


@pytest.mark.parametrize("before", [case for case, _ in CASES.values()] + ANEW)
@pytest.mark.parametrize("end", ["", "\n"])
def test_what_comes_out_means_what_was_meant(before: str, end: str) -> None:
    text = (HEAD + before + SPEC).rstrip("\n") + end
    new = annotated(text, found(text), WANTED)
    assert yaml.safe_load(io.StringIO(new)) == meant(text)
    assert new.endswith("\n") == bool(end)


SHARED = """\
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: a, namespace: shop}
  spec:
    template: &pod
      metadata: {labels: {app: a}}
      spec: {containers: [{name: c, image: i}]}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: b, namespace: shop}
  spec:
    template: *pod
"""
OWN_TOO = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: &own {a: b}}
spec:
  template:
    metadata: {annotations: *own}
    spec: {containers: [{name: c, image: i}]}
"""


def test_a_template_that_two_objects_share_is_written_for_both_or_not_at_all() -> None:
    both = found(SHARED)
    written = yaml.safe_load(annotated(SHARED, both, WANTED))
    templates = [item["spec"]["template"]["metadata"] for item in written["items"]]
    assert templates == [{"labels": {"app": "a"}, "annotations": WANTED}] * 2
    with pytest.raises(InputError, match="an alias shares these annotations with another place"):
        annotated(SHARED, both[:1], WANTED)


def test_annotations_that_the_object_shares_with_its_pods_are_left_as_they_are() -> None:
    """Else they would stand on the object, too, where nobody reads them."""
    with pytest.raises(InputError, match="expected them written out in each place"):
        annotated(OWN_TOO, found(OWN_TOO), WANTED)


def test_an_annotation_is_not_moved_into_a_template_that_others_share() -> None:
    misplaced = f'{{name: a, namespace: shop, annotations: {{{PORTS}: "81"}}}}'
    text = SHARED.replace("{name: a, namespace: shop}", misplaced)
    with pytest.raises(InputError, match="an alias shares"):
        corrected(text, found(text), FSM)


def test_an_alias_elsewhere_does_not_hinder() -> None:
    labels = OWN_TOO.replace("annotations", "labels")
    written = yaml.safe_load(annotated(labels, found(labels), WANTED))
    assert written["spec"]["template"]["metadata"] == {"labels": {"a": "b"}, "annotations": WANTED}
    assert written["metadata"] == {"name": "web", "labels": {"a": "b"}}
