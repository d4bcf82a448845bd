"""Each finding about a pod: once where it is wrong, and never on a clean pod."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.findings import workload
from fsm_stack.findings.catalogue import rule
from fsm_stack.injector.decision import NamespaceView
from fsm_stack.lists import Lists
from fsm_stack.workloads.lint import ClusterRanges
from fsm_stack.workloads.preview import preview
from tests.given import ID, container, found, mesh, namespace, pod, probe

PORTS = "flomesh.io/outbound-port-exclusion-list"
EXCLUDED = "flomesh.io/outbound-ip-range-exclusion-list"
INCLUDED = "flomesh.io/outbound-ip-range-inclusion-list"


@pytest.mark.parametrize("name", ["fsm", "osm-edge", "osm"])
def test_a_clean_pod_has_no_finding(name: str) -> None:
    prefix = "flomesh.io" if name == "fsm" else "openservicemesh.io"
    annotations = {
        f"{prefix}/sidecar-injection": "enabled",
        f"{prefix}/outbound-port-exclusion-list": "6379, 7070",
        f"{prefix}/outbound-ip-range-exclusion-list": "1.1.1.1/32",
        f"{prefix}/outbound-ip-range-inclusion-list": "10.244.0.0/16,10.96.0.0/16",
        "example.com/other": "x",
        "prometheus.io/scrape": "true",
    }
    checks = probe(httpGet={"path": "/", "port": "http"}) | probe("liveness", exec={})
    assert found(pod(annotations, containers=[container(**checks)]), name) == {}


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    (
        "too-many-ports",
        pod({PORTS: ",".join(str(port) for port in range(100, 116))}),
        f"{PORTS}: expected at most 15 ports together with the mesh's list, got 16: 16 here, 0 there",
    ),
    (
        "invalid-port",
        pod({PORTS: "70000"}),
        f"{PORTS}: expected a port from 1 to 65535, got 70000; the injector takes it, and the init "
        "container fails",
    ),
    (
        "invalid-cidr",
        pod({EXCLUDED: "10.0.0.0"}),
        f"{EXCLUDED}='10.0.0.0': expected comma-separated IPv4 CIDRs such as 10.0.0.0/8, got "
        "'10.0.0.0' at position 1; the injector refuses the pod",
    ),
    (
        "ipv6-cidr",
        pod({EXCLUDED: "fd00::/8"}),
        f"{EXCLUDED}: expected an IPv4 CIDR, got fd00::/8; the injector takes it, and the init "
        "container fails",
    ),
    (
        "not-ascii",
        pod({PORTS: "6379\uff0c7070"}),
        f"annotation {PORTS}: expected ASCII, got U+FF0C FULLWIDTH COMMA at position 5",
    ),
    (
        "host-bits",
        pod({EXCLUDED: "2.2.2.2/24"}),
        f"{EXCLUDED}: 2.2.2.2/24 matches the 256 addresses of 2.2.2.0/24",
    ),
    (
        "excludes-everything",
        pod({EXCLUDED: "0.0.0.0/0"}),
        f"{EXCLUDED}: 0.0.0.0/0 excludes every address: nothing outbound is intercepted",
    ),
    (
        "excludes-mesh-traffic",
        pod({EXCLUDED: "10.244.0.0/16"}),
        f"{EXCLUDED}: 10.244.0.0/16 covers the cluster's pod range 10.244.0.0/16",
    ),
    (
        "dead-inclusion",
        pod({EXCLUDED: "1.0.0.0/8", INCLUDED: "1.1.1.1/32"}),
        f"{INCLUDED}: 1.1.1.1/32 is excluded as a whole; nothing of it is redirected",
    ),
    ("duplicate-entry", pod({PORTS: "80,80"}), f"{PORTS}: 80 is in the annotation already"),
    (
        "reserved-port-excluded",
        pod({PORTS: "15010"}),
        f"{PORTS}: port 15010 is reserved: the sidecar's Prometheus listener",
    ),
    (
        "injection-value",
        pod({"flomesh.io/sidecar-injection": "on"}),
        "annotation flomesh.io/sidecar-injection: expected enabled or disabled, got 'on'",
    ),
    (
        "annotation-unknown",
        pod({"flomesh.io/outbound-port-exclusions-list": "80"}),
        "annotation flomesh.io/outbound-port-exclusions-list: no such annotation of FSM; did you "
        f"mean {PORTS}?",
    ),
    (
        "annotation-other-mesh",
        pod({"openservicemesh.io/outbound-port-exclusion-list": "80"}),
        "annotation openservicemesh.io/outbound-port-exclusion-list: this mesh is FSM, which reads "
        "flomesh.io/",
    ),
    (
        "annotation-not-read",
        pod({"flomesh.io/metrics": "enabled"}),
        "annotation flomesh.io/metrics is read from namespaces, not from pods",
    ),
    (
        "annotation-not-text",
        pod({PORTS: 6379}),
        f"annotation {PORTS}: expected text, got 6379",
    ),
    (
        "sidecar-option",
        pod({"flomesh.io/sidecar-resource-limits-cpu": "lots"}),
        "annotation flomesh.io/sidecar-resource-limits-cpu: 'lots' is no quantity and is left out",
    ),
    (
        "reserved-port",
        pod(containers=[container(ports=[{"containerPort": 15003}])]),
        "container web: port 15003 is reserved: the sidecar's inbound listener",
    ),
    (
        "reserved-uid",
        pod(containers=[container(securityContext={"runAsUser": 1500})]),
        "container web runs as user 1500, the sidecar's: its traffic bypasses the mesh",
    ),
    (
        "reserved-name",
        pod(containers=[container("sidecar")]),
        "container sidecar: the injector adds one of this name",
    ),
    (
        "init-unproxied",
        pod(initContainers=[{"name": "setup"}]),
        "init container setup runs before fsm-init: its traffic is not intercepted",
    ),
    (
        "host-network",
        pod({PORTS: "80"}, hostNetwork=True),
        "hostNetwork: the pod shares the node's network namespace and is not injected; "
        f"{PORTS} has no effect",
    ),
    (
        "not-injected",
        pod({"flomesh.io/sidecar-injection": "no"}),
        "not injected: the pod declines it",
    ),
    (
        "already-injected",
        pod(
            volumes=[
                {
                    "name": "sidecar-bootstrap-config-volume",
                    "secret": {"secretName": f"sidecar-bootstrap-config-{ID}"},
                }
            ]
        ),
        "volume sidecar-bootstrap-config-volume: the pod is injected already; the injector changes "
        "its id, and rewrites its probes once more",
    ),
    (
        "probe-port-unknown",
        pod(containers=[container(**probe(httpGet={"port": "admin"}))]),
        "container web: the readiness probe asks port 'admin'; the container's named ports: http",
    ),
    (
        "probe-lost",
        pod(
            containers=[
                container("a", **probe(httpGet={"port": 80})),
                container("b", **probe(httpGet={"port": 81})),
            ]
        ),
        "container b: the sidecar answers this readiness probe as container a's",
    ),
    (
        "probe-intercepted",
        pod(containers=[container(**probe(grpc={"port": 9090}))]),
        "container web: the readiness probe (grpc, port 9090) is not rewritten: the kubelet's "
        "connection ends at the sidecar, which resets it",
    ),
    (
        "probe-scheme",
        pod(containers=[container(**probe(httpGet={"port": 80, "scheme": "http"}))]),
        "container web: the readiness probe's scheme is 'http', expected HTTP or HTTPS",
    ),
    (
        "probe-host",
        pod(containers=[container(**probe(tcpSocket={"port": 80, "host": "10.0.0.1"}))]),
        "container web: the readiness probe asks 10.0.0.1; the injector makes it ask this pod",
    ),
    (
        "probe-reserved-port",
        pod(containers=[container(**probe(httpGet={"port": 15901}))]),
        "container web: the readiness probe asks port 15901, rewritten liveness probes",
    ),
    (
        "refused-name",
        pod(serviceAccountName="\U0001f600"),
        "spec.serviceAccountName: expected at most 253 lower-case letters, digits, '-' and '.', with "
        "a letter or digit at both ends, got '\U0001f600'",
    ),
    (
        "field-lost",
        pod(newField={}),
        "FSM's injector drops spec.newField",
    ),
]


@pytest.mark.requirement("C2", "C3", "C8", "C9", "C10", "C11", "C42")
@pytest.mark.parametrize(("rule_id", "given", "message"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_broken_pod_has_the_finding(rule_id: str, given: dict[str, Any], message: str) -> None:
    assert found(given).get(rule_id) == message


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1, "1"),
        (0, "0"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (1.5, "1.5"),
        ([], "list"),
    ],
)
def test_a_value_that_is_no_text_is_shown_as_it_stands(value: Any, shown: str) -> None:
    """A port 1 is no yes, although Python thinks them equal."""
    message = f"annotation {PORTS}: expected text, got {shown}"
    assert found(pod({PORTS: value}))["annotation-not-text"] == message


@pytest.mark.parametrize(
    ("key", "value", "fix"),
    [
        ("openservicemesh.io/outbound-port-exclusion-list", "80", f"Write {PORTS}."),
        ("openservicemesh.io/no-such-key", "x", "Remove it."),
        ("flomesh.io/outbound-port-exclusions-list", "80", f"Write {PORTS}."),
        ("flomesh.io/zzz", "x", "Correct the spelling, or remove it."),
        (PORTS, 80, f'Write {PORTS}: "80".'),
        (PORTS, [80], "Write the value in quotes."),
    ],
)
def test_the_fix_is_what_to_write(key: str, value: Any, fix: str) -> None:
    known = mesh()
    result = preview(pod({key: value}), mesh=known, namespace=namespace(of=known), proxy_id=ID)
    assert fix in {item.fix or rule(item.id).fix for item in result.findings}


@pytest.mark.requirement("C2")
def test_the_sidecars_own_port_is_reserved_too() -> None:
    """6060 is in no document, but the sidecar listens there."""
    given = pod(containers=[container(ports=[{"containerPort": 6060}])])
    message = "container web: port 6060 is reserved: the sidecar's repository and admin port"
    assert found(given) == {"reserved-port": message}
    assert found(given, "osm") == {}


LEFT: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("the pod declines", {"annotations": {"flomesh.io/sidecar-injection": "no"}}, {}),
    ("another mesh's namespace", {}, {"flomesh.io/monitored-by": "other"}),
]


@pytest.mark.parametrize(
    ("metadata", "labels"), [row[1:] for row in LEFT], ids=[r[0] for r in LEFT]
)
def test_a_pod_that_is_left_alone_may_do_what_it_likes(
    metadata: dict[str, Any], labels: dict[str, str]
) -> None:
    """The mesh's own controller listens on port 15000: nothing of it collides with a sidecar."""
    given = pod(
        {PORTS: "x", EXCLUDED: "fd00::/8"} | metadata.get("annotations", {}),
        containers=[
            container(ports=[{"containerPort": 15000}], securityContext={"runAsUser": 1500})
        ],
        initContainers=[{"name": "setup"}],
    )
    known = mesh()
    place = namespace(of=known, labels=labels)
    result = preview(given, mesh=known, namespace=place, proxy_id=ID)
    assert [item.id for item in result.findings] == ["not-injected"]


