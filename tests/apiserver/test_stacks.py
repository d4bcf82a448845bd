"""The three environments, and one with every program, object by object, on a real API server."""

from __future__ import annotations

import copy
import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.release import ReleaseAsset
from fsm_stack.redirection.scopes import redirection
from fsm_stack.settings.stack_file import load_text
from fsm_stack.units import amount
from tests.manifests.stacks import EVERYTHING, bundle_of

from .client import ApiError, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.manifests.manifest import Manifest

    from .client import Api

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parent.parent.parent
STACKS = ("dev", "staging", "prod", "everything")
SCRIPTS = ReleaseAsset(version="1.5.1", sha256="0" * 64, scripts=b"stands for the release's own")


def objects(stack: str) -> tuple[Manifest, ...]:
    if stack == "everything":
        return bundle_of(EVERYTHING | {"enrolledNamespaces": []})
    file = ROOT / f"Pulumi.{stack}.yaml"
    text = file.read_text(encoding="utf-8")
    settings = load_text(text, file=file.name, today=date(2026, 7, 1)).require()
    asset = SCRIPTS if settings.release_assets.source == "vendored" else None
    return bundle(settings, redirection(settings), asset=asset)


def applied(api: Api, stack: str) -> list[dict[str, Any]]:
    """Apply a stack in its own order; what others own is created first, as it would be."""
    answers = []
    for manifest in objects(stack):
        if manifest.patch:
            bare = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": manifest.name}}
            api.apply(bare, manager="someone-else")
        answers.append(api.apply(dict(manifest.object), manager="fsm-stack"))
    return answers


@pytest.fixture(scope="module", autouse=True)
def without_mesh_configs(api: Api) -> None:
    """Other suites of the session may have left upstream's CRD, under another field manager."""
    crd = next(dict(m.object) for m in objects("dev") if m.kind == "CustomResourceDefinition")
    if api.exists(crd):
        api.delete(crd)
        eventually("the other CRD is gone", lambda: not api.exists(crd), seconds=30)


@pytest.fixture
def clean(api: Api) -> Iterator[None]:
    """What one environment leaves must not meet the next one.

    A webhook configuration with ``failurePolicy: Fail`` would refuse objects, and a MeshConfig of
    another environment is no update that a user makes.
    """
    yield
    for found in api.list("config.flomesh.io/v1alpha3", "MeshConfig"):
        api.delete(found)
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        for found in api.list("admissionregistration.k8s.io/v1", kind):
            api.delete(found)
    usual = {manifest.key for stack in STACKS[:-1] for manifest in objects(stack)}
    for manifest in objects("everything"):
        if manifest.key not in usual and api.exists(dict(manifest.object)):
            api.delete(dict(manifest.object))


def mesh_config(stack: str) -> dict[str, Any]:
    return next(dict(m.object) for m in objects(stack) if m.kind == "MeshConfig")


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("stack", STACKS)
def test_every_object_is_accepted_and_applying_twice_changes_nothing(api: Api, stack: str) -> None:
    """Strict field validation refuses an unknown or misspelt field of any kind."""
    first = applied(api, stack)
    second = applied(api, stack)
    assert len(first) == len(objects(stack))
    for before, after in zip(first, second, strict=True):
        assert version(before) == version(after), before["metadata"]["name"]


def version(stored: dict[str, Any]) -> Any:
    """What changes when the object does; a CRD's status also changes by itself."""
    metadata = stored["metadata"]
    key = "generation" if stored["kind"] == "CustomResourceDefinition" else "resourceVersion"
    return metadata[key]


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("stack", STACKS)
def test_what_is_sent_is_what_is_stored(api: Api, stack: str) -> None:
    """A field that the server prunes would be a setting without effect."""
    for manifest, stored in zip(objects(stack), applied(api, stack), strict=True):
        assert missing(dict(manifest.object), stored) == []


def missing(sent: Any, stored: Any, path: str = "") -> list[str]:
    """Paths of what was sent and did not come back; the server may add."""
    if isinstance(sent, dict):
        if not isinstance(stored, dict):
            return [path]
        return [p for key in sent for p in missing(sent[key], stored.get(key), f"{path}.{key}")]
    if isinstance(sent, list):
        if not isinstance(stored, list) or len(sent) != len(stored):
            return [path]
        pairs = enumerate(zip(sent, stored, strict=True))
        return [p for index, (a, b) in pairs for p in missing(a, b, f"{path}[{index}]")]
    if ".resources." in path and isinstance(stored, str):
        return [] if amount(str(sent)) == amount(stored) else [f"{path}: {sent} != {stored}"]
    return [] if sent == stored else [f"{path}: {sent} != {stored}"]


