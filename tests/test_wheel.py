"""The wheel as a newcomer meets it: built, installed into a fresh environment, a project made."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.archives import pack
from tests.wheel import ROOT, Installed, build

if TYPE_CHECKING:
    from pathlib import Path

PREVIEW = '''
"""The project's program under mocks, as the language host starts it; what it declares."""

import collections
import json
import runpy

import pulumi


class Mocks(pulumi.runtime.Mocks):
    """Every resource becomes what it is asked to be."""

    declared = collections.Counter()

    def new_resource(self, args):
        self.declared[args.typ] += 1
        return f"{args.name}-id", args.inputs

    def call(self, args):
        return {}


def program():
    runpy.run_path("__main__.py", run_name="__main__")


pulumi.runtime.set_mocks(Mocks(), project="first", stack="dev", preview=True)
pulumi.runtime.test(program)()
print(json.dumps(Mocks.declared))
'''


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installed:
    """`pip install fsm-stack`: the command line alone."""
    return Installed(tmp_path_factory.mktemp("base") / "venv", wheel)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installed:
    """`pip install 'fsm-stack[pulumi,cluster]'`."""
    return Installed(tmp_path_factory.mktemp("all") / "venv", wheel, "pulumi", "cluster")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, command: Installed) -> Path:
    """A project made in an empty folder, its stack ready to be brought up."""
    folder = tmp_path_factory.mktemp("first")
    made = command.run("fsm-stack", "init", "--project", "--enroll", "shop", cwd=folder)
    assert made.stdout.splitlines()[-1] == (
        "Pulumi.dev.yaml: written; next: fsm-stack vendor --version 1.5.1; then: "
        "fsm-stack validate dev"
    )
    (folder / "fsm-1.5.1.tgz").write_bytes(pack())
    command.run("fsm-stack", "vendor", "fsm-1.5.1.tgz", cwd=folder)
    (folder / "fsm-1.5.1.tgz").unlink()
    return folder


def test_the_wheel_brings_the_command_its_templates_and_its_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"fsm_stack/py.typed", "fsm_stack/_templates/project/Pulumi.yaml.j2"} <= names
    templates = {
        path.relative_to(ROOT / "templates").as_posix()
        for path in (ROOT / "templates").rglob("*")
        if path.is_file()
    }
    assert {f"fsm_stack/_templates/{path}" for path in templates} <= names
    assert not [name for name in names if name.startswith(("tests/", "templates/"))]


def test_a_project_of_an_empty_folder_is_whole(project: Path) -> None:
    made = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    assert made >= {
        ".github/workflows/mesh.yaml",
        ".gitignore",
        ".gitlab-ci.yml",
        "Pulumi.dev.yaml",
        "Pulumi.yaml",
        "__main__.py",
        "releases/1.5.1/asset.json",
        "releases/1.5.1/scripts.tar.gz",
        "requirements.txt",
        "schemas/stack.schema.json",
    }
    assert (project / "__main__.py").read_text().splitlines()[1:] == [
        "", "from fsm_stack import main", "", "main()",
    ]  # fmt: skip
    assert re.fullmatch(
        r"fsm-stack\[pulumi,cluster\]==[0-9.]+",
        (project / "requirements.txt").read_text().splitlines()[1],
    )


def test_a_new_project_validates_and_renders_without_pulumi(
    project: Path, command: Installed
) -> None:
    done = command.run("fsm-stack", "validate", "--fail-on", "info", cwd=project)
    assert done.stdout == "dev: no findings\n"
    done = command.run("fsm-stack", "render", cwd=project)
    assert "all TCP goes through the sidecar" in done.stdout
    command.run("fsm-stack", "render", "--all", "--check", cwd=project)


def test_what_ci_of_a_new_project_runs_is_there(project: Path, command: Installed) -> None:
    """The workflows are data that no other test reads."""
    workflow = yaml.safe_load((project / ".github/workflows/mesh.yaml").read_text())
    steps = [step["run"] for step in workflow["jobs"]["mesh"]["steps"] if "run" in step]
    gitlab: dict[str, Any] = yaml.safe_load((project / ".gitlab-ci.yml").read_text())
    lines = [*gitlab["mesh"]["before_script"], *gitlab["mesh"]["script"]]
    assert steps[:3] == lines[:3]

    def step(line: str, *, code: int = 0) -> None:
        path = f"{command.bin}:{os.environ['PATH']}"
        command.run("/bin/sh", "-ec", line, cwd=project, code=code, PATH=path)

    shutil.rmtree(project / "rendered", ignore_errors=True)  # `pulumi up` needs none
    for line in steps[1:3]:
        step(line)
    command.run("fsm-stack", "render", cwd=project)
    step(steps[2])
    script = project / "rendered/dev/redirection/mesh.sh"
    script.write_text(f"{script.read_text()}# stale\n")
    step(steps[2], code=1)
    command.run("fsm-stack", "render", cwd=project)
    version = command.run("fsm-stack", "--version", cwd=project).stdout.split()[1]
    assert steps[0] == f'python -m pip install "fsm-stack=={version}"'
    for text in (steps[3], lines[3]):
        assert "fsm-stack diff --against" in text


@pytest.mark.parametrize("words", [("verify", "dev"), ("init", "live", "--from-cluster")])
def test_what_asks_a_cluster_names_the_extra(
    project: Path, command: Installed, words: tuple[str, ...]
) -> None:
    done = command.run("fsm-stack", *words, cwd=project, code=2)
    assert done.stderr == (
        "fsm-stack: error: kubernetes is not installed; expected it: "
        "pip install 'fsm-stack[cluster]'\n"
    )


def test_what_declares_resources_names_the_extra(project: Path, command: Installed) -> None:
    done = command.run("python", "-c", "from fsm_stack import FsmStack", cwd=project, code=1)
    assert done.stderr.splitlines()[-1] == (
        "fsm_stack.errors.MissingExtraError: pulumi is not installed; expected it: "
        "pip install 'fsm-stack[pulumi]'"
    )


def test_the_library_without_extras_reads_settings_and_builds_annotations(
    project: Path, command: Installed
) -> None:
    program = (
        "from fsm_stack import annotations_for, load_stack\n"
        "mesh = load_stack({'annotationProfiles': {'redis': {'outboundPortExclusionList': [6379]}}})\n"
        "print(annotations_for(mesh, 'redis'))\n"
        "print(load_stack('Pulumi.dev.yaml').mesh_name)"
    )
    done = command.run("python", "-c", program, cwd=project)
    assert done.stdout.splitlines() == [
        "{'flomesh.io/outbound-port-exclusion-list': '6379'}",
        "fsm",
    ]


def test_the_program_of_a_new_project_previews(project: Path, everything: Installed) -> None:
    """Under mocks; tests/engine lets the real engine run it."""
    settings = yaml.safe_load((project / "Pulumi.dev.yaml").read_text())["config"]
    (project / "preview.py").write_text(PREVIEW)
    encoded = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in settings.items()
    }
    done = everything.run("python", "preview.py", cwd=project, PULUMI_CONFIG=json.dumps(encoded))
    declared = json.loads(done.stdout)
    assert declared["fsm-stack:index:FsmStack"] == 1
    assert declared["kubernetes:apps/v1:Deployment"] == 3
    assert declared["kubernetes:core/v1:NamespacePatch"] == 1


def test_verify_gets_further_with_the_extra(project: Path, everything: Installed) -> None:
    """There is no cluster here: that is what it says then."""
    done = everything.run(
        "fsm-stack", "verify", "dev", cwd=project, code=3, KUBECONFIG=str(project / "none")
    )
    assert "no cluster: expected a kubeconfig file" in done.stderr
