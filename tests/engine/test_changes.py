"""One mesh that runs, changed by its stack, by others, and by accident."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.manifests.manifest import FOLLOWED
from fsm_stack.pulumi.guard import CONFLICT_REMEDIES, OTHER_REMEDIES

from .project import Project, changed, committed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.apiserver.client import Api

    from .engine import Engine, Stack

pytestmark = pytest.mark.engine

DEV = committed("dev")
ONE_PORT_MORE = changed(DEV, traffic={"outboundPortExclusionList": [6379, 7070, 9000]})
MESH_CONFIG = {
    "apiVersion": "config.flomesh.io/v1alpha3",
    "kind": "MeshConfig",
    "metadata": {"name": "fsm-mesh-config", "namespace": "fsm-system"},
}
WEBHOOK = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "MutatingWebhookConfiguration",
    "metadata": {"name": "fsm-webhook-fsm"},
}
VALIDATOR = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "fsm-validator-mesh-fsm"},
}


def deployment(app: str) -> dict[str, Any]:
    metadata = {"name": f"fsm-{app}", "namespace": "fsm-system"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Project]:
    """The project of the module's mesh, which is destroyed at the end."""
    project = Project.made(tmp_path_factory.mktemp("mesh"), engine)
    stack = project.stack("dev", DEV)
    stack.up().succeeded()
    yield project
    project.write("dev", DEV)
    stack.destroy().succeeded()


@pytest.fixture
def mesh(home: Project) -> Stack:
    """The mesh as declared, whatever the test before this one left."""
    stack = home.stack("dev", DEV)
    stack.up().succeeded()
    return stack


def ports(api: Api) -> list[int]:
    found: list[int] = api.get(MESH_CONFIG)["spec"]["traffic"]["outboundPortExclusionList"]
    return found


def written(api: Api, which: dict[str, Any], change: dict[str, Any], *, manager: str) -> None:
    """A change as kubectl makes it, with its field manager."""
    api.request(
        "PATCH",
        api.path(which),
        body=change,
        query={"fieldManager": manager},
        content_type="application/merge-patch+json",
    )


def test_one_port_more_updates_what_says_it_and_nothing_else(
    api: Api, home: Project, mesh: Stack
) -> None:
    home.write("dev", ONE_PORT_MORE)

    preview = mesh.preview().succeeded()
    up = mesh.up().succeeded()

    assert preview.changes() == up.changes()
    assert up.changes() == [
        ("update", "fsm-configmap-fsm-redirection"),
        ("update", "fsm-configmap-preset-mesh-config"),
        ("update", "fsm-meshconfig-fsm-mesh-config"),
    ]
    (step,) = (step for step in up.steps if step.name == "fsm-meshconfig-fsm-mesh-config")
    assert step.changed == ("spec.traffic.outboundPortExclusionList[2]",)
    assert ports(api) == [6379, 7070, 9000]


def test_a_patched_mesh_config_is_a_conflict_that_says_what_to_do(
    api: Api, home: Project, mesh: Stack
) -> None:
    """Both remedies of the message, carried out: the value taken over, and the field taken back."""
    theirs = {"spec": {"traffic": {"outboundPortExclusionList": [3306]}}}
    written(api, MESH_CONFIG, theirs, manager="kubectl-patch")
    mesh.refresh().succeeded()

    refused = mesh.preview()

    errors = refused.refused()
    assert errors.count(CONFLICT_REMEDIES) == 1
    assert 'conflict with "kubectl-patch"' in errors
    assert ".spec.traffic.outboundPortExclusionList" in errors
    assert "Traceback" not in refused.output
    assert "RunError" not in refused.output

    home.write("dev", changed(DEV, traffic={"outboundPortExclusionList": [3306]}))
    assert ("update", "fsm-meshconfig-fsm-mesh-config") not in mesh.preview().succeeded().changes()

    home.write("dev", changed(DEV, deployment={"forceMeshConfig": True}))
    mesh.preview().succeeded()
    mesh.up().succeeded()
    assert ports(api) == [6379, 7070]

    home.write("dev", DEV)
    mesh.up().succeeded()
    assert mesh.preview().succeeded().changes() == []


def test_an_image_that_kubectl_set_is_a_conflict_that_says_what_to_do(
    api: Api, mesh: Stack
) -> None:
    """The remedy of the message, carried out: one update that takes every field back."""
    injector = deployment("injector")
    spec = api.get(injector)["spec"]["template"]["spec"]
    declared = spec["containers"][0]["image"]
    spec["containers"][0]["image"] = "flomesh/fsm-injector:latest"
    theirs = {"spec": {"template": {"spec": {"containers": spec["containers"]}}}}
    written(api, injector, theirs, manager="kubectl-set")
    mesh.refresh().succeeded()

    errors = mesh.preview().refused()

    assert errors.count(OTHER_REMEDIES) == 1
    assert 'conflict with "kubectl-set"' in errors

    mesh.variable("PULUMI_K8S_ENABLE_PATCH_FORCE", "true")
    mesh.preview().succeeded()
    mesh.up().succeeded()
    mesh.variable("PULUMI_K8S_ENABLE_PATCH_FORCE", None)
    assert api.get(injector)["spec"]["template"]["spec"]["containers"][0]["image"] == declared
    assert mesh.preview().succeeded().changes() == []


