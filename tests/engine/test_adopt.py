"""A mesh that Helm installed and a person patched: converted, adopted, kept, and left again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner, Result

from fsm_stack.cli.main import cli
from tests.apiserver import installation
from tests.apiserver.client import eventually
from tests.apiserver.installation import DEMO, MESH_CONFIG, VERSION

from .conftest import serving
from .project import changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.apiserver.client import Api

    from .engine import Engine, Stack
    from .project import Project

pytestmark = pytest.mark.engine

PORTS = [6379, 7070]
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "demo"},
    "spec": {"containers": [{"name": "web", "image": "web:1"}]},
}
AUTHORITY = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "fsm-ca-bundle", "namespace": "fsm-system"},
    "stringData": {"ca.crt": "an authority of its own"},
}
PROGRAMS = ["fsm-bootstrap", "fsm-controller", "fsm-injector"]
RUNNING = {**POD, "metadata": {"name": "running", "namespace": "demo"}}
ADMISSION = "admissionregistration.k8s.io/v1"


@pytest.fixture(scope="module")
def alone() -> Iterator[tuple[Api, Engine]]:
    """A cluster of their own: what Helm installed is not a stack's to remove."""
    yield from serving()


@pytest.fixture(scope="module")
def api(alone: tuple[Api, Engine]) -> Api:
    """The cluster."""
    return alone[0]


@pytest.fixture(scope="module")
def engine(alone: tuple[Api, Engine]) -> Engine:
    """The engine."""
    return alone[1]


def typed(api: Api, project: Project, *words: str) -> Result:
    """The command line, of the cluster, in the project."""
    result = CliRunner(env={"NO_COLOR": "1", "KUBECONFIG": str(api.kubeconfig)}).invoke(
        cli, [*words, "-C", str(project.directory)], prog_name="fsm-stack"
    )
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def settings_of(project: Project) -> dict[str, Any]:
    text = (project.directory / "Pulumi.live.yaml").read_text(encoding="utf-8")
    config: dict[str, Any] = yaml.safe_load(text)["config"]
    return {key.removeprefix("fsm-stack:"): value for key, value in config.items()}


def ports(api: Api) -> Any:
    return api.get(MESH_CONFIG)["spec"]["traffic"]["outboundPortExclusionList"]


