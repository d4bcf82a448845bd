"""The three profiles, with the facts written out."""

from __future__ import annotations

import pytest

from fsm_stack.errors import InputError
from fsm_stack.systems import FSM, OSM, OSM_EDGE, system


@pytest.mark.requirement("C37", "C41")
def test_osm_and_osm_edge_share_names_and_differ_in_sidecar_and_image() -> None:
    """The Japanese page shows OSM's image; osm-edge's own is another."""
    for profile in (OSM, OSM_EDGE):
        assert profile.mesh_config_name == "osm-mesh-config"
        assert profile.default_namespace == "osm-system"
        assert profile.init_container == "osm-init"
        assert profile.injector_name == "osm-injector"
        assert profile.annotation("metrics") == "openservicemesh.io/metrics"
        assert profile.monitored_by_label == "openservicemesh.io/monitored-by"
        assert profile.mesh_config_api_version == "config.openservicemesh.io/v1alpha2"
    assert (OSM.sidecar_kind, OSM.sidecar_container) == ("envoy", "envoy")
    assert (OSM_EDGE.sidecar_kind, OSM_EDGE.sidecar_container) == ("pipy", "sidecar")
    assert OSM.init_image == "openservicemesh/init"
    assert OSM_EDGE.init_image == "flomesh/osm-edge-sidecar-init"


@pytest.mark.requirement("C41")
def test_fsm_has_names_of_its_own() -> None:
    assert FSM.chains.all() == (
        "FSM_PROXY_INBOUND",
        "FSM_PROXY_IN_REDIRECT",
        "FSM_PROXY_OUTBOUND",
        "FSM_PROXY_OUT_REDIRECT",
    )
    assert (FSM.init_container, FSM.sidecar_container) == ("fsm-init", "sidecar")
    assert FSM.mesh_config_group == "config.flomesh.io"
    assert FSM.ignore_label == "flomesh.io/ignore"
    assert FSM.document_chains.outbound == "PROXY_OUTPUT"


@pytest.mark.requirement("C20")
def test_the_interception_mode_is_compared_exactly() -> None:
    """FSM leaves NodeLevel out, osm-edge takes only iptables, OSM has no such field."""
    modes = ("PodLevel", "NodeLevel", "iptables", "ebpf", "")
    assert [FSM.intercepts(mode) for mode in modes] == [True, False, True, True, True]
    assert [OSM_EDGE.intercepts(mode) for mode in modes] == [False, False, True, False, False]
    assert [OSM.intercepts(mode) for mode in modes] == [True, True, True, True, True]


def test_an_unknown_system_is_named_with_the_known_ones() -> None:
    assert system("osm-edge") is OSM_EDGE
    with pytest.raises(InputError) as caught:
        system("istio")
    assert str(caught.value) == "system 'istio': expected one of fsm, osm-edge, osm"
