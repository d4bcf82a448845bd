"""Helm values of FSM's chart to settings."""

from __future__ import annotations

import json
from datetime import date
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from fsm_stack.convert.chart.control_plane import control_plane_values
from fsm_stack.convert.chart.export import helm_values, lost_in_values
from fsm_stack.convert.chart.helm import convert_helm_values
from fsm_stack.convert.chart.mesh import MESH_VALUES
from fsm_stack.convert.chart.programs import PROGRAM_VALUES
from fsm_stack.convert.result import Converted
from fsm_stack.errors import FindingsError, InputError
from fsm_stack.settings.models.stack import StackSettings
from tests.manifests.stacks import EVERYTHING, settings_of


def _settings(fsm: dict[str, Any], **roots: Any) -> dict[str, Any]:
    return convert_helm_values({"fsm": fsm, **roots}, fsm_version="1.6.0").settings


def _own(fsm: dict[str, Any], **roots: Any) -> dict[str, Any]:
    settings = _settings(fsm, **roots)
    assert settings.pop("fsmVersion") == "1.6.0"
    return settings


def test_no_values_are_the_release_and_nothing_else() -> None:
    assert convert_helm_values({}, fsm_version="1.6.0") == Converted(
        settings={"fsmVersion": "1.6.0"}
    )


def test_the_default_release_is_ours() -> None:
    assert convert_helm_values({}).settings == {"fsmVersion": "1.5.1"}


def test_a_value_that_is_the_charts_default_is_left_out() -> None:
    values = {
        "image": {"tag": "1.6.0"},
        "sidecar": {"image": {"tag": "1.5.14"}},
        "meshName": "fsm",
    }
    assert _own(values) == {}


def test_tags_of_an_older_release_are_kept() -> None:
    """In the chart of 1.6.0 they say something; in that of 1.5.1 they are the default."""
    values = {"fsm": {"image": {"tag": "1.5.1"}, "sidecar": {"image": {"tag": "1.5.12"}}}}
    assert convert_helm_values(values, fsm_version="1.6.0").settings["images"] == {
        "tag": "1.5.1",
        "pipy": {"tag": "1.5.12"},
    }
    assert convert_helm_values(values, fsm_version="1.5.1").settings == {"fsmVersion": "1.5.1"}


def test_a_digest_behind_a_tag_is_the_digest() -> None:
    """The chart has no digest for Pipy's images; its users write one into the tag."""
    digest = f"sha256:{'a' * 64}"
    values = {"sidecar": {"image": {"tag": f"1.5.14@{digest}"}}}
    assert _own(values) == {"images": {"pipy": {"tag": "1.5.14", "digest": digest}}}
    settings = StackSettings.model_validate_json(json.dumps(_settings(values)))
    assert settings.images.pipy.digest == digest


def test_names_namespace_and_switches() -> None:
    values = {
        "meshName": "blue",
        "fsmNamespace": "mesh-control",
        "webhookConfigNamePrefix": "hook",
        "validatorWebhook": {"webhookConfigurationName": "checks"},
        "enforceSingleMesh": False,
        "enableMultiClusters": True,
    }
    assert _own(values, smi={"validateTrafficTarget": False})["mesh"] == {
        "name": "blue",
        "namespace": "mesh-control",
        "webhookNamePrefix": "hook",
        "validatorWebhookName": "checks",
        "enforceSingleMesh": False,
        "enableMultiClusters": True,
        "validateTrafficTarget": False,
    }


def test_the_values_namespace_wins_over_the_releases() -> None:
    converted = convert_helm_values({}, release_namespace="release")
    assert converted.settings["mesh"] == {"namespace": "release"}
    values = {"fsm": {"fsmNamespace": "own"}}
    converted = convert_helm_values(values, release_namespace="release")
    assert converted.settings["mesh"] == {"namespace": "own"}


def test_pipys_images_keep_their_registry() -> None:
    """The chart's registry of FSM's own images is not Pipy's."""
    assert _own({"image": {"registry": "r.example.com/x"}})["images"] == {
        "registry": "r.example.com/x",
        "pipy": {"registry": "flomesh"},
        "pipyRepo": {"registry": "flomesh"},
    }


