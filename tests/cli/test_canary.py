"""``fsm-stack canary``: what it prints, refuses and writes, without a cluster."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from fsm_stack.cli.main import cli

if TYPE_CHECKING:
    from click.testing import Result

ROOT = Path(__file__).parent.parent.parent
MESH = str(ROOT / "docs" / "examples" / "mesh.jsonl")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment dev with port 443 excluded, and what was rendered before."""
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    shutil.copytree(ROOT / "rendered" / "dev", tmp_path / "rendered" / "dev")
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    change(tmp_path, "[6379, 7070]", "[6379, 7070, 443]", start=ROOT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(project: Path, old: str, new: str, *, start: Path | None = None) -> None:
    text = ((start or project) / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    assert old in text
    (project / "Pulumi.dev.yaml").write_text(text.replace(old, new), encoding="utf-8")


def run(*words: str) -> Result:
    arguments = ["canary", "dev", "-n", "demo", *words]
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, arguments, prog_name="fsm-stack")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.usefixtures("project")
def test_the_objects_are_of_the_version_that_is_asked_for() -> None:
    """Everything but them stands in comments, for kubectl apply -f -."""
    result = run("--against", "rendered/dev", "--by", "policy")
    assert result.exit_code == 0, result.output
    policy, binding = yaml.safe_load_all(result.stdout)
    assert (
        policy["apiVersion"]
        == binding["apiVersion"]
        == (
            "admissionregistration.k8s.io/v1beta1"  # of the stack's Kubernetes, 1.34
        )
    )
    assert binding["spec"] == {"policyName": policy["metadata"]["name"]}
    assert "# the workloads of namespace demo were not read" in result.stdout


def test_what_else_changes_is_said_not_to_be_tried(project: Path) -> None:
    change(project, "fsmLogLevel: debug", "fsmLogLevel: info")
    result = run("--against", "rendered/dev", "--by", "policy")
    assert "# not tried: spec.observability.fsmLogLevel\n" in result.stdout


@pytest.mark.usefixtures("project")
def test_templates_need_workloads() -> None:
    for words in ((), ("--by", "templates")):
        result = run("--against", "rendered/dev", *words)
        assert result.exit_code == 2
        assert result.stderr == (
            "fsm-stack: error: Kubernetes 1.34 needs --by templates, and their workloads: expected "
            "a cluster, or --from FILE, in place of --against\n"
        )
    assert run("--from", MESH).stdout.count("\nkubectl patch deployment ") == 3


def test_a_removal_is_a_finding_and_prints_nothing_to_apply(project: Path) -> None:
    change(project, "[6379, 7070, 443]", "[7070, 443]")
    result = run("--against", "rendered/dev", "--by", "policy")
    assert result.exit_code == 1
    assert all(line.startswith("#") for line in result.stdout.splitlines())
    assert result.stderr == (
        "spec.traffic.outboundPortExclusionList: error: outboundPortExclusionList loses 6379: an "
        "annotation adds to the mesh's list, and takes nothing away from it [canary-refused] Fix: "
        "Give it to the workloads that use it by an annotation profile first. Then take it out of "
        "the list, and off one workload after the other.\n"
    )
    plain = json.loads(run("--against", "rendered/dev", "--by", "policy", "-o", "json").stdout)
    assert (plain["begins"], plain["objects"], plain["patches"]) == (False, [], [])


@pytest.mark.parametrize(
    ("guard", "code"),
    [
        ("{bypasses: deny}", 1),
        ("{bypasses: warn}", 0),
        ("{bypasses: deny, allow: [{namespace: demo, outboundPortExclusionList: [443]}]}", 0),
        ("{bypasses: deny, allow: [{namespace: shop, outboundPortExclusionList: [443]}]}", 1),
    ],
)
def test_what_the_guard_refuses_to_pods_is_no_canary(project: Path, guard: str, code: int) -> None:
    """The mesh's new list names the entry, and the cluster's guard does not know it yet."""
    change(project, "config:\n", f"config:\n  fsm-stack:guard: {guard}\n")
    result = run("--against", "rendered/dev", "--by", "policy")
    assert result.exit_code == code, result.output
    assert result.stderr == (
        "guard.allow outboundPortExclusionList: error: the guard refuses pods with 443 in their "
        "annotations [canary-stops] Fix: Name it in guard.allow for namespace demo, and bring that "
        "up first.\n"
        if code
        else ""
    )


def test_nothing_to_try_is_said(project: Path) -> None:
    change(project, "[6379, 7070, 443]", "[7070, 6379]")
    result = run("--against", "rendered/dev", "--by", "policy")
    assert (result.exit_code, result.stdout.splitlines()[1:]) == (
        0,
        ["# nothing to try: no list of the mesh gains an entry"],
    )


def test_the_objects_can_be_written_to_a_folder(project: Path) -> None:
    result = run("--from", MESH, "--by", "policy", "--output-dir", "out")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == (
        "out/canary-demo.yaml: next: kubectl apply -f out/canary-demo.yaml"
    )
    assert len(list(yaml.safe_load_all((project / "out/canary-demo.yaml").read_text()))) == 2
    result = run("--from", MESH, "--output-dir", "out")
    assert result.stdout.splitlines()[-1] == "out/canary-demo.sh: next: sh out/canary-demo.sh"
    script = (project / "out/canary-demo.sh").read_text().splitlines()
    assert [line.split()[:4] for line in script if not line.startswith("#")] == [
        ["kubectl", "patch", "deployment", name] for name in ("cart", "mail", "web")
    ]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("step", ["--status", "--promote", "--abort"])
def test_a_namespace_without_a_canary_is_bad_input(step: str, tmp_path: Path) -> None:
    listed = {"kind": "MutatingAdmissionPolicy", "apiVersion": "admissionregistration.k8s.io/v1",
              "metadata": {"name": "fsm-stack-canary-shop",
                           "labels": {"fsm-stack.flomesh.io/canary": "x"}}}  # fmt: skip
    file = tmp_path / "policies.json"
    file.write_text(json.dumps({"kind": "List", "items": [listed]}), encoding="utf-8")
    result = run(step, "--from", MESH, "--from", str(file))
    assert result.exit_code == 2
    assert result.stderr == (
        "fsm-stack: error: --namespace demo: it has no canary; there is one of shop\n"
    )


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "two sides": (
        ("--against", "rendered/dev", "--from", MESH),
        "Error: --against: expected no cluster and no --from beside it\n",
    ),
    "a way to end": (
        ("--status", "--by", "policy"),
        "Error: --status: expected no --against, --by or --output-dir\n",
    ),
}


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("case", WRONG)
def test_options_that_do_not_go_together_are_bad_input(case: str) -> None:
    words, said = WRONG[case]
    result = run(*words)
    assert result.exit_code == 2
    assert result.stderr.endswith(said)


def test_a_namespace_outside_of_the_mesh_is_refused(project: Path) -> None:
    """Its pods get no sidecar, and so nothing is tried."""
    lines = Path(MESH).read_text(encoding="utf-8").splitlines()
    changed: list[str] = []
    for line in lines:
        item: dict[str, Any] = json.loads(line)
        if item.get("kind") == "Namespace":
            item["metadata"]["labels"].pop("flomesh.io/monitored-by", None)
        changed.append(json.dumps(item, separators=(",", ":")))
    file = project / "mesh.jsonl"
    file.write_text("\n".join(changed) + "\n", encoding="utf-8")
    result = run("--from", str(file))
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "namespace demo: error: namespace demo is not in the mesh: "
    ), result.stderr
