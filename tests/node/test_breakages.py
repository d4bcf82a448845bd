"""A mesh that somebody breaks: `verify` names the cause, its fix mends it, and all is well after.

Each scenario starts from a mesh that `verify` finds nothing wrong with, and the fix is carried out
as it is printed. A scenario that fails is put right behind its back, for the next one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.apiserver.client import ApiError, eventually

from .stack import STACK
from .verified import carry_out, green, named, report, verified
from .workloads import container, deployment, pod, ready_count, wait_deployment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .stack import Stack

pytestmark = pytest.mark.node

NAMESPACE = "demo"
WEBHOOK = ("MutatingWebhookConfiguration", "fsm-webhook-fsm")
INJECTOR = ("Deployment", "fsm-injector")
PROBE = {"httpGet": {"path": "/ok", "port": 8080}, "periodSeconds": 1}
WEB = deployment(pod(NAMESPACE, "web", container("http:8080", readinessProbe=PROBE)))
OLD_SIDECAR = "1.5.11"


@pytest.fixture(scope="module")
def mesh(stack: Stack) -> Iterator[Stack]:
    """The stack with one workload in it."""
    stack.api.create(WEB)
    wait_deployment(stack.api, WEB)
    yield stack
    stack.api.delete(WEB)


@pytest.fixture(autouse=True)
def well(mesh: Stack) -> Iterator[None]:
    """All is well before and after, whatever the scenario did."""
    green(mesh)
    declared = (mesh.project / f"Pulumi.{STACK}.yaml").read_text()
    yield
    (mesh.project / f"Pulumi.{STACK}.yaml").write_text(declared)
    if verified(mesh):
        mesh.apply(force=True)
        restart(mesh)
        wait_deployment(mesh.api, WEB)
    if verified(mesh):
        mesh.kubectl("rollout", "restart", "deployment/fsm-injector", "-n", "fsm-system")
        wait_deployment(mesh.api, mesh.object(*INJECTOR))


def restart(mesh: Stack) -> None:
    mesh.kubectl("rollout", "restart", "deployment/web", "-n", NAMESPACE)


def declare(mesh: Stack, key: str, value: Any) -> None:
    """Write one key into the stack's file, as its owner would."""
    file = mesh.project / f"Pulumi.{STACK}.yaml"
    config = yaml.safe_load(file.read_text())
    config["config"][f"fsm-stack:{key}"] = value
    file.write_text(yaml.safe_dump(config))


def the_pod(mesh: Stack, of: dict[str, Any] = WEB) -> dict[str, Any]:
    """The workload's pod, once there is one and it is ready."""
    wait_deployment(mesh.api, of)
    label = f"app={of['metadata']['name']}"

    def only() -> dict[str, Any] | None:
        found = mesh.api.list("v1", "Pod", namespace=NAMESPACE, labels=label)
        left = [one for one in found if "deletionTimestamp" not in one["metadata"]]
        return left[0] if len(left) == 1 else None

    return eventually("one pod is left", only, seconds=30)


def has_sidecar(mesh: Stack) -> bool:
    return "sidecar" in [one["name"] for one in the_pod(mesh)["spec"]["containers"]]


def refusal(mesh: Stack) -> str:
    """What a new pod is told; empty: it may come."""
    try:
        mesh.api.create(pod(NAMESPACE, "next"), dry_run=True)
    except ApiError as error:
        return error.message
    return ""


def test_sixteen_ports_in_the_cluster(mesh: Stack) -> None:
    """Upstream's schema takes them, iptables does not, and no new pod starts."""
    ports = list(range(1, 17))
    mesh_config = mesh.object("MeshConfig", "fsm-mesh-config")
    mesh.api.patch(mesh_config, {"spec": {"traffic": {"outboundPortExclusionList": ports}}})
    restart(mesh)
    named(mesh, "pod-init", "one list has more than 15 ports")
    named(mesh, "cluster-lists", "outboundPortExclusionList lacks 6379, 7070 and has 1, 2, 3")
    carry_out(mesh, named(mesh, "pod-stale", "neither is the cluster's MeshConfig"))
    green(mesh)


