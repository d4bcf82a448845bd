"""``fsm-stack verify`` as a CronJob: off by default, with rights to read and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from fsm_stack.cli.main import cli
from fsm_stack.manifests.verifying import APP, RULES

from .stacks import bundle_of, named

REPOSITORY = Path(__file__).parents[2]
IMAGE = "registry.example.com/mesh/fsm-stack:0.1.0"
JOB: dict[str, Any] = {"verify": {"schedule": "*/15 * * * *", "image": IMAGE}}


def test_nothing_of_it_is_there_unless_scheduled() -> None:
    assert APP not in {manifest.name for manifest in bundle_of({})}


def test_a_schedule_adds_the_account_its_rights_and_the_job() -> None:
    added = {m.key for m in bundle_of(JOB)} - {m.key for m in bundle_of({})}

    assert added == {
        ("ServiceAccount", "fsm-system", APP),
        ("ClusterRole", "", APP),
        ("ClusterRoleBinding", "", APP),
        ("CronJob", "fsm-system", APP),
    }


def test_a_second_mesh_of_the_cluster_has_names_of_its_own() -> None:
    """The role is cluster-wide: two meshes would take it from each other."""
    second = {"mesh": {"releaseName": "blue", "name": "blue", "namespace": "blue-system"}}
    added = {m.key for m in bundle_of(JOB | second)} - {m.key for m in bundle_of(second)}

    assert {name for _, _, name in added} == {"blue-stack-verify"}
    role = named(JOB | second, "ClusterRoleBinding", "blue-stack-verify").object
    assert role["subjects"] == [
        {"kind": "ServiceAccount", "name": "blue-stack-verify", "namespace": "blue-system"}
    ]


def test_the_rights_are_those_that_the_page_prints() -> None:
    """Who verifies by hand and what verifies in the cluster may do the same."""
    text = (REPOSITORY / "docs/verify.md").read_text(encoding="utf-8")
    block = text.partition("```yaml\n")[2].partition("```")[0]
    printed = yaml.safe_load(block)

    role = named(JOB, "ClusterRole", APP).object
    assert printed["rules"] == role["rules"] == list(RULES)
    assert printed["metadata"]["name"] == APP
    assert {verb for rule in RULES for verb in rule["verbs"]} == {"get", "list"}


def test_the_pod_may_do_nothing_but_read() -> None:
    """No root, no capability, nothing to write to: the pod security level restricted, and more."""
    spec = named(JOB, "CronJob", APP).object["spec"]
    pod = spec["jobTemplate"]["spec"]["template"]

    assert (spec["schedule"], spec["concurrencyPolicy"]) == ("*/15 * * * *", "Forbid")
    assert pod["spec"]["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["image"] == IMAGE
    assert container["args"] == ["verify", "--system", "fsm", "--fail-on", "error"]
    assert pod["spec"]["serviceAccountName"] == APP
    assert "annotations" not in pod["metadata"]


def test_the_commands_words_are_ones_that_it_takes() -> None:
    data = {"verify": {**JOB["verify"], "failOn": "warning", "metricsPort": 9090}}
    pod = named(data, "CronJob", APP).object["spec"]["jobTemplate"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]

    assert container["args"][-2:] == ["--listen", ":9090"]
    result = CliRunner().invoke(cli, [*container["args"], "--help"])
    assert result.exit_code == 0
    read = CliRunner().invoke(cli, [*container["args"], "--from", "/nowhere"])
    assert read.output == "fsm-stack: error: cannot read /nowhere: No such file or directory\n"
    assert container["ports"] == [{"name": "metrics", "containerPort": 9090}]
    assert pod["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9090",
        "prometheus.io/path": "/metrics",
    }


def test_images_of_a_private_registry_are_pulled_by_the_meshs_secrets() -> None:
    data = {**JOB, "images": {"pullSecrets": [{"name": "regcred"}]}}
    pod = named(data, "CronJob", APP).object["spec"]["jobTemplate"]["spec"]["template"]

    assert pod["spec"]["imagePullSecrets"] == [{"name": "regcred"}]
