"""Annotations written strictly: what is written is read back, and nothing else can be written."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.errors import FindingsError, InputError
from fsm_stack.injector.annotations import pod_lists
from fsm_stack.settings.models.stack import AnnotationProfile, StackSettings
from fsm_stack.settings.models.values import PortEntry
from fsm_stack.systems import FSM, OSM, OSM_EDGE
from fsm_stack.workloads.preview import preview
from fsm_stack.workloads.write import (
    PodSettings,
    annotations_for,
    annotations_of,
)
from tests.given import ID, mesh, namespace, pod

EVERYTHING = PodSettings(
    outbound_ports=(6379, 7070, 6379),
    inbound_ports=(8081,),
    excluded_ranges=("1.1.1.1/32",),
    included_ranges=("10.244.0.0/16", "10.96.0.0/16"),
    injection=True,
    sidecar_image="example.com/pipy:2",
    hold_application=False,
    graceful_exit=True,
    limits={"cpu": "0.5", "memory": "1024Mi"},
    requests={"ephemeral-storage": "1Gi"},
)


@pytest.mark.requirement("C8", "C9", "C10", "C11")
def test_every_setting_has_its_annotation() -> None:
    assert annotations_of(EVERYTHING, FSM) == {
        "flomesh.io/outbound-port-exclusion-list": "6379,7070",
        "flomesh.io/inbound-port-exclusion-list": "8081",
        "flomesh.io/outbound-ip-range-exclusion-list": "1.1.1.1/32",
        "flomesh.io/outbound-ip-range-inclusion-list": "10.244.0.0/16,10.96.0.0/16",
        "flomesh.io/sidecar-injection": "enabled",
        "flomesh.io/hold-application-until-proxy-starts": "disabled",
        "flomesh.io/graceful-exit-until-downstream-ends": "enabled",
        "flomesh.io/sidecar-image": "example.com/pipy:2",
        "flomesh.io/sidecar-resource-limits-cpu": "500m",
        "flomesh.io/sidecar-resource-limits-memory": "1Gi",
        "flomesh.io/sidecar-resource-requests-ephemeral-storage": "1Gi",
    }


def test_what_is_written_is_read_back_without_a_finding() -> None:
    written = annotations_of(EVERYTHING, FSM)
    assert pod_lists(written, FSM).outbound_ports == (6379, 7070)
    result = preview(pod(dict(written)), mesh=mesh(), namespace=namespace(), proxy_id=ID)
    assert result.findings == ()
    sidecar = result.pod["spec"]["containers"][-1]
    assert sidecar["image"] == "example.com/pipy:2"
    assert sidecar["resources"]["limits"] == {"cpu": "500m", "memory": "1Gi"}
    assert list(sidecar["lifecycle"]) == ["preStop"]


def test_nothing_is_written_for_nothing() -> None:
    """An empty list would be refused at admission."""
    assert annotations_of(PodSettings(), FSM) == {}


@pytest.mark.requirement("C37")
def test_each_system_has_its_own_keys() -> None:
    assert annotations_of(PodSettings(outbound_ports=(80,), limits={"cpu": "1"}), OSM_EDGE) == {
        "openservicemesh.io/outbound-port-exclusion-list": "80",
        "openservicemesh.io/sidecar-resource-limits-cpu": "1",
    }
    with pytest.raises(FindingsError) as caught:
        annotations_of(PodSettings(hold_application=True, limits={"cpu": "1"}), OSM)
    assert str(caught.value) == (
        "hold_application: error: OSM has no annotation "
        "openservicemesh.io/hold-application-until-proxy-starts [not-in-system]\n"
        "limits.cpu: error: OSM has no annotation "
        "openservicemesh.io/sidecar-resource-limits-cpu [not-in-system]"
    )


@pytest.mark.requirement("C42")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"outbound_ports": (0,)},
            "outbound_ports[0]: error: expected a port from 1 to 65535, got 0 [invalid-port]",
        ),
        (
            {"inbound_ports": tuple(range(1, 17))},
            "inbound_ports: error: expected at most 15 ports, got 16 [too-many-ports]",
        ),
        (
            {"excluded_ranges": ("fd00::/8",)},
            "excluded_ranges[0]: error: expected an IPv4 CIDR, got the IPv6 range 'fd00::/8'; only "
            "IPv4 is intercepted [ipv6-cidr] Fix: Remove it: IPv6 traffic bypasses the sidecar "
            "already.",
        ),
        (
            {"included_ranges": ("10.0.0.0\uff0f8",)},
            "included_ranges[0]: error: '10.0.0.0\uff0f8': expected ASCII, got U+FF0F FULLWIDTH "
            "SOLIDUS at position 9 [not-ascii] Fix: Retype it in ASCII.",
        ),
        (
            {"sidecar_image": "$(id)"},
            "sidecar_image: error: expected an image reference, got '$(id)' [invalid-value]",
        ),
        (
            {"requests": {"memory": "lots"}},
            "requests.memory: error: expected a quantity such as 500m, 0.5, 256Mi or 2G, got "
            "'lots' [invalid-value]",
        ),
        (
            {"limits": {"gpu": "1"}},
            "limits.gpu: error: FSM has no annotation flomesh.io/sidecar-resource-limits-gpu "
            "[not-in-system]",
        ),
        (
            {"interfaces": ("eth1",)},
            "interfaces: error: pods have no annotation for networkInterfaceExclusionList, the mesh "
            "alone has this list [not-in-system]",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_the_injector_or_the_kernel_refuses_cannot_be_written(
    wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(FindingsError) as caught:
        annotations_of(PodSettings(**wrong), FSM)
    assert str(caught.value) == message


def test_a_profiles_annotations_are_for_the_pods_of_others() -> None:
    port = PortEntry.model_construct(value=6379)
    profile = AnnotationProfile(outbound_port_exclusion_list=(port,))
    stack = StackSettings(annotation_profiles={"redis": profile})
    key = "flomesh.io/outbound-port-exclusion-list"
    assert annotations_for(stack, "redis") == {key: "6379"}
    with pytest.raises(InputError) as caught:
        annotations_for(stack, "reddis")
    assert str(caught.value) == "profile 'reddis': expected one of the stack's profiles: redis"