def test_the_webhook_is_gone(mesh: Stack) -> None:
    """New pods get no sidecar, and nobody says so."""
    mesh.api.delete(mesh.object(*WEBHOOK))
    carry_out(mesh, named(mesh, "cluster-webhook", "no webhook configuration fsm-webhook-fsm"))
    green(mesh)
    restart(mesh)
    assert has_sidecar(mesh)


def test_the_webhook_is_made_anew_by_hand(mesh: Stack) -> None:
    """It has no authority then, and every new pod is refused."""
    mesh.api.delete(mesh.object(*WEBHOOK))
    mesh.kubectl("apply", "-f", "-", given=json.dumps(mesh.object(*WEBHOOK)))
    told = named(mesh, "cluster-webhook-ca", "caBundle is empty")
    assert "fsm-inject.k8s.io" in refusal(mesh)
    carry_out(mesh, told)
    green(mesh)
    assert refusal(mesh) == ""
    mesh.apply(force=True)  # kubectl has become a manager of the object's fields


def test_the_webhook_has_another_authority(mesh: Stack) -> None:
    """As after a Secret that was made anew under a running control plane."""
    key = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
           "ec_paramgen_curve:prime256v1", "-noenc", "-keyout", "/dev/null",
           "-subj", "/CN=other", "-days", "9")  # fmt: skip
    bundle = mesh.shell(f"{' '.join(key)} 2>/dev/null | base64 -w0")
    change = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]
    name = WEBHOOK[1]
    mesh.kubectl(
        "patch", "mutatingwebhookconfiguration", name, "--type=json", "-p", json.dumps(change)
    )
    told = named(mesh, "cluster-webhook-ca", "caBundle is not the authority")
    assert "certificate signed by unknown authority" in refusal(mesh)
    carry_out(mesh, told)
    green(mesh)
    assert refusal(mesh) == ""


def test_the_injector_is_scaled_to_nothing(mesh: Stack) -> None:
    """A rollout restart would do nothing here."""
    mesh.kubectl("scale", "deployment/fsm-injector", "--replicas=0", "-n", "fsm-system")
    told = named(mesh, "program-scaled-to-zero", "fsm-injector is scaled to 0 pods")
    carry_out(mesh, told)
    green(mesh)
    assert refusal(mesh) == ""


def test_the_namespace_lost_its_label(mesh: Stack) -> None:
    """Its next pods come without a sidecar; they restart after it is back."""
    mesh.kubectl("label", "namespace", NAMESPACE, "flomesh.io/monitored-by-")
    restart(mesh)
    assert not has_sidecar(mesh)
    carry_out(mesh, named(mesh, "pod-injected", "label flomesh.io/monitored-by is absent"))
    green(mesh)
    assert has_sidecar(mesh)


def test_a_list_changed_after_the_pod_started(mesh: Stack) -> None:
    """Rules are made at a pod's start; the restart list makes them anew."""
    traffic = {"outboundPortExclusionList": [6379, 7070, 9999], "inboundPortExclusionList": [8081]}
    declare(mesh, "traffic", traffic)
    mesh.apply()
    named(mesh, "pod-stale", "9999")
    listed = mesh.fsm_stack("restart-list", STACK)
    assert listed.exit_code == 1
    commands = [line for line in listed.stdout.splitlines() if line.startswith("kubectl ")]
    assert "rollout restart deployment/web" in commands[0]
    for command in commands:
        mesh.shell(command)
    green(mesh)
    assert mesh.fsm_stack("restart-list", STACK).exit_code == 0


def test_a_pod_has_the_sidecar_of_another_release(mesh: Stack) -> None:
    """The injector's image is the declared one again; the pod's is not."""
    declare(mesh, "images", {"pipy": {"tag": OLD_SIDECAR}})
    mesh.apply()
    wait_deployment(mesh.api, mesh.object(*INJECTOR))
    restart(mesh)
    the_pod(mesh)
    declare(mesh, "images", {})
    mesh.apply()
    wait_deployment(mesh.api, mesh.object(*INJECTOR))
    carry_out(mesh, named(mesh, "pod-images", f"flomesh/pipy:{OLD_SIDECAR}"))
    green(mesh)


