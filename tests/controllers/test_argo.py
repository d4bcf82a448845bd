"""Argo CD's engine with the example's Application over the committed tree of `dev`.

Argo CD itself is no Go module that can be built here; `tools/gitops` does around its engine what
Argo CD does: tracking, waves with a pause, ignored differences.
"""

from __future__ import annotations

import json
import os
import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fsm_stack.gitops.directory import named
from fsm_stack.gitops.directory import tree as rendered
from fsm_stack.manifests.manifest import Wave
from tests.apiserver.apiserver import NotInstalledError, find
from tests.engine.nodeless import ready_pods
from tests.manifests.stacks import EVERYTHING, bundle_of

from .mesh import (
    AUTHORITY,
    ROOT,
    TARGET,
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
    from pathlib import Path

    from tests.apiserver.client import Api

pytestmark = pytest.mark.gitops

NAMESPACE = "fsm-system"
IN_SYNC = {"phase": "Succeeded", "outOfSync": []}


@pytest.fixture(scope="module")
def application(home: Path) -> Path:
    """The example's Application with the component of the stack in it."""
    try:
        text = built(ROOT / "docs/gitops/argo-cd")
    except NotInstalledError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    file = home / "application.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def sync(
    api: Api, application: Path, objects: Path, *words: str, patience: int = 60
) -> dict[str, Any]:
    """One operation of the engine, and what it says."""
    engine = find("argo-engine", target=TARGET)
    done = subprocess.run(
        [engine, f"--patience={patience}s", *words, application, objects],
        env={"KUBECONFIG": str(api.kubeconfig), "HOME": str(objects.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def in_sync(said: dict[str, Any]) -> dict[str, Any]:
    return {"phase": said["phase"], "outOfSync": said["outOfSync"]}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tree(tmp_path_factory.mktemp("argo"))


@pytest.fixture(scope="module")
def waiting(api: Api, application: Path, repository: Path) -> dict[str, Any]:
    """The first sync, while no program of the control plane is ready."""
    said = sync(api, application, repository / "objects", patience=8)
    assert said["phase"] == "Running", said
    return said


@pytest.fixture(scope="module")
def synced(
    api: Api, application: Path, repository: Path, waiting: dict[str, Any]
) -> dict[str, Any]:
    """The sync that ends, when the programs are ready."""
    assert "Namespace/demo" not in waiting["objects"]
    with ready_pods(api, NAMESPACE):
        said = sync(api, application, repository / "objects")
    assert said["phase"] == "Succeeded", said
    return said


def test_a_namespace_joins_only_when_the_control_plane_is_ready(
    api: Api, waiting: dict[str, Any]
) -> None:
    """Else its new pods are refused while nobody answers for the webhook."""
    assert waiting["message"].startswith("waiting for healthy state of apps/Deployment/fsm-")
    names = {f"{one.kind}/{one.name}" for one in manifests()}
    assert names - live(api).keys() == {"Namespace/demo"}


@pytest.mark.usefixtures("synced")
def test_every_wave_is_made_after_the_one_before(api: Api) -> None:
    """Controllers would make webhook configurations themselves, were they there first."""
    waves = creations(api)
    assert [wave for wave, _ in waves] == list(Wave)
    for (_, before), (wave, after) in pairwise(waves):
        assert max(before) < min(after), wave


@pytest.mark.usefixtures("synced")
def test_what_fsm_s_programs_write_is_no_difference_and_stays(
    api: Api, application: Path, repository: Path
) -> None:
    """A fight would take the webhook's authority away, and refuse every new pod."""
    assert in_sync(sync(api, application, repository / "objects")) == IN_SYNC
    assert replay(api) == foreign()
    before = versions(api)
    # The same objects as Argo CD finds them through kustomization.yaml.
    kustomized = repository.parent / "built.yaml"
    kustomized.write_text(built(repository), encoding="utf-8")
    for objects in (repository / "objects", kustomized):
        assert in_sync(sync(api, application, objects)) == IN_SYNC
    webhook = live(api)["MutatingWebhookConfiguration/fsm-webhook-fsm"]["webhooks"][0]
    assert webhook["clientConfig"]["caBundle"] == AUTHORITY
    assert versions(api) == before


@pytest.mark.usefixtures("synced")
def test_without_the_component_declared_fields_of_fsm_s_programs_differ(
    api: Api, application: Path, repository: Path, tmp_path: Path
) -> None:
    """Else the test before this one could not fail."""
    replay(api)
    item = yaml.safe_load(application.read_text(encoding="utf-8"))
    del item["spec"]["ignoreDifferences"]
    bare = tmp_path / "bare.yaml"
    bare.write_text(yaml.safe_dump(item), encoding="utf-8")
    said = sync(api, bare, repository / "objects", "--compare")
    assert said["outOfSync"] == [
        "CustomResourceDefinition/meshconfigs.config.flomesh.io",
        "MeshConfig/fsm-mesh-config",
    ]
    said = sync(api, application, repository / "objects", "--compare")
    assert said["outOfSync"] == []


@pytest.mark.usefixtures("synced")
def test_another_value_is_brought_and_foreign_fields_stay(
    api: Api, application: Path, repository: Path
) -> None:
    """Ignoring a field must not keep the rest of its object from following Git."""
    replay(api)
    file = next((repository / "objects").rglob("mutatingwebhookconfiguration-fsm-*.yaml"))
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("timeoutSeconds: 20", "timeoutSeconds: 7"), encoding="utf-8")
    assert file.read_text(encoding="utf-8") != text
    said = sync(api, application, repository / "objects")
    assert said["outOfSync"] == ["MutatingWebhookConfiguration/fsm-webhook-fsm"]
    (webhook,) = live(api)["MutatingWebhookConfiguration/fsm-webhook-fsm"]["webhooks"]
    assert (webhook["timeoutSeconds"], webhook["clientConfig"]["caBundle"]) == (7, AUTHORITY)
    crd = live(api)["CustomResourceDefinition/meshconfigs.config.flomesh.io"]["spec"]
    assert len(crd["versions"]) == 2
    assert in_sync(sync(api, application, repository / "objects")) == IN_SYNC


@pytest.mark.usefixtures("synced")
def test_pruning_takes_no_namespace_and_no_crd(
    api: Api, application: Path, tmp_path: Path
) -> None:
    """With a namespace would go its workloads, with the CRD every mesh's configuration."""
    objects = tree(tmp_path) / "objects"
    assert len(cut(objects, ["Namespace", "CustomResourceDefinition"])) == 3
    (objects / "3-foundation/service-fsm-validator.yaml").unlink()
    said = sync(api, application, objects, "--prune")
    assert said["phase"] == "Succeeded", said
    assert said["objects"]["Service/fsm-validator"] == "Pruned: pruned"
    for name in ("Namespace/fsm-system", "Namespace/demo",
                 "CustomResourceDefinition/meshconfigs.config.flomesh.io"):  # fmt: skip
        assert said["objects"][name] == "PruneSkipped: ignored (no prune)", said["objects"]
    names = {f"{one.kind}/{one.name}" for one in manifests()}
    assert names - live(api).keys() == {"Service/fsm-validator"}


def test_a_directory_with_a_file_that_is_no_manifest_is_refused(
    api: Api, application: Path, tmp_path: Path
) -> None:
    """Why nothing else lies among the objects: the reader of plain directories stops at it."""
    objects = tree(tmp_path) / "objects"
    (objects / "values.yaml").write_text(yaml.safe_dump({"a": "b"}))
    with pytest.raises(AssertionError, match=r"values\.yaml: .*'Kind' is missing"):
        sync(api, application, objects)


@pytest.mark.usefixtures("synced")
def test_a_stack_with_every_program_is_in_sync_after_one_sync(
    api: Api, application: Path, tmp_path: Path
) -> None:
    """Policies, autoscalers, DaemonSets: what the server adds by default is no difference."""
    files = rendered(named(bundle_of(EVERYTHING)), {})
    for path, content in files.items():
        file = tmp_path / "every" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    item = yaml.safe_load(application.read_text(encoding="utf-8"))
    (patch,) = yaml.safe_load(files["argo-cd/kustomization.yaml"])["patches"]
    item["spec"] |= yaml.safe_load(patch["patch"])["spec"]
    own = tmp_path / "application.yaml"
    own.write_text(yaml.safe_dump(item), encoding="utf-8")
    with ready_pods(api, NAMESPACE):
        said = sync(api, own, tmp_path / "every/objects")
    assert said["phase"] == "Succeeded", said
    assert "HorizontalPodAutoscaler/fsm-injector-hpa" in said["outOfSync"]
    spared = ["Namespace/demo"]  # of the stack before, which no pruning takes
    assert sync(api, own, tmp_path / "every/objects", "--compare")["outOfSync"] == spared
