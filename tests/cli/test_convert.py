"""``fsm-stack convert`` and ``export`` as a user types them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .conftest import document

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run

VALUES = """\
fsm:
  outboundPortExclusionList: [6379, 7070]
  preinstall: {nodeSelector: {a: b}}
"""
STACK = """\
# yaml-language-server: $schema=./schemas/stack.schema.json
# Converted from {file}.
# 1 value needs a look: fsm-stack convert names it.
config:
  fsm-stack:fsmVersion: "1.5.1"
  fsm-stack:traffic:
    outboundPortExclusionList: [6379, 7070]  # fsm.outboundPortExclusionList
"""
REPORT = """\
fsm.outboundPortExclusionList -> traffic.outboundPortExclusionList
fsm.preinstall.nodeSelector: no effect: the chart's hook jobs are no objects of a stack
fsm.preinstall.nodeSelector: warning: no effect: the chart's hook jobs are no objects of a stack [helm-value-ignored]
the stack file:7:32 traffic.outboundPortExclusionList: info: each of 6379, 7070 is excluded in every pod: traffic to \
services and pods of the cluster on it bypasses the mesh too, and no profile's inclusions bring it back [excludes-mesh-port]
"""


def test_the_stack_file_is_printed_and_the_report_beside_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(VALUES)
    result = run("convert", str(file))
    assert result.exit_code == 0
    assert result.stdout == STACK.format(file=file)
    assert result.stderr == REPORT


def test_the_plainest_installation_is_a_stack(run: Run) -> None:
    """``fsm install`` sets nothing, and a stack without a setting is refused."""
    result = run("convert", "--command", "fsm install")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.endswith("  fsm-stack:mesh:\n    name: fsm\n")


def test_the_stack_file_is_written_into_the_project(run: Run, project: Path) -> None:
    file = project / "values.yaml"
    file.write_text(VALUES)
    result = run("convert", str(file), "--to", "live", "-C", str(project))
    assert result.exit_code == 0
    assert (project / "Pulumi.live.yaml").read_text() == STACK.format(file=file)
    assert result.stdout.endswith("written; next: fsm-stack validate live\n")
    again = run("convert", str(file), "--to", "live", "-C", str(project))
    assert again.exit_code == 2
    assert "is there already; expected a new stack, or --force" in again.stderr
    assert run("convert", str(file), "--to", "live", "--force", "-C", str(project)).exit_code == 0
    assert run("convert", str(file), "--to", "../x", "-C", str(project)).exit_code == 2


def test_a_secret_is_told_and_the_rest_written(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("fsm: {deployPrometheus: true, flb: {password: s3cret}, meshName: blue}\n")
    result = run("convert", str(file))
    assert result.exit_code == 1
    assert "    name: blue  # fsm.meshName\n" in result.stdout
    assert "prometheus:\n      enabled: true  # fsm.deployPrometheus\n" in result.stdout
    assert "expected no value: no setting takes a secret [secret-value]" in result.stderr
    assert "s3cret" not in result.stdout + result.stderr


def test_a_value_that_is_not_known_is_an_error_that_names_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("fsm: {meshname: blue}\n")
    result = run("convert", str(file))
    assert result.exit_code == 1
    assert "fsm.meshname: error: FSM's chart has no value fsm.meshname" in result.stdout


def test_the_whole_is_data_for_programs(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(VALUES)
    data = document(run("convert", str(file), "-o", "json"))
    assert data["settings"]["traffic"] == {"outboundPortExclusionList": [6379, 7070]}
    assert data["values"][0] == {
        "source": "fsm.outboundPortExclusionList",
        "target": "traffic.outboundPortExclusionList",
        "why": None,
    }
    assert [one["id"] for one in data["findings"]] == [
        "helm-value-ignored",
        "excludes-mesh-port",
    ]


def test_a_stack_is_exported_in_the_documents_forms(run: Run, project: Path) -> None:
    there = ("-C", str(project))
    command = run("export", "dev", "--as", "set", *there)
    assert command.stdout == ("fsm install \\\n  --set 'fsm.outboundPortExclusionList={6379}'\n")
    patch = run("export", "dev", "--as", "patch", *there)
    assert patch.stdout.startswith(
        "kubectl patch meshconfig fsm-mesh-config -n fsm-system --type=merge -p "
    )
    assert '"outboundPortExclusionList":[6379]' in patch.stdout
    assert "note: A patch by hand is drift" in patch.stderr
    values = run("export", "staging", "--as", "values", *there)
    assert values.stdout == "fsm:\n  outboundPortExclusionList:\n  - 6379\n"
    assert "enrolledNamespaces: warning: FSM's chart has no value for it" in values.stderr
    data = document(run("export", "dev", "--as", "values", "-o", "json", *there))
    assert data["data"] == {"fsm": {"outboundPortExclusionList": [6379]}}


MANIFESTS = """\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels:
    openservicemesh.io/monitored-by: osm  # the mesh
---
apiVersion: v1
kind: Service
metadata: {name: web}   # as it is
"""


def test_manifests_of_another_mesh_are_printed_with_fsms_keys(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(MANIFESTS)
    result = run("convert", "-f", str(file))
    assert result.exit_code == 0
    moved = 'flomesh.io/monitored-by: "fsm" # the mesh'
    assert result.stdout == MANIFESTS.replace(
        "openservicemesh.io/monitored-by: osm  # the mesh", moved
    )
    assert "it is label flomesh.io/monitored-by in FSM, 'fsm' [setting-renamed]" in result.stderr
    named = run("convert", "-f", str(file), "--mesh-name", "blue")
    assert 'flomesh.io/monitored-by: "blue"' in named.stdout
    data = document(run("convert", "-f", str(file), "-o", "json"))
    assert data["manifests"] == result.stdout
    assert data["keys"][0]["target"] == "flomesh.io/monitored-by"
    assert run("convert", "-f", str(file), str(file)).exit_code == 2


def test_a_file_that_is_not_there_is_bad_input(run: Run) -> None:
    result = run("convert", "nowhere.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "fsm-stack: error: nowhere.yaml: no such file\n"
