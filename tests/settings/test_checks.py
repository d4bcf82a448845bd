from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.findings.finding import Severity
from fsm_stack.settings.models.stack import Deployment
from fsm_stack.settings.stack_file import load_mapping, load_text

from .loading import TODAY, found

PORTS = list(range(1, 16))
CLUSTER = {
    "podRanges": ["10.244.0.0/16"],
    "serviceRanges": ["10.96.0.0/16"],
    "apiServer": {"address": "10.96.0.1"},
}


def traffic(**lists: Any) -> dict[str, Any]:
    return {"cluster": CLUSTER, "traffic": lists}


def test_defaults_have_no_findings() -> None:
    assert found({}) == []


def test_fifteen_ports_fit() -> None:
    assert found(traffic(outboundPortExclusionList=PORTS, inboundPortExclusionList=PORTS)) == []


def test_sixteen_ports_break_every_new_pod() -> None:
    """H1: the kernel's multiport match takes 15."""
    assert found(traffic(outboundPortExclusionList=[*PORTS, 16])) == [
        (
            "too-many-ports",
            "traffic.outboundPortExclusionList",
            "expected at most 15 ports, got 16",
        )
    ]


def test_a_port_named_twice_counts_once() -> None:
    """The injector removes duplicates when it merges, so 15 different ports still fit."""
    ids = [item[0] for item in found(traffic(inboundPortExclusionList=[*PORTS, 15]))]
    assert ids == ["duplicate-entry"]


def test_mesh_and_profile_count_together() -> None:
    """H1: the injector merges both lists into one match."""
    data = traffic(outboundPortExclusionList=PORTS[:10])
    data["annotationProfiles"] = {
        "p": {"outboundPortExclusionList": [9, 10, 21, 22, 23, 24, 25, 26]}
    }
    assert found(data) == [
        (
            "too-many-ports",
            "annotationProfiles.p.outboundPortExclusionList",
            "expected at most 15 ports together with the mesh's list, got 16: 6 here, 10 there",
        )
    ]


def test_a_profile_without_ports_of_its_own_has_no_part_in_the_meshs_sixteen() -> None:
    """One mistake is one finding, where it was made."""
    data = traffic(outboundPortExclusionList=[*PORTS, 16])
    data["annotationProfiles"] = {
        "api": {"inboundPortExclusionList": [8080]},
        "redis": {"outboundPortExclusionList": [6379]},
    }
    assert [path for _, path, _ in found(data)] == [
        "annotationProfiles.redis.outboundPortExclusionList",
        "traffic.outboundPortExclusionList",
    ]


@pytest.mark.requirement("C32")
def test_host_bits_are_a_warning_with_the_fix() -> None:
    """H7: 255 more addresses than meant."""
    loaded = load_mapping(
        traffic(outboundIPRangeExclusionList=["1.1.1.1/32", "2.2.2.2/24"]), name="f", today=TODAY
    )
    (item,) = loaded.findings
    assert item.as_text() == (
        "f traffic.outboundIPRangeExclusionList[1]: warning: "
        "2.2.2.2/24 matches the 256 addresses of 2.2.2.0/24 [host-bits] "
        "Fix: Write 2.2.2.0/24 for the range, or 2.2.2.2/32 for the one address."
    )
    assert loaded.settings is not None


def test_excluding_every_address_is_an_error() -> None:
    """H8: mTLS and policy are silently off."""
    assert found(traffic(outboundIPRangeExclusionList=["0.0.0.0/0"])) == [
        (
            "excludes-everything",
            "traffic.outboundIPRangeExclusionList[0]",
            "0.0.0.0/0 excludes every address: nothing outbound is intercepted",
        )
    ]


def test_two_halves_exclude_everything_too() -> None:
    """H8 in two entries, each of which looks harmless to a pattern."""
    assert (
        "excludes-everything",
        "traffic.outboundIPRangeExclusionList",
        "0.0.0.0/1, 128.0.0.0/1 together exclude every address",
    ) in found({"traffic": {"outboundIPRangeExclusionList": ["0.0.0.0/1", "128.0.0.0/1"]}})


