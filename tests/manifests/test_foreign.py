"""The list of fields that others write on purpose."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fsm_stack.manifests.foreign import (
    foreign_paths,
    foreign_paths_of_rendered,
    paths_by_object,
)
from fsm_stack.manifests.mesh_config import CRD_NAME
from tests.manifests.stacks import FULL, bundle_of, named, settings_of


@pytest.mark.parametrize("data", [{}, FULL])
def test_every_path_is_on_an_object_of_the_bundle(data: dict[str, Any]) -> None:
    """A name that no object has would ignore nothing, and nobody would see it."""
    on_objects = {
        (item.kind, item.name): item.foreign_paths
        for item in bundle_of(data)
        if item.foreign_paths
    }
    assert on_objects == paths_by_object(settings_of(data))


_STEP = re.compile(r'\[\*\]|\["([^"]+)"\]|\.?([A-Za-z]+)')


@pytest.mark.parametrize("data", [{}, FULL])
def test_every_path_leads_through_the_object(data: dict[str, Any]) -> None:
    """All but the field itself, and its map, are in what we declare."""
    for item in bundle_of(data):
        for path in item.foreign_paths:
            *parents, _ = [match[1] or match[2] or "*" for match in _STEP.finditer(path)]
            place: Any = item.object
            for step in parents:
                if step == "annotations" and step not in place:
                    break
                place = place[0] if step == "*" else place[step]


def test_all_reasons_are_given() -> None:
    """Reports say them behind the writer: "fsm-injector: it writes the authority ..."."""
    for foreign in foreign_paths(settings_of(FULL)):
        assert re.fullmatch("fsm-[a-z]+|horizontal-pod-autoscaler", foreign.writer), foreign
        assert re.fullmatch(r"it [a-z]+ [^.]{12,}", foreign.why), foreign


def test_objects_known_by_their_names_have_the_same_paths() -> None:
    """A rendered tree says neither replicas nor CRD of its stack."""
    settings = settings_of({})
    assert foreign_paths_of_rendered(
        mesh_config="fsm-mesh-config",
        mutating="fsm-webhook-fsm",
        validating="fsm-validator-mesh-fsm",
    ) == tuple(one for one in foreign_paths(settings) if one.kind != "CustomResourceDefinition")


def test_the_ca_bundles_are_the_programs_own() -> None:
    path = "webhooks[*].clientConfig.caBundle"
    injector = named({}, "MutatingWebhookConfiguration", "fsm-webhook-fsm")
    validator = named({}, "ValidatingWebhookConfiguration", "fsm-validator-mesh-fsm")
    assert injector.foreign_paths == validator.foreign_paths == (path,)


def test_replicas_are_the_autoscalers_where_there_is_one() -> None:
    """Declared and scaled, each apply would set the pods back."""
    scaled = named(FULL, "Deployment", "fsm-injector")
    fixed = named({}, "Deployment", "fsm-injector")
    assert scaled.foreign_paths == ("spec.replicas",)
    assert "replicas" not in scaled.object["spec"]
    assert fixed.foreign_paths == ()
    assert fixed.object["spec"]["replicas"] == 1


def test_what_bootstrap_writes_into_the_crd() -> None:
    """Source: flomesh-io/fsm cmd/fsm-bootstrap, applyOrUpdateCRDs."""
    crd = paths_by_object(settings_of({}))["CustomResourceDefinition", CRD_NAME]
    assert set(crd) == {
        'metadata.labels["flomesh.io/reconcile"]',
        "spec.conversion",
        "spec.names",
        "spec.versions",
    }


@pytest.mark.parametrize("system", ["osm", "osm-edge"])
def test_other_systems_have_none(system: str) -> None:
    assert foreign_paths(settings_of({"system": system})) == ()
