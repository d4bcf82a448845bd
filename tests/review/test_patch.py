"""A patch by hand makes of a MeshConfig what kubectl would."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.errors import InputError
from fsm_stack.review.patch import patched_spec

SPEC = {
    "traffic": {"outboundPortExclusionList": [6379, 7070], "enableEgress": True},
    "sidecar": {"logLevel": "error"},
}


@pytest.mark.parametrize(
    ("patch", "traffic"),
    [
        ({"spec": {"traffic": {"outboundPortExclusionList": [443]}}},
         {"outboundPortExclusionList": [443], "enableEgress": True}),
        ({"spec": {"traffic": {"enableEgress": None}}}, {"outboundPortExclusionList": [6379, 7070]}),
        ([{"op": "add", "path": "/spec/traffic/outboundPortExclusionList/-", "value": 443}],
         {"outboundPortExclusionList": [6379, 7070, 443], "enableEgress": True}),
        ([{"op": "add", "path": "/spec/traffic/outboundPortExclusionList/0", "value": 443}],
         {"outboundPortExclusionList": [443, 6379, 7070], "enableEgress": True}),
        ([{"op": "remove", "path": "/spec/traffic/outboundPortExclusionList/1"},
          {"op": "test", "path": "/spec/traffic/enableEgress", "value": True},
          {"op": "replace", "path": "/spec/traffic/enableEgress", "value": False}],
         {"outboundPortExclusionList": [6379], "enableEgress": False}),
        ([{"op": "add", "path": "/spec/traffic/a~1b~0c", "value": 1}],
         {"outboundPortExclusionList": [6379, 7070], "enableEgress": True, "a/b~c": 1}),
    ],
)  # fmt: skip
def test_merge_patches_and_json_patches(patch: Any, traffic: dict[str, Any]) -> None:
    before = repr(SPEC)
    assert patched_spec(SPEC, patch, "p.json")["traffic"] == traffic
    assert repr(SPEC) == before


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (
            [{"op": "remove", "path": "/spec/trafic"}],
            "p.json: operation 1: nothing at 'trafic'",
        ),
        (
            [{"op": "move", "path": "/spec/traffic"}],
            "p.json: operation 1: expected op add, replace, remove or test, got 'move'",
        ),
        (
            [{"op": "replace", "path": "/spec/traffic/outboundPortExclusionList/9", "value": 1}],
            "p.json: operation 1: list index out of range",
        ),
        (
            [{"op": "test", "path": "/spec/traffic/enableEgress", "value": False}],
            "p.json: operation 1: the test of /spec/traffic/enableEgress fails",
        ),
        (
            [{"op": "add", "path": "spec"}],
            "p.json: operation 1: expected a path such as /spec/traffic, got 'spec'",
        ),
        (["x"], "p.json: operation 1: expected an object with op and path"),
        ({"spec": None}, "p.json: expected a patch that leaves a spec"),
        (7, "p.json: expected a JSON object or a list of operations"),
    ],
)
def test_a_patch_that_cannot_be_applied_says_why(patch: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        patched_spec(SPEC, patch, "p.json")
    assert str(error.value) == message