def test_an_interface_wildcard_alone_excludes_everything() -> None:
    assert found(traffic(networkInterfaceExclusionList=["+"])) == [
        (
            "excludes-everything",
            "traffic.networkInterfaceExclusionList[0]",
            "'+' matches every interface",
        )
    ]


@pytest.mark.parametrize("name", ["eth0", "eth+", "e+"])
def test_the_pods_own_interface_is_a_warning(name: str) -> None:
    """H8 under another name: all of a pod's traffic to others passes through eth0."""
    loaded = load_mapping(traffic(networkInterfaceExclusionList=[name]), name="", today=TODAY)
    assert [(item.id, item.severity) for item in loaded.findings] == [
        ("excludes-everything", Severity.WARNING)
    ]


@pytest.mark.parametrize("name", ["eth", "eth1", "eth1+", "net1", "lo"])
def test_other_interfaces_are_left_alone(name: str) -> None:
    assert found(traffic(networkInterfaceExclusionList=[name])) == []


@pytest.mark.requirement("C8")
def test_the_documents_pod_scoped_exclusion_takes_the_mesh_out_of_itself() -> None:
    """H9: the guide excludes the usual pod and service ranges."""
    data = traffic(outboundIPRangeExclusionList=["10.244.0.0/16", "10.96.0.0/16"])
    assert found(data) == [
        (
            "excludes-mesh-traffic",
            "traffic.outboundIPRangeExclusionList[0]",
            "10.244.0.0/16 covers the cluster's pod range 10.244.0.0/16",
        ),
        (
            "excludes-mesh-traffic",
            "traffic.outboundIPRangeExclusionList[1]",
            "10.96.0.0/16 covers the cluster's service range 10.96.0.0/16",
        ),
    ]


@pytest.mark.requirement("C8", "C9")
def test_the_same_ranges_are_right_as_an_inclusion() -> None:
    data = traffic(outboundIPRangeInclusionList=["10.244.0.0/16", "10.96.0.0/16"])
    assert found(data) == []


def test_an_inclusion_without_the_clusters_ranges_is_told() -> None:
    """H9 by the other list: what is not included is not intercepted."""
    data = traffic(outboundIPRangeInclusionList=["10.244.0.0/17", "10.96.0.0/16"])
    loaded = load_mapping(data, name="", today=TODAY)
    assert [(item.severity, item.message) for item in loaded.findings] == [
        (
            Severity.INFO,
            "the inclusions leave out the cluster's pod range 10.244.0.0/16: requests to pod "
            "addresses, as headless services do, bypass the sidecar",
        )
    ]
    data = traffic(outboundIPRangeInclusionList=["10.0.0.0/12"])
    loaded = load_mapping(data, name="", today=TODAY)
    assert {(item.id, item.severity) for item in loaded.findings} == {
        ("inclusion-misses-mesh", Severity.INFO),
        ("inclusion-misses-mesh", Severity.WARNING),
    }


def test_a_profiles_inclusion_is_told_once_where_it_begins() -> None:
    data = {"cluster": CLUSTER, "annotationProfiles": {"p": {}}}
    data["annotationProfiles"]["p"]["outboundIPRangeInclusionList"] = ["10.244.0.0/16"]
    assert [item[:2] for item in found(data)] == [
        ("inclusion-misses-mesh", "annotationProfiles.p.outboundIPRangeInclusionList")
    ]
    data["traffic"] = {"outboundIPRangeInclusionList": ["10.244.0.0/16"]}
    assert [item[:2] for item in found(data)] == [
        ("inclusion-misses-mesh", "traffic.outboundIPRangeInclusionList")
    ]