def test_an_empty_registry_of_pipy_is_the_control_planes() -> None:
    values = {
        "image": {"registry": "r.example.com"},
        "sidecar": {"image": {"registry": ""}},
        "repoServer": {"image": {"registry": ""}},
    }
    assert _own(values)["images"] == {"registry": "r.example.com"}


def test_an_unquoted_tag_is_a_text() -> None:
    assert _own({"image": {"tag": 1.6}})["images"] == {"tag": "1.6"}


def test_digests_and_names_of_images() -> None:
    digest = "sha256:" + "a" * 64
    values = {"image": {"digest": {"fsmCRDs": digest}, "name": {"fsmSidecarInit": "init"}}}
    assert _own(values)["images"] == {
        "crds": {"digest": digest},
        "sidecarInit": {"name": "init"},
    }


def test_a_digest_that_the_chart_drops_is_told() -> None:
    """It writes a digest where there is no tag alone: the stack's image is another than runs."""
    digest = {"fsmCurl": f"sha256:{'a' * 64}"}
    why = "the chart drops a digest beside a tag, the stack pins it"
    result = convert_helm_values({"fsm": {"image": {"digest": digest}}})
    assert str(result.lines[0]) == f"fsm.image.digest.fsmCurl -> images.curl.digest: {why}"
    result = convert_helm_values({"fsm": {"image": {"digest": digest, "tag": ""}}})
    assert why not in [line.why for line in result.lines]


@pytest.mark.parametrize("off", ["", 0, []])
def test_a_proxy_that_is_off_in_another_way_is_told(off: object) -> None:
    result = convert_helm_values({"fsm": {"fluentBit": {"enableProxySupport": off}}})
    assert [str(line) for line in result.lines] == [
        "fsm.fluentBit.enableProxySupport: off: no proxy"
    ]


def test_resources_are_texts_and_keep_what_is_not_set() -> None:
    values = {"injector": {"resource": {"limits": {"cpu": 3}}}}
    assert _own(values)["components"]["injector"]["resources"] == {
        "limits": {"cpu": "3", "memory": "512M"},
        "requests": {"cpu": "0.5", "memory": "128M"},
    }


def test_an_affinity_is_merged_over_the_default_as_helm_does() -> None:
    affinity = {"affinity": {"podAntiAffinity": None}}
    merged = _own({"injector": affinity})["components"]["injector"]["affinity"]
    assert list(merged) == ["nodeAffinity"]


def test_an_affinity_that_is_removed_is_none_at_all() -> None:
    assert _own({"injector": {"affinity": None}}) == {"components": {"injector": {"affinity": {}}}}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (6379, [6379]),
        ("6379", [6379]),
        ("[6379]", [6379]),
        ("[6379,7070]", [6379, 7070]),
        ("{6379, 7070}", [6379, 7070]),
        (["6379", 7070], [6379, 7070]),
        ([6379.0], [6379]),
    ],
)
def test_ports_in_the_forms_that_set_leaves(given: Any, read: list[int]) -> None:
    """``--set`` makes a scalar of a bare value, and a text of ``[6379]``."""
    converted = convert_helm_values({"fsm": {"outboundPortExclusionList": given}})
    assert converted.settings["traffic"] == {"outboundPortExclusionList": read}
    assert [type(port) for port in converted.settings["traffic"]["outboundPortExclusionList"]] == [
        int
    ] * len(read)
    assert [found.id for found in converted.findings] == ["helm-value-coerced"]
    assert converted.findings[0].place.path == "fsm.outboundPortExclusionList"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("1.1.1.1/32", ["1.1.1.1/32"]),
        ("[1.1.1.1/32,2.2.2.0/24]", ["1.1.1.1/32", "2.2.2.0/24"]),
    ],
)
def test_ranges_in_the_forms_that_set_leaves(given: str, read: list[str]) -> None:
    converted = convert_helm_values({"fsm": {"outboundIPRangeInclusionList": given}})
    assert converted.settings["traffic"] == {"outboundIPRangeInclusionList": read}
    assert converted.findings[0].fix == (
        f"Write fsm.outboundIPRangeInclusionList={{{','.join(read)}}} for --set, "
        "or a YAML list in a values file."
    )


def test_a_list_is_taken_as_it_is() -> None:
    converted = convert_helm_values({"fsm": {"inboundPortExclusionList": [9091]}})
    assert converted.settings["traffic"] == {"inboundPortExclusionList": [9091]}
    assert converted.findings == ()


