"""MeshConfigs of FSM to settings, and back to themselves."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fsm_stack.convert.chart.commands import merge_patch
from fsm_stack.convert.chart.export import (
    helm_values,
    install_command,
    lost_in_patch,
    lost_in_values,
    merge_patch_of,
)
from fsm_stack.convert.chart.helm import convert_helm_values
from fsm_stack.convert.compared import combined
from fsm_stack.convert.mesh_config import convert_mesh_config
from fsm_stack.convert.result import Converted, leaves, put
from fsm_stack.convert.sources import Options, Sources, converted
from fsm_stack.errors import FindingsError, FsmStackError, InputError
from fsm_stack.manifests.mesh import mesh_config
from fsm_stack.settings.stack_file import load_mapping
from tests.settings.loading import TODAY
from tests.settings.mesh_config.strategies import mesh_data

if TYPE_CHECKING:
    from fsm_stack.settings.models.stack import StackSettings


def live(settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """The MeshConfig of a stack, as bootstrap leaves it."""
    loaded = load_mapping(settings or {}, name="", today=TODAY).settings
    assert loaded is not None
    return json.loads(json.dumps(mesh_config(loaded).object))  # type: ignore[no-any-return]


def settings_of(item: dict[str, Any]) -> dict[str, Any]:
    result = convert_mesh_config(item, today=TODAY)
    assert [one.id for one in result.findings] == []
    return result.settings


def test_the_default_mesh_is_its_identity_alone() -> None:
    """A stack file says what is not FSM's default; the cluster's identity is random otherwise."""
    item = live()
    assert settings_of(item) == {
        "fsmVersion": "1.5.1",
        "clusterSet": {"uid": item["spec"]["clusterSet"]["uid"]},
    }


def test_patched_lists_are_what_the_stack_says() -> None:
    item = live()
    item["spec"]["traffic"]["outboundPortExclusionList"] = [6379, 7070]
    item["spec"]["traffic"]["outboundIPRangeExclusionList"] = ["1.1.1.1/32"]
    result = convert_mesh_config(item, today=TODAY)
    assert result.settings["traffic"] == {
        "outboundPortExclusionList": [6379, 7070],
        "outboundIPRangeExclusionList": ["1.1.1.1/32"],
    }
    assert [str(line) for line in result.lines if line.target.startswith("traffic")] == [
        "spec.traffic.outboundIPRangeExclusionList -> traffic.outboundIPRangeExclusionList",
        "spec.traffic.outboundPortExclusionList -> traffic.outboundPortExclusionList",
    ]


def test_a_field_that_go_left_out_is_its_empty_value() -> None:
    """``omitempty``: a time-out of 0 is absent in the cluster, and 60 is FSM's default."""
    item = live()
    del item["spec"]["sidecar"]["sidecarTimeout"]
    del item["spec"]["sidecar"]["xnetDNSProxy"]["upstreams"]
    assert settings_of(item)["sidecar"] == {
        "sidecarTimeout": 0,
        "xnetDNSProxy": {"upstreams": []},
    }


def test_images_are_told_apart_from_the_releases() -> None:
    item = live()
    digest = f"sha256:{'a' * 64}"
    item["spec"]["image"] |= {"registry": "r.example.com/fsm", "pullPolicy": "Always"}
    item["spec"]["image"]["name"]["fsmInjector"] = "own-injector"
    item["spec"]["image"]["digest"]["fsmCurl"] = digest
    item["spec"]["sidecar"]["sidecarImage"] = f"host:5000/pipy:2.0@{digest}"
    item["spec"]["misc"]["repoServerImage"] = "r.example.com/fsm/pipy-repo:1.5.12"
    assert settings_of(item)["images"] == {
        "registry": "r.example.com/fsm",
        "pullPolicy": "Always",
        "injector": {"name": "own-injector"},
        "curl": {"digest": digest},
        "pipy": {"registry": "host:5000", "tag": "2.0", "digest": digest},
    }


def test_a_release_that_nobody_knows_has_to_be_named() -> None:
    item = live()
    item["spec"]["image"]["tag"] = "1.4.0"
    with pytest.raises(InputError) as caught:
        convert_mesh_config(item, today=TODAY, name="m.yaml")
    assert str(caught.value) == (
        "m.yaml: spec.image.tag: expected one of 1.5.1, 1.6.0, got '1.4.0'; name the release that "
        "it is closest to with --chart-version"
    )
    result = convert_mesh_config(item, today=TODAY, fsm_version="1.5.1")
    assert result.settings["images"] == {"tag": "1.4.0"}