def test_exclusions_that_cover_the_clusters_range_together() -> None:
    """H9 in two entries; each alone is part of the range only."""
    halves = ["10.96.0.0/17", "10.96.128.0/17"]
    assert (
        "excludes-mesh-traffic",
        "traffic.outboundIPRangeExclusionList",
        "10.96.0.0/17, 10.96.128.0/17 together cover the cluster's service range 10.96.0.0/16",
    ) in found(traffic(outboundIPRangeExclusionList=halves))
    data = traffic(outboundIPRangeExclusionList=halves[:1])
    data["annotationProfiles"] = {"p": {"outboundIPRangeExclusionList": halves[1:]}}
    assert (
        "excludes-mesh-traffic",
        "annotationProfiles.p.outboundIPRangeExclusionList",
        "10.96.0.0/17, 10.96.128.0/17 together cover the cluster's service range 10.96.0.0/16",
    ) in found(data)


@pytest.mark.requirement("C8")
def test_exclusion_and_inclusion_of_the_same_ranges_leave_nothing() -> None:
    """H10: the guide's two lists are equal; both together redirect nothing."""
    data = traffic(
        outboundIPRangeExclusionList=["1.1.1.1/32", "2.2.2.0/24"],
        outboundIPRangeInclusionList=["1.1.1.1/32", "2.2.2.0/24"],
    )
    assert found(data, without="inclusion-misses-mesh") == [
        (
            "dead-inclusion",
            "traffic.outboundIPRangeInclusionList[0]",
            "1.1.1.1/32 (1.1.1.1 to 1.1.1.1) is excluded as a whole; nothing of it is redirected",
        ),
        (
            "dead-inclusion",
            "traffic.outboundIPRangeInclusionList[1]",
            "2.2.2.0/24 (2.2.2.0 to 2.2.2.255) is excluded as a whole; nothing of it is redirected",
        ),
    ]


def test_an_inclusion_inside_several_exclusions_is_dead_too() -> None:
    data = traffic(
        outboundIPRangeExclusionList=["192.0.2.0/25", "192.0.2.128/25"],
        outboundIPRangeInclusionList=["192.0.2.0/24"],
    )
    assert [item[0] for item in found(data, without="inclusion-misses-mesh")] == ["dead-inclusion"]


def test_a_profile_that_takes_the_meshs_inclusion_back_is_told() -> None:
    data = traffic(outboundIPRangeInclusionList=["192.0.2.0/24"])
    data["annotationProfiles"] = {"p": {"outboundIPRangeExclusionList": ["192.0.2.0/24"]}}
    assert found(data, without="inclusion-misses-mesh") == [
        (
            "dead-inclusion",
            "annotationProfiles.p.outboundIPRangeExclusionList",
            "this profile's exclusions take the mesh's inclusion 192.0.2.0/24 back whole",
        )
    ]


@pytest.mark.requirement("C19")
def test_the_api_servers_own_address_is_no_bypass_of_the_mesh() -> None:
    """Use case of the guide: it lies in the service range, and is meant."""
    data = traffic(outboundIPRangeExclusionList=["10.96.0.1/32"])
    assert found(data) == []


def test_part_of_the_clusters_range_is_a_warning() -> None:
    data = traffic(outboundIPRangeExclusionList=["10.96.8.0/24"])
    loaded = load_mapping(data, name="", today=TODAY)
    (item,) = loaded.findings
    assert (item.id, item.severity) == ("excludes-mesh-traffic", Severity.WARNING)
    assert item.message == "10.96.8.0/24 is part of the cluster's service range 10.96.0.0/16"


@pytest.mark.requirement("C21")
def test_ebpf_names_the_right_mode() -> None:
    assert found(traffic(interceptionMode="ebpf")) == [
        (
            "unsupported-mode",
            "traffic.interceptionMode",
            "FSM has PodLevel and NodeLevel, osm-edge has iptables, got 'ebpf'; "
            "eBPF interception is not a mode here",
        )
    ]