def test_a_key_of_another_mesh_is_right_in_that_meshs_namespace() -> None:
    given = pod({"openservicemesh.io/outbound-port-exclusion-list": "80"})
    known = mesh()
    place = NamespaceView(name="legacy", labels={"openservicemesh.io/monitored-by": "osm"})
    result = preview(given, mesh=known, namespace=place, proxy_id=ID)
    assert [item.id for item in result.findings] == ["not-injected"]


def test_a_pod_may_say_the_same_to_two_meshes() -> None:
    """While it moves from one to the other; with two values one of them is forgotten."""
    theirs = "openservicemesh.io/outbound-port-exclusion-list"
    assert found(pod({PORTS: "80", theirs: "80"})) == {}
    assert set(found(pod({PORTS: "80", theirs: "80,90"}))) == {"annotation-other-mesh"}


@pytest.mark.parametrize("name", ["fsm", "osm-edge", "osm"])
def test_the_containers_of_an_earlier_injection_are_no_users_mistake(name: str) -> None:
    """Live pods, as kubectl prints them, hold the sidecar with its ports and its user."""
    known = mesh(name)
    given = pod(
        {known.system.annotation("outbound-port-exclusion-list"): "80"},
        containers=[container(**probe(tcpSocket={"port": "http"}))],
    )
    injected = preview(given, mesh=known, namespace=namespace(of=known), proxy_id=ID).pod
    assert set(found(dict(injected), name)) == {"already-injected"}
    mine = container("mine", ports=[{"containerPort": 15000}])
    injected["spec"]["containers"].append(mine)
    assert set(found(dict(injected), name)) == {"already-injected", "reserved-port"}