BROKEN: list[tuple[tuple[str, ...], Any]] = [
    (("traffic", "outboundPortExclusionList"), [70000]),
    (("traffic", "outboundPortExclusionList"), list(range(1, 17))),
    (("traffic", "outboundIPRangeExclusionList"), ["fd00::/8"]),
    (("traffic", "outboundIPRangeExclusionList"), ["foo; rm -rf / 10.0.0.0/8"]),
    (("traffic", "networkInterfaceExclusionList"), ["$(id -u)"]),
    (("traffic", "interceptionMode"), "ebpf"),
    (("sidecar", "localProxyMode"), "Nowhere"),
]


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(("path", "value"), BROKEN, ids=[f"{p[-1]}={v}"[:48] for p, v in BROKEN])
def test_our_schema_refuses_what_would_break_pods(
    api: Api, path: tuple[str, ...], value: Any
) -> None:
    """Until bootstrap replaces the schema by its own, which has no such limits."""
    applied(api, "dev")
    broken = copy.deepcopy(mesh_config("dev"))
    section = broken["spec"]
    for step in path[:-1]:
        section = section[step]
    section[path[-1]] = value
    with pytest.raises(ApiError) as caught:
        api.apply(broken, manager="fsm-stack")
    assert path[-1] in caught.value.message


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("stack", STACKS)
def test_upstreams_schema_keeps_our_mesh_config_as_it_is(
    api: Api, upstream_crds: Path, stack: str
) -> None:
    """Bootstrap replaces our CRD by this one; nothing may vanish or be refused then."""
    applied(api, stack)
    text = (upstream_crds / "config.flomesh.io_meshconfigs.yaml").read_text(encoding="utf-8")
    upstream = yaml.safe_load(text)
    api.apply(upstream, manager="fsm-bootstrap", force=True)
    defaults = eventually(
        "upstream's schema is in force", lambda: defaulted(api, stack), seconds=20
    )
    assert defaults == UPSTREAM_DEFAULTS
    stored = api.get(mesh_config(stack))
    assert missing(mesh_config(stack)["spec"], stored["spec"]) == []
    again = api.apply(mesh_config(stack), manager="fsm-stack")
    assert again["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]
    # give our CRD back, for the tests that follow
    crd = next(m for m in objects(stack) if m.kind == "CustomResourceDefinition")
    api.apply(dict(crd.object), manager="fsm-bootstrap", force=True)


# Go leaves these out when they are false, and upstream's schema fills them in again.
UPSTREAM_DEFAULTS = [
    ".sidecar.localDNSProxy.generateIPv6BasedOnIPv4",
    ".traffic.serviceAccessNames.mustWithServicePort",
]


def defaulted(api: Api, stack: str) -> list[str] | None:
    """Paths that the server's schema adds to our MeshConfig."""
    sent = mesh_config(stack)
    stored = api.apply(sent, manager="fsm-stack")
    return added(sent["spec"], stored["spec"]) or None


def added(sent: Any, stored: Any, path: str = "") -> list[str]:
    """Paths that came back and were not sent."""
    if isinstance(sent, dict) and isinstance(stored, dict):
        new = [f"{path}.{key}" for key in stored if key not in sent]
        return new + [
            p for key in sent for p in added(sent[key], stored.get(key), f"{path}.{key}")
        ]
    return []


def test_the_operator_s_example_fits_its_crd(api: Api) -> None:
    """A field that the CRD does not have is dropped, and a setting without effect."""
    file = os.environ.get("FSM_STACK_PKO_CRD")
    if not file:
        pytest.skip("FSM_STACK_PKO_CRD names no file: pulumi.com_stacks.yaml of the operator")
    crd = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    api.apply(crd)
    text = (ROOT / "docs/gitops/pulumi-operator/stack.yaml").read_text(encoding="utf-8")
    *others, stack = yaml.safe_load_all(text)
    namespace = {"name": stack["metadata"]["namespace"]}
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": namespace})
    for item in others:
        api.apply(item, dry_run=True)
    stored = api.apply(stack, dry_run=True)
    assert missing(stack["spec"], stored["spec"]) == []
    with pytest.raises(ApiError, match="field not declared in schema"):
        api.apply({**stack, "spec": {**stack["spec"], "repoDirectory": "."}}, dry_run=True)
    api.delete(crd)