@pytest.mark.requirement("C21")
def test_another_systems_mode_is_refused() -> None:
    data = {"traffic": {"interceptionMode": "iptables"}}
    assert [item[0] for item in found(data)] == ["unsupported-mode"]
    assert [item[0] for item in found({"system": "osm-edge", **data})] == ["partial-system"]


@pytest.mark.requirement("C20", "C21")
def test_lists_in_node_level_mode_are_an_error_each() -> None:
    """H11: no init container is injected, so nobody reads them."""
    ids = {
        item[:2]
        for item in found(traffic(interceptionMode="NodeLevel", outboundPortExclusionList=[6379]))
    }
    assert ids == {
        ("lists-ignored", "traffic.outboundPortExclusionList"),
        ("mutable-image", "images.xnet.tag"),
    }


@pytest.mark.requirement("C1")
@pytest.mark.parametrize("port", [15000, 15001, 15003, 15010, 15901, 15902, 15903, 15904])
def test_excluding_a_reserved_port_is_a_warning(port: int) -> None:
    (item,) = found(traffic(inboundPortExclusionList=[port]))
    assert item[0] == "reserved-port-excluded"
    assert item[2].startswith(f"port {port} is reserved: ")


def test_a_bypass_past_its_date_is_told_with_its_owner() -> None:
    entry = {"value": 6379, "reason": "old Redis", "owner": "data-team", "until": "2026-06-30"}
    assert found(traffic(outboundPortExclusionList=[entry])) == [
        (
            "bypass-expired",
            "traffic.outboundPortExclusionList[0]",
            "6379 was to go by 2026-06-30; ask data-team",
        )
    ]
    assert found(traffic(outboundPortExclusionList=[{**entry, "until": "2026-07-01"}])) == []


@pytest.mark.parametrize("key", ["ingress", "gatewayAPI", "serviceLB", "egressGateway"])
def test_a_switch_of_a_program_is_no_finding(key: str) -> None:
    assert found({key: {"enabled": True}}) == []


def test_vault_needs_to_be_found() -> None:
    assert found({"certificateProvider": {"kind": "vault"}}) == [
        (
            "missing-key",
            "certificateProvider.vault",
            "expected certificateProvider.vault with host and tokenSecret, got nothing",
        )
    ]


def test_a_namespace_that_is_never_injected_cannot_be_enrolled() -> None:
    names = ["kube-system", "fsm-system", "shop", "shop"]
    data = {"enrolledNamespaces": [{"name": name} for name in names]}
    assert [item[:2] for item in found(data)] == [
        ("injection-ignored", "enrolledNamespaces[0].name"),
        ("injection-ignored", "enrolledNamespaces[1].name"),
        ("name-taken", "enrolledNamespaces[3].name"),
    ]


@pytest.mark.requirement("C19")
def test_the_api_server_preset_needs_its_address() -> None:
    data = {"annotationProfiles": {"operator": {"presets": ["kubernetes-api"]}}}
    assert found(data) == [
        (
            "missing-key",
            "annotationProfiles.operator.presets[0]",
            "expected cluster.apiServer.address, which the preset kubernetes-api excludes",
        )
    ]


def test_the_tag_latest_is_a_warning_unless_a_digest_pins_it() -> None:
    assert found({"images": {"pipy": {"tag": "latest"}}}) == [
        ("mutable-image", "images.pipy.tag", "pipy is named by the moving tag latest")
    ]
    pinned = {"tag": "latest", "digest": "sha256:" + "0" * 64}
    assert found({"images": {"pipy": pinned}}) == []


def test_lower_bounds_above_upper_bounds_are_refused() -> None:
    data = {"components": {"injector": {"autoscaling": {"minReplicas": 9}}}}
    assert found(data) == [
        (
            "invalid-value",
            "components.injector.autoscaling.minReplicas",
            "expected at most maxReplicas 5, got 9",
        )
    ]


