from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from fsm_stack.errors import few
from fsm_stack.lists import InterceptLists
from fsm_stack.redirection.scopes import config_map_data, redirection, settings_digest
from tests.settings.loading import settings

GUIDE = {
    "cluster": {"apiServer": {"address": "10.96.0.1"}},
    "traffic": {
        "outboundIPRangeExclusionList": ["1.1.1.1/32", "2.2.2.0/24"],
        "outboundIPRangeInclusionList": ["10.244.0.0/16"],
        "outboundPortExclusionList": [6379, 7070],
        "inboundPortExclusionList": [8081],
        "networkInterfaceExclusionList": ["net1", "net2"],
    },
    "sidecar": {"localProxyMode": "PodIP"},
    "annotationProfiles": {
        "web": {
            "outboundPortExclusionList": [8080, 6379],
            "inboundPortExclusionList": [9000],
            "outboundIPRangeExclusionList": ["10.0.0.0/8", "1.1.1.1/32"],
            "outboundIPRangeInclusionList": ["10.96.0.0/16"],
        },
        "worker": {"presets": ["kubernetes-api", "cloud-metadata", "control-plane"]},
    },
}

# Written out from the documented order of the injector's rules, not computed.
MESH_SCRIPT = """\
iptables-restore --noflush <<EOF
# FSM sidecar interception rules
*nat
:FSM_PROXY_INBOUND - [0:0]
:FSM_PROXY_IN_REDIRECT - [0:0]
:FSM_PROXY_OUTBOUND - [0:0]
:FSM_PROXY_OUT_REDIRECT - [0:0]
-A FSM_PROXY_IN_REDIRECT -p tcp -j REDIRECT --to-port 15003
-A PREROUTING -p tcp -j FSM_PROXY_INBOUND
-A FSM_PROXY_INBOUND -p tcp --dport 15010 -j RETURN
-A FSM_PROXY_INBOUND -p tcp --dport 15901 -j RETURN
-A FSM_PROXY_INBOUND -p tcp --dport 15902 -j RETURN
-A FSM_PROXY_INBOUND -p tcp --dport 15903 -j RETURN
-A FSM_PROXY_INBOUND -p tcp --dport 15904 -j RETURN
-A FSM_PROXY_INBOUND -p tcp -j FSM_PROXY_IN_REDIRECT
-I FSM_PROXY_INBOUND -i net1 -j RETURN
-I FSM_PROXY_INBOUND -i net2 -j RETURN
-I FSM_PROXY_INBOUND -p tcp --match multiport --dports 8081 -j RETURN
-A FSM_PROXY_OUT_REDIRECT -p tcp -j REDIRECT --to-port 15001
-A FSM_PROXY_OUT_REDIRECT -p tcp --dport 15000 -j ACCEPT
-A OUTPUT -p tcp -j FSM_PROXY_OUTBOUND
-A FSM_PROXY_OUTBOUND -o lo ! -d 127.0.0.1/32 -m owner --uid-owner 1500 -j FSM_PROXY_IN_REDIRECT
-A FSM_PROXY_OUTBOUND -o lo -m owner ! --uid-owner 1500 -j RETURN
-A FSM_PROXY_OUTBOUND -m owner --uid-owner 1500 -j RETURN
-A FSM_PROXY_OUTBOUND -d 127.0.0.1/32 -j RETURN
-I OUTPUT -p tcp -o lo -d 127.0.0.1/32 -m owner --uid-owner 1500 -j DNAT --to-destination $POD_IP
-A FSM_PROXY_OUTBOUND -o net1 -j RETURN
-A FSM_PROXY_OUTBOUND -o net2 -j RETURN
-A FSM_PROXY_OUTBOUND -d 1.1.1.1/32 -j RETURN
-A FSM_PROXY_OUTBOUND -d 2.2.2.0/24 -j RETURN
-A FSM_PROXY_OUTBOUND -p tcp --match multiport --dports 6379,7070 -j RETURN
-A FSM_PROXY_OUTBOUND -d 10.244.0.0/16 -j FSM_PROXY_OUT_REDIRECT
-A FSM_PROXY_OUTBOUND -j RETURN
COMMIT
EOF
"""


@pytest.mark.requirement("C1", "C7", "C9", "C10", "C11", "C18", "C20")
def test_the_mesh_script_is_the_injectors() -> None:
    assert redirection(settings(GUIDE)).mesh.script == MESH_SCRIPT


@pytest.mark.parametrize(
    ("count", "text"),
    [(4, "1, 2, 3, 4"), (5, "1, 2, 3, 4 and 1 more"), (6, "1, 2, 3, 4 and 2 more")],
)
def test_four_values_are_shown_and_the_others_counted(count: int, text: str) -> None:
    assert few(range(1, count + 1), 4) == text


def test_a_text_of_a_few_values_knows_how_many_there_are() -> None:
    assert few("ab", 3, count=1_003) == "a, b and 1,001 more"
    assert few("abc", 2, separator="; ") == "a; b; and 1 more"
    assert few([], 2) == ""


@pytest.mark.requirement("C18")
def test_a_profile_is_merged_as_the_injector_merges_a_pod() -> None:
    """Ports: the mesh's first. Ranges: the pod's first. First occurrence kept."""
    web = redirection(settings(GUIDE)).profiles[0]
    assert web.lists == InterceptLists(
        local_proxy_mode="PodIP",
        interfaces=("net1", "net2"),
        excluded_ranges=("10.0.0.0/8", "1.1.1.1/32", "2.2.2.0/24"),
        included_ranges=("10.96.0.0/16", "10.244.0.0/16"),
        outbound_ports=(6379, 7070, 8080),
        inbound_ports=(8081, 9000),
    )