@pytest.mark.parametrize("helm", [3, 4])
def test_a_mesh_is_adopted_kept_and_left(api: Api, project: Project, helm: int) -> None:
    """Helm 3 writes by updates, Helm 4 by server-side apply."""
    before_the_mesh(api)
    installation.install(api, helm=helm)
    change = {"spec": {"traffic": {"outboundPortExclusionList": PORTS}}}
    installation.patch(api, MESH_CONFIG, change, "kubectl-patch")

    converted = typed(api, project, "convert", "--cluster", "--to", "live")
    assert converted.exit_code == 0, converted.output
    project.write("live", changed(
        settings_of(project),
        releaseAssets={"source": "existingConfigMap"},
        deployment={"skipAwait": True},
    ))  # fmt: skip
    checked = typed(api, project, "adopt", "live")
    assert checked.exit_code == 0, checked.output
    assert "traffic: unchanged: the scripts of 1 class of pods are the same" in checked.stdout
    assert "helm uninstall would delete what the stack owns" in checked.stdout
    assert typed(api, project, "adopt", "live", "--write").exit_code == 0
    adopting = settings_of(project)
    assert "Deployment/fsm-system/fsm-injector" in adopting["deployment"]["adopt"]

    before = alive(api)
    stack = project.stack("live", adopting)
    stack.up().succeeded()

    assert "restarts: Deployment/fsm-system/fsm-bootstrap, " in checked.stdout
    assert changed_ones(before, alive(api)) == PROGRAMS
    assert ports(api) == PORTS
    hook = {"apiVersion": ADMISSION, "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "fsm-webhook-fsm"}}  # fmt: skip
    assert api.get(hook)["webhooks"][0]["clientConfig"]["caBundle"] == installation.CA_BUNDLE
    assert stack.refresh().succeeded().changes() == []
    assert stack.preview().succeeded().changes() == []

    project.write("live", changed(adopting, deployment={"adopt": []}))
    stack.up().succeeded()
    assert stack.preview().succeeded().changes() == []
    if helm == 4:  # once is enough, and takes a while
        stack = forgotten_and_adopted_again(api, project, stack)
    left_and_brought_up_again(api, project, stack)


def before_the_mesh(api: Api) -> None:
    """A pod of an application, which no webhook has seen."""
    if not api.exists(DEMO):
        api.create({**DEMO, "metadata": {"name": "demo"}})
        account = {"apiVersion": "v1", "kind": "ServiceAccount",
                   "metadata": {"name": "default", "namespace": "demo"}}  # fmt: skip
        eventually("an account", lambda: api.exists(account), seconds=30)
        api.create(RUNNING)


def alive(api: Api) -> dict[str, tuple[str, str]]:
    """The CA and an application's pod, which must not change; the programs by generation."""
    if not api.exists(AUTHORITY):
        api.create(AUTHORITY)
    programs = {
        name: {"apiVersion": "apps/v1", "kind": "Deployment",
               "metadata": {"name": name, "namespace": installation.NAMESPACE}}
        for name in PROGRAMS
    }  # fmt: skip
    found = {}
    for name, which in {"CA": AUTHORITY, "application": RUNNING, **programs}.items():
        about = api.get(which)["metadata"]
        found[name] = (about["uid"], str(about.get("generation", about["resourceVersion"])))
    return found


def changed_ones(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return sorted(name for name in before if before[name] != after[name])


def forgotten_and_adopted_again(api: Api, project: Project, stack: Stack) -> Stack:
    """The mesh stays as it is without the stack, down to the last version of an object."""
    before = versions(api)
    stack.engine.workspace.remove_stack("live", force=True, preserve_config=True)
    assert versions(api) == before
    exported = typed(api, project, "export", "live", "--as", "values")
    assert yaml.safe_load(exported.stdout)["fsm"]["outboundPortExclusionList"] == PORTS

    assert typed(api, project, "adopt", "live", "--write").exit_code == 0
    again = project.stack("live", settings_of(project))
    again.up().succeeded()
    assert ports(api) == PORTS
    project.write("live", changed(settings_of(project), deployment={"adopt": []}))
    again.up().succeeded()
    return again


def versions(api: Api) -> dict[str, str]:
    """The version of every object that the stack declares in the control plane's namespace."""
    kinds = [("apps/v1", "Deployment"), ("v1", "Service"), ("v1", "ConfigMap"), ("v1", "Secret"),
             ("config.flomesh.io/v1alpha3", "MeshConfig"),
             (ADMISSION, "MutatingWebhookConfiguration")]  # fmt: skip
    return {
        f"{kind}/{one['metadata']['name']}": one["metadata"]["resourceVersion"]
        for version, kind in kinds
        for one in api.list(version, kind)
    }


def left_and_brought_up_again(api: Api, project: Project, stack: Stack) -> None:
    """A patch by hand is reported and taken back; then nothing blocks a pod, and up works."""
    change = {"spec": {"traffic": {"outboundPortExclusionList": [1]}}}
    installation.patch(api, MESH_CONFIG, change, "kubectl-patch")
    told = typed(api, project, "adopt", "live")
    assert told.exit_code == 1
    assert "kubectl-patch at " in told.stdout
    assert "wrote [1], the stack declares [6379, 7070] [adopt-foreign-manager]" in told.stdout
    assert "traffic: every pod without annotations:" in told.stdout
    stack.refresh().succeeded()
    project.write("live", changed(settings_of(project), deployment={"forceMeshConfig": True}))
    stack.up().succeeded()
    assert ports(api) == PORTS

    stack.destroy().succeeded()

    api.create(POD, dry_run=True)
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        assert [one["metadata"]["name"] for one in api.list(ADMISSION, kind)] == []
    leave_without_a_trace(api)
    stack.up().succeeded()
    assert stack.preview().succeeded().changes() == []


def leave_without_a_trace(api: Api) -> None:
    """Whoever else wrote the label keeps it there; ``leftovers`` lists that, and how to go on."""
    told = CliRunner(env={"NO_COLOR": "1", "KUBECONFIG": str(api.kubeconfig)}).invoke(
        cli, ["leftovers", "-o", "json"], prog_name="fsm-stack"
    )
    found = json.loads(told.stdout)
    steps = [one["step"] for one in found["leftovers"]]
    assert "enrolment" in steps
    assert "blocking" not in steps
    assert [one["id"] for one in found["findings"]] == ["leftover-found"]
    for one in found["leftovers"]:
        if one["step"] != "definition":  # the CRD is kept for the next life
            installation.carry_out(api, one["command"])
    labels = api.get(DEMO)["metadata"].get("labels", {})
    assert "flomesh.io/monitored-by" not in labels


def test_without_the_setting_nothing_is_taken(api: Api, project: Project) -> None:
    """An object that is there already is refused, or its fields are: none is changed."""
    installation.install(api)
    try:
        settings = {
            "fsmVersion": VERSION,
            "releaseAssets": {"source": "existingConfigMap"},
            "deployment": {"skipAwait": True},
            "traffic": {"outboundPortExclusionList": [1]},
        }
        stack = project.stack("plain", settings)
        refused = stack.up().refused()
        assert "conflict" in refused or "already exists" in refused
        assert ports(api) == []
    finally:
        stack.destroy()
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
            for one in api.list(ADMISSION, kind):
                api.delete(one)