@pytest.mark.parametrize(
    ("written", "read"),
    [("100u", "0.000100"), ("5n", "0.000005m"), ("9281593376568770560u", "9281593376568.770560")],
)
def test_small_amounts_are_written_as_settings_take_them(written: str, read: str) -> None:
    """The API server writes micros and nanos; a stack file has decimals."""
    item = live()
    item["spec"]["sidecar"]["resources"] = {"limits": {"cpu": written}}
    assert settings_of(item)["sidecar"] == {"resources": {"limits": {"cpu": read}}}


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("traffic.outboundPortExclusionlist", [1], "did you mean 'outboundPortExclusionList'?"),
        ("sidecars", {}, "did you mean 'sidecar'?"),
        ("image.digests", {}, "expected a key of FSM's MeshConfig, got 'digests'"),
        ("misc.other", "x", "expected a key of FSM's MeshConfig, got 'other'"),
    ],
)
def test_a_field_that_is_not_known_is_an_error_that_names_it(
    path: str, value: Any, shown: str
) -> None:
    item = live()
    put(item["spec"], path, value)
    with pytest.raises(FindingsError) as caught:
        convert_mesh_config(item, today=TODAY)
    (found,) = caught.value.findings
    assert (found.id, found.place.path) == ("unknown-key", f"spec.{path}")
    assert shown in found.message


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        {"kind": "MeshConfig"},
        {"kind": "MeshConfig", "apiVersion": "config.flomesh.io/v1alpha3"},
        {"kind": "MeshConfig", "apiVersion": "config.flomesh.io/v1alpha3", "spec": []},
        {"kind": "Service", "apiVersion": "v1", "spec": {}},
    ],
)
def test_what_is_no_mesh_config_is_refused(item: Any) -> None:
    with pytest.raises(InputError, match=r"m\.yaml: (spec: )?expected a "):
        convert_mesh_config(item, today=TODAY, name="m.yaml")


def test_a_value_that_breaks_pods_is_kept_and_told_by_the_stack_file() -> None:
    """What runs is said, also where it is wrong; loading the file then says what is wrong."""
    item = live()
    item["spec"]["traffic"]["outboundPortExclusionList"] = [70000]
    result = convert_mesh_config(item, today=TODAY)
    assert result.settings["traffic"] == {"outboundPortExclusionList": [70000]}
    loaded = load_mapping(result.settings, name="", today=TODAY)
    assert [one.id for one in loaded.findings] == ["invalid-port"]


def test_a_secret_is_told_and_not_repeated() -> None:
    item = live()
    item["spec"]["observability"]["remoteLogging"]["authorization"] = "s3cret"
    result = convert_mesh_config(item, today=TODAY)
    assert [one.id for one in result.findings] == ["secret-value"]
    assert "s3cret" not in repr(result)


def test_sections_that_are_absent_are_told() -> None:
    item = live()
    del item["spec"]["warmup"]
    result = convert_mesh_config(item, today=TODAY)
    assert [(one.id, one.place.path) for one in result.findings] == [
        ("mesh-config-part-absent", "spec.warmup")
    ]


def test_the_mesh_config_counts_and_every_difference_is_listed() -> None:
    """H20: the chart writes it once, later values change nothing."""
    values = convert_helm_values(
        {"fsm": {"outboundPortExclusionList": [80], "enableEgress": False,
                 "fsmController": {"replicaCount": 3}}}
    )  # fmt: skip
    item = live({"traffic": {"outboundPortExclusionList": [6379]}})
    mesh = convert_mesh_config(item, today=TODAY)
    both = combined(values, mesh, item["spec"], today=TODAY)
    assert both.settings["traffic"] == {"outboundPortExclusionList": [6379]}
    assert both.settings["components"] == {"controller": {"replicas": 3}}
    assert [(one.id, one.place.path, one.message) for one in both.findings] == [
        (
            "values-overruled",
            "spec.traffic.outboundPortExclusionList",
            "the values say [80], the MeshConfig [6379]",
        ),
        (
            "values-overruled",
            "spec.traffic.enableEgress",
            "the values say False, the MeshConfig True",
        ),
    ]


def meaning(settings: dict[str, Any]) -> dict[str, Any]:
    """What the stack's MeshConfig says, but for an identity that is derived."""
    spec: dict[str, Any] = live(settings)["spec"]
    return spec