def test_what_is_no_port_is_left_for_the_settings_to_refuse() -> None:
    """Nothing wrong is mended or dropped on the way."""
    assert _own({"inboundPortExclusionList": ["http"]}) == {
        "traffic": {"inboundPortExclusionList": ["http"]}
    }


@pytest.mark.parametrize(
    ("values", "path", "message"),
    [
        ({"fsm": {"meshname": "x"}}, "fsm.meshname", "did you mean fsm.meshName?"),
        ({"fms": {}}, "fms", "did you mean fsm?"),
        (
            {"fsm": {"outboundPortExclusionlist": [1]}},
            "fsm.outboundPortExclusionlist",
            "did you mean fsm.outboundPortExclusionList?",
        ),
        (
            {"fsm": {"sidecar": {"image": {"tga": "x"}}}},
            "fsm.sidecar.image.tga",
            "did you mean fsm.sidecar.image.tag?",
        ),
    ],
)
def test_an_unknown_value_is_an_error_with_the_likely_one(
    values: dict[str, Any], path: str, message: str
) -> None:
    with pytest.raises(FindingsError) as caught:
        convert_helm_values(values)
    [found] = caught.value.findings
    assert (found.id, found.place.path) == ("unknown-key", path)
    assert message in found.message


def test_all_errors_are_reported_together() -> None:
    values = {"fsm": {"meshname": "x", "image": "y", "podLabels": {}, "trustDomain": None}}
    with pytest.raises(FindingsError) as caught:
        convert_helm_values(values)
    assert [found.id for found in caught.value.findings] == [
        "unknown-key",
        "wrong-type",
        "unknown-key",
        "invalid-value",
    ]


@pytest.mark.parametrize(
    ("fsm", "settings"),
    [
        ({"deployPrometheus": True}, {"components": {"prometheus": {"enabled": True}}}),
        ({"prometheus": {"port": 9999}}, {"components": {"prometheus": {"port": 9999}}}),
        (
            {"prometheus": {"retention": {"time": "30d"}}},
            {"components": {"prometheus": {"retention": "30d"}}},
        ),
        ({"deployGrafana": True}, {"components": {"grafana": {"enabled": True}}}),
        (
            {"grafana": {"rendererImage": {"tag": 4, "registry": "r.example.com"}}},
            {"images": {"grafanaRenderer": {"tag": "4", "registry": "r.example.com"}}},
        ),
        ({"deployJaeger": True}, {"components": {"jaeger": {"enabled": True}}}),
        ({"enableFluentbit": True}, {"components": {"fluentBit": {"enabled": True}}}),
        (
            {"fluentBit": {"enableProxySupport": True}},
            {"components": {"fluentBit": {"proxySecret": "proxy-config"}}},
        ),
        ({"fsmIngress": {"enabled": True}}, {"ingress": {"enabled": True}}),
        (
            {"fsmIngress": {"service": {"name": "edge", "annotations": {"a": "b"}}}},
            {"components": {"ingress": {"serviceName": "edge", "serviceAnnotations": {"a": "b"}}}},
        ),
        (
            {"fsmIngress": {"podSecurityContext": None}},
            {"components": {"ingress": {"podSecurityContext": {}}}},
        ),
        ({"fsmGateway": {"enabled": True}}, {"gatewayAPI": {"enabled": True}}),
        ({"serviceLB": {"enabled": True}}, {"serviceLB": {"enabled": True}}),
        ({"flb": {"enabled": True}}, {"flb": {"enabled": True}}),
        (
            {"egressGateway": {"enabled": True, "name": "out"}},
            {
                "egressGateway": {"enabled": True},
                "components": {"egressGateway": {"name": "out"}},
            },
        ),
        (
            {"trafficInterceptionMode": "NodeLevel"},
            {"traffic": {"interceptionMode": "NodeLevel"}},
        ),
        (
            {"featureFlags": {"enableMeshRootCertificate": True}},
            {"certificateProvider": {"meshRootCertificate": True}},
        ),
        ({"fsmXnetwork": {"xnet": {"image": {"tag": "1"}}}}, {"images": {"xnet": {"tag": "1"}}}),
        (
            {"fsmXnetwork": {"xnet": {"features": {"mesh": {"magic": {"ipv4": 12}}}}}},
            {
                "components": {
                    "xnetwork": {"xnet": {"features": {"mesh": {"magic": {"ipv4": "12"}}}}}
                }
            },
        ),
    ],
)
def test_a_value_of_a_program_becomes_its_setting(
    fsm: dict[str, Any], settings: dict[str, Any]
) -> None:
    converted = convert_helm_values({"fsm": fsm})
    assert (converted.settings, converted.findings) == ({"fsmVersion": "1.5.1"} | settings, ())
    settings_of(converted.settings)


