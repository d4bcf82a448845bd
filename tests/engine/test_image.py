"""The Containerfile's steps carried out in a folder: no image is made, what it installs runs.

It stands here because it installs from the package registry, as the policy pack does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fsm_stack import __version__
from tests.containerfile import ROOT, copied, exec_form, stages

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that stands for the image's root, after the steps of its stage ``build``."""
    root = tmp_path_factory.mktemp("image")
    stage = stages()["build"]
    for text in stage.all("COPY"):
        sources, target = copied(text)
        for source in map(ROOT.joinpath, sources):
            place = root / target.strip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir(exist_ok=True)
                shutil.copy(source, place)
    for text in stage.all("RUN"):
        command = text.replace("/opt/", f"{root}/opt/").replace(" /src", f" {root}/src")
        if command.startswith("python "):
            command = f'"{sys.executable}" {command.removeprefix("python ")}'
        subprocess.run(command.replace("--no-cache-dir ", ""), shell=True, check=True)  # noqa: S602  # the file's own commands
    return root


def run(built: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The image's entry point with these words."""
    (program,) = exec_form(stages()["command"].all("ENTRYPOINT")[0])
    return subprocess.run(
        [built / "opt/fsm-stack/bin" / program, *words],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_the_installed_command_has_its_templates_and_needs_no_checkout(
    built: Path, tmp_path: Path
) -> None:
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    before = files(built), files(tmp_path)

    version = run(built, "--version", cwd=tmp_path)
    valid = run(built, "validate", "dev", cwd=tmp_path)
    mesh = ROOT / "docs/examples/mesh.jsonl"
    verified = run(built, "verify", "dev", "--from", str(mesh), cwd=tmp_path)

    assert __version__ in version.stdout, version.stderr
    assert valid.returncode == 0, valid.stderr
    assert verified.returncode in {0, 1}, verified.stderr
    assert (files(built), files(tmp_path)) == before


def test_it_renders_from_its_own_templates(built: Path, tmp_path: Path) -> None:
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / name, tmp_path)

    done = run(built, "render", "dev", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    rendered = tmp_path / "rendered/dev/redirection/mesh.sh"
    assert rendered.read_bytes() == (ROOT / "rendered/dev/redirection/mesh.sh").read_bytes()
