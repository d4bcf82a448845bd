"""MeshConfigs and values of OSM and osm-edge to an FSM stack."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.convert.osm import convert_osm_mesh_config, fsm_values
from fsm_stack.convert.result import leaves
from fsm_stack.convert.sources import Options, Sources, converted
from fsm_stack.errors import FindingsError, FsmStackError, InputError
from fsm_stack.manifests.mesh import mesh_config
from tests.settings.loading import TODAY, settings

from .test_mesh_config import json_values, places, put_all, require_told


def live(system: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """The MeshConfig of a stack of the system."""
    stack = settings({"system": system, **(data or {})})
    return json.loads(json.dumps(mesh_config(stack).object))  # type: ignore[no-any-return]


def told(item: dict[str, Any]) -> dict[str, str]:
    """What is found, by path."""
    result = convert_osm_mesh_config(item, today=TODAY)
    return {one.place.path: one.id for one in result.findings}


@pytest.mark.requirement("C38")
@pytest.mark.parametrize("system", ["osm", "osm-edge"])
def test_lists_and_switches_keep_their_meaning(system: str) -> None:
    data = {
        "traffic": {
            "outboundPortExclusionList": [6379, 7070],
            "outboundIPRangeExclusionList": ["1.1.1.1/32"],
            "enableEgress": False,
        },
        "sidecar": {"localProxyMode": "PodIP", "logLevel": "debug"},
        "observability": {"fsmLogLevel": "trace"},
        "certificate": {"serviceCertValidityDuration": "12h"},
    }
    converted_ = convert_osm_mesh_config(live(system, data), today=TODAY).settings
    assert converted_.pop("fsmVersion") == "1.5.1"
    assert converted_["sidecar"].pop("tlsMinProtocolVersion") == "TLSv1_2"
    assert converted_["sidecar"].pop("tlsMaxProtocolVersion") == "TLSv1_3"
    if system == "osm-edge":
        assert converted_["sidecar"].pop("configResyncInterval") == "90s"
    expected_flags = {
        "osm": {"enableEgressPolicy": False},
        "osm-edge": {"enableAccessControlPolicy": False},
    }
    assert converted_.pop("featureFlags") == expected_flags[system]
    assert converted_ == data


@pytest.mark.requirement("C38")
def test_renamed_and_lost_fields_are_told_one_by_one() -> None:
    item = live("osm", {"featureFlags": {"enableSidecarActiveHealthChecks": True}})
    item["spec"]["sidecar"]["envoyImage"] = "envoyproxy/envoy:v1.23.1"
    item["spec"]["observability"]["enableDebugServer"] = True
    assert told(item) == {
        "spec.sidecar.envoyImage": "setting-lost",
        "spec.observability.osmLogLevel": "setting-renamed",
        "spec.observability.enableDebugServer": "setting-lost",
        "spec.featureFlags.enableWASMStats": "setting-lost",
        "spec.featureFlags.enableEnvoyActiveHealthChecks": "setting-renamed",
        "metadata.name": "setting-renamed",
    }


@pytest.mark.requirement("C38")
@pytest.mark.parametrize(
    ("mode", "found"),
    [
        ("iptables", "setting-renamed"),
        ("ebpf", "setting-means-less"),
        ("none", "setting-means-less"),
    ],
)
def test_osm_edges_interception_modes(mode: str, found: str) -> None:
    """Its ``ebpf`` has no iptables rules and its ``none`` no redirection: FSM redirects both."""
    item = live("osm-edge")
    item["spec"]["traffic"]["interceptionMode"] = mode
    result = convert_osm_mesh_config(item, today=TODAY)
    assert {o.place.path: o.id for o in result.findings}["spec.traffic.interceptionMode"] == found
    assert "interceptionMode" not in result.settings.get("traffic", {})


def test_a_mode_that_nobody_knows_is_an_error() -> None:
    item = live("osm-edge")
    item["spec"]["traffic"]["interceptionMode"] = "xdp"
    with pytest.raises(FindingsError) as caught:
        convert_osm_mesh_config(item, today=TODAY)
    assert caught.value.findings[0].message == (
        "expected one of 'iptables', 'ebpf', 'none', got 'xdp'"
    )


def test_the_chosen_drivers_mtls_is_kept() -> None:
    item = live("osm-edge")
    item["spec"]["sidecar"]["sidecarDrivers"][0]["sidecarDisabledMTLS"] = True
    result = convert_osm_mesh_config(item, today=TODAY)
    assert result.settings["sidecar"]["sidecarDisabledMTLS"] is True


@pytest.mark.parametrize("system", ["osm", "osm-edge"])
def test_every_field_is_told(system: str) -> None:
    item = live(system)
    result = convert_osm_mesh_config(item, today=TODAY)
    sources = {line.source for line in result.lines}
    assert {f"spec.{path}" for path, _ in leaves(item["spec"])} - sources == set()


@pytest.mark.parametrize("system", ["osm", "osm-edge"])
@given(st.data())
def test_any_mesh_config_is_converted_without_loss_or_refused(
    system: str, data: st.DataObject
) -> None:
    """Every value that was given is in the report, or is an error."""
    item = live(system)
    changes = st.dictionaries(places(item["spec"]), json_values, max_size=4)
    put_all(item["spec"], data.draw(changes))
    try:
        result = convert_osm_mesh_config(item, today=TODAY)
    except FsmStackError:
        return
    require_told(item["spec"], result)


def test_a_key_with_a_dot_that_names_another_ones_inside_is_an_error() -> None:
    item = live("osm-edge")
    item["spec"]["clusterSet"] = {"": False, "..": True}
    with pytest.raises(InputError) as caught:
        convert_osm_mesh_config(item, today=TODAY)
    assert str(caught.value) == "clusterSet...: '' has a value: expected keys without dots"


def test_a_field_that_is_not_known_is_an_error_that_names_it() -> None:
    item = live("osm")
    item["spec"]["traffic"]["enableTeleport"] = True
    with pytest.raises(FindingsError) as caught:
        convert_osm_mesh_config(item, today=TODAY)
    (found,) = caught.value.findings
    assert (found.id, found.place.path) == ("unknown-key", "spec.traffic.enableTeleport")


def of(text: str) -> Any:
    sources = Sources()
    sources.add_text(text, name="f")
    return converted(sources, Options(today=TODAY))


@pytest.mark.requirement("C38")
def test_an_osm_install_command_becomes_an_fsm_stack() -> None:
    result = of(
        "osm install --mesh-name shop --osm-namespace osm-system --set osm.envoyLogLevel=debug "
        '--set osm.outboundPortExclusionList="{6379,7070}" --set osm.osmController.replicaCount=2 '
        "--set osm.image.tag=v1.2.0"
    )
    assert result.settings == {
        "fsmVersion": "1.5.1",
        "mesh": {"name": "shop"},
        "sidecar": {"logLevel": "debug"},
        "traffic": {"outboundPortExclusionList": [6379, 7070]},
        "components": {"controller": {"replicas": 2}},
    }
    assert [(one.id, one.place.path) for one in result.findings] == [
        ("setting-renamed", "osm.envoyLogLevel"),
        ("setting-renamed", "osm.osmController.replicaCount"),
        ("setting-lost", "osm.image.tag"),
    ]


def test_values_of_osm_take_osms_defaults_along() -> None:
    """Its chart names another issuer where none is set."""
    values, _, _ = fsm_values({"osm": {"certificateProvider": {"kind": "cert-manager"}}})
    assert values["fsm"]["certmanager"] == {"issuerName": "osm-ca"}


def test_values_that_are_not_known_are_errors_that_name_them() -> None:
    with pytest.raises(FindingsError) as caught:
        fsm_values({"osm": {"meshname": "x"}, "zzz": 1})
    assert [one.place.path for one in caught.value.findings] == ["zzz", "osm.meshname"]


def test_a_wrong_value_of_a_renamed_field_is_told_where_it_stands() -> None:
    spec = {"featureFlags": {"enableEnvoyActiveHealthChecks": "yes"}}
    item = {"apiVersion": "config.openservicemesh.io/v1alpha2", "kind": "MeshConfig", "spec": spec}
    with pytest.raises(FindingsError) as caught:
        convert_osm_mesh_config(item, today=TODAY)
    assert [one.place.path for one in caught.value.findings] == [
        "spec.featureFlags.enableEnvoyActiveHealthChecks"
    ]
