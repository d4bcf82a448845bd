from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as configured

from fsm_stack.manifests.mesh_config import mesh_config_crd, mesh_config_schema
from tests.settings.mesh_config.strategies import mesh_data
from tests.settings.mesh_config.upstream import (
    problems,
    property_paths,
    upstream_crd,
    upstream_spec_schema,
)

from .test_mesh_config import spec

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools/crd_schema.py"))

# Properties of upstream's CRD that we never write.
NOT_WRITTEN = {
    "observability.remoteLogging.authorization",  # a secret; secretName takes its place
    *(  # devices of dynamic resource allocation, which would need claims in the pod
        f"sidecar.{resources}.claims{part}"
        for resources in ("resources", "initResources", "healthcheckResources")
        for part in ("", ".name", ".request")
    ),
}


def test_the_definition_around_the_schema() -> None:
    """Source: flomesh-io/fsm cmd/fsm-bootstrap/crds/config.flomesh.io_meshconfigs.yaml."""
    crd = mesh_config_crd()
    [version] = crd["spec"].pop("versions")
    schema = version.pop("schema")["openAPIV3Schema"]
    schema["properties"].pop("spec")
    assert schema == {
        "type": "object",
        "description": "MeshConfig holds the mesh-wide settings of FSM.",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
        },
        "required": ["spec"],
    }
    assert version == {"name": "v1alpha3", "served": True, "storage": True}
    assert crd == {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "meshconfigs.config.flomesh.io",
            "labels": {"app.kubernetes.io/name": "flomesh.io"},
        },
        "spec": {
            "group": "config.flomesh.io",
            "names": {
                "kind": "MeshConfig",
                "listKind": "MeshConfigList",
                "plural": "meshconfigs",
                "shortNames": ["meshconfig"],
                "singular": "meshconfig",
            },
            "scope": "Namespaced",
            "conversion": {"strategy": "None"},
        },
    }


def spec_schema() -> dict[str, Any]:
    return dict(mesh_config_schema()["properties"]["spec"])


@pytest.mark.requirement("C7", "C9", "C10", "C11", "C20")
def test_every_property_has_upstreams_name() -> None:
    """to_camel alone spells at least twenty of them wrong."""
    ours = set(property_paths(spec_schema()))
    theirs = set(property_paths(upstream_spec_schema()))
    assert ours - theirs == set()
    assert theirs - ours == NOT_WRITTEN


def test_what_upstream_requires_we_require() -> None:
    """Else bootstrap crash-loops once it has replaced the schema by its own."""

    def required(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
        for name, part in schema.get("properties", {}).items():
            if name in schema.get("required", ()):
                yield f"{prefix}{name}"
            yield from required(part.get("items", part), f"{prefix}{name}.")

    assert set(required(upstream_spec_schema())) - NOT_WRITTEN <= set(required(spec_schema()))


def test_the_names_are_upstreams() -> None:
    ours, theirs = mesh_config_crd(), upstream_crd()
    assert ours["metadata"]["name"] == theirs["metadata"]["name"]
    assert ours["metadata"]["labels"] == theirs["metadata"]["labels"]
    for key in ("group", "names", "scope"):
        assert ours["spec"][key] == theirs["spec"][key]


def test_the_one_version_is_the_one_that_fsm_reads() -> None:
    (version,) = mesh_config_crd()["spec"]["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1alpha3", True, True)
    assert mesh_config_crd()["spec"]["conversion"] == {"strategy": "None"}


def schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    inner = [schema.get("items"), schema.get("additionalProperties")]
    for part in (*schema.get("properties", {}).values(), *inner):
        if isinstance(part, dict):
            yield from schemas(part)


def test_the_schema_is_structural() -> None:
    """No references, no null, no closed objects, only what Go's regular expressions have."""
    allowed = {
        *("type", "description", "properties", "required", "items", "additionalProperties"),
        *("enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems"),
        *("maxItems", "anyOf", "x-kubernetes-int-or-string"),
    }
    for schema in schemas(mesh_config_schema()):
        assert set(schema) <= allowed
        assert "type" in schema or schema.get("x-kubernetes-int-or-string")
        assert not any(look in schema.get("pattern", "") for look in ("(?=", "(?!", "(?<"))
        assert schema.get("additionalProperties", {}) is not False
        assert "default" not in schema


@given(mesh_data().filter(lambda d: d.get("traffic", {}).get("interceptionMode") != "iptables"))
@configured(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_schema_accepts_whatever_the_settings_are(data: dict[str, Any]) -> None:
    assert list(problems(spec_schema(), spec(**data))) == []


@pytest.mark.requirement("C21")
@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("outboundPortExclusionList", [70000], "[0]: 70000 breaks maximum 65535"),
        ("inboundPortExclusionList", [0], "[0]: 0 breaks minimum 1"),
        (
            "outboundPortExclusionList",
            list(range(1, 17)),
            f": {list(range(1, 17))} breaks maxItems 15",
        ),
        ("outboundPortExclusionList", [{"value": 80}], "[0]: expected integer, got {'value': 80}"),
        ("interceptionMode", "ebpf", ": 'ebpf' breaks enum ['PodLevel', 'NodeLevel']"),
        ("interceptionMode", "iptables", ": 'iptables' breaks enum ['PodLevel', 'NodeLevel']"),
        (
            "networkInterfaceExclusionList",
            ["sixteen-letters+"],
            "[0]: 'sixteen-letters+' breaks maxLength 15",
        ),
    ],
)
def test_a_first_mesh_that_breaks_pods_is_refused(key: str, value: Any, problem: str) -> None:
    """Upstream's schema takes all of these but the modes."""
    written = spec()
    written["traffic"][key] = value
    assert list(problems(spec_schema(), written)) == [f"spec.traffic.{key}{problem}"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("outboundIPRangeExclusionList", "999.1.1.1/99"),
        ("outboundIPRangeExclusionList", "foo; rm -rf / 10.0.0.0/8"),
        ("outboundIPRangeInclusionList", "fd00::/8"),
        ("networkInterfaceExclusionList", "$(id -u)"),
        ("networkInterfaceExclusionList", "a b"),
        ("networkInterfaceExclusionList", ""),
    ],
)
def test_a_first_mesh_with_shell_syntax_is_refused(key: str, value: str) -> None:
    written = spec()
    written["traffic"][key] = [value]
    assert [line.partition(" breaks")[0] for line in problems(spec_schema(), written)] == [
        f"spec.traffic.{key}[0]: {value!r}"
    ]


def test_every_caller_has_a_schema_of_its_own() -> None:
    mesh_config_crd()["spec"]["versions"].clear()
    mesh_config_schema()["properties"]["spec"]["properties"].clear()
    assert len(mesh_config_crd()["spec"]["versions"]) == 1
    assert "traffic" in spec_schema()["properties"]


@pytest.mark.parametrize(
    "schema",
    [{}, {"anyOf": [{"type": "string"}, {"type": "boolean"}]}, {"description": "anything"}],
    ids=json.dumps,
)
def test_what_has_no_structural_form_is_an_error(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no structural form of"):
        TOOL["structural"](schema, {}, {})


def test_the_committed_schema_is_made_from_the_models() -> None:
    """It is committed for speed; make schema writes it anew."""
    assert mesh_config_schema()["properties"]["spec"] == TOOL["spec_schema"]()