def test_a_controller_without_its_scripts_is_refused_unless_nothing_has_to_run() -> None:
    omitted = {"releaseAssets": {"source": "omit"}}
    assert [item[:2] for item in found(omitted)] == [("assets-omitted", "releaseAssets.source")]
    to_look_at = {**omitted, "deployment": {"lookOnly": True}}
    assert [item[:2] for item in found(to_look_at)] == [("look-only", "deployment.lookOnly")]


def test_a_stack_to_look_at_is_not_waited_for() -> None:
    for data, awaited in (({}, True), ({"lookOnly": True}, False), ({"skipAwait": True}, False)):
        assert Deployment.model_validate(data).awaits is awaited


@pytest.mark.requirement("C37")
def test_other_systems_say_what_they_give() -> None:
    assert found({"system": "osm"}) == [
        (
            "partial-system",
            "system",
            "OSM gives MeshConfig and redirection only; "
            "its control plane is installed by its own tools",
        )
    ]


def test_what_another_system_would_ignore_is_refused() -> None:
    data = {
        "system": "osm",
        "enrolledNamespaces": [{"name": "shop"}],
        "components": {"injector": {"replicas": 2}},
        "clusterSet": {"name": "x"},
    }
    assert [item[:2] for item in found(data) if item[0] == "not-in-system"] == [
        ("not-in-system", "clusterSet.name"),
        ("not-in-system", "components"),
        ("not-in-system", "enrolledNamespaces"),
    ]


@pytest.mark.parametrize(
    ("version", "setting", "path", "message"),
    [
        (
            "1.18",
            {},
            "cluster.kubernetesVersion",
            "expected Kubernetes 1.19 or newer, cluster.kubernetesVersion is 1.18: "
            "FSM's programs do not run",
        ),
        (
            "1.22.17",
            {"components": {"injector": {"autoscaling": {"enabled": True}}}},
            "components.injector.autoscaling.enabled",
            "expected Kubernetes 1.23 or newer, cluster.kubernetesVersion is 1.22.17: "
            "autoscaling/v2 is not served",
        ),
        (
            "1.20",
            {"components": {"controller": {"podDisruptionBudget": True}}},
            "components.controller.podDisruptionBudget",
            "expected Kubernetes 1.21 or newer, cluster.kubernetesVersion is 1.20: "
            "policy/v1 is not served",
        ),
        (
            "1.20",
            {"featureFlags": {"useEndpointSlicesForGateway": True}},
            "featureFlags.useEndpointSlicesForGateway",
            "expected Kubernetes 1.21 or newer, cluster.kubernetesVersion is 1.20: "
            "discovery.k8s.io/v1 is not served",
        ),
    ],
)
def test_a_cluster_too_old_for_what_is_declared_is_refused(
    version: str, setting: dict[str, Any], path: str, message: str
) -> None:
    data = {"cluster": {**CLUSTER, "kubernetesVersion": version}, **setting}
    assert found(data) == [("kubernetes-too-old", path, message)]


@pytest.mark.parametrize("version", ["1.19", "1.20", "1.23", "1.34", "1.40"])
def test_a_cluster_that_is_new_enough_has_no_finding(version: str) -> None:
    scaled = {"injector": {"autoscaling": {"enabled": True}}} if version >= "1.23" else {}
    data = {"cluster": {**CLUSTER, "kubernetesVersion": version}, "components": scaled}
    assert found(data) == []


def test_another_systems_control_plane_asks_for_no_version() -> None:
    data = {"system": "osm", "cluster": {"kubernetesVersion": "1.18"}}
    assert [item[0] for item in found(data)] == ["partial-system"]


def test_a_version_that_upstream_has_not_released_is_told() -> None:
    assert found({"fsmVersion": "1.6.0"}) == [
        (
            "fsm-unreleased",
            "fsmVersion",
            "upstream has a branch 1.6.0, and no release of that version",
        )
    ]
    assert found({"fsmVersion": "1.5.1"}) == []