def test_lists_count_together_with_the_meshs() -> None:
    shared = {"outboundPortExclusionList": list(range(100, 110))}
    given = pod({PORTS: "1,2,3,4,5,100"})
    assert found(given, traffic=shared)["duplicate-entry"].endswith(
        "100 is in the mesh's list already"
    )
    assert "too-many-ports" not in found(given, traffic=shared)
    more = pod({PORTS: "1,2,3,4,5,6"})
    assert found(more, traffic=shared)["too-many-ports"].endswith("got 16: 6 here, 10 there")


def test_ranges_count_together_with_the_meshs() -> None:
    halves = {"outboundIPRangeExclusionList": ["10.244.0.0/17", "0.0.0.0/1"]}
    given = pod({EXCLUDED: "128.0.0.0/1"})
    assert found(given, traffic=halves)["excludes-everything"] == (
        f"{EXCLUDED}: 128.0.0.0/1, 10.244.0.0/17, 0.0.0.0/1 together exclude every address: "
        "nothing outbound is intercepted"
    )
    halves = {"outboundIPRangeExclusionList": ["10.244.0.0/17"]}
    given = pod({EXCLUDED: "10.244.128.0/17"})
    assert found(given, traffic=halves)["excludes-mesh-traffic"] == (
        f"{EXCLUDED}: together with the mesh's exclusions it covers the cluster's pod range "
        "10.244.0.0/16"
    )
    assert found(given)["excludes-mesh-traffic"] == (
        f"{EXCLUDED}: 10.244.128.0/17 is part of the cluster's pod range 10.244.0.0/16"
    )


