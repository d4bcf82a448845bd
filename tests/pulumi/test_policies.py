"""What the policy pack finds in any Pulumi stack: the ids of lint and validate, per resource."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fsm_stack.findings.catalogue import all_rules
from fsm_stack.pulumi.policies import RULES, Declared, violations

from .samples import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.settings.models.stack import StackSettings

REPOSITORY = Path(__file__).parents[2]
TODAY = date(2026, 1, 1)
PORTS = "flomesh.io/outbound-port-exclusion-list"
MESH_CONFIG = "kubernetes:config.flomesh.io/v1alpha3:MeshConfig"


def declared(type_token: str, name: str, **properties: Any) -> Declared:
    metadata = {"name": name, **properties.pop("metadata", {})}
    return Declared(
        urn=f"urn:pulumi:prod::shop::{type_token}::{name}",
        type=type_token,
        properties={"metadata": metadata, **properties},
    )


def deployment(name: str = "web", **annotations: Any) -> Declared:
    pod = {
        "metadata": {"annotations": annotations, "labels": {"app": name}},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    }
    return declared(
        "kubernetes:apps/v1:Deployment",
        name,
        metadata={"namespace": "shop"},
        spec={"selector": {"matchLabels": {"app": name}}, "template": pod},
    )


def told(*resources: Declared, mesh: StackSettings | None = None) -> list[tuple[str, str]]:
    """Id and logical name of every violation."""
    found = violations(resources, mesh or settings(), today=TODAY)
    return [(one.id, one.urn.rpartition("::")[2]) for one in found]


def errors(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [one for one in found if all_rules()[one[0]].severity.value == "error"]


def test_a_workload_as_it_should_be_violates_nothing() -> None:
    assert told(deployment(**{PORTS: "6380"})) == []


def test_a_list_that_the_injector_cannot_load_is_told_with_its_place_and_its_urn() -> None:
    (found,) = violations([deployment(**{PORTS: "80,70000"})], settings(), today=TODAY)

    assert found.id == "invalid-port"
    assert found.urn == "urn:pulumi:prod::shop::kubernetes:apps/v1:Deployment::web"
    assert "Deployment/shop/web" in found.message
    assert f"spec.template.metadata.annotations.{PORTS}" in found.message
    assert found.message.count("[invalid-port]") == 1


def test_the_mesh_says_what_a_workloads_lists_are_together_with() -> None:
    """Sixteen ports are more than one rule takes: neither side sees it alone."""
    mesh = settings(traffic={"outboundPortExclusionList": list(range(1, 11))})
    workload = deployment(**{PORTS: "101,102,103,104,105,106"})

    assert errors(told(workload)) == []
    assert [found for found, _ in errors(told(workload, mesh=mesh))] == ["too-many-ports"]


def test_an_annotation_on_the_deployment_itself_is_told_for_a_patch_too() -> None:
    misplaced = deployment()
    about = {"name": "web", "namespace": "shop", "annotations": {PORTS: "6380"}}
    for token in ("kubernetes:apps/v1:Deployment", "kubernetes:apps/v1:DeploymentPatch"):
        resource = Declared(
            urn=misplaced.urn, type=token, properties={**misplaced.properties, "metadata": about}
        )
        assert ("annotation-misplaced", "web") in told(resource), token


def test_namespaces_of_the_program_say_who_is_in_the_mesh() -> None:
    """Wherever in the program they stand."""
    nobody = settings(enrolledNamespaces=[{"name": "other"}])
    enrolled = declared(
        "kubernetes:core/v1:Namespace",
        "shop",
        metadata={
            "labels": {"flomesh.io/monitored-by": "fsm"},
            "annotations": {"flomesh.io/sidecar-injection": "enabled"},
        },
    )
    job = declared(
        "kubernetes:batch/v1:Job",
        "once",
        metadata={"namespace": "shop"},
        spec={"template": {"spec": {"containers": [{"name": "once", "image": "once:1"}]}}},
    )

    assert ("never-completes", "once") in told(job, enrolled, mesh=nobody)
    assert "namespace-assumed" not in [found for found, _ in told(job, enrolled, mesh=nobody)]
    assert "namespace-assumed" in [found for found, _ in told(job, mesh=nobody)]


@pytest.mark.parametrize("token", [MESH_CONFIG, f"{MESH_CONFIG}Patch"])
def test_a_mesh_config_of_the_programs_own_is_checked_as_the_same_settings_are(token: str) -> None:
    """Bootstrap's CRD has no limits: `kubectl patch` and programs write what nobody checks."""
    spec = {
        "traffic": {"outboundPortExclusionList": [0.0, 70000.0], "inboundPortExclusionLists": []}
    }

    found = violations([declared(token, "fsm-mesh-config", spec=spec)], settings(), today=TODAY)

    assert [(one.id, one.message.partition(": ")[0]) for one in found] == [
        ("unknown-key", "spec.traffic.inboundPortExclusionLists"),
        ("invalid-port", "spec.traffic.outboundPortExclusionList[0]"),
        ("invalid-port", "spec.traffic.outboundPortExclusionList[1]"),
    ]


def test_of_what_a_mesh_config_does_not_say_nothing_is_told() -> None:
    spec: Mapping[str, Any] = {"sidecar": {"logLevel": "error"}}

    assert told(declared(MESH_CONFIG, "fsm-mesh-config", spec=spec)) == []
    assert told(declared(MESH_CONFIG, "fsm-mesh-config", spec="{}")) == []


def test_a_section_of_another_type_is_told() -> None:
    resource = declared(MESH_CONFIG, "fsm-mesh-config", spec={"traffic": [1]})

    assert told(resource) == [("wrong-type", "fsm-mesh-config")]


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_objects_of_this_projects_own_stacks_violate_nothing(stack: str) -> None:
    """The pack may be asked of the mesh's stack, too."""
    files = sorted((REPOSITORY / "rendered" / stack).glob("objects/[0-9]-*/*.yaml"))
    objects = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    resources = []
    for item in objects:
        version = item["apiVersion"]
        group = version if "/" in version else f"core/{version}"
        resources.append(
            Declared(
                urn=f"urn::{item['metadata']['name']}",
                type=f"kubernetes:{group}:{item['kind']}",
                properties=item,
            )
        )

    assert resources
    assert errors(told(*resources)) == []


def test_resources_of_other_packages_are_left_alone() -> None:
    assert (
        told(
            declared("aws:s3/bucket:Bucket", "b"),
            declared("kubernetes:helm.sh/v3:Chart", "c"),
            declared("pulumi:providers:kubernetes", "k8s"),
            declared("kubernetes:yaml:ConfigGroup", "g"),
        )
        == []
    )


def test_every_policy_is_a_rule_of_the_catalogue_once() -> None:
    ids = [rule.id for rule in RULES]

    assert len(ids) == len(set(ids))
    assert all(all_rules()[rule.id] is rule for rule in RULES)
