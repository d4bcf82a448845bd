"""lint and validate over many files: corrections that apply, fixes, suppressions, reports."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from .test_workloads import PORTS, WEB, run, web

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

__all__ = ["run", "web"]  # fixtures

BARE = "flomesh.io/sidecar-injection"
# Both fixes in one document, and a second document behind it.
BROKEN = WEB.replace("      labels: {app: web}\n", f"      annotations: {{{BARE}: yes}}\n")
NAMES = [
    "web.yaml",
    "./web.yaml",
    "sub/web.yaml",
    "a b/we b.yaml",
    "w\u00e9b.yaml",
    'quo"ted.yaml',
    "back\\slash.yaml",
    "new\nline.yaml",
]


def applied(tool: str, diff: str, directory: Path) -> None:
    commands = {"git": ["git", "apply", "-"], "patch": ["patch", "-p1", "--posix"]}
    if tool == "patch":
        commands["patch"] = ["patch", "-p1"]
    if shutil.which(tool) is None and "CI" not in os.environ:
        pytest.skip(f"no {tool} here")
    done = subprocess.run(
        commands[tool], input=diff, cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("tool", ["git", "patch"])
@pytest.mark.parametrize("name", NAMES)
def test_a_correction_applies_whatever_the_files_name(
    run: Callable[..., Result], tmp_path: Path, tool: str, name: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"# first\n---\n{BROKEN}")
    applied(tool, run("lint", "dev", "-f", name).stdout, tmp_path)
    text = path.read_text()
    assert f'      annotations: {{{BARE}: "yes", {PORTS}: "7070"}}\n' in text
    assert text.count("annotations:") == 1
    assert run("lint", "dev", "-f", name).exit_code == 0


@pytest.mark.parametrize("tool", ["git", "patch"])
@pytest.mark.parametrize("outside", [True, False])
def test_a_correction_of_an_absolute_path_applies_here_or_in_the_root(
    run: Callable[..., Result],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    tool: str,
    *,
    outside: bool,
) -> None:
    path = (tmp_path_factory.mktemp("other") if outside else tmp_path) / "web.yaml"
    path.write_text(BROKEN)
    given = os.path.relpath(path, tmp_path) if outside else str(path)
    diff = run("lint", "dev", "-f", given).stdout
    applied(tool, diff, tmp_path.__class__("/") if outside else tmp_path)
    assert run("lint", "dev", "-f", given).exit_code == 0


def test_fix_writes_what_has_one_safe_fix_and_reports_the_rest(
    run: Callable[..., Result], web: Path
) -> None:
    web.write_text(BROKEN.replace("7070", "7070,70000").replace("\n", "\r\n"))
    web.chmod(0o640)
    clean = web.parent / "clean.yaml"
    clean.write_text(WEB.replace("  annotations:\n", "").replace(f'    {PORTS}: "7070"\n', ""))
    before = (clean.stat().st_mtime_ns, clean.stat().st_ino)
    result = run("lint", "dev", "-f", "web.yaml", "-f", "clean.yaml", "--fix")
    assert result.exit_code == 1
    assert "[invalid-port]" in result.stdout
    assert "annotation-misplaced" not in result.stdout
    assert "+++" not in result.stdout
    assert "fixed: web.yaml\n" in result.stderr
    assert "clean" not in result.stderr
    text = web.read_bytes().decode()
    assert f'{{{BARE}: "yes", {PORTS}: "7070,70000"}}\r\n' in text
    assert text.endswith("kind: Service\r\nmetadata: {name: web}\r\n")
    assert web.stat().st_mode & 0o777 == 0o640
    assert (clean.stat().st_mtime_ns, clean.stat().st_ino) == before
    again = json.loads(run("lint", "dev", "-f", "web.yaml", "--fix", "-o", "json").stdout)
    assert (again["fixed"], again["corrections"]) == ([], [])


def test_standard_input_cannot_be_fixed(run: Callable[..., Result]) -> None:
    result = run("lint", "dev", "-f", "-", "--fix", stdin=BROKEN)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--fix: expected files" in result.stderr


def test_a_directory_is_its_manifests_and_with_r_what_is_below(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    """As kubectl takes it; files that are none are left alone."""
    for name in ("k/b.yml", "k/a.yaml", "k/notes.md", "k/below/c.json", "k/.git/d.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(WEB if name[-4:] != "json" else '{"kind": "x"}')
    flat = run("lint", "dev", "-f", "k")
    assert [line.split(":")[0] for line in flat.stdout.splitlines() if "error" in line] == [
        "k/a.yaml",
        "k/b.yml",
    ]
    assert "4 objects, 2 findings, 2 passed over\n" in flat.stderr
    deep = run("lint", "dev", "-f", "k", "-f", "k/a.yaml", "-R")
    assert "5 objects, 2 findings, 3 passed over\n" in deep.stderr
    (tmp_path / "empty").mkdir()
    empty = run("lint", "dev", "-f", "empty")
    assert (empty.exit_code, empty.stderr) == (
        2,
        "fsm-stack: error: empty: expected files *.yaml, *.yml or *.json in it (-R looks below it, "
        "too)\n",
    )
    assert "pod template" in run("inject", "dev", "-f", "k").stderr


@pytest.mark.parametrize(
    "what", ["", "=Deployment/shop/web", "=Deployment/*", "=web.yaml", "=metadata.annotations.*"]
)
def test_a_finding_can_be_left_out_of_one_run(run: Callable[..., Result], what: str) -> None:
    words = ("lint", "dev", "-f", "web.yaml", "--suppress", f"annotation-misplaced{what}")
    result = run(*words)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith("2 objects, 0 findings, 1 passed over, 1 suppressed\n")
    plain = json.loads(run(*words, "-o", "json").stdout)
    assert (plain["findings"], plain["corrections"]) == ([], [])
    assert [item["id"] for item in plain["suppressed"]] == ["annotation-misplaced"]
    (only,) = json.loads(run(*words, "-o", "sarif").stdout)["runs"][0]["results"]
    assert only["suppressions"] == [{"kind": "external"}]


def test_what_suppresses_nothing_is_said_and_no_id_is_refused(run: Callable[..., Result]) -> None:
    words = ("lint", "dev", "-f", "web.yaml", "--suppress")
    other = run(*words, "annotation-misplaced=Deployment/shop/api")
    assert other.exit_code == 1
    assert "note: --suppress annotation-misplaced=Deployment/shop/api: no such finding\n" in (
        other.stderr
    )
    assert run(*words, "annotation-misplace").stderr == (
        "fsm-stack: error: --suppress annotation-misplace: expected a finding's id, got "
        "'annotation-misplace'; did you mean 'annotation-misplaced'?\n"
    )
    assert "behind '='" in run(*words, "annotation-misplaced=").stderr


def test_validate_suppresses_and_speaks_sarif(run: Callable[..., Result], web: Path) -> None:
    (web.parent / "Pulumi.prod.yaml").write_text(
        "config:\n  fsm-stack:traffic: {outboundPortExclusionList: [443]}\n"
        "  fsm-stack:releaseAssets: {source: existingConfigMap}\n"
    )
    ids = ["cluster-unnamed", "excludes-mesh-port"]
    report = json.loads(run("validate", "prod", "-o", "sarif").stdout)["runs"][0]
    assert sorted(item["ruleId"] for item in report["results"]) == ids
    assert {item["id"] for item in report["tool"]["driver"]["rules"]} == set(ids)
    words = ("validate", "prod", "--fail-on", "warning")
    assert run(*words).exit_code == 1
    words = (*words, "--suppress", "cluster-unnamed", "--suppress", "excludes-mesh-port=traffic.*")
    result = run(*words)
    assert (result.exit_code, result.stdout) == (0, "prod: no findings (2 accepted)\n")
    results = json.loads(run(*words, "-o", "sarif").stdout)["runs"][0]["results"]
    assert [item["suppressions"] for item in results] == [[{"kind": "external"}]] * 2


def test_validate_takes_stack_files_wherever_they_are(
    run: Callable[..., Result], web: Path
) -> None:
    """A pull request's file is checked before it is anybody's stack."""
    other = web.parent / "other"
    other.mkdir()
    (other / "new.yaml").write_text("config: {fsm-stack:traffic: {enableEgress: 1}}\n")
    (other / "Pulumi.qa.yaml").write_text("config: {fsm-stack:mesh: {trustDomain: a.example}}\n")
    result = run("validate", "-f", "other/new.yaml", "-f", "other")
    assert result.exit_code == 1
    assert result.stdout == (
        "other/new.yaml:1:44 traffic.enableEgress: error: expected true or false, got a whole "
        "number 1 [wrong-type]\nnew.yaml: 1 error\nqa: no findings\n"
    )
    (other / "Pulumi.yaml").write_text("name: fsm-stack\n")
    assert "[assets-missing]" in run("validate", "-f", "other").stdout
    empty = run("validate", "-f", "other/none")
    assert (empty.exit_code, "other/none: no such file" in empty.stderr) == (2, True)
    (web.parent / "empty").mkdir()
    nothing = run("validate", "-f", "empty")
    assert nothing.stderr == (
        "fsm-stack: error: empty: no stack here; expected a file Pulumi.<stack>.yaml\n"
    )
    assert run("validate", "dev", "-f", "other").exit_code == 2
