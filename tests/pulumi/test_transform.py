"""The transform for other programs' pods, as a function: mocks record transforms, never run them."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from fsm_stack.errors import InputError
from fsm_stack.pulumi.transform import annotate_pods

from .recorder import run

KEY = "flomesh.io/outbound-port-exclusion-list"
TEMPLATE = {"metadata": {"labels": {"app": "web", "tier": "front"}}, "spec": {"containers": []}}
DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def arguments(type_: str, props: dict[str, Any]) -> pulumi.ResourceTransformArgs:
    return pulumi.ResourceTransformArgs(
        custom=True, type_=type_, name="web", props=props, opts=pulumi.ResourceOptions()
    )


def transformed(type_: str, props: dict[str, Any], **matching: Any) -> Any:
    result = annotate_pods({KEY: "6379"}, **matching)(arguments(type_, props))
    return None if result is None else result.props


def deployment(**metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web", **metadata}, "spec": {"replicas": 2, "template": TEMPLATE}}


@pytest.mark.requirement("C16")
def test_the_annotations_go_to_the_pod_template() -> None:
    """On the Deployment itself nobody would read them."""
    given = deployment()
    assert transformed(DEPLOYMENT, given) == {
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "template": {
                "metadata": {
                    "labels": TEMPLATE["metadata"]["labels"],
                    "annotations": {KEY: "6379"},
                },
                "spec": {"containers": []},
            },
        },
    }
    assert given == deployment()


@pytest.mark.parametrize(
    ("type_", "spec", "path"),
    [
        ("kubernetes:core/v1:Pod", {}, ("metadata",)),
        ("kubernetes:apps/v1:StatefulSet", {"template": {}}, ("spec", "template", "metadata")),
        ("kubernetes:batch/v1:Job", {"template": {}}, ("spec", "template", "metadata")),
        (
            "kubernetes:batch/v1:CronJob",
            {"jobTemplate": {"spec": {}}},
            ("spec", "jobTemplate", "spec", "template", "metadata"),
        ),
    ],
)
def test_every_kind_has_its_place(type_: str, spec: Any, path: tuple[str, ...]) -> None:
    value = transformed(type_, {"metadata": {"name": "x"}, "spec": spec})
    for step in path:
        value = value[step]
    assert value["annotations"] == {KEY: "6379"}


def test_other_resources_are_left_alone() -> None:
    assert transformed("kubernetes:core/v1:Service", {"spec": {}}) is None
    assert transformed("aws:ec2/instance:Instance", {}) is None


def test_only_matching_workloads_are_annotated() -> None:
    assert transformed(DEPLOYMENT, deployment(namespace="shop"), namespace="shop") is not None
    assert transformed(DEPLOYMENT, deployment(namespace="bank"), namespace="shop") is None
    assert transformed(DEPLOYMENT, deployment(), labels={"tier": "front"}) is not None
    assert transformed(DEPLOYMENT, deployment(), labels={"tier": "back"}) is None


def test_another_value_is_a_conflict_and_the_same_is_none() -> None:
    props = {"metadata": {"annotations": {KEY: "6379", "a": "b"}}}
    assert transformed("kubernetes:core/v1:Pod", props) == props
    with pytest.raises(InputError) as caught:
        transformed("kubernetes:core/v1:Pod", {"metadata": {"annotations": {KEY: "1"}}})
    assert str(caught.value) == (f"web: annotation {KEY} is '1' already, expected '6379' or none")


@pytest.mark.parametrize(("place", "expected"), [("shop", {KEY: "6379"}), ("bank", {})])
def test_a_namespace_that_is_an_output_counts_when_it_is_known(
    place: str, expected: dict[str, str]
) -> None:
    """As in ``namespace=team.metadata.name``: else the annotation would silently be missing."""
    found: list[Any] = []

    def program() -> None:
        written = transformed(
            DEPLOYMENT,
            deployment(namespace=pulumi.Output.from_input(place)),
            namespace="shop",
            labels={"tier": "front"},
        )
        metadata = written["spec"]["template"]["metadata"]
        pulumi.export("found", pulumi.Output.from_input(metadata).apply(found.append))

    run(program)
    assert found == [{"labels": TEMPLATE["metadata"]["labels"], "annotations": expected}]
