"""A mesh that Helm installed and a person patched: converted, adopted, kept, and left again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner, Result

from fsm_stack.cli.main import cli
from tests.apiserver import installation
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

    stack = project.stack("live", adopting)
    stack.up().succeeded()

    assert ports(api) == PORTS
    hook = {"apiVersion": ADMISSION, "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "fsm-webhook-fsm"}}  # fmt: skip
    assert api.get(hook)["webhooks"][0]["clientConfig"]["caBundle"] == installation.CA_BUNDLE
    assert stack.refresh().succeeded().changes() == []
    assert stack.preview().succeeded().changes() == []

    project.write("live", changed(adopting, deployment={"adopt": []}))
    stack.up().succeeded()
    assert stack.preview().succeeded().changes() == []
    left_and_brought_up_again(api, project, stack)


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
