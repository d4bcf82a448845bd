"""Other programs, and other meshes, beside one that runs."""

from __future__ import annotations

import runpy
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fsm_stack.pulumi.guard import OTHER_REMEDIES, OTHER_STACK
from fsm_stack.pulumi.kinds import OWNER
from tests.apiserver.test_verify_osm import crd as osm_crd

from .engine import REPOSITORY
from .nodeless import ready_pods
from .project import Project, changed, committed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.apiserver.client import Api

    from .engine import Engine, Stack

pytestmark = pytest.mark.engine

DEV = committed("dev")
EXAMPLE = REPOSITORY / "examples/annotated-workload"
PORTS = "flomesh.io/outbound-port-exclusion-list"
WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Project:
    return Project.made(tmp_path_factory.mktemp("mesh"), engine)


@pytest.fixture(scope="module")
def mesh(home: Project) -> Iterator[Stack]:
    """A mesh that runs, and still runs after each test."""
    stack = home.stack("dev", DEV)
    stack.up().succeeded()
    yield stack
    stack.destroy().succeeded()


def test_an_application_takes_its_annotations_from_the_meshs_stack(
    api: Api, engine: Engine, home: Project, mesh: Stack, tmp_path: Path
) -> None:
    """The example program, with a real StackReference, and its transform run by the engine."""
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    shutil.copy(EXAMPLE / "Pulumi.yaml", tmp_path)
    config = {"annotated-workload:meshStack": "organization/fsm-stack/dev"}
    (tmp_path / "Pulumi.prod.yaml").write_text(yaml.safe_dump({"config": config}))
    example = engine.stack(
        "prod", tmp_path, run=lambda: void(runpy.run_path(str(EXAMPLE / "__main__.py")))
    )

    with ready_pods(api, "shop"):
        example.up().succeeded()

    live = api.get(WEB)
    assert live["spec"]["template"]["metadata"]["annotations"][PORTS] == "6379"
    assert PORTS not in live["metadata"].get("annotations", {})
    assert example.preview().succeeded().changes() == []

    profiles = {"redis-client": {"outboundPortExclusionList": [6380]}}
    home.write("dev", changed(DEV, annotationProfiles=profiles))
    mesh.up().succeeded()
    assert example.preview().succeeded().changes() == [("update", "web")]
    home.write("dev", DEV)
    mesh.up().succeeded()

    example.destroy().succeeded()


def void(_: Any) -> None:
    """A program returns nothing."""


@pytest.mark.parametrize(
    "there",
    [{"name": "two", "namespace": "two"}, {"namespace": "two"}, {}],
    ids=["another mesh", "another namespace", "the same mesh"],
)
def test_a_second_fsm_stack_in_one_cluster_is_refused_and_leaves_the_first_alone(
    mesh: Stack, home: Project, there: dict[str, str]
) -> None:
    """FSM's cluster-wide names do not hold the mesh's; equal objects would get two owners."""
    second = home.stack("second", {**changed(DEV, mesh=there), "enrolledNamespaces": []})

    errors = second.up().refused()

    assert OTHER_STACK in errors
    assert OTHER_REMEDIES not in errors
    assert f".metadata.annotations.{OWNER}" in errors
    second.destroy().succeeded()
    mesh.refresh().succeeded()
    assert mesh.preview().succeeded().changes() == []


def test_a_mesh_of_another_system_runs_beside_it(api: Api, mesh: Stack, home: Project) -> None:
    """Osm's own tools have installed its CRD; the stack is its MeshConfig and redirection."""
    api.apply(osm_crd())
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "osm-system"}})
    osm = home.stack("osm", {"system": "osm", "traffic": {"outboundPortExclusionList": [6379]}})

    up = osm.up().succeeded()

    kinds = sorted(s.inputs["kind"] for s in up.steps if "kind" in s.inputs)
    assert kinds == ["ConfigMap", "MeshConfig"]
    assert osm.preview().succeeded().changes() == []
    assert mesh.preview().succeeded().changes() == []
    osm.destroy().succeeded()
    mesh.refresh().succeeded()
    assert mesh.preview().succeeded().changes() == []