@pytest.mark.parametrize("version", ["v1.34", "1", "2.0", "1.034", "1.34.x", "1.100"])
def test_a_kubernetes_version_has_one_form(version: str) -> None:
    ((rule, path, message),) = found({"cluster": {"kubernetesVersion": version}})
    assert (rule, path) == ("invalid-value", "cluster.kubernetesVersion")
    assert message == (
        f"expected a Kubernetes version such as \"1.34\", in quotes, got '{version}'"
    )


def told(data: dict[str, Any], rule_id: str) -> list[tuple[str, str, str, str]]:
    """Severity, path, message and fix of one id's findings."""
    loaded = load_mapping(data, name="", today=TODAY)
    return [
        (item.severity.value, item.place.path, item.message, item.fix)
        for item in loaded.findings
        if item.id == rule_id
    ]


def test_a_port_excluded_in_every_pod_takes_in_cluster_traffic_along() -> None:
    """H31: a rule of ports asks no address, and stands before the inclusions."""
    lost = (
        "traffic to services in 10.96.0.0/16 and pods in 10.244.0.0/16 on it bypasses the mesh "
        "too, and no profile's inclusions bring it back"
    )
    data = traffic(outboundPortExclusionList=[443, 6379, 9092])
    assert told(data, "excludes-mesh-port") == [
        (
            "info",
            "traffic.outboundPortExclusionList",
            f"each of 6379, 9092 is excluded in every pod: {lost}",
            "",
        ),
        (
            "warning",
            "traffic.outboundPortExclusionList[0]",
            f"port 443, usual among services, is excluded in every pod: {lost}",
            "",
        ),
    ]
    data["traffic"]["interceptionMode"] = "NodeLevel"
    assert told(data, "excludes-mesh-port") == []
    data = traffic(inboundPortExclusionList=[443])
    data["annotationProfiles"] = {"p": {"outboundPortExclusionList": [443]}}
    assert told(data, "excludes-mesh-port") == []


def test_without_the_clusters_ranges_it_is_told_all_the_same() -> None:
    data = {"traffic": {"outboundPortExclusionList": [6379]}}
    ((_, _, message, _),) = told(data, "excludes-mesh-port")
    assert message == (
        "port 6379 is excluded in every pod: traffic to services and pods of the cluster on it "
        "bypasses the mesh too, and no profile's inclusions bring it back"
    )


def test_more_ports_than_fit_are_told_what_else_does_the_same() -> None:
    """H1: a range or an inclusion is one rule, however many ports it stands for."""
    data = traffic(outboundPortExclusionList=[*PORTS, 16], inboundPortExclusionList=[*PORTS, 16])
    assert {(path, fix) for _, path, _, fix in told(data, "too-many-ports")} == {
        (
            "traffic.outboundPortExclusionList",
            "Exclude the servers' addresses with outboundIPRangeExclusionList, let only the "
            "cluster's ranges (10.244.0.0/16, 10.96.0.0/16) be redirected with "
            "outboundIPRangeInclusionList, or move ports to the annotationProfiles of the pods "
            "that need them.",
        ),
        (
            "traffic.inboundPortExclusionList",
            "Inbound there is nothing wider than single ports: move ports to the "
            "annotationProfiles of the pods that need them.",
        ),
    }
    included = traffic(outboundIPRangeInclusionList=["10.244.0.0/16", "10.96.0.0/16"])
    assert found(included) == []


@pytest.mark.parametrize("text", ["9100-9102", "9100:9102", " 9100 - 9102"])
def test_a_range_of_ports_is_told_as_single_ports(text: str) -> None:
    data = traffic(inboundPortExclusionList=[text])
    ((_, _, _, fix),) = told(data, "invalid-port")
    assert fix == "A list holds single ports: write 9100, 9101, 9102."
    assert found(traffic(inboundPortExclusionList=[9100, 9101, 9102])) == []


