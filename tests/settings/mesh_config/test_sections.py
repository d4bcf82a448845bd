from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from fsm_stack.settings.models.gateways import single_precision
from fsm_stack.settings.models.mesh import MeshSettings

from .shorthand import mesh, refused

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.requirement("C7", "C9", "C10", "C11", "C20")
def test_the_five_lists_hold_plain_values_and_values_with_reasons() -> None:
    settings = mesh(
        traffic={
            "outboundIPRangeExclusionList": ["1.1.1.1/32", "2.2.2.2/24"],
            "outboundIPRangeInclusionList": [{"value": "10.96.0.0/16", "reason": "services"}],
            "outboundPortExclusionList": [6379, {"value": 7070, "owner": "team-a"}],
            "inboundPortExclusionList": [{"value": 9091, "until": "2027-01-31"}],
            "networkInterfaceExclusionList": ["net1"],
        }
    ).traffic
    assert [e.value for e in settings.outbound_ip_range_exclusion_list] == [
        "1.1.1.1/32",
        "2.2.2.2/24",
    ]
    assert settings.outbound_ip_range_inclusion_list[0].reason == "services"
    assert [e.value for e in settings.outbound_port_exclusion_list] == [6379, 7070]
    assert settings.outbound_port_exclusion_list[1].owner == "team-a"
    assert str(settings.inbound_port_exclusion_list[0].until) == "2027-01-31"
    assert [e.value for e in settings.network_interface_exclusion_list] == ["net1"]


@pytest.mark.requirement("C20")
def test_the_local_proxy_mode_is_a_closed_choice() -> None:
    assert mesh(sidecar={"localProxyMode": "PodIP"}).sidecar.local_proxy_mode == "PodIP"
    path, _, message, _ = refused(sidecar={"localProxyMode": "podip"})
    assert (path, message) == (
        "sidecar.localProxyMode",
        "Input should be 'Localhost' or 'PodIP'",
    )


def test_credentials_of_remote_logging_are_named_never_held() -> None:
    """Rendered manifests are committed: no setting takes a secret."""
    assert refused(observability={"remoteLogging": {"authorization": "Basic c2VjcmV0"}}) == (
        "observability.remoteLogging.authorization",
        "secret-value",
        "expected no value: the credentials of remote logging are a secret, and no setting takes "
        "one",
        "Put it into a Secret in the control plane's namespace and name that in "
        "observability.remoteLogging.secretName.",
    )


@pytest.mark.parametrize("nothing", ["", None])
def test_the_charts_empty_credentials_are_no_secret(nothing: str | None) -> None:
    mesh(observability={"remoteLogging": {"authorization": nothing}})


def test_editors_are_not_offered_the_credentials() -> None:
    remote = MeshSettings.model_json_schema()["$defs"]["RemoteLogging"]["properties"]
    assert "secretName" in remote
    assert "authorization" not in remote


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ({"repoServer": {"port": 32768}}, "repoServer.port"),
        ({"observability": {"tracing": {"port": 32768}}}, "observability.tracing.port"),
        (
            {"observability": {"remoteLogging": {"port": 32768}}},
            "observability.remoteLogging.port",
        ),
    ],
)
def test_a_port_above_what_fsm_holds_is_refused(section: dict[str, Any], path: str) -> None:
    """Go's int16: one such port makes every FSM program fail to decode the MeshConfig."""
    assert refused(**section) == (
        path,
        "invalid-port",
        "expected a port from 1 to 32767, got 32768; FSM holds this port in 16 signed bits",
        "Let the server listen on a lower port.",
    )


@pytest.mark.parametrize(
    ("names", "path"),
    [
        ({"withTrustDomain": False}, "withTrustDomain"),
        ({"mustWithNamespace": False}, "mustWithNamespace"),
        ({"cloud": {"withNamespace": False}}, "cloud.withNamespace"),
    ],
)
def test_a_false_that_fsm_turns_back_is_refused(names: dict[str, Any], path: str) -> None:
    """``omitempty`` in the Go type, default true in the CRD: bootstrap's rewrite makes it true."""
    assert refused(traffic={"serviceAccessNames": names}) == (
        f"traffic.serviceAccessNames.{path}",
        "invalid-value",
        "expected true: FSM cannot keep false here; its programs leave a false out when they "
        "write the MeshConfig, and its CRD then fills in true",
        "Remove the key.",
    )


def test_warm_up_cannot_end_below_its_start() -> None:
    assert refused(warmup={"minWeight": 60, "maxWeight": 50}) == (
        "warmup",
        "invalid-value",
        "expected minWeight at most maxWeight, got 60 and 50",
        "Set minWeight to 50 or less.",
    )


@pytest.mark.parametrize("section", ["image", "misc"])
def test_what_other_settings_decide_is_no_section(section: str) -> None:
    path, kind, _, _ = refused(**{section: {}})
    assert (path, kind) == (section, "extra_forbidden")


@pytest.mark.parametrize(
    "connector", [{"viaGateway": {}}, {"DO_NOT_EDIT_viaGateway": "edited"}], ids=str
)
def test_what_fsm_writes_at_run_time_is_no_setting(connector: dict[str, Any]) -> None:
    _, kind, _, _ = refused(connector=connector)
    assert kind == "extra_forbidden"


@pytest.mark.parametrize(
    ("written", "kept"), [(180, 180.0), (0.1, 0.1), (1.23456789, 1.2345679), (-2.5, -2.5)]
)
def test_a_priority_is_a_single_precision_number(written: float, kept: float) -> None:
    """Upstream's type is float32: another number would change in bootstrap's rewrite."""
    assert single_precision(written) == kept
    chain = [{"plugin": "modules/x", "priority": written}]
    assert mesh(pluginChains={"inbound-tcp": chain}).plugin_chains.inbound_tcp[0].priority == kept


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _models(field.annotation)


def test_every_setting_says_what_it_does() -> None:
    """Editors show the description."""
    silent = [
        f"{model.__name__}.{name}"
        for model in _models(MeshSettings)
        for name, field in model.model_fields.items()
        if not (field.description or "").endswith(".")
    ]
    assert silent == []


def test_defaults_are_the_same_from_an_empty_file_and_from_code() -> None:
    assert mesh() == MeshSettings.model_construct() == MeshSettings()