@pytest.mark.parametrize(("webhook", "writer"), [(WEBHOOK, "injector"), (VALIDATOR, "controller")])
def test_a_webhook_made_anew_restarts_who_writes_its_authority(
    api: Api, mesh: Stack, webhook: dict[str, Any], writer: str
) -> None:
    """It has no CA bundle, and its writer writes one when it starts: in the same update."""
    slug = f"fsm-{webhook['kind'].lower()}-{webhook['metadata']['name']}"
    others = {app: template(api, app) for app in ("bootstrap", "controller", "injector")}
    assert mesh.refresh().succeeded().changes() == []
    api.delete(webhook)
    mesh.refresh().succeeded()

    preview = mesh.preview().succeeded()
    up = mesh.up().succeeded()

    assert preview.changes() == up.changes()
    assert up.changes() == [("create", slug), ("update", f"fsm-deployment-fsm-{writer}")]
    new = template(api, writer)
    uid = api.get(webhook)["metadata"]["uid"]
    assert uid in new["metadata"]["annotations"][FOLLOWED].split(",")
    before = others.pop(writer)
    assert new["spec"] == before["spec"]
    assert new != before
    assert others == {app: template(api, app) for app in others}
    assert mesh.up().succeeded().changes() == []
    assert mesh.refresh().succeeded().changes() == []


def template(api: Api, app: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(deployment(app))["spec"]["template"]
    return found


def test_a_ca_bundle_of_the_injectors_survives_what_the_stack_does(
    api: Api, home: Project, mesh: Stack
) -> None:
    """Else each update of the webhook would refuse every new pod."""
    live = api.get(WEBHOOK)
    live["webhooks"][0]["clientConfig"]["caBundle"] = "Y2E="
    written(api, WEBHOOK, {"webhooks": live["webhooks"]}, manager="fsm-injector")
    assert mesh.refresh().succeeded().changes() == []
    assert mesh.preview().succeeded().changes() == []

    home.write("dev", changed(DEV, components={"injector": {"webhookTimeoutSeconds": 7}}))
    up = mesh.up().succeeded()

    assert ("update", "fsm-mutatingwebhookconfiguration-fsm-webhook-fsm") in up.changes()
    (webhook,) = api.get(WEBHOOK)["webhooks"]
    assert webhook["timeoutSeconds"] == 7
    assert webhook["clientConfig"]["caBundle"] == "Y2E="


def test_a_webhook_is_not_renamed_under_enrolled_namespaces(
    api: Api, home: Project, mesh: Stack
) -> None:
    """The refusal comes before anything changes, and its way out leads out."""
    renamed = changed(DEV, mesh={"webhookNamePrefix": "other"})
    home.write("dev", renamed)

    for run in (mesh.preview(), mesh.up()):
        errors = run.refused()
        assert errors.count("MutatingWebhookConfiguration/fsm-webhook-fsm would become") == 1
        assert errors.count("Set enrolledNamespaces to [] and run pulumi up") == 1
        assert "Traceback" not in run.output
        assert "RunError" not in run.output
    assert api.exists(WEBHOOK)

    other = {**WEBHOOK, "metadata": {"name": "other-fsm"}}
    for settings in (
        {**DEV, "enrolledNamespaces": []},
        {**renamed, "enrolledNamespaces": []},
        renamed,
    ):
        home.write("dev", settings)
        mesh.preview().succeeded()
        mesh.up().succeeded()
    assert api.exists(other)
    assert not api.exists(WEBHOOK)

    for settings in ({**renamed, "enrolledNamespaces": []}, {**DEV, "enrolledNamespaces": []}):
        home.write("dev", settings)
        mesh.up().succeeded()


def test_a_preview_of_one_port_shows_the_port_and_little_else(home: Project, mesh: Stack) -> None:
    """A reviewer reads what changes, not the documents that it stands in."""
    home.write("dev", ONE_PORT_MORE)

    lines = mesh.preview(diff=True).succeeded().output.splitlines()

    shown = [line for line in lines if not line.startswith("warning: ")]
    assert any(line.strip() == "+ [2]: 9000" for line in shown)
    assert len(shown) <= 40, "\n".join(shown)
