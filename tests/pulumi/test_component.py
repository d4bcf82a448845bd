"""The stack as programs in other languages see it: schema, inputs, outputs, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest
import yaml
from pulumi.output import Unknown
from pulumi.provider.server import ComponentInitError

from fsm_stack.pulumi.component import StackProvider
from fsm_stack.pulumi.kinds import python_name
from fsm_stack.pulumi.stack import STACK_TYPE, StackOutputs
from fsm_stack.redirection.scopes import SCHEMA_VERSION

from .recorder import Recorder, run
from .samples import settings, up

REPOSITORY = Path(__file__).parents[2]
# As a language host hands numbers over.
GIVEN = {
    "enrolledNamespaces": [{"name": "shop"}, {"name": "demo", "create": True}],
    "traffic": {"outboundPortExclusionList": [6379.0]},
    "annotationProfiles": {"redis-client": {"outboundPortExclusionList": [6380.0]}},
    "releaseAssets": {"source": "omit"},
    "deployment": {"lookOnly": True},
}
KIND = {"context": "kind"}


def constructed(given: Any, **options: Any) -> tuple[Recorder, dict[str, Any]]:
    """What a program's component asks of the engine, and its outputs when all are known."""
    outputs: dict[str, Any] = {}

    def program() -> None:
        made = StackProvider().construct(
            "fsm", STACK_TYPE, {"settings": given}, pulumi.ResourceOptions(**options)
        )
        for key, value in made.state.items():
            pulumi.Output.from_input(value).apply(
                lambda known, key=key: outputs.__setitem__(key, known)
            )

    return run(program), outputs


def refused(given: Any) -> pulumi.InputPropertiesError:
    with pytest.raises(pulumi.InputPropertiesError) as caught:
        constructed(given)
    return caught.value


def test_the_committed_schema_is_the_components() -> None:
    """Other languages' SDKs are made from it: a change has to be seen in review."""
    committed = (REPOSITORY / "schemas/component.schema.json").read_text(encoding="utf-8")

    assert json.loads(StackProvider().schema or "") == json.loads(committed)


def test_the_component_has_the_outputs_of_a_stack() -> None:
    (resource,) = json.loads(StackProvider().schema or "")["resources"].values()

    assert set(resource["properties"]) == set(StackOutputs.__annotations__)
    assert resource["requiredInputs"] == ["settings"]


def test_the_component_declares_what_the_stack_of_the_same_settings_declares() -> None:
    """Programs in two languages must not bring up two meshes."""
    recorder, outputs = constructed(GIVEN)

    whole = json.loads(json.dumps(GIVEN).replace(".0", ""))
    other = up(settings(**whole))
    ours = {one.name: one for one in recorder.registrations if one.name != "fsm-cluster"}
    assert {name: (one.type, one.inputs, one.parent) for name, one in ours.items()} == {
        one.name: (one.type, one.inputs, one.parent) for one in other.registrations
    }
    assert {one.provider for one in ours.values() if one.custom} == {"fsm-cluster", ""}
    assert outputs["annotations"] == {
        "redis-client": {"flomesh.io/outbound-port-exclusion-list": "6380"}
    }
    assert outputs["schemaVersion"] == SCHEMA_VERSION
    assert set(outputs) == set(StackOutputs.__annotations__)


def test_a_provider_that_the_program_chose_is_the_clusters() -> None:
    recorder = Recorder()

    def program() -> None:
        chosen = pulumi_kubernetes.Provider("mine")
        options = pulumi.ResourceOptions(providers={"kubernetes": chosen})
        StackProvider().construct("fsm", STACK_TYPE, {"settings": GIVEN}, options)

    run(program, recorder=recorder)

    custom = {one.provider for one in recorder.registrations if one.type.startswith("kubernetes:")}
    assert custom == {"mine"}
    assert "fsm-cluster" not in {one.name for one in recorder.registrations}


def test_two_meshes_of_one_program_that_share_an_object_are_refused() -> None:
    """In a process that serves both, each with a monitor and a provider of its own."""
    provider = StackProvider()

    def program(name: str, given: dict[str, Any]) -> None:
        run(lambda: void(provider.construct(name, STACK_TYPE, {"settings": given}, None)))

    program("one-of-two", GIVEN)
    program("one-of-two", GIVEN)
    with pytest.raises(
        pulumi.InputPropertiesError, match="other-of-two: Namespace/fsm-system is an object"
    ):
        program("other-of-two", GIVEN)

    names = {"releaseName": "blue", "name": "blue", "namespace": "blue-system"}
    program("blue", {**GIVEN, "mesh": names, "enrolledNamespaces": []})