def test_a_range_with_more_ports_than_fit_is_told_what_comes_nearest() -> None:
    ((_, _, _, fix),) = told(traffic(outboundPortExclusionList=["9000-9100"]), "invalid-port")
    assert fix == (
        "A list holds single ports, 15 at most: exclude the servers' addresses with "
        "outboundIPRangeExclusionList; inbound there are only single ports."
    )
    for no_range in ("9100-9000", "1-70000", "a-b", "1-2-3"):
        ((_, _, _, fix),) = told(traffic(outboundPortExclusionList=[no_range]), "invalid-port")
        assert fix == ""


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("mesh.name is prod-eu", {"mesh": {"name": "prod-eu"}}),
        ("clusterSet.name is production", {"clusterSet": {"name": "production"}}),
    ],
)
def test_a_stack_of_production_names_its_cluster(key: str, settings: dict[str, Any]) -> None:
    """Else the current context decides what pulumi up changes."""
    message = f"expected cluster.uid or cluster.context, because {key}; got neither"
    assert found(settings) == [("cluster-unnamed", "cluster", message)]
    for named in ({"context": "eu"}, {"uid": "01234567-89ab-cdef-0123-456789abcdef"}):
        assert found(settings | {"cluster": named}) == []
    looked = {"lookOnly": True}
    assert [one[0] for one in found(settings | {"deployment": looked})] == ["look-only"]


def test_a_stacks_own_name_tells_production_too() -> None:
    text = "config:\n  fsm-stack:mesh: {trustDomain: a.example}\n"
    ids = {
        name: [item.id for item in load_text(text, file=name, today=TODAY).findings]
        for name in ("Pulumi.prod.yaml", "envs/Pulumi.live-2.yaml", "Pulumi.products.yaml", "f")
    }
    assert ids == {
        "Pulumi.prod.yaml": ["cluster-unnamed"],
        "envs/Pulumi.live-2.yaml": ["cluster-unnamed"],
        "Pulumi.products.yaml": [],
        "f": [],
    }


def test_a_policy_makes_an_incomplete_bypass_an_error() -> None:
    """A stack can ask that nobody leaves the mesh without a reason, an owner and an end."""
    full = {"value": 6379, "reason": "TLS of its own", "owner": "data", "until": "2027-01-01"}
    data: dict[str, Any] = {
        "bypassPolicy": {"requireReason": True, "requireOwner": True, "requireUntil": True},
        "traffic": {
            "outboundPortExclusionList": [full, {"value": 9092, "owner": "data"}],
            "networkInterfaceExclusionList": ["net1"],
        },
        "annotationProfiles": {"p": {"outboundIPRangeExclusionList": ["1.1.1.1/32"]}},
    }
    assert told(data, "bypass-incomplete") == [
        (
            "error",
            "annotationProfiles.p.outboundIPRangeExclusionList[0]",
            "1.1.1.1/32: expected reason, owner, until, got none of them",
            "Write {value: 1.1.1.1/32, reason: …, owner: …, until: …}, beside what is there.",
        ),
        (
            "error",
            "traffic.networkInterfaceExclusionList[0]",
            "net1: expected reason, owner, until, got none of them",
            "Write {value: net1, reason: …, owner: …, until: …}, beside what is there.",
        ),
        (
            "error",
            "traffic.outboundPortExclusionList[1]",
            "9092: expected reason, owner, until, got owner",
            "Write {value: 9092, reason: …, until: …}, beside what is there.",
        ),
    ]
    data["bypassPolicy"] = {"requireOwner": True}
    data["traffic"]["networkInterfaceExclusionList"] = [{"value": "net1", "owner": "net"}]
    data["annotationProfiles"] = {}
    assert told(data, "bypass-incomplete") == []


