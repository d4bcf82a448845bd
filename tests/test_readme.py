"""README's commands do what README says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.archives import index, pack, served

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAM = Path(sys.executable).parent / "fsm-stack"
INPUTS = ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.staging.yaml", "Pulumi.prod.yaml")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    """What README types at a shell prompt, without comments."""
    lines = [line for block in blocks("console") for line in block.splitlines()]
    typed = [line[2:] for line in lines if line.startswith("$ ")]
    return [command.partition("#")[0].strip() for command in typed]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with the committed environments and what is rendered of them."""
    for name in INPUTS:
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("rendered", "examples", "docs/examples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture(autouse=True)
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A chart repository on loopback stands in for FSM's."""
    with served({"/index.yaml": index("1.5.1"), "/fsm-1.5.1.tgz": pack()}) as server:
        monkeypatch.setenv("FSM_STACK_CHART_REPOSITORY", server.address)
        yield


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command)
    words[0] = str(PROGRAM)
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120", "no_proxy": "127.0.0.1"}
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_two_commands_are_targets_of_make() -> None:
    """.ci/run runs them for real, on a clean checkout."""
    assert "make render" in commands()
    assert "make test" in commands()
    for target in ("render", "test"):
        dry = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert dry.stdout


def test_render_prints_what_readme_shows(project: Path) -> None:
    """The committed rendering of dev is fresh, so every file is unchanged."""
    done = run("fsm-stack render dev", project)
    assert done.returncode == 0, done.stderr
    shown = blocks("text")[0].strip().splitlines()
    assert done.stdout.splitlines()[: len(shown)] == shown


def test_the_wrong_port_is_refused_as_readme_shows(project: Path) -> None:
    file = project / "Pulumi.dev.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("[6379, 7070]", "[6379, 70000]"), encoding="utf-8")
    done = run("fsm-stack validate dev", project)
    assert done.returncode == 1
    (shown,) = [line for line in README.splitlines() if line.startswith("Pulumi.dev.yaml:")]
    assert shown in done.stdout + done.stderr


def test_the_port_bypasses_the_mesh_as_readme_shows(project: Path) -> None:
    (command,) = [c for c in commands() if "fsm-stack trace" in c]
    done = run(command, project)
    shown = blocks("text")[1].strip().splitlines()
    assert done.stdout.splitlines()[: len(shown)] == shown


def test_the_misplaced_annotation_is_found_as_readme_says(project: Path) -> None:
    (command,) = [c for c in commands() if "fsm-stack lint" in c]
    done = run(command, project)
    assert done.returncode == 1
    assert "stands on the Deployment, where nobody reads it" in done.stdout
    assert '+        flomesh.io/outbound-port-exclusion-list: "9092"' in done.stdout


def test_the_saved_mesh_of_readme_has_findings(project: Path) -> None:
    (command,) = [c for c in commands() if "fsm-stack verify" in c and "--from" in c]
    done = run(command, project)
    assert done.returncode == 1, done.stderr
    assert "the init container has not loaded the rules [pod-init]" in done.stdout


# verify needs a cluster, or finds what is there to find, as lint does; diff needs a repository.
RUN = [
    c for c in commands() if "fsm-stack" in c and not re.search(r"fsm-stack (verify|lint|diff)", c)
]


@pytest.mark.parametrize("command", RUN)
def test_every_other_command_of_readme_runs(project: Path, command: str) -> None:
    done = run(command, project)
    assert done.returncode == 0, done.stderr


def test_dev_becomes_a_stack_that_can_be_brought_up_as_readme_says(project: Path) -> None:
    """Two settings out, the archive vendored: no finding is left, and the scripts are there."""
    file = project / "Pulumi.dev.yaml"
    text = file.read_text(encoding="utf-8")
    for taken_out in ("deployment: {lookOnly: true}", "releaseAssets: {source: omit}"):
        text, before = text.replace(f"  fsm-stack:{taken_out}\n", ""), text
        assert text != before
    file.write_text(text, encoding="utf-8")
    assert "[assets-missing]" in run("fsm-stack validate dev", project).stdout

    (vendor,) = [command for command in commands() if "fsm-stack vendor" in command]
    assert run(vendor, project).returncode == 0

    said = run("fsm-stack validate dev --fail-on warning", project).stdout
    assert said.endswith("dev: 1 info\n"), said
    assert "[excludes-mesh-port]" in said
    assert run("fsm-stack render dev", project).returncode == 0
    scripts = "rendered/dev/objects/3-foundation/configmap-fsm-init-repo-scripts.yaml"
    assert "scripts.tar.gz: " in (project / scripts).read_text(encoding="utf-8")


def test_every_verb_of_the_table_exists(project: Path) -> None:
    for verb in re.findall(r"^\| `fsm-stack ([a-z-]+)", README, flags=re.MULTILINE):
        assert run(f"fsm-stack {verb} --help", project).returncode == 0, verb


def test_every_link_of_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).is_file(), target