def void(_: Any) -> None:
    """A program returns nothing."""


def test_wrong_settings_are_told_at_their_properties() -> None:
    """With the names that the program wrote, whatever its language calls them."""
    error = refused(
        {**GIVEN, "traffic": {"outboundPortExclusionList": [70000], "enableEgres": True}}
    )

    assert error.message == "fsm: the settings cannot be used; nothing was changed"
    assert error.errors == [
        {
            "property_path": "settings.traffic.enableEgres",
            "reason": "expected a setting of traffic, got 'enableEgres'; did you mean "
            "'enableEgress'? [unknown-key] Fix: Write enableEgress.",
        },
        {
            "property_path": "settings.traffic.outboundPortExclusionList[0]",
            "reason": "expected a port from 1 to 65535, got 70000 [invalid-port]",
        },
    ]


@pytest.mark.parametrize(
    ("given", "path", "reason"),
    [
        ([], "settings", "expected a mapping of settings, got a list [wrong-type]"),
        (
            {"cluster": {"uid": Unknown()}},
            "settings.cluster.uid",
            "expected a plain value, got an output of a resource, or a secret [wrong-type] Fix: "
            "Write the value itself: the objects of a mesh follow from it before any is made.",
        ),
    ],
    ids=["no mapping", "not known yet"],
)
def test_settings_are_plain_data(given: Any, path: str, reason: str) -> None:
    """An output is known only after the program has said which objects there are."""
    assert refused(given).errors == [{"property_path": path, "reason": reason}]


def test_an_output_among_the_settings_is_refused_in_update_and_preview() -> None:
    given: dict[str, Any] = {}

    def program() -> None:
        given["settings"] = {"fsmVersion": pulumi.Output.from_input("1.5.1")}
        StackProvider().construct("fsm", STACK_TYPE, given, None)

    with pytest.raises(pulumi.InputPropertiesError) as caught:
        run(program)
    assert caught.value.errors is not None
    assert [one["property_path"] for one in caught.value.errors] == ["settings.fsmVersion"]


def test_warnings_are_logged_and_stop_nothing() -> None:
    recorder, _ = constructed(
        {**GIVEN, "traffic": {"outboundIPRangeExclusionList": ["2.2.2.1/24"]}}
    )

    assert any("[host-bits]" in text for level, text in recorder.log if level == "WARNING")
    assert recorder.registrations


def test_release_assets_that_are_not_there_are_told_at_their_setting() -> None:
    (error,) = (
        refused({**GIVEN, "releaseAssets": {}, "deployment": {}, "cluster": KIND}).errors or ()
    )

    assert error["property_path"] == "settings.releaseAssets.source"
    assert "expected releases/1.5.1/scripts.tar.gz [assets-missing]" in error["reason"]


def test_settings_that_no_bundle_follows_from_end_the_program_with_one_sentence() -> None:
    """No traceback of ours would help."""
    given = {**GIVEN, "deployment": {"lookOnly": True, "adopt": ["Deployment/shop/web"]}}

    error = refused(given)

    assert error.errors == []
    assert error.message == (
        "deployment.adopt[0]: expected an object of this stack, got Deployment/shop/web; "
        "fsm-stack adopt lists them"
    )


def test_a_defect_of_ours_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its traceback, which the SDK adds."""

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("fsm_stack.pulumi.component.contents", broken)
    with pytest.raises(ComponentInitError):
        constructed(GIVEN)


def test_the_plugins_folder_starts_the_provider() -> None:
    """The engine makes an environment of its own there, and runs the folder."""
    folder = REPOSITORY / "plugin"
    plugin = yaml.safe_load((folder / "PulumiPlugin.yaml").read_text(encoding="utf-8"))

    assert plugin["runtime"]["name"] == "python"
    assert "from fsm_stack.pulumi.component import main" in (folder / "__main__.py").read_text()
    assert python_name("schemaVersion") == "schema_version"