def test_both_ingress_and_gateway_are_none_as_in_the_chart() -> None:
    values = {"fsmIngress": {"enabled": True}, "fsmGateway": {"enabled": True}}
    converted = convert_helm_values({"fsm": values})
    assert converted.settings == {"fsmVersion": "1.5.1"}
    assert [(found.id, found.place.path) for found in converted.findings] == [
        ("helm-value-ignored", "fsm.fsmIngress.enabled"),
        ("helm-value-ignored", "fsm.fsmGateway.enabled"),
    ]


def test_jaegers_port_without_tracing_is_its_own() -> None:
    """The chart gives Jaeger the tracing port, whether sidecars trace or not."""
    values = {"deployJaeger": True, "tracing": {"port": 9500}}
    converted = convert_helm_values({"fsm": values})
    assert converted.settings["components"] == {"jaeger": {"enabled": True, "port": 9500}}
    assert converted.findings == ()


def test_azure_is_named_and_its_key_is_a_secrets() -> None:
    values = {"fluentBit": {"outputPlugin": "azure", "workspaceId": "w", "primaryKey": "k3y"}}
    converted = convert_helm_values({"fsm": values})
    assert converted.settings["components"]["fluentBit"] == {
        "outputPlugin": "azure",
        "azure": {"workspaceId": "w", "keySecret": {"name": "fsm-azure", "key": "key"}},
    }
    assert [(found.id, found.place.path) for found in converted.findings] == [
        ("secret-value", "fsm.fluentBit.primaryKey")
    ]
    assert "k3y" not in repr(converted)


def test_a_workspace_for_another_output_is_a_warning() -> None:
    converted = convert_helm_values({"fsm": {"fluentBit": {"workspaceId": "w"}}})
    assert converted.settings == {"fsmVersion": "1.5.1"}
    assert [found.place.path for found in converted.findings] == ["fsm.fluentBit.workspaceId"]


def test_what_flb_reads_from_its_secret_is_a_warning() -> None:
    values = {"flb": {"enabled": True, "baseUrl": "http://flb.example.com"}}
    converted = convert_helm_values({"fsm": values})
    assert converted.settings == {"fsmVersion": "1.5.1", "flb": {"enabled": True}}
    assert [(found.id, found.place.path) for found in converted.findings] == [
        ("helm-value-ignored", "fsm.flb.baseUrl")
    ]


def test_a_token_of_vault_is_a_secret_of_a_usual_name() -> None:
    values = {
        "certificateProvider": {"kind": "vault"},
        "vault": {"host": "vault.example.com", "token": "s.secret"},
    }
    converted = convert_helm_values({"fsm": values})
    assert converted.settings["certificateProvider"]["vault"]["tokenSecret"] == {
        "name": "fsm-vault-token",
        "key": "token",
    }
    assert "s.secret" not in repr(converted)
    settings_of(converted.settings)


@pytest.mark.parametrize(
    "fsm",
    [
        {"vault": {"token": "s.secret"}},
        {"remoteLogging": {"authorization": "s.secret"}},
        {"flb": {"password": "s.secret"}},
        {"flb": {"username": "s.secret"}},
        {"fluentBit": {"httpsProxy": "http://u:s.secret@proxy"}},
    ],
)
def test_a_secret_is_refused_and_not_repeated(fsm: dict[str, Any]) -> None:
    converted = convert_helm_values({"fsm": fsm})
    [found] = converted.findings
    assert (found.id, converted.complete) == ("secret-value", False)
    assert "s.secret" not in repr(converted)


