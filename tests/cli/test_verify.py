"""``verify``, ``snapshot`` and ``restart-list`` as they are typed, on saved files."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from fsm_stack.cli import verify as verb
from fsm_stack.cli.main import cli
from fsm_stack.cluster import session as cluster_session
from fsm_stack.cluster.snapshot_file import save
from fsm_stack.errors import CouldNotCheckError
from fsm_stack.snapshot.allow import keep
from fsm_stack.snapshot.anonymize import anonymous, anonymous_source
from tests.verify.world import DEV, World, expected, pod_json, world

if TYPE_CHECKING:
    from pathlib import Path

POD = "web-7f9c5d-x2x"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: fsm-stack\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(DEV)
    saved(tmp_path, world())
    return tmp_path


def saved(project: Path, mesh: World) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": mesh.objects}
    (project / "mesh.json").write_text(json.dumps(items))


def run(project: Path, verb: str, *words: str, stack: bool = True, text: str = "") -> Result:
    place = ["-C", str(project), "--from", str(project / "mesh.json")]
    arguments = [verb, *(["dev"] if stack else []), *words, *place]
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, arguments, input=text)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize("words", [(f"pod/{POD}", "-n", "shop"), (POD,), ("deploy/web",)])
def test_a_pod_is_named_as_kubectl_names_it(project: Path, words: tuple[str, ...]) -> None:
    result = run(project, "verify", *words, "-o", "json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["pods"] == 1


@pytest.mark.parametrize("words", [("-n", "shop"), ("ns/shop",)])
def test_a_namespace_stands_for_its_pods(project: Path, words: tuple[str, ...]) -> None:
    mesh = world()
    other = pod_json(mesh.known, "other")
    other["metadata"]["namespace"] = "elsewhere"
    mesh.objects.append(other)
    saved(project, mesh)
    result = run(project, "verify", *words)
    assert result.exit_code == 0, result.output
    assert "asked   namespace/shop: 1 pod" in result.output


def test_a_mistyped_namespace_is_bad_input_and_a_declared_one_a_finding(project: Path) -> None:
    """Else the fix would be to create the namespace that was mistyped."""
    result = run(project, "verify", "-n", "shpo")
    assert result.exit_code == 2
    assert result.stderr == (
        "fsm-stack: error: namespace/shpo: no such namespace was read; did you mean 'shop'?\n"
    )
    mesh = world()
    mesh.remove("Namespace", "shop")
    mesh.remove("Pod")
    saved(project, mesh)
    result = run(project, "verify", "-n", "shop", "--check", "namespace-enrolled")
    assert result.exit_code == 1
    assert "error: namespace shop: it is not there" in result.output


def test_names_of_a_stack_are_not_looked_for_in_an_anonymous_snapshot(project: Path) -> None:
    """Its namespaces have other names, so each of the stack's would be missing."""
    objects = [one for item in world().objects if (one := keep(item)) is not None]
    file = project / "mesh.json"
    file.unlink()
    save(file, anonymous_source(world().snapshot()), list(anonymous(objects, salt="s")))
    result = run(project, "verify")
    assert result.exit_code == 2
    assert result.stderr == (
        "fsm-stack: error: --from: the snapshot is anonymized, so its namespaces are not those "
        "of dev, Pulumi.dev.yaml: expected none declared; leave the STACK or --against out, or "
        "take the snapshot without --anonymize\n"
    )
    result = run(project, "verify", stack=False)
    assert result.exit_code == 0, result.output


def test_without_a_stack_the_files_tell_what_is_expected(project: Path) -> None:
    result = run(project, "verify", f"pod/{POD}", stack=False)
    assert result.exit_code == 0, result.output
    assert "stack   the cluster's own MeshConfig (fsm)" in result.output


