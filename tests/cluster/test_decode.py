"""Lists of pods, decoded without what nobody looks at."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from fsm_stack.cluster.api import decoded
from fsm_stack.snapshot.allow import keep
from fsm_stack.snapshot.objects import pod
from tests.verify.world import expected, pod_json

Json = dict[str, Any]


def pod_list(*items: Json) -> bytes:
    """As kube-apiserver writes it: the kind first, no blanks."""
    known = {"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": "x"}, "items": items}
    return json.dumps(known, separators=(",", ":")).encode()


def full() -> Json:
    item = pod_json(expected(), annotations={"flomesh.io/outbound-port-exclusion-list": "8080"})
    item["metadata"]["managedFields"] = [{"manager": "kubelet", "fieldsV1": {"f:spec": {}}}]
    item["spec"]["volumes"] = [{"name": "v"}]
    item["spec"]["containers"][0]["env"] = [{"name": "PASSWORD", "value": "x"}]
    item["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "r", "message": "m"}}
    return item


def test_a_decoded_pod_is_the_pod() -> None:
    whole = full()
    found = decoded(pod_list(whole))
    (item,) = found["items"]
    assert pod(item) == pod(whole) == pod(keep({**whole, "kind": "Pod"}) or {})
    assert found["metadata"] == {"continue": "x"}


def test_what_nobody_looks_at_is_passed_over() -> None:
    (item,) = decoded(pod_list(full()))["items"]
    assert "managedFields" not in item["metadata"]
    assert set(item["spec"]) == {"initContainers", "containers"}
    assert "env" not in item["spec"]["containers"][0]


@pytest.mark.parametrize("part", ["metadata", "spec", "status"])
@pytest.mark.parametrize("value", [5, "x", [], None])
def test_an_odd_pod_is_read_all_the_same(part: str, value: object) -> None:
    """Kubernetes has no such pod; something that speaks for it may."""
    odd = {**copy.deepcopy(full()), part: value}
    found = decoded(pod_list(full(), odd))["items"]
    assert [pod(one) for one in found] == [pod(full()), pod(odd)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pod_list(full())[:-30], "an answer that is no JSON, or is cut off"),
        (b"", "an answer that is no JSON, or is cut off"),
        (b"\xff", "an answer that is no JSON, or is cut off"),
        (b"[" * 100_000, "an answer that is no JSON, or is cut off"),
        (b"[]", "an answer that is no object"),
    ],
)
def test_what_is_no_object_is_told(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match="an answer") as caught:
        decoded(content)
    assert str(caught.value) == message


def test_a_decoded_pod_of_the_control_plane_says_whether_it_has_a_node() -> None:
    """Without its conditions a pod that waits for its image would count as unscheduled."""
    whole = full()
    maker = {"kind": "ReplicaSet", "name": "fsm-injector-5d9c8d7f5b", "controller": True}
    whole["metadata"]["ownerReferences"] = [maker]
    scheduled = {"type": "PodScheduled", "status": "True"}
    whole["status"] |= {"phase": "Pending", "conditions": [scheduled], "message": "evicted"}
    (item,) = decoded(pod_list(whole))["items"]
    assert pod(item) == pod(whole)
    assert pod(item).program == "fsm-injector"
    assert pod(item).message == "evicted"
    assert pod(item).scheduled
