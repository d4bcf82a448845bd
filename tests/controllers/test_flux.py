"""Flux's kustomize-controller with the example's Kustomizations over the committed tree of `dev`."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fsm_stack.manifests.manifest import Wave
from tests.apiserver.apiserver import NotInstalledError
from tests.apiserver.client import eventually
from tests.engine.nodeless import ready_pods

from .flux import Flux, running
from .mesh import (
    AUTHORITY,
    ROOT,
    built,
    creations,
    cut,
    foreign,
    live,
    manifests,
    replay,
    tree,
    versions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.apiserver.client import Api

pytestmark = pytest.mark.gitops

WAVE = "fsm-2-mesh-config"
NAMES = {f"{one.kind}/{one.name}" for one in manifests()}


@pytest.fixture(scope="module")
def example() -> list[dict[str, Any]]:
    """The objects of the example with the component of the stack in them, the source first."""
    try:
        text = built(ROOT / "docs/gitops/flux")
    except NotInstalledError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    items = list(yaml.safe_load_all(text))
    return sorted(
        items, key=lambda item: (item["kind"] == "Kustomization", item["metadata"]["name"])
    )


@pytest.fixture(scope="module")
def flux(api: Api, home: Path) -> Iterator[Flux]:
    try:
        with running(api, home) as controller:
            yield controller
    except NotInstalledError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def waiting(
    api: Api, flux: Flux, example: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The first revision, while no program of the control plane is ready."""
    repository = tmp_path_factory.mktemp("flux")
    tree(repository)
    revision = flux.push(repository, example[0])
    for item in example[1:]:
        api.create(item)

    def all_but_the_last() -> bool:
        return NAMES - live(api).keys() == {"Namespace/demo"}

    eventually("the control plane is declared", all_but_the_last, seconds=120)
    return revision


@pytest.fixture(scope="module")
def synced(api: Api, flux: Flux, example: list[dict[str, Any]], waiting: str) -> str:
    """The first revision, applied whole."""
    with ready_pods(api, "fsm-system"):
        for item in example[1:]:
            flux.applied(item, waiting)
    return waiting


def reconcile(flux: Flux, example: list[dict[str, Any]]) -> None:
    for item in example[1:]:
        flux.ask(item)


@pytest.mark.usefixtures("waiting")
def test_a_namespace_joins_only_when_the_control_plane_is_ready(
    api: Api, flux: Flux, example: list[dict[str, Any]]
) -> None:
    """Else its new pods are refused while nobody answers for the webhook."""
    last = example[-1]

    def told() -> str | None:
        conditions = api.get(last).get("status", {}).get("conditions", ())
        reasons = {one["type"]: one["message"] for one in conditions}
        message = reasons.get("Ready", "")
        return message if "fsm-5-control-plane" in message else None

    message = eventually("the last wave waits", told, seconds=30)
    assert message == "dependency 'flux-system/fsm-5-control-plane' is not ready"
    assert NAMES - live(api).keys() == {"Namespace/demo"}
    assert flux.program.process.poll() is None


@pytest.mark.usefixtures("synced")
def test_no_wave_is_made_before_the_one_before(api: Api) -> None:
    """Controllers would make webhook configurations themselves, were they there first."""
    waves = creations(api)
    assert [wave for wave, _ in waves] == list(Wave)
    for (_, before), (wave, after) in pairwise(waves):
        assert max(before) <= min(after), wave
    assert len({time for _, times in waves for time in times}) > 1


@pytest.mark.usefixtures("synced")
def test_what_fsm_s_programs_write_stays(
    api: Api, flux: Flux, example: list[dict[str, Any]]
) -> None:
    """A fight would take the webhook's authority away, and refuse every new pod."""
    before = versions(api)
    reconcile(flux, example)
    assert versions(api) == before
    assert replay(api) == foreign()
    before = versions(api)
    reconcile(flux, example)
    assert versions(api) == before
    (webhook,) = live(api)["MutatingWebhookConfiguration/fsm-webhook-fsm"]["webhooks"]
    assert webhook["clientConfig"]["caBundle"] == AUTHORITY


@pytest.mark.usefixtures("synced")
def test_without_the_component_flux_takes_a_connector_s_addresses_back(
    api: Api, flux: Flux, example: list[dict[str, Any]]
) -> None:
    """Else the test before this one could not fail."""
    replay(api)
    kustomization = next(item for item in example if item["metadata"]["name"] == WAVE)

    def address() -> str:
        config = live(api)["MeshConfig/fsm-mesh-config"]
        return str(config["spec"]["connector"]["viaGateway"]["clusterIP"])

    flux.ask(kustomization)
    assert address() == "10.96.7.7"
    api.patch(kustomization, {"spec": {"ignore": None}})
    flux.ask(kustomization)
    assert address() == ""
    api.patch(kustomization, {"spec": {"ignore": kustomization["spec"]["ignore"]}})


@pytest.mark.usefixtures("synced")
def test_another_value_is_brought_and_foreign_fields_stay(
    api: Api, flux: Flux, example: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Ignoring a field must not keep the rest of its object from following Git."""
    replay(api)
    objects = tree(tmp_path) / "objects"
    file = next(objects.rglob("mutatingwebhookconfiguration-fsm-*.yaml"))
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("timeoutSeconds: 20", "timeoutSeconds: 7"), encoding="utf-8")
    revision = flux.push(tmp_path, example[0])
    with ready_pods(api, "fsm-system"):
        for item in example[1:]:
            flux.applied(item, revision)
    (webhook,) = live(api)["MutatingWebhookConfiguration/fsm-webhook-fsm"]["webhooks"]
    assert (webhook["timeoutSeconds"], webhook["clientConfig"]["caBundle"]) == (7, AUTHORITY)


@pytest.mark.usefixtures("synced")
def test_pruning_takes_no_namespace_and_no_crd(
    api: Api, flux: Flux, example: list[dict[str, Any]], tmp_path: Path
) -> None:
    """With a namespace would go its workloads, with the CRD every mesh's configuration."""
    objects = tree(tmp_path) / "objects"
    assert len(cut(objects, ["Namespace", "CustomResourceDefinition"])) == 3
    for folder in ("0-namespace", "1-crd", "6-enrolment"):  # a folder without a file is none
        about = {"name": f"other-{folder}", "namespace": "default"}
        other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about}
        (objects / folder / "other.yaml").write_text(yaml.safe_dump(other))
    (objects / "3-foundation/service-fsm-validator.yaml").unlink()
    revision = flux.push(tmp_path, example[0])
    with ready_pods(api, "fsm-system"):
        for item in example[1:]:
            flux.applied(item, revision)
    assert NAMES - live(api).keys() == {"Service/fsm-validator"}
    assert (
        "deletionTimestamp"
        not in api.get({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}})[
            "metadata"
        ]
    )
