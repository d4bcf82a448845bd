"""Every recorded script that a MeshConfig and a pod's annotations led to, made again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fsm_stack.injector.decision import admit, assumed_namespace
from fsm_stack.injector.mesh import mesh_view
from fsm_stack.injector.profile import Refusal
from fsm_stack.systems import SYSTEMS, system
from tests.recordings import recordings

CORPUS = recordings("FSM_STACK_CORPUS", "corpus")
ABSENT = f"recorded scripts not found in {CORPUS}: set FSM_STACK_CORPUS"

IMAGES = {
    f"{prefix}_DEFAULT_{name}_IMAGE": "example.com/image:1"
    for prefix in ("FSM", "OSM")
    for name in ("SIDECAR", "SIDECAR_WINDOWS", "ENVOY", "ENVOY_WINDOWS", "INIT_CONTAINER")
}


def mesh_rows() -> list[Any]:
    """The rows of kind ``mesh`` of every system, or one skipped row that says what is absent."""
    rows = []
    for name in SYSTEMS:
        path = CORPUS / f"{name}-scripts.jsonl"
        if not path.is_file():
            mark = pytest.mark.skip(reason=ABSENT)
            rows.append(pytest.param(name, None, id=f"{name}-absent", marks=mark))
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            row = json.loads(line)
            if row["in"]["kind"] == "mesh":
                rows.append(pytest.param(name, row, id=f"{name}-{number}"))
    return rows


def script_of(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The init container's script of a pod with a row's annotations, in a row's mesh."""
    config = given["meshConfig"]
    if name == "osm-edge":  # the rows ask for the script, so the mode is the one that has it
        config = config | {"traffic": config.get("traffic", {}) | {"interceptionMode": "iptables"}}
    mesh = mesh_view(system(name), config, environment=IMAGES)
    selector = {"kubernetes.io/os": given["podOS"]} if given["podOS"] else None
    pod = {
        "metadata": {"annotations": given["podAnnotations"]},
        "spec": {"nodeSelector": selector, "containers": [{"name": "app"}]},
    }
    try:
        _, mutation = admit(
            pod, mesh=mesh, namespace=assumed_namespace("shop", mesh), proxy_id="id"
        )
    except Refusal as refusal:
        return {"error": refusal.message}
    assert mutation is not None
    found = mutation.interception
    if found is None:
        assert "initContainers" not in mutation.plain()["spec"]
        return {"out": None}
    assert mutation.plain()["spec"]["initContainers"][0]["args"] == ["-c", found.script]
    return {"out": found.script}


@pytest.mark.requirement("C8", "C9", "C10", "C11", "C18", "C20", "C29", "C37")
@pytest.mark.parametrize(("name", "row"), mesh_rows())
def test_the_recorded_script_of_a_pod_is_made_again(name: str, row: dict[str, Any] | None) -> None:
    """Annotations parsed, merged with the mesh's lists, and generated: byte for byte."""
    assert row is not None, ABSENT
    expected = {key: value for key, value in row.items() if key != "in"}
    assert script_of(name, row["in"]) == expected