def test_a_profiles_annotations_are_its_own_lists_only() -> None:
    """The injector merges the mesh's; carrying them twice would freeze them in the pod."""
    web = redirection(settings(GUIDE)).profiles[0]
    assert dict(web.annotations) == {
        "flomesh.io/outbound-port-exclusion-list": "8080,6379",
        "flomesh.io/inbound-port-exclusion-list": "9000",
        "flomesh.io/outbound-ip-range-exclusion-list": "10.0.0.0/8,1.1.1.1/32",
        "flomesh.io/outbound-ip-range-inclusion-list": "10.96.0.0/16",
    }


@pytest.mark.requirement("C19")
def test_presets_are_the_documents_three_use_cases() -> None:
    worker = redirection(settings(GUIDE)).profiles[1]
    assert dict(worker.annotations) == {
        "flomesh.io/outbound-port-exclusion-list": "6060,9090,9091,9093,9443",
        "flomesh.io/outbound-ip-range-exclusion-list": "10.96.0.1/32,169.254.169.254/32",
    }


def test_annotations_are_yaml_to_paste() -> None:
    files = redirection(settings(GUIDE)).files()
    text = files["profiles/web.annotations.yaml"]
    web = redirection(settings(GUIDE)).profiles[0]
    assert yaml.safe_load(text) == {"annotations": dict(web.annotations)}


def test_files_are_scripts_annotations_and_digests() -> None:
    files = redirection(settings(GUIDE)).files()
    assert sorted(files) == [
        "digests.json",
        "mesh.sh",
        "profiles/web.annotations.yaml",
        "profiles/web.sh",
        "profiles/worker.annotations.yaml",
        "profiles/worker.sh",
    ]
    assert json.loads(files["digests.json"])["profiles"].keys() == {"web", "worker"}


def test_rendering_twice_gives_the_same_bytes() -> None:
    assert redirection(settings(GUIDE)) == redirection(settings(GUIDE))


def test_a_changed_rule_changes_its_digest_and_no_other() -> None:
    before = redirection(settings(GUIDE))
    profiles = {**GUIDE["annotationProfiles"], "worker": {"presets": ["cloud-metadata"]}}  # type: ignore[dict-item]
    after = redirection(settings({**GUIDE, "annotationProfiles": profiles}))
    assert before.mesh.digest == after.mesh.digest
    assert before.profiles[0].digest == after.profiles[0].digest
    assert before.profiles[1].digest != after.profiles[1].digest
    assert before.settings_digest != after.settings_digest


def test_peoples_notes_do_not_change_the_digest() -> None:
    """A better reason is no new mesh."""
    plain = settings({"traffic": {"outboundPortExclusionList": [6379]}})
    entry = {"value": 6379, "reason": "Redis", "owner": "data-team", "until": "2030-01-01"}
    noted = settings({"traffic": {"outboundPortExclusionList": [entry]}})
    assert settings_digest(plain) == settings_digest(noted)


def test_the_config_map_holds_what_a_check_needs() -> None:
    data = config_map_data(redirection(settings(GUIDE)))
    known = redirection(settings(GUIDE))
    plain = json.loads(data["redirection.json"])
    assert plain["settingsDigest"] == known.settings_digest
    assert plain["mesh"]["digest"] == known.mesh.digest
    assert plain["mesh"]["lists"]["outboundPortExclusionList"] == [6379, 7070]
    assert all(len(value.encode()) < 1 << 20 for value in data.values())


def test_other_systems_have_their_own_chains_and_annotations() -> None:
    data = {
        "system": "osm-edge",
        "traffic": {"interceptionMode": "iptables"},
        "sidecar": {"localDNSProxy": {"enable": True}},
        "annotationProfiles": {"p": {"inboundPortExclusionList": [80]}},
    }
    known = redirection(settings(data))
    assert ":OSM_PROXY_INBOUND - [0:0]" in known.mesh.script
    assert "127.0.0.153:5300" in known.mesh.script
    assert list(known.profiles[0].annotations) == [
        "openservicemesh.io/inbound-port-exclusion-list"
    ]


def test_the_summary_says_what_goes_through_the_sidecar() -> None:
    known = redirection(settings(GUIDE))
    assert known.summary == (
        "outbound: TCP to 10.244.0.0/16 except to 1.1.1.1/32, 2.2.2.0/24, to port 6379, 7070, "
        "over net1, net2 goes through the sidecar",
        "inbound:  all TCP except to port 8081, over net1, net2 goes through the sidecar",
        "profile web: outbound-port-exclusion 8080,6379; inbound-port-exclusion 9000; "
        "outbound-ip-range-exclusion 10.0.0.0/8,1.1.1.1/32; outbound-ip-range-inclusion 10.96.0.0/16",
        "profile worker: outbound-port-exclusion 6060,9090,9091,9093,9443; "
        "outbound-ip-range-exclusion 10.96.0.1/32,169.254.169.254/32",
    )
    assert replace(known, system="fsm") == known


def test_where_nodes_redirect_no_list_is_said_to_count() -> None:
    """No pod runs the scripts then: what they say would be wrong."""
    stack = settings({"traffic": {"interceptionMode": "NodeLevel"}})
    assert redirection(stack).summary == (
        "NodeLevel: fsm-xnetwork redirects on the nodes, and reads no list",
    )