def test_an_exclusion_that_takes_the_meshs_inclusion_back_is_found() -> None:
    shared = {"outboundIPRangeInclusionList": ["1.1.1.0/24"]}
    assert found(pod({EXCLUDED: "1.0.0.0/8"}), traffic=shared) == {
        "dead-inclusion": f"{EXCLUDED}: it takes the mesh's inclusion 1.1.1.0/24 back whole"
    }
    dead = shared | {"outboundIPRangeExclusionList": ["1.1.1.0/24"]}
    assert found(pod({EXCLUDED: "1.0.0.0/8"}), traffic=dead) == {}


@pytest.mark.parametrize("text", ["999.1.1.1/99", "1.2.3.4/33", "$(id) 10.0.0.0/8", "x/8", ""])
def test_a_mesh_whose_ranges_are_none_stops_no_check(text: str) -> None:
    """A cluster's MeshConfig holds what FSM's CRD lets through."""
    given = pod({EXCLUDED: "1.0.0.0/8", INCLUDED: "1.1.1.1/32"})
    for name in ("outboundIPRangeExclusionList", "outboundIPRangeInclusionList"):
        assert set(found(given, traffic={name: [text]})) == {"dead-inclusion"}


def test_lists_that_nothing_reads_are_named() -> None:
    given = pod({PORTS: "80"})
    message = f"{PORTS}: ignored, interceptionMode 'NodeLevel' has no init container"
    assert found(given, traffic={"interceptionMode": "NodeLevel"})["lists-ignored"] == message


def test_a_native_sidecar_ends_as_an_init_container_in_older_meshes() -> None:
    """Their client library does not know restartPolicy of a container."""
    given = pod(initContainers=[{"name": "agent", "restartPolicy": "Always"}])
    assert "field-lost" not in found(given)
    assert found(given, "osm")["field-lost"] == (
        "OSM's injector drops spec.initContainers[0].restartPolicy: the native sidecar becomes an "
        "init container that never ends"
    )
    known = mesh("osm")
    result = preview(given, mesh=known, namespace=namespace(of=known), proxy_id=ID)
    assert {item.severity for item in result.findings if item.id == "field-lost"} == {"error"}


