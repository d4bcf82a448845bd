"""A patch by hand makes of a MeshConfig what kubectl would."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.errors import InputError
from fsm_stack.manifests.mesh_config import mesh_config_schema
from fsm_stack.review.model import SideName
from fsm_stack.review.patch import patched_spec
from fsm_stack.review.side import of_settings
from fsm_stack.settings.stack_file import load_mapping

from .sides import TODAY

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


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (
            {"spec": {"trafic": {}}},
            "p.json: spec.trafic: no such field of a MeshConfig; did you mean 'traffic'?",
        ),
        (
            {"spec": {"traffic": {"enableEgress": "maybe"}}},
            'p.json: spec.traffic.enableEgress: expected true or false, got "maybe"',
        ),
        (
            {"spec": {"traffic": {"outboundPortExclusionList": ["443"]}}},
            "p.json: spec.traffic.outboundPortExclusionList[0]: expected a whole number, "
            'got "443"',
        ),
        (
            {"spec": {"traffic": {"outboundPortExclusionList": [True]}}},
            "p.json: spec.traffic.outboundPortExclusionList[0]: expected a whole number, got true",
        ),
        (
            [{"op": "add", "path": "/spec/sidecar", "value": []}],
            "p.json: spec.sidecar: expected an object, got []",
        ),
    ],
)
def test_a_patch_that_no_mesh_config_takes_is_refused(patch: Any, message: str) -> None:
    """The API server would drop the field, or refuse the value."""
    with pytest.raises(InputError) as error:
        patched_spec(SPEC, patch, "p.json", schema=mesh_config_schema())
    assert str(error.value) == message


@pytest.mark.parametrize("system", ["fsm", "osm-edge", "osm"])
def test_a_stack_of_every_system_takes_a_patch(system: str) -> None:
    """Fields of other systems pass; a type that all share is checked."""
    settings = load_mapping({"system": system}, name="x", today=TODAY).require()
    spec = of_settings(settings, SideName(title="x", kind="stack"), today=TODAY).spec
    assert spec is not None
    schema, complete = mesh_config_schema(), system == "fsm"
    patch = {"spec": {"traffic": {"outboundPortExclusionList": [70000]}}}
    found = patched_spec(spec, patch, "p.json", schema=schema, complete=complete)
    assert found["traffic"]["outboundPortExclusionList"] == [70000]
    patch["spec"]["traffic"] = {"outboundPortExclusionList": 443}  # type: ignore[dict-item]  # wrong
    with pytest.raises(InputError, match="expected a list, got 443"):
        patched_spec(spec, patch, "p.json", schema=schema, complete=complete)
