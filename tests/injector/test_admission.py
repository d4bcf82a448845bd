"""The handler's answer where its order matters: which refusal wins, and what it leaves behind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.injector.decision import admit
from fsm_stack.injector.mesh import mesh_view
from fsm_stack.injector.profile import Refusal
from fsm_stack.systems import FSM
from tests.given import ID, IMAGES, container, mesh, namespace, pod

if TYPE_CHECKING:
    from fsm_stack.injector.pod import Mutation

PORTS = "outbound-port-exclusion-list"
MACHINE = {"apiVersion": "machine.flomesh.io/v1alpha1", "kind": "VirtualMachine"}


def refusal_of(name: str, given: dict[str, Any], **options: Any) -> Refusal:
    known = mesh(name, **options.pop("mesh", {}))
    place = options.pop("namespace", None) or namespace(of=known)
    with pytest.raises(Refusal) as caught:
        admit(given, mesh=known, namespace=place, proxy_id=ID, **options)
    return caught.value


@pytest.mark.parametrize(
    ("name", "prefix"), [("fsm", "flomesh.io"), ("osm", "openservicemesh.io")]
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_refused_list_leaves_a_secret_behind_but_not_in_a_dry_run(
    name: str,
    prefix: str,
    dry_run: bool,  # noqa: FBT001
) -> None:
    """The list is read after the Secret is made, which a dry run does not do."""
    refusal = refusal_of(name, pod({f"{prefix}/{PORTS}": "x"}), dry_run=dry_run)
    assert (refusal.rule_id, refusal.secret_left) == ("invalid-port", not dry_run)


@pytest.mark.parametrize(
    ("name", "rule_id"), [("fsm", "injection-value"), ("osm", "bootstrap-volume")]
)
def test_the_old_secret_and_the_metrics_annotation_are_read_in_each_systems_order(
    name: str, rule_id: str
) -> None:
    known = mesh(name)
    volume = {"name": known.profile.bootstrap_volume, "secret": {"secretName": "gone"}}
    refusal = refusal_of(
        name,
        pod(volumes=[volume]),
        namespace=namespace(of=known, metrics="bogus"),
        secrets={},
    )
    assert (refusal.rule_id, refusal.secret_left) == (rule_id, False)


@pytest.mark.parametrize("given", [pod(), pod(hostNetwork=True)])
def test_an_injector_that_does_not_start_refuses_every_pod_that_it_is_asked_about(
    given: dict[str, Any],
) -> None:
    """The webhook fails closed, so nothing is decided any more."""
    refusal = refusal_of("osm-edge", given, mesh={"sidecar": {"sidecarClass": "Envoy"}})
    assert refusal.as_finding().as_text() == (
        "error: the injector does not start: sidecar class 'Envoy' is unknown, expected pipy or "
        "envoy [unknown-sidecar-class]"
    )
    assert refusal.as_finding().value == "Envoy"


def admitted(name: str, given: dict[str, Any], **options: Any) -> Mutation:
    known = mesh(name, **options)
    _, mutation = admit(given, mesh=known, namespace=namespace(of=known), proxy_id=ID)
    assert mutation is not None
    return mutation


def test_osm_forgets_the_probes_of_the_first_of_two_containers_with_one_name() -> None:
    """Its summary is kept by name; Kubernetes refuses such a pod, but only afterwards."""
    get = {"httpGet": {"port": 8080}}
    twins = [container(livenessProbe=get), container(readinessProbe=get)]
    assert admitted("osm", pod(containers=twins)).probes.kinds[0] is None
    assert admitted("fsm", pod(containers=twins)).probes.kinds[0] is not None


def test_an_empty_pull_policy_is_left_out() -> None:
    """Go leaves empty texts out; the API server fills in its default."""
    known = mesh_view(FSM, {}, environment=IMAGES, pull_policy="")
    _, mutation = admit(
        pod(containers=[container(livenessProbe={"tcpSocket": {"port": 1}})]),
        mesh=known,
        namespace=namespace(),
        proxy_id=ID,
    )
    assert mutation is not None
    spec = mutation.plain()["spec"]
    assert "imagePullPolicy" not in spec["initContainers"][0]
    assert ["imagePullPolicy" in item for item in spec["containers"]] == [False, False, True]


def with_value(path: str, value: Any) -> dict[str, Any]:
    """A pod that has this value at a place such as ``spec.containers.0.name``."""
    given = pod()
    target: Any = given
    *above, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step, below in zip(above, [*above, last][1:], strict=True):
        if isinstance(step, str) and step not in target:
            target[step] = [{}] if isinstance(below, int) else {}
        target = target[step]
    target[last] = value
    return given


# Where, what stands there, and how Go's encoding/json says that it is something else.
WRONG_TYPES = [
    ("metadata", 1, "number into Go struct field Pod.metadata of type v1.ObjectMeta"),
    ("spec", [], "array into Go struct field Pod.spec of type v1.PodSpec"),
    (
        "metadata.annotations",
        "a",
        "string into Go struct field ObjectMeta.metadata.annotations of type map[string]string",
    ),
    (
        "metadata.annotations.a",
        True,
        "bool into Go struct field ObjectMeta.metadata.annotations of type string",
    ),
    (
        "metadata.labels",
        [],
        "array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
    ),
    (
        "metadata.labels.a",
        1.5,
        "number into Go struct field ObjectMeta.metadata.labels of type string",
    ),
    (
        "metadata.ownerReferences",
        "a",
        "string into Go struct field ObjectMeta.metadata.ownerReferences of type "
        "[]v1.OwnerReference",
    ),
    (
        "metadata.ownerReferences.0",
        "a",
        "string into Go struct field ObjectMeta.metadata.ownerReferences of type "
        "v1.OwnerReference",
    ),
    (
        "metadata.ownerReferences.0",
        {"controller": True, "kind": 1},
        "number into Go struct field OwnerReference.kind of type string",
    ),
    (
        "metadata.ownerReferences.0",
        {"controller": True, "name": {}},
        "object into Go struct field OwnerReference.name of type string",
    ),
    (
        "spec.hostNetwork",
        "yes",
        "string into Go struct field PodSpec.spec.hostNetwork of type bool",
    ),
    (
        "spec.serviceAccountName",
        7,
        "number into Go struct field PodSpec.spec.serviceAccountName of type string",
    ),
    (
        "spec.containers",
        {},
        "object into Go struct field PodSpec.spec.containers of type []v1.Container",
    ),
    (
        "spec.containers.0",
        "a",
        "string into Go struct field PodSpec.spec.containers of type v1.Container",
    ),
    (
        "spec.initContainers",
        "a",
        "string into Go struct field PodSpec.spec.initContainers of type []v1.Container",
    ),
    (
        "spec.initContainers.0",
        1,
        "number into Go struct field PodSpec.spec.initContainers of type v1.Container",
    ),
    (
        "spec.volumes",
        {},
        "object into Go struct field PodSpec.spec.volumes of type []v1.Volume",
    ),
    (
        "spec.volumes.0",
        [],
        "array into Go struct field PodSpec.spec.volumes of type v1.Volume",
    ),
    (
        "spec.volumes.0",
        {"name": "sidecar-bootstrap-config-volume", "secret": "a"},
        "string into Go struct field Volume.spec.volumes.secret of type v1.SecretVolumeSource",
    ),
    (
        "spec.volumes.0",
        {"name": "sidecar-bootstrap-config-volume", "secret": {"secretName": 5}},
        "number into Go struct field SecretVolumeSource.spec.volumes.secret.secretName of type "
        "string",
    ),
    (
        "spec.hostAliases",
        "a",
        "string into Go struct field PodSpec.spec.hostAliases of type []v1.HostAlias",
    ),
    (
        "spec.containers.0.livenessProbe",
        "a",
        "string into Go struct field Container.spec.containers.livenessProbe of type v1.Probe",
    ),
    (
        "spec.containers.0.readinessProbe.timeoutSeconds",
        "1s",
        "string into Go struct field Probe.spec.containers.readinessProbe.timeoutSeconds of type "
        "int32",
    ),
    (
        "spec.containers.0.startupProbe.httpGet",
        8080,
        "number into Go struct field Probe.spec.containers.startupProbe.httpGet of type "
        "v1.HTTPGetAction",
    ),
    (
        "spec.containers.0.startupProbe.tcpSocket",
        8080,
        "number into Go struct field Probe.spec.containers.startupProbe.tcpSocket of type "
        "v1.TCPSocketAction",
    ),
    (
        "spec.containers.0.livenessProbe.httpGet.path",
        1,
        "number into Go struct field HTTPGetAction.spec.containers.livenessProbe.httpGet.path of "
        "type string",
    ),
    (
        "spec.containers.0",
        {"livenessProbe": {"httpGet": {"port": 1, "httpHeaders": {}}}},
        "object into Go struct field HTTPGetAction.httpHeaders of type []v1.HTTPHeader",
    ),
    (
        "spec.containers.0",
        {"livenessProbe": {"tcpSocket": {"port": "http"}}, "ports": "http"},
        "string into Go struct field Container.spec.containers.ports of type []v1.ContainerPort",
    ),
    (
        "spec.containers.0",
        {
            "livenessProbe": {"tcpSocket": {"port": "http"}},
            "ports": [{"name": "http", "containerPort": "80"}],
        },
        "string into Go struct field ContainerPort.containerPort of type int32",
    ),
    (
        "spec.containers.0",
        {"livenessProbe": {"tcpSocket": {"port": 80}}, "name": ["web"]},
        "array into Go struct field Container.spec.containers.name of type string",
    ),
]


@pytest.mark.parametrize(
    ("path", "value", "said"), WRONG_TYPES, ids=[f"{row[0]}={row[1]!r}" for row in WRONG_TYPES]
)
def test_a_value_of_another_type_is_refused_in_gos_words(path: str, value: Any, said: str) -> None:
    known = replace(mesh(), dns_proxy=True, controller_ip="10.96.0.9")
    with pytest.raises(Refusal) as caught:
        admit(with_value(path, value), mesh=known, namespace=namespace(), proxy_id=ID, secrets={})
    assert caught.value.message == f"json: cannot unmarshal {said}"
    place = said.partition(" field ")[2].partition(" of type ")[0].partition(".")[2]
    assert (caught.value.rule_id, caught.value.path) == ("wrong-type", place)


@pytest.mark.parametrize("path", [row[0] for row in WRONG_TYPES if not row[0].endswith("0")])
def test_null_is_nothing_at_all(path: str) -> None:
    """Go decodes it to the zero value, wherever it refuses another type."""
    _, mutation = admit(with_value(path, None), mesh=mesh(), namespace=namespace(), proxy_id=ID)
    assert mutation is not None


def test_only_an_injector_that_knows_windows_reads_the_node_selector() -> None:
    given = pod(nodeSelector={"kubernetes.io/os": 1})
    assert refusal_of("osm", given).message == (
        "json: cannot unmarshal number into Go struct field PodSpec.spec.nodeSelector of type "
        "string"
    )
    assert admitted("fsm", given).init is not None


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (1, "number into Go struct field VirtualMachine.metadata of type v1.ObjectMeta"),
        (
            {"annotations": []},
            "array into Go struct field ObjectMeta.metadata.annotations of type map[string]string",
        ),
    ],
)
def test_a_virtual_machine_has_types_too(metadata: Any, said: str) -> None:
    refusal = refusal_of("fsm", MACHINE | {"metadata": metadata})
    assert refusal.message == f"json: cannot unmarshal {said}"


WINDOWS = {"nodeSelector": {"kubernetes.io/os": "Windows"}}
NO_IMAGES = dict.fromkeys(IMAGES, "")


@pytest.mark.parametrize(
    ("name", "spec", "field", "left"),
    [
        ("fsm", {}, "sidecarImage", False),
        ("osm-edge", {}, "sidecarImage", False),
        ("osm-edge", WINDOWS, "sidecarWindowsImage", False),
        ("osm", {}, "envoyImage", True),
        ("osm", WINDOWS, "envoyWindowsImage", True),
    ],
)
def test_an_image_that_nobody_set_is_refused_by_its_name(
    name: str,
    spec: dict[str, Any],
    field: str,
    left: bool,  # noqa: FBT001
) -> None:
    """OSM asks for images after it has made the Secret, the others before."""
    refusal = refusal_of(name, pod(**spec), mesh={"environment": NO_IMAGES})
    assert refusal.as_finding().as_text() == (
        f"sidecar.{field}: error: MeshConfig sidecar.{field} not set [image-not-set]"
    )
    assert refusal.secret_left is left
    assert not refusal_of(
        name, pod(**spec), mesh={"environment": NO_IMAGES}, dry_run=True
    ).secret_left


@pytest.mark.parametrize("name", ["fsm", "osm-edge", "osm"])
def test_the_init_containers_image_is_asked_for_last_and_not_on_windows(name: str) -> None:
    prefix = mesh(name).profile.environment
    without = {"environment": {f"{prefix}_DEFAULT_INIT_CONTAINER_IMAGE": ""}}
    assert refusal_of(name, pod(), mesh=without).as_finding().as_text() == (
        "sidecar.initContainerImage: error: MeshConfig sidecar.initContainerImage not set "
        "[image-not-set]"
    )
    if name != "fsm":
        assert admitted(name, pod(**WINDOWS), **without).init is None


@pytest.mark.parametrize(("name", "user"), [("osm-edge", "SidecarUser"), ("osm", "EnvoyUser")])
def test_a_pod_on_windows_gets_a_sidecar_of_windows_and_no_rules(name: str, user: str) -> None:
    mutation = admitted(name, pod(**WINDOWS))
    assert mutation.init is None
    (sidecar,) = mutation.last
    assert sidecar["securityContext"] == {"windowsOptions": {"runAsUserName": user}}
    assert "windows" in sidecar["image"]


@pytest.mark.parametrize(("name", "left"), [("fsm", False), ("osm-edge", False), ("osm", True)])
def test_a_bogus_metrics_annotation_refuses_the_namespaces_pods(
    name: str,
    left: bool,  # noqa: FBT001
) -> None:
    """The injector shows the value in lower case."""
    known = mesh(name)
    place = namespace(of=known, metrics="Bogus")
    key = known.system.annotation("metrics")
    refusal = refusal_of(name, pod(), namespace=place)
    assert refusal.as_finding().as_text() == (
        f"namespace shop metadata.annotations.{key}: error: "
        f'Invalid value specified for annotation "{key}": bogus [injection-value]'
    )
    assert (refusal.as_finding().value, refusal.secret_left) == ("bogus", left)
    assert not refusal_of(name, pod(), namespace=place, dry_run=True).secret_left


@pytest.mark.parametrize(
    ("secret", "secrets", "message"),
    [
        (
            None,
            None,
            "the injector panics: volume sidecar-bootstrap-config-volume is not a Secret",
        ),
        ({"secretName": "mine"}, {}, 'secrets "sidecar-bootstrap-config-mine" not found'),
        (
            {"secretName": "sidecar-bootstrap-config-old"},
            {"sidecar-bootstrap-config-old": False},
            "error unmarshalling pipy bootstrap config: Secret sidecar-bootstrap-config-old holds "
            "none",
        ),
    ],
)
def test_a_bootstrap_volume_from_before_is_looked_at(
    secret: Any, secrets: dict[str, bool] | None, message: str
) -> None:
    volume = {"name": "sidecar-bootstrap-config-volume", "secret": secret}
    refusal = refusal_of("fsm", pod(volumes=[volume]), secrets=secrets)
    assert refusal.as_finding().as_text() == (f"spec.volumes: error: {message} [bootstrap-volume]")


def test_a_dry_run_looks_up_no_secret() -> None:
    volume = {"name": "sidecar-bootstrap-config-volume", "secret": {"secretName": "gone"}}
    _, mutation = admit(
        pod(volumes=[{"name": "data"}, volume]),
        mesh=mesh(),
        namespace=namespace(),
        proxy_id=ID,
        dry_run=True,
        secrets={},
    )
    assert mutation is not None
    assert (mutation.secret, mutation.reinjected) == (None, True)
    assert mutation.volumes == [
        {"name": "data"},
        volume | {"secret": {"secretName": f"sidecar-bootstrap-config-{ID}"}},
    ]


@pytest.mark.parametrize(
    ("name", "address", "placed", "expected"),
    [
        ("fsm", "10.96.0.9", "bank", ("10.96.0.9", ["bank.svc.a.b.c", "svc.a.b.c", "a.b.c"], "6")),
        ("fsm", "10.96.0.9", "", ("10.96.0.9", ["shop.svc.a.b.c", "svc.a.b.c", "a.b.c"], "6")),
        ("osm-edge", "10.96.0.9", "bank", ("127.0.0.153", ["svc.a.b.c", "a.b.c"], "5")),
        ("osm-edge", None, "bank", ("127.0.0.153", ["svc.a.b.c", "a.b.c"], "5")),
        ("fsm", None, "bank", None),
        ("osm", "10.96.0.9", "bank", None),
    ],
)
def test_a_pods_dns_goes_through_the_mesh(
    name: str,
    address: str | None,
    placed: str,
    expected: tuple[str, list[str], str] | None,
) -> None:
    """FSM's controller answers for names of the pod's own namespace; without it nothing changes."""
    dns = {"localDNSProxy": {"enable": True}}
    known = replace(mesh(name, sidecar=dns), controller_ip=address, trust_domain="a.b.c")
    given = pod(hostAliases=[{"ip": "10.0.0.1"}])
    given["metadata"]["namespace"] = placed
    _, mutation = admit(given, mesh=known, namespace=namespace(of=known), proxy_id=ID)
    assert mutation is not None
    spec = mutation.plain()["spec"]
    names = [f"{known.system.controller_name}.{known.namespace}"]
    added = [{"ip": address, "hostnames": names}] if address and expected else []
    assert spec["hostAliases"] == [{"ip": "10.0.0.1"}, *added]
    if expected is None:
        assert "dnsConfig" not in spec
        assert "dnsPolicy" not in spec
        return
    server, searches, dots = expected
    assert spec["dnsPolicy"] == "None"
    assert spec["dnsConfig"] == {
        "nameservers": [server],
        "searches": searches,
        "options": [{"name": "ndots", "value": dots}],
    }


def test_a_probe_of_a_named_port_finds_it_in_its_own_container() -> None:
    ports = [{"containerPort": 1}, {"name": "b", "containerPort": 2}, {"name": "a"}]

    def port(name: Any) -> int:
        probed = container(livenessProbe={"tcpSocket": {"port": name}}, ports=ports)
        found = admitted("fsm", pod(containers=[probed])).probes.kinds[0]
        assert found is not None
        return found.port

    assert [port(name) for name in ("b", "a", "c", "", None, "81", 65535, 65536)] == [
        2, 0, 0, 0, 0, 81, 65535, 65536,
    ]  # fmt: skip