def live_rules(mesh: Stack, name: str) -> tuple[str, ...]:
    """Fetch the kernel's rules by the command that `verify` prints; the words for the next run."""
    asked = (f"pod/{name}", "-n", NAMESPACE)
    checks = {one["id"]: one for one in report(mesh, *asked)["checks"]}
    why = checks["pod-live-rules"]["why"]
    command = why.partition("kernel: ")[2].partition(", then --rules ")[0]
    mesh.shell(command)
    return (*asked, "--rules", str(mesh.project / "rules.txt"))


@pytest.mark.parametrize("how", ["flushed", "loaded twice"])
def test_the_kernels_rules_are_not_the_scripts(mesh: Stack, how: str) -> None:
    """Somebody emptied the table, or ran the init script again."""
    live = the_pod(mesh)
    green(mesh, *live_rules(mesh, live["metadata"]["name"]))
    (init,) = (one for one in live["spec"]["initContainers"] if one["name"] == "fsm-init")
    if how == "flushed":
        mesh.node.in_network(live, "iptables", "-t", "nat", "-F")
    else:
        mesh.node.in_network(live, "sh", "-c", init["args"][1])
    words = live_rules(mesh, live["metadata"]["name"])
    carry_out(mesh, named(mesh, LIVE[how][0], LIVE[how][1], *words))
    again = the_pod(mesh)["metadata"]["name"]
    assert again != live["metadata"]["name"]
    green(mesh, *live_rules(mesh, again))


LIVE = {
    "flushed": ("pod-live-rules", ""),
    "loaded twice": ("doubled-jump", "OUTPUT jumps to FSM_PROXY_OUTBOUND twice"),
}


def test_pod_security_refuses_the_init_container(mesh: Stack) -> None:
    """NET_ADMIN is beyond the level, and the Deployment stands without new pods."""
    label = "pod-security.kubernetes.io/enforce"
    mesh.kubectl("label", "namespace", NAMESPACE, f"{label}=restricted")
    restart(mesh)
    told = named(mesh, "owner-pods", "pod security restricted:latest of namespace demo refuses")
    carry_out(mesh, told)
    green(mesh)
    mesh.kubectl("label", "namespace", NAMESPACE, f"{label}-")


def test_the_injectors_service_leads_nowhere(mesh: Stack) -> None:
    """Its endpoints are ready, and nobody listens on the port."""
    change = [{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 9999}]
    mesh.kubectl(
        "patch", "service", "fsm-injector", "-n", "fsm-system", "--type=json", "-p",
        json.dumps(change),
    )  # fmt: skip
    told = named(mesh, "cluster-services", "port 9090 leads to port 9999 of its pods")
    carry_out(mesh, told)
    green(mesh)
    eventually("pods are taken again", lambda: refusal(mesh) == "", seconds=30)


def test_a_right_is_taken_away(mesh: Stack) -> None:
    """Running programs go on; those that start next wait for what they may not list."""
    role = mesh.api.get(mesh.object("ClusterRole", "fsm"))
    role["rules"] = [one for one in role["rules"] if "endpointslices" not in one["resources"]]
    del role["metadata"]["managedFields"], role["metadata"]["resourceVersion"]
    mesh.kubectl("replace", "-f", "-", given=json.dumps(role))
    mesh.kubectl("rollout", "restart", "deployment/fsm-injector", "-n", "fsm-system")
    named(
        mesh,
        "cluster-rights",
        "it lacks create, get, list, patch, update, watch of endpointslices",
    )
    told = named(mesh, "program-forbidden", "may not list endpointslices.discovery.k8s.io")
    pods = mesh.api.list("v1", "Pod", namespace="fsm-system", labels="app=fsm-injector")
    newest = max(pods, key=lambda one: one["metadata"]["creationTimestamp"])
    assert ready_count(newest) == (0, 1)
    carry_out(mesh, told)
    green(mesh)


def test_an_image_is_missing(mesh: Stack) -> None:
    """The old pods serve until they end; the new ones never come."""
    mesh.kubectl(
        "set", "image", "deployment/fsm-injector", "fsm-injector=flomesh/fsm-injector:9.9.9",
        "-n", "fsm-system",
    )  # fmt: skip
    named(mesh, "program-image", "flomesh/fsm-injector:9.9.9")
    carry_out(mesh, named(mesh, "cluster-images", "flomesh/fsm-injector:9.9.9"))
    green(mesh)