AZURE = {"workspaceId": "w", "keySecret": {"name": "azure", "key": "key"}}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            {"ingress": {"enabled": True}, "gatewayAPI": {"enabled": True}},
            (
                "invalid-value",
                "gatewayAPI.enabled",
                "expected ingress or gatewayAPI, got both: FSM serves one of the two",
            ),
        ),
        (
            {"ingress": {"enabled": True, "http": {"enabled": False}}},
            (
                "invalid-value",
                "ingress.enabled",
                "expected http or tls to be enabled, got neither: the ingress serves nothing",
            ),
        ),
        (
            {"ingress": {"enabled": True, "tls": {"enabled": True, "listen": 8000}}},
            (
                "invalid-value",
                "ingress.tls.listen",
                "expected another listen than that of http, got 8000 for both",
            ),
        ),
        (
            {"egressGateway": {"enabled": True, "adminPort": 1080}},
            (
                "invalid-value",
                "egressGateway.adminPort",
                "expected a port other than that of its traffic, got 1080 for both",
            ),
        ),
        (
            {
                "egressGateway": {"enabled": True},
                "components": {"egressGateway": {"name": "fsm-injector"}},
            },
            (
                "name-taken",
                "components.egressGateway.name",
                "Deployment fsm-injector is a program of the control plane, or may stand beside "
                "it",
            ),
        ),
        (
            {
                "ingress": {"enabled": True},
                "components": {"ingress": {"serviceName": "fsm-validator"}},
            },
            (
                "name-taken",
                "components.ingress.serviceName",
                "Service fsm-validator is another one of the control plane's namespace",
            ),
        ),
        (
            {"components": {"fluentBit": {"enabled": True, "outputPlugin": "azure"}}},
            (
                "missing-key",
                "components.fluentBit.azure",
                "expected components.fluentBit.azure with workspaceId and keySecret, got nothing",
            ),
        ),
        (
            {"flb": {"enabled": True, "secretName": "flb"}},
            (
                "secret-needed",
                "flb.enabled",
                "fsm-controller stops at its start unless Secret flb is in fsm-system with the "
                "label flb.flomesh.io/config=true: no stack declares it",
            ),
        ),
        (
            {"components": {"fluentBit": {"azure": AZURE}}},
            (
                "no-effect",
                "components.fluentBit.azure",
                "nothing reads it: outputPlugin is stdout",
            ),
        ),
        (
            {"components": {"fluentBit": {"enabled": True, "name": "fsm-controller"}}},
            (
                "name-taken",
                "components.fluentBit.name",
                "fsm-controller is another container of the controller's pod",
            ),
        ),
        (
            {"components": {"grafana": {"enabled": True}}},
            (
                "no-destination",
                "components.grafana.enabled",
                "Grafana reads fsm-prometheus of the control plane's namespace, and this stack "
                "does not run it",
            ),
        ),
        (
            {"traffic": {"interceptionMode": "NodeLevel"}},
            (
                "mutable-image",
                "images.xnet.tag",
                "xnet is named by the moving tag latest: upstream gives the engine of NodeLevel "
                "no version",
            ),
        ),
        (
            {"components": {"jaeger": {"enabled": True}}},
            (
                "mutable-image",
                "images.jaeger.tag",
                "jaeger is named by the moving tag latest",
            ),
        ),
    ],
)
def test_a_program_that_cannot_work_as_it_is_set(
    data: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    assert found(data) == [expected]


AT = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    "data",
    [
        {"ingress": {"enabled": True, "tls": {"enabled": True}}},
        {"ingress": {"enabled": True, "namespaced": True, "http": {"enabled": False}}},
        {"ingress": {"enabled": True}, "images": {"ingress": {"tag": "1.2"}}},
        {
            "traffic": {"interceptionMode": "NodeLevel"},
            "images": {"xnet": {"digest": AT}, "xnetmgmt": {"tag": "1.2"}},
        },
        {
            "components": {
                "prometheus": {"enabled": True},
                "grafana": {"enabled": True},
                "fluentBit": {"enabled": True, "outputPlugin": "Azure", "azure": AZURE},
            }
        },
        {"components": {"jaeger": {"enabled": True}}, "images": {"jaeger": {"tag": "1.57"}}},
    ],
)
def test_a_program_that_works_is_no_finding(data: dict[str, Any]) -> None:
    assert found(data) == []
