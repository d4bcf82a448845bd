"""The MeshConfig of a live cluster, or of a snapshot, as one side of a review."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.cluster import mesh_config
from fsm_stack.cluster.api import Answer, Cluster
from fsm_stack.cluster.mesh_config import live_mesh_config
from fsm_stack.errors import CouldNotCheckError, InputError
from fsm_stack.settings.stack_file import load_mapping

if TYPE_CHECKING:
    from pathlib import Path

    from fsm_stack.settings.models.stack import StackSettings

UID = "01234567-89ab-cdef-0123-456789abcdef"
PATH = "/apis/config.flomesh.io/v1alpha3/namespaces/fsm-system/meshconfigs/fsm-mesh-config"
ITEM = {"kind": "MeshConfig", "metadata": {"name": "fsm-mesh-config", "namespace": "fsm-system"},
        "spec": {"traffic": {"outboundPortExclusionList": [443]}}}  # fmt: skip


def answered(monkeypatch: pytest.MonkeyPatch, objects: dict[str, dict[str, Any]]) -> None:
    def get(url: str) -> Answer:
        path = url.removeprefix("https://cluster").partition("?")[0]
        if path in objects:
            return Answer(200, {}, lambda: [json.dumps(objects[path]).encode()])
        return Answer(404, {}, lambda: [b'{"kind": "Status", "message": "not found"}'])

    cluster = Cluster(context="prod", server="https://cluster", namespace="default", get=get)
    monkeypatch.setattr(mesh_config, "connect", lambda **_: cluster)


def settings(**cluster: str) -> StackSettings:
    loaded = load_mapping({"cluster": cluster, "traffic": {}}, name="", today=date(2026, 7, 1))
    assert loaded.settings is not None
    return loaded.settings


def test_the_live_mesh_config_is_read_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, {PATH: ITEM})
    found = live_mesh_config(settings(), "prod", context="prod")
    assert (found.title, found.spec) == ("cluster prod", ITEM["spec"])


def test_another_cluster_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, {PATH: ITEM})
    with pytest.raises(InputError, match="meant for context 'staging', got 'prod'"):
        live_mesh_config(settings(context="staging"), "prod")


def test_a_cluster_that_cannot_be_told_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, {PATH: ITEM})
    with pytest.raises(CouldNotCheckError, match=f"meant for cluster {UID}"):
        live_mesh_config(settings(uid=UID), "prod")


def test_a_cluster_without_the_mesh_config_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, {})
    with pytest.raises(CouldNotCheckError, match="MeshConfig fsm-system/fsm-mesh-config: "):
        live_mesh_config(settings(), "prod")


def test_a_snapshot_without_it_says_so(tmp_path: Path) -> None:
    file = tmp_path / "mesh.json"
    file.write_text(json.dumps({**ITEM, "metadata": {"name": "other", "namespace": "fsm-system"}}))
    with pytest.raises(
        CouldNotCheckError, match=r"no MeshConfig fsm-system/fsm-mesh-config was found"
    ):
        live_mesh_config(settings(), "prod", files=(file,))
    file.write_text(json.dumps(ITEM))
    assert live_mesh_config(settings(), "prod", files=(file,)).spec == ITEM["spec"]