def test_manifests_of_workloads_are_left_to_lint(project: Path) -> None:
    """No problem found would mean that they were looked at."""
    line = "1 Deployment: fsm-stack lint STACK -f FILE checks manifests of workloads"
    mesh = world()
    mesh.objects = [mesh.the("Deployment", "web")]
    saved(project, mesh)
    assert f"unused  {line}\n" in run(project, "verify", "--system", "fsm", stack=False).output
    shown = run(project, "verify", "--system", "fsm", "-o", "json", stack=False).stdout
    assert json.loads(shown)["passedOver"] == [line]
    saved(project, world())
    assert "fsm-stack lint" not in run(project, "verify", stack=False).output


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("annotations", "flomesh.io/monitored-by", "fsm", "asks for the label of this name"),
        ("annotations", "flomesh.io/monitored-by", "alpha", "asks for the label of this name"),
        ("labels", "openservicemesh.io/monitored-by", "fsm", "[label-other-mesh]"),
    ],
)
def test_a_key_of_the_mesh_tells_whose_it_is(
    project: Path, part: str, key: str, value: str, message: str
) -> None:
    """Where it stands wrongly nothing else may tell it, and it is what is looked for."""
    about = {"name": "shop", part: {key: value}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": about}
    (project / "mesh.json").write_text(json.dumps(namespace))
    result = run(project, "verify", stack=False)
    assert result.exit_code == 1, result.output
    assert "stack   no MeshConfig was read (fsm)" in result.output
    assert message in result.output


def test_too_many_words_say_what_is_expected(project: Path) -> None:
    result = run(project, "verify", "a", "b")
    assert result.exit_code == 2
    assert "expected at most one STACK and one POD or KIND/NAME" in result.stderr


def test_an_unknown_check_is_told_before_anything_is_read(project: Path) -> None:
    (project / "mesh.json").unlink()
    result = run(project, "verify", "--check", "pod-rule")
    assert result.exit_code == 2
    assert "--check 'pod-rule': no such check; did you mean 'pod-rules'?" in result.stderr


def test_rules_of_the_kernel_are_of_one_pod(project: Path) -> None:
    mesh = world()
    mesh.objects.append(pod_json(mesh.known, "other"))
    saved(project, mesh)
    result = run(project, "verify", "--rules", "-", text="*nat\nCOMMIT\n")
    assert result.exit_code == 2
    assert result.stderr == (
        "fsm-stack: error: --rules: expected one pod, got 2: name it as one of "
        "pod/other, pod/web-7f9c5d-x2x\n"
    )


def test_rules_of_the_kernel_are_not_of_a_pod_that_is_being_deleted(project: Path) -> None:
    mesh = world()
    leaving = pod_json(mesh.known, "other")
    leaving["metadata"]["deletionTimestamp"] = "2026-07-01T10:00:00Z"
    mesh.objects.append(leaving)
    saved(project, mesh)
    words = ("--rules", "-", "--check", "pod-live-rules")
    result = run(project, "verify", *words, text="*nat\nCOMMIT\n")
    assert result.exit_code == 1
    assert "the kernel lacks a rule of OUTPUT" in result.output


@pytest.mark.parametrize("text", ["", "# Generated by iptables-save\n", "*nat\nCOMMIT\n"])
def test_a_kernel_without_rules_is_a_finding_and_no_error(project: Path, text: str) -> None:
    result = run(project, "verify", POD, "--rules", "-", "--check", "pod-live-rules", text=text)
    assert result.exit_code == 1
    assert "the kernel lacks a rule of OUTPUT" in result.output


def test_why_begins_with_the_cluster_and_the_stack(project: Path) -> None:
    result = run(project, "verify", POD, "--why", "10.0.0.8:6379")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "context files",
        "server  mesh.json",
        "stack   dev, Pulumi.dev.yaml (fsm)",
        f"asked   pod/{POD}: 1 pod",
        "",
        "10.0.0.8:6379",
        "  settings and annotations: excluded: port 6379 in outboundPortExclusionList",
        "  script: untouched, FSM_PROXY_OUTBOUND rule 7: -p tcp --match multiport --dports "
        "6379,7070 -j RETURN",
        "cause: as-declared: it bypasses the sidecar, as declared",
    ]


