"""What a newcomer makes: a project of an empty folder, and meshes in a program of one's own."""

from __future__ import annotations

import runpy
from functools import partial
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from click.testing import CliRunner

from fsm_stack import FsmStack, cluster_provider, load_stack
from fsm_stack.cli.main import cli
from fsm_stack.project.release_asset import vendor
from tests.archives import pack

from .project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.apiserver.client import Api

    from .engine import Engine

pytestmark = pytest.mark.engine


@pytest.fixture
def made(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """An empty folder, named as nothing of ours is, with a project and the release's scripts."""
    folder = tmp_path / "newcomer"
    folder.mkdir()
    started = CliRunner().invoke(cli, ["init", "first", "--project", "-C", str(folder)])
    assert started.exit_code == 0, started.output
    archive = tmp_path / "fsm-1.5.1.tgz"
    archive.write_bytes(pack())
    vendor(folder, archive)
    file = folder / "Pulumi.first.yaml"
    # No kubelet runs here, so nothing becomes ready.
    file.write_text(f"{file.read_text()}  fsm-stack:deployment: {{skipAwait: true}}\n")
    monkeypatch.chdir(folder)  # as the language host starts a program
    project = Project(directory=folder, engine=engine)
    yield project
    project.end()


def test_a_new_project_is_previewed_brought_up_and_taken_down(made: Project, api: Api) -> None:
    """Its project has a name of its own, and its program is the three lines that init wrote."""
    program = partial(runpy.run_path, str(made.directory / "__main__.py"))
    stack = made.engine.stack("first", made.directory, run=program)
    made.stacks.append(stack)

    preview = stack.preview().succeeded()
    up = stack.up().succeeded()

    assert preview.changes() == up.changes()
    assert ("create", "fsm-meshconfig-fsm-mesh-config") in up.changes()
    scripts = {"namespace": "fsm-system", "name": "fsm-init-repo-scripts"}
    found = api.get({"apiVersion": "v1", "kind": "ConfigMap", "metadata": scripts})
    notes = found["metadata"]["annotations"]
    assert notes["fsm-stack.flomesh.io/stack"].endswith("/newcomer/first")
    assert stack.up().succeeded().changes() == []
    stack.destroy().succeeded()


def test_two_meshes_of_one_program_live_in_one_cluster(made: Project, api: Api) -> None:
    """Each has its account, its roles and its webhooks; taking one away leaves the other whole."""
    both = {"deployment": {"skipAwait": True}}
    blue = {
        "releaseName": "blue",
        "name": "blue",
        "namespace": "blue-system",
        "enforceSingleMesh": False,
    }
    meshes: dict[str, dict[str, Any]] = {
        "green": {**both, "mesh": {"enforceSingleMesh": False}},
        "blue": {**both, "mesh": blue},
    }

    def program() -> None:
        for name, settings in meshes.items():
            mesh = load_stack(settings)
            opts = pulumi.ResourceOptions(provider=cluster_provider(mesh, name=f"{name}-cluster"))
            FsmStack(name, mesh, opts=opts)

    stack = made.engine.stack("pair", made.directory, run=program)
    made.stacks.append(stack)
    stack.up().succeeded()

    def bindings() -> dict[str, str]:
        found = api.list("rbac.authorization.k8s.io/v1", "ClusterRoleBinding")
        return {
            item["metadata"]["name"]: item["subjects"][0]["namespace"]
            for item in found
            if item["metadata"].get("labels", {}).get("app.kubernetes.io/name") == "flomesh.io"
        }

    assert bindings() == {
        "blue": "blue-system",
        "blue-leader-election-rolebinding": "blue-system",
        "fsm": "fsm-system",
        "fsm-leader-election-rolebinding": "fsm-system",
    }
    del meshes["blue"]
    gone = {name for op, name in stack.up().succeeded().changes() if op == "delete"}
    assert "blue-clusterrole-blue" in gone
    assert not [name for name in gone if name.startswith("green")]
    assert bindings() == {
        "fsm": "fsm-system",
        "fsm-leader-election-rolebinding": "fsm-system",
    }
    stack.destroy().succeeded()
