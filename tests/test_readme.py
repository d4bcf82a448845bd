"""README says what is so; `test_pages` runs its commands."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.archives import index, pack, served
from tests.pages import PROGRAMS, ROOT, blocks, environment, make_project, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

README = text_of("README.md")


def shown(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    """What README types at a shell prompt, without comments."""
    typed = [one.typed for block in blocks("README.md") for one in block.commands]
    return [command.partition("#")[0].strip() for command in typed]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme") / "project"
    make_project(folder)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A checkout with the committed environments and what is rendered of them."""
    return Path(shutil.copytree(made, tmp_path / "project", symlinks=True))


@pytest.fixture(autouse=True)
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A chart repository on loopback stands in for FSM's."""
    with served({"/index.yaml": index("1.5.1"), "/fsm-1.5.1.tgz": pack()}) as server:
        monkeypatch.setenv("FSM_STACK_CHART_REPOSITORY", server.address)
        yield


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment(folder), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_first_screen_is_a_sentence_a_command_an_answer_and_a_picture() -> None:
    """Before the first heading below the title, within what a screen shows."""
    first = README.partition("\n## ")[0]
    assert [one.commands[0].typed for one in blocks("README.md", first)] == [
        ".venv/bin/fsm-stack diff dev --against HEAD"
    ]
    assert first.count("](docs/pictures/") == 1
    assert len(first.splitlines()) < 25


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
    (text,) = [one for one in shown("text") if one.startswith("dev: rendered/dev")]
    lines = text.strip().splitlines()
    assert done.stdout.splitlines()[: len(lines)] == lines


def test_the_misplaced_annotation_is_found_as_readme_says(project: Path) -> None:
    (command,) = [c for c in commands() if "fsm-stack lint" in c]
    done = run(command, project)
    assert "stands on the Deployment, where nobody reads it" in done.stdout
    assert '+        flomesh.io/outbound-port-exclusion-list: "9092"' in done.stdout


def test_dev_becomes_a_stack_that_can_be_brought_up(project: Path) -> None:
    """As docs/install.md says. Two settings out, the archive vendored: no finding is left."""
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
        assert run(f"{PROGRAMS}/fsm-stack {verb} --help", project).returncode == 0, verb


def test_every_link_of_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).is_file(), target