def test_waiting_ends_when_every_check_passes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `pulumi up`: no answer first, then a pod that is not ready, then all is well."""
    slept: list[float] = []
    asked: list[int] = []
    real = cluster_session.context_of

    def context_of(request: cluster_session.Request, **more: object) -> object:
        asked.append(len(asked))
        if len(asked) == 1:
            raise CouldNotCheckError("no answer")
        mesh = world()
        if len(asked) == 2:
            mesh.the("Pod")["status"]["containerStatuses"][1]["ready"] = False
        saved(project, mesh)
        return real(request, **more)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(cluster_session, "context_of", context_of)
    monkeypatch.setattr("time.sleep", slept.append)
    result = run(project, "verify", POD, "--wait", "60")
    assert result.exit_code == 0, result.output
    assert (len(asked), slept) == (3, [2.0, 2.0])


def test_waiting_is_bounded(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("time.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    mesh = world()
    mesh.the("Pod")["status"]["containerStatuses"][1]["ready"] = False
    saved(project, mesh)
    result = run(project, "verify", POD, "--wait", "7")
    assert result.exit_code == 1
    assert clock[0] == 6.0


def test_progress_is_for_terminals_and_leaves_the_line_to_the_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb.progress(500)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    verb.progress(500)
    verb.clear_progress()
    assert capsys.readouterr().err.replace("\x1b[K", "") == "\r500 pods read\r"


def test_a_restart_list_is_a_script_in_batches(project: Path) -> None:
    mesh = world()
    mesh.remove("Pod")
    older = expected(DEV.replace("[6379, 7070]", "[6379]"))
    for number in range(3):
        pod = pod_json(older, f"p{number}")
        pod["metadata"]["ownerReferences"][0]["name"] = f"web{number}-7f9"
        mesh.objects.append(pod)
    saved(project, mesh)
    result = run(project, "restart-list", "--batch", "2")
    assert result.exit_code == 1
    lack = "outbound ports 7070: the script has no rule for them"
    assert result.output.splitlines() == [
        "# context files, server mesh.json",
        "# stack dev, Pulumi.dev.yaml (fsm)",
        "# 3 pods of 3 owners have other rules or images than the injector would give now",
        "",
        "# batch 1: 2 owners",
        f"# Deployment web0 -n shop: {lack}",
        "kubectl rollout restart deployment/web0 -n shop",
        f"# Deployment web1 -n shop: {lack}",
        "kubectl rollout restart deployment/web1 -n shop",
        "kubectl rollout status deployment/web0 -n shop --timeout=10m",
        "kubectl rollout status deployment/web1 -n shop --timeout=10m",
        "",
        "# batch 2: 1 owner",
        f"# Deployment web2 -n shop: {lack}",
        "kubectl rollout restart deployment/web2 -n shop",
        "kubectl rollout status deployment/web2 -n shop --timeout=10m",
    ]
    stub = project / "kubectl"
    stub.write_text('#!/bin/sh\necho "$2 $3"\ntest "$2 $3" != "status deployment/web1"\n')
    stub.chmod(0o755)
    shell = shutil.which("sh") or "/bin/sh"
    done = subprocess.run([shell, "-e"], input=result.output, env={"PATH": str(project)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "status deployment/web1"


def test_a_pod_that_cannot_be_compared_makes_the_restart_list_incomplete(project: Path) -> None:
    mesh = world()
    mesh.the("Pod")["spec"]["initContainers"][0]["args"] = ["-c", "rm -rf /"]
    saved(project, mesh)
    result = run(project, "restart-list")
    assert result.exit_code == 3
    assert f"# not compared: pod shop/{POD}: its script cannot be read" in result.output


def test_a_restart_list_without_a_mesh_config_is_no_traceback(project: Path) -> None:
    mesh = world()
    mesh.remove("MeshConfig")
    saved(project, mesh)
    result = run(project, "restart-list", "--system", "fsm", stack=False)
    assert result.exit_code == 3
    assert "# not compared: no MeshConfig is known, declared or in the cluster" in result.output


def test_meshes_of_two_systems_ask_which_one(project: Path) -> None:
    mesh = world()
    other = {"apiVersion": "config.openservicemesh.io/v1alpha2", "kind": "MeshConfig",
             "metadata": {"name": "osm-mesh-config", "namespace": "osm-system"}}  # fmt: skip
    mesh.objects.append(other)
    saved(project, mesh)
    result = run(project, "verify", stack=False)
    assert result.exit_code == 3
    assert result.stderr == (
        "fsm-stack: error: MeshConfigs of several meshes were read (fsm-mesh-config, "
        "osm-mesh-config): name a STACK, or one mesh with --system\n"
    )
    assert run(project, "verify", f"pod/{POD}", "--system", "fsm", stack=False).exit_code == 0


def test_a_snapshot_of_another_context_is_refused(project: Path) -> None:
    head = {"fsmStackSnapshot": 1, "context": "dev", "server": "s", "uid": "", "taken": "",
            "read": [], "notRead": {}}  # fmt: skip
    (project / "mesh.json").write_text(json.dumps(head) + "\n")
    (project / "Pulumi.dev.yaml").write_text(f"{DEV}  fsm-stack:cluster: {{context: prod}}\n")
    result = run(project, "verify")
    assert result.exit_code == 2
    assert "is meant for context 'prod', got 'dev'" in result.stderr


def test_sarif_is_one_document_and_keeps_the_exit_code(project: Path) -> None:
    mesh = world()
    mesh.the("Pod")["spec"]["initContainers"] = []
    saved(project, mesh)
    result = run(project, "verify", POD, "-o", "sarif")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["runs"][0]["results"][0]["ruleId"] == "pod-init"


def test_a_replica_set_or_a_job_stands_for_its_pods(project: Path) -> None:
    mesh = world()
    job = pod_json(mesh.known, "migrate-x7x")
    job["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "migrate", "controller": True}]
    mesh.objects.append(job)
    saved(project, mesh)
    for word, name in (("rs/web-7f9c5d", POD), ("job/migrate", "migrate-x7x")):
        result = run(project, "verify", word, "-n", "shop", "--check", "pod-init", "-o", "json")
        assert result.exit_code == 0, (name, result.output)
        assert json.loads(result.stdout)["pods"] == 1
    result = run(project, "verify", "job/other", "-n", "shop")
    assert result.exit_code == 2
    assert "job/other -n shop: no such pod was read" in result.output


def test_why_exits_with_3_where_nothing_tells_the_cause(project: Path) -> None:
    mesh = world()
    mesh.the("Pod")["spec"]["initContainers"][0]["args"] = ["-c", "rm -rf /"]
    saved(project, mesh)
    result = run(project, "verify", POD, "--why", "10.0.0.8:6379")
    assert result.exit_code == 3
    assert "cause: unknown: the pod's script cannot be read" in result.output


@pytest.mark.parametrize(("port", "code"), [("5432", 0), ("6379", 1)])
def test_that_a_connection_is_redirected_can_be_asserted(
    project: Path, port: str, code: int
) -> None:
    result = run(project, "verify", POD, "--why", f"10.0.0.8:{port}", "--redirected")
    assert result.exit_code == code, result.output
    result = run(project, "verify", POD, "--redirected")
    assert result.exit_code == 2
    assert "--redirected: expected --why IP:PORT with it" in result.output


def test_a_restart_that_has_to_wait_is_no_empty_list(project: Path) -> None:
    assert run(project, "restart-list").exit_code == 0
    (project / "Pulumi.dev.yaml").write_text(DEV.replace("7070]", "7070, 5432]"))
    result = run(project, "restart-list")
    assert result.exit_code == 1
    assert (
        "# first: Run `pulumi up --refresh` for the stack: 1 pod waits for that" in result.output
    )