def test_a_value_without_effect_is_a_warning() -> None:
    values = {
        "controlPlaneTolerations": [{"key": "a"}],
        "preinstall": {"nodeSelector": {"a": "b"}},
    }
    converted = convert_helm_values({"fsm": values})
    assert converted.settings == {"fsmVersion": "1.5.1"}
    assert [(found.id, found.place.path) for found in converted.findings] == [
        ("helm-value-ignored", "fsm.controlPlaneTolerations"),
        ("helm-value-ignored", "fsm.preinstall.nodeSelector"),
    ]


def test_tracing_that_is_off_says_nothing() -> None:
    """The chart writes its values only where it is on."""
    converted = convert_helm_values({"fsm": {"tracing": {"port": 1}}})
    assert converted.settings == {"fsmVersion": "1.5.1"}
    assert [found.id for found in converted.findings] == ["helm-value-ignored"]


def test_tracing_that_is_on() -> None:
    values = {"tracing": {"enable": True, "address": "jaeger.obs", "sampledFraction": "0.5"}}
    assert _own(values)["observability"]["tracing"] == {
        "enable": True,
        "address": "jaeger.obs",
        "sampledFraction": "0.5",
    }


def test_vault_by_a_reference() -> None:
    values = {
        "certificateProvider": {"kind": "vault"},
        "vault": {"host": "vault.example.com", "secret": {"name": "vault-token", "key": "token"}},
    }
    assert _own(values)["certificateProvider"] == {
        "kind": "vault",
        "vault": {
            "host": "vault.example.com",
            "tokenSecret": {"name": "vault-token", "key": "token"},
            "protocol": "http",
        },
    }


def test_vault_values_without_vault_are_a_warning() -> None:
    converted = convert_helm_values({"fsm": {"vault": {"host": "vault.example.com"}}})
    assert "certificateProvider" not in converted.settings
    assert [found.place.path for found in converted.findings] == ["fsm.vault.host"]


@pytest.mark.parametrize("values", [[], "fsm", None, 3])
def test_values_that_are_no_mapping_are_refused(values: Any) -> None:
    with pytest.raises(InputError, match="expected a mapping with fsm, smi or clusterSet"):
        convert_helm_values(values)


def test_an_unknown_release_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected one of 1\.5\.1, 1\.6\.0, got '2\.0'"):
        convert_helm_values({}, fsm_version="2.0")


def test_true_is_not_one() -> None:
    """YAML's 1 where the chart's default is true is another value, and not a valid one."""
    assert _own({"enableEgress": 1}) == {"traffic": {"enableEgress": 1}}


_ALL = control_plane_values("1.6.0") | MESH_VALUES | PROGRAM_VALUES


