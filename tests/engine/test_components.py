"""The component in a YAML program: added, up, changed, refused, and gone again."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.apiserver.apiserver import find

from .engine import REPOSITORY, TARGET
from .language_python import installed
from .project import changed, committed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.apiserver.client import Api

    from .engine import Engine, Stack

pytestmark = pytest.mark.engine

DEV = committed("dev")
CONTROL_PLANE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fsm-system"}}
MESH_CONFIG = {
    "apiVersion": "config.flomesh.io/v1alpha3",
    "kind": "MeshConfig",
    "metadata": {"name": "fsm-mesh-config", "namespace": "fsm-system"},
}


@dataclass(frozen=True, kw_only=True)
class Program:
    """A YAML program beside a checkout of this project."""

    home: Path
    engine: Engine

    def write(self, settings: dict[str, Any], **more: Any) -> None:
        """The program: one mesh, and its digest as an output."""
        mesh = {"type": "fsm-stack:FsmStack", "properties": {"settings": settings}, **more}
        outputs = {"digest": "${mesh.redirectionDigest}", "profiles": "${mesh.annotations}"}
        text = {
            "name": "yaml-mesh",
            "runtime": "yaml",
            "packages": {"fsm-stack": "../checkout/plugin"},
            "resources": {"mesh": mesh},
            "outputs": outputs,
        }
        file = self.home / "program/Pulumi.yaml"
        file.write_text(yaml.safe_dump(text, sort_keys=False), encoding="utf-8")

    def pulumi(self, *words: str) -> str:
        """What the command prints."""
        done = subprocess.run(
            [self.engine.command.command, *words],
            cwd=self.home / "program",
            env={
                "PATH": f"{self.home / 'hosts'}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(self.home),
                "PULUMI_HOME": str(self.engine.home / "pulumi"),
                "PULUMI_SKIP_UPDATE_CHECK": "true",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def program(tmp_path: Path, engine: Engine) -> Program:
    """With the plugin's environment, which the engine makes from its lock, already there."""
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("venv", "__pycache__")
    shutil.copytree(REPOSITORY / "plugin", checkout / "plugin", ignore=ignored)
    for name in ("fsm_stack", "templates"):
        (checkout / name).symlink_to(REPOSITORY / name)
    (checkout / "plugin/venv").symlink_to(sys.prefix)
    for name in ("program", "hosts"):
        (tmp_path / name).mkdir()
    host = "pulumi-language-yaml"
    (installed(tmp_path / "hosts") / host).symlink_to(find(host, target=TARGET))
    return Program(home=tmp_path, engine=engine)


@pytest.fixture
def stack(program: Program) -> Iterator[Stack]:
    program.write(DEV)
    made = program.engine.stack("dev", program.home / "program", hosts=program.home / "hosts")
    yield made
    if made.may_own:
        made.destroy().succeeded()


def test_the_engine_reads_the_committed_schema_of_the_plugin(program: Program) -> None:
    """`pulumi package add` makes other languages' SDKs from it."""
    program.write(DEV)
    schema = REPOSITORY / "schemas/component.schema.json"

    told = json.loads(program.pulumi("package", "get-schema", "../checkout/plugin"))

    (ours,) = json.loads(schema.read_text(encoding="utf-8"))["resources"].values()
    (theirs,) = told["resources"].values()
    for key in ("inputProperties", "requiredInputs", "required", "isComponent"):
        assert theirs[key] == ours[key]
    types = {name: one["type"] for name, one in theirs["properties"].items()}
    assert types == {name: one["type"] for name, one in ours["properties"].items()}
    program.pulumi("schema", "check", str(schema))
    assert "redirectionDigest" in program.pulumi("package", "info", "../checkout/plugin")


def test_a_yaml_program_brings_the_mesh_of_its_settings_up(
    api: Api, program: Program, stack: Stack
) -> None:
    up = stack.up().succeeded()

    (component,) = (one for one in up.steps if one.type == "fsm-stack:index:FsmStack")
    assert component.name == "mesh"
    live = api.get(MESH_CONFIG)
    assert live["spec"]["traffic"]["outboundPortExclusionList"] == [6379, 7070]
    outputs = stack.engine.outputs()
    assert outputs["profiles"].value["redis-client"] == {
        "flomesh.io/outbound-port-exclusion-list": "6379"
    }
    assert stack.preview().succeeded().changes() == []

    program.write(changed(DEV, traffic={"outboundPortExclusionList": [6379]}))
    names = {name for _, name in stack.preview().succeeded().changes()}
    assert "mesh-meshconfig-fsm-mesh-config" in names
    stack.up().succeeded()
    live = api.get(MESH_CONFIG)
    assert live["spec"]["traffic"]["outboundPortExclusionList"] == [6379]
    assert stack.engine.outputs()["digest"].value != outputs["digest"].value

    stack.destroy().succeeded()
    assert not api.exists(MESH_CONFIG)


def test_wrong_settings_are_told_at_their_properties_and_nothing_is_made(
    api: Api, program: Program, stack: Stack
) -> None:
    wrong = {"outboundPortExclusionList": [80800], "enableEgres": True}
    program.write(changed(DEV, traffic=wrong))

    for run in (stack.preview(), stack.up()):
        told = run.refused()
        assert "mesh: the settings cannot be used; nothing was changed" in told
        assert (
            "property settings.traffic.outboundPortExclusionList[0] with value 80800 has a problem: "
            "expected a port from 1 to 65535, got 80800 [invalid-port]"
        ) in told
        assert "did you mean 'enableEgress'? [unknown-key]" in told
        assert "Traceback" not in run.output
    assert not api.exists(CONTROL_PLANE)


def test_a_value_of_another_resource_is_known_too_late(program: Program, stack: Stack) -> None:
    """Which objects there are follows from the settings, before any is made."""
    program.write(DEV)
    file = program.home / "program/Pulumi.yaml"
    text = yaml.safe_load(file.read_text(encoding="utf-8"))
    late = changed(DEV, mesh={"name": "${mesh.meshName}", "namespace": "second"})
    text["resources"]["second"] = {"type": "fsm-stack:FsmStack", "properties": {"settings": late}}
    file.write_text(yaml.safe_dump(text), encoding="utf-8")

    told = stack.preview().refused()

    assert "property settings.mesh.name" in told
    assert "expected a plain value, got an output of a resource, or a secret" in told


def test_two_meshes_that_share_an_object_are_refused(program: Program, stack: Stack) -> None:
    """Each component has a monitor of its own: the plugin knows of both."""
    program.write(DEV)
    file = program.home / "program/Pulumi.yaml"
    text = yaml.safe_load(file.read_text(encoding="utf-8"))
    second = copy.deepcopy(text["resources"]["mesh"])  # the YAML host reads no aliases
    text["resources"]["second"] = {**second, "options": {"dependsOn": ["${mesh}"]}}
    file.write_text(yaml.safe_dump(text), encoding="utf-8")

    told = stack.preview().refused()

    assert "second: Namespace/fsm-system is an object of mesh, in the same cluster" in told