@settings(max_examples=30)
@given(mesh_data())
@example({"observability": {"remoteLogging": {"enable": True, "level": 0}}})
def test_a_mesh_config_comes_back_as_it_was(data: dict[str, Any]) -> None:
    """Whatever a stack may set: its own MeshConfig converts to settings that mean the same."""
    data.setdefault("clusterSet", {})["uid"] = "a"
    before = live(data)
    result = convert_mesh_config(before, today=TODAY)
    # An amount of 17 digits and 6 decimals is more than a setting holds; its file says so.
    assume(load_mapping(result.settings, name="", today=TODAY).settings is not None)
    assert [one.as_text() for one in result.findings] == []
    assert meaning(result.settings) == before["spec"]


@settings(max_examples=30)
@given(mesh_data())
def test_a_patch_brings_the_default_mesh_to_the_stacks(data: dict[str, Any]) -> None:
    wanted = stack(data)
    usual = live()
    patched = merge_patch(usual, merge_patch_of(wanted))
    expected = live(data)["spec"]
    if wanted.cluster_set.uid is None:
        expected["clusterSet"]["uid"] = usual["spec"]["clusterSet"]["uid"]
    lost = {one.place.path for one in lost_in_patch(wanted, today=TODAY)}
    again = convert_mesh_config(patched, today=TODAY)
    assume(load_mapping(again.settings, name="", today=TODAY).settings is not None)
    if not lost:
        assert meaning(again.settings) == expected


@settings(max_examples=30)
@given(mesh_data())
def test_values_and_the_install_command_mean_the_stack_or_say_what_they_lose(
    data: dict[str, Any],
) -> None:
    wanted = stack(data)
    values = helm_values(wanted)
    lost = lost_in_values(wanted, values, today=TODAY)
    back = convert_helm_values(values)
    if not lost:
        assert mesh_config(stack(back.settings)).object == mesh_config(wanted).object
    sources = Sources()
    sources.add_text(install_command(wanted, values), name="typed")
    typed = converted(sources, Options(today=TODAY))
    assert stack(typed.settings) == stack(back.settings)


def stack(settings: dict[str, Any]) -> StackSettings:
    loaded = load_mapping(settings, name="", today=TODAY).settings
    assert loaded is not None
    return loaded


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 70000) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


def put_all(spec: dict[str, Any], changes: dict[str, Any]) -> None:
    """Write values at dotted paths, the deepest first: a section's own value counts."""
    for path in sorted(changes, key=lambda one: -one.count(".")):
        put(spec, path, changes[path])


def require_told(spec: dict[str, Any], result: Converted) -> None:
    """Every value of the MeshConfig is in the report."""
    told = {line.source.removeprefix("spec.") for line in result.lines}
    for path, _ in leaves(spec):
        assert path in told, path


def places(spec: dict[str, Any]) -> st.SearchStrategy[str]:
    """Sections, and values in them."""
    return st.sampled_from([*spec, *(path for path, _ in leaves(spec))])


@given(
    st.dictionaries(places(live()["spec"]), json_values, max_size=4),
    st.dictionaries(st.text(max_size=8), json_values, max_size=2),
)
def test_any_mesh_config_is_converted_without_loss_or_refused(
    changes: dict[str, Any], more: dict[str, Any]
) -> None:
    """Every value that was given is in the report, or is an error."""
    item = copy.deepcopy(live())
    put_all(item["spec"], changes)
    item["spec"] |= more
    try:
        result = convert_mesh_config(item, today=TODAY, fsm_version="1.5.1")
    except FsmStackError:
        return
    require_told(item["spec"], result)


@pytest.mark.parametrize("path", ["misc.repoServerImage", "sidecar.sidecarImage", "misc", "image"])
@pytest.mark.parametrize("value", [5, True, ["pipy"], {"": None}])
def test_an_image_of_another_type_is_refused_where_it_stands(path: str, value: Any) -> None:
    item = copy.deepcopy(live())
    put(item["spec"], path, value)
    with pytest.raises(FindingsError) as caught:
        convert_mesh_config(item, today=TODAY, fsm_version="1.5.1")
    assert {one.id for one in caught.value.findings} <= {"wrong-type", "unknown-key"}
    assert all(one.place.path.startswith(f"spec.{path}") for one in caught.value.findings)


def test_credentials_of_another_type_are_in_no_stack_file() -> None:
    item = live()
    logging = item["spec"]["observability"].setdefault("remoteLogging", {})
    logging["authorization"] = {"a": "hunter2"}
    result = convert_mesh_config(item, today=TODAY)
    assert "secret-value" in [one.id for one in result.findings]
    assert "hunter2" not in str(result)