def _aliases(model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """Every setting of a model by its path in a file."""
    paths: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        kinds = (field.annotation, *get_args(field.annotation))
        nested = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        paths[path] = field
        for kind in nested:
            paths |= _aliases(kind, f"{path}.")
    return paths


def test_every_value_goes_to_a_setting_that_exists() -> None:
    """A misspelt target would show up in someone's stack file."""
    assert {known.target for known in _ALL.values()} - _aliases(StackSettings).keys() == set()


# Values whose default here is another than the chart's, and is not taken from a dropped value.
_OTHER_DEFAULTS = {
    # Said whenever Vault is the issuer.
    "certificateProvider.vault.protocol"
}


# What the exporters use where they are on and nothing is set: filled in with the MeshConfig.
_WHERE_ON = (9411, "/api/v2/spans", 2, 30514, "1.0")
_VAULT = {"kind": "vault", "vault": {"host": "v", "tokenSecret": {"name": "a", "key": "b"}}}


def test_the_defaults_are_the_charts() -> None:
    """A default that is left out has to mean the same on both sides."""
    plain = settings_of({}).model_dump(mode="json", by_alias=True)
    vault = settings_of({"certificateProvider": _VAULT}).model_dump(mode="json", by_alias=True)
    plain["mesh"]["name"] = settings_of({}).mesh_name
    others = set()
    for known in _ALL.values():
        target = known.target
        required = target.endswith((".vault.host", ".tokenSecret.name", ".tokenSecret.key"))
        if required or target.startswith("images.") or target.endswith(".affinity"):
            continue  # the last two are composed, and compared with the rendered chart
        value: Any = vault if ".vault." in target else plain
        for part in target.split("."):
            value = value[part]
        if not _means_the_same(value, known.default):
            others.add(target)
    assert others == _OTHER_DEFAULTS


def _means_the_same(ours: Any, charts: Any) -> bool:
    if isinstance(charts, dict) and isinstance(ours, dict):
        return all(_means_the_same(ours.get(key), value) for key, value in charts.items())
    if isinstance(charts, list) and isinstance(ours, list):
        return all(_means_the_same(*pair) for pair in zip(ours, charts, strict=True))
    return bool(ours == charts) or (ours is None and charts in ("", *_WHERE_ON))


@pytest.mark.parametrize("path", sorted(p for p in _ALL if isinstance(_ALL[p].default, bool)))
def test_every_switch_can_be_thrown(path: str) -> None:
    """The settings take what the conversion writes."""
    known = _ALL[path]
    value: Any = not known.default
    for part in reversed(path.split(".")):
        value = {part: value}
    settings: Any = convert_helm_values(value, fsm_version="1.6.0").settings
    StackSettings.model_validate_json(json.dumps(settings))
    for part in known.target.split("."):
        settings = settings[part]
    assert settings is (not known.default)


@pytest.mark.parametrize(
    "path",
    [
        "fsm.imagePullSecrets",
        "fsm.inboundPortExclusionList",
        "fsm.injector.tolerations",
        "fsm.pluginChains.inbound-tcp",
        "fsm.xnetDNSProxy.upstreams",
    ],
)
def test_a_list_that_is_null_is_empty(path: str) -> None:
    """Helm lets null stand where the chart has a list; its templates write none then."""
    values: Any = None
    for key in reversed(path.split(".")):
        values = {key: values}
    settings_of(convert_helm_values(values).settings)


def test_a_section_that_is_null_and_not_used_says_nothing() -> None:
    """Helm renders such values where no template asks for the section."""
    result = convert_helm_values({"fsm": {"grafana": None, "prometheus": None}})
    assert result.settings == {"fsmVersion": "1.5.1"}
    assert [str(line) for line in result.lines] == [
        "fsm.grafana: null: nothing of the section is used",
        "fsm.prometheus: null: nothing of the section is used",
    ]


def test_a_section_that_the_chart_writes_whole_may_not_be_null() -> None:
    with pytest.raises(FindingsError) as caught:
        convert_helm_values({"fsm": {"pluginChains": None}})
    assert [one.id for one in caught.value.findings] == ["invalid-value"]


def test_every_program_goes_through_the_charts_values_and_back() -> None:
    """What has no value of the chart's is named: secrets that a stack refers to."""
    programs = {
        key: EVERYTHING[key]
        for key in ("fsmVersion", "traffic", "egressGateway", "serviceLB", "flb")
    }
    components: dict[str, Any] = {
        **EVERYTHING["components"],
        "ingress": {
            "replicas": 2,
            "serviceAnnotations": {"example.com/a": "b"},
            "nodeSelector": {"kubernetes.io/hostname": "edge"},
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        },
        "egressGateway": {"podLabels": {"example.com/team": "mesh"}},
        "xnetwork": {"xnet": {"cnis": {"calicoVxlan": {"bridge6": {"enable": True}}}}},
    }
    images = {
        "xnet": {"registry": "r.example.com", "tag": "1.2"},
        "jaeger": {"tag": "1.57", "digest": "sha256:" + "a" * 64},
    }
    wanted = settings_of(
        programs
        | {
            "components": components,
            "images": images,
            "gatewayAPI": {"enabled": True},
            "certificateProvider": {"meshRootCertificate": True},
        }
    )
    values = helm_values(wanted)
    lost = [one.place.path for one in lost_in_values(wanted, values, today=date(2026, 7, 1))]
    assert lost == [
        "components.fluentBit.azure.keySecret.name",
        "components.fluentBit.proxySecret",
    ]
    assert values["fsm"]["deployGrafana"] is True
    assert values["fsm"]["tracing"] == {
        "image": {"tag": "1.57@sha256:" + "a" * 64},
    }
    back = settings_of(convert_helm_values(values, fsm_version="1.6.0").settings)
    fluent_bit = {"fluent_bit": wanted.components.fluent_bit}
    assert back.components.model_copy(update=fluent_bit) == wanted.components
    assert back.images == wanted.images