def test_an_unknown_address_is_said() -> None:
    given = found(pod(), sidecar={"localDNSProxy": {"enable": True}})
    assert given["address-unknown"] == (
        "the controller Service's cluster IP is not known here: the pod's hostAliases and DNS "
        "settings are not shown"
    )


def test_an_entry_that_nobody_registered_is_named_where_the_stack_guards_them() -> None:
    """6379 is a profile's, 5432 is allowed in this namespace; without a guard all pass."""
    given = pod({PORTS: "6379, 5432, 9999"})
    known = mesh()
    register = {"": Lists(outbound_ports=(6379,)), "shop": Lists(outbound_ports=(5432,))}
    for registered, said in (
        (None, []),
        (register, [f"{PORTS}: 9999 is in no profile, and namespace shop may not carry it"]),
        ({"": Lists(outbound_ports=(6379, 5432, 9999))}, []),
    ):
        ranges = ClusterRanges(registered=registered)
        place = namespace(of=known)
        result = preview(given, mesh=known, namespace=place, proxy_id=ID, ranges=ranges)
        assert [item.message for item in result.findings] == said


def test_every_rule_of_the_topic_has_a_test() -> None:
    """The others are in the tests of refusals, of streams and of documents."""
    elsewhere = {
        "image-not-set", "unknown-sidecar-class", "bootstrap-volume", "annotation-misplaced",
        "annotation-lost", "namespace-assumed", "address-unknown", "not-rendered",
        "bypass-unregistered",
    }  # fmt: skip
    tested = {row[0] for row in BROKEN}
    assert {
        rule.id for rule in workload.RULES if rule not in workload.AROUND
    } - tested == elsewhere


def fixes(given: dict[str, Any], rule_id: str) -> list[str]:
    return [
        item.fix
        for item in preview(given, mesh=mesh(), proxy_id=ID).findings
        if item.id == rule_id
    ]


def test_a_range_of_ports_is_written_as_the_single_ports_that_it_stands_for() -> None:
    key = "flomesh.io/inbound-port-exclusion-list"
    assert fixes(pod({key: "80, 9100:9102,9101-9103"}), "invalid-port") == [
        f'A list holds single ports: write {key}: "80,9100,9101,9102,9103".'
    ]
    assert fixes(pod({key: "80,9100,9101,9102,9103"}), "invalid-port") == []


def test_more_ports_than_fit_name_what_does_the_same() -> None:
    """Outbound a range of addresses does; inbound there is none."""
    exclude = f"Exclude the servers' addresses with {EXCLUDED}, or let only the cluster's ranges"
    (fix,) = fixes(pod({PORTS: "1-2999,3001-65535"}), "invalid-port")
    assert fix.startswith(f"A list holds single ports, 15 at most with the mesh's. {exclude}")
    (fix,) = fixes(pod({PORTS: ",".join(map(str, range(100, 116)))}), "too-many-ports")
    assert fix.startswith(exclude)
    assert fix.endswith(f"be redirected with {INCLUDED}.")
    key = "flomesh.io/inbound-port-exclusion-list"
    (fix,) = fixes(pod({key: "1-2999"}), "invalid-port")
    assert fix.endswith(
        "Inbound there is nothing wider than single ports: move the mesh's to the pods that need "
        "them, or let the application listen on fewer."
    )


@pytest.mark.parametrize(
    ("labels", "ids"), [({"fsm-proxy-uuid": ID}, set()), ({}, {"reserved-name"})]
)
def test_only_containers_that_the_injector_added_may_have_its_names(
    labels: dict[str, str], ids: set[str]
) -> None:
    """A live pod has them rightly; a template that someone copied from one would have two."""
    given = pod(
        containers=[container(), container("sidecar")], initContainers=[{"name": "fsm-init"}]
    )
    given["metadata"]["labels"] = labels
    assert set(found(given)) == ids


@pytest.mark.parametrize(
    ("name", "accepted"), [("web-1", True), ("w" * 63, True), ("w" * 64, False), ("Web_1", False),
                           ("-web", False), ("$NAME", True)]
)  # fmt: skip
def test_containers_have_the_names_that_kubernetes_takes(name: str, accepted: bool) -> None:  # noqa: FBT001
    """A placeholder is no name yet: another finding says so."""
    assert ("refused-name" not in found(pod(containers=[container(name=name)]))) is accepted
