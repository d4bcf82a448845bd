"""Why a program of the control plane is not available: each cause, and what mends it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fsm_stack.findings.catalogue import rule
from fsm_stack.findings.finding import Severity
from fsm_stack.snapshot.allow import keep
from fsm_stack.snapshot.anonymize import anonymous
from fsm_stack.snapshot.programs import BESIDE as BESIDE_NAMES
from fsm_stack.snapshot.programs import PROGRAMS
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.verify.check import Status
from tests.manifests.stacks import EVERYTHING

from .world import NODES, managed, program_pod, world

if TYPE_CHECKING:
    from fsm_stack.findings.finding import Finding

    from .world import World

Json = dict[str, Any]
CHECK = "cluster-control-plane"
RESTART = "kubectl rollout restart deployment/fsm-injector -n fsm-system"
FORBIDDEN = (
    "failed to list *v1.EndpointSlice: endpointslices.discovery.k8s.io is forbidden: User "
    '"system:serviceaccount:fsm-system:fsm" cannot list resource "endpointslices" in API group '
    '"discovery.k8s.io" at the cluster scope'
)


def down(mesh: World, name: str = "fsm-injector", **spec: object) -> World:
    item = mesh.the("Deployment", name)
    item["spec"] |= spec
    item["status"] = {"replicas": 1, "updatedReplicas": 1}
    return mesh


def broken(state: Json, *, last: Json | None = None, restarts: int = 0, **status: object) -> World:
    """A mesh whose injector's container is in this state."""
    mesh = down(world())
    pod = program_pod("fsm-injector")
    pod["status"]["containerStatuses"][0] |= {
        "ready": False, "state": state, "lastState": last or {}, "restartCount": restarts,
    }  # fmt: skip
    pod["status"] |= status
    mesh.objects.append(pod)
    return mesh


def event(reason: str, message: str, name: str = "fsm-injector-5d9c8d7f5b-x2xzq") -> Json:
    return {
        "kind": "Event",
        "type": "Warning",
        "metadata": {"name": f"{name}.{reason}", "namespace": "fsm-system"},
        "involvedObject": {"kind": "Pod", "name": name, "namespace": "fsm-system"},
        "reason": reason,
        "message": message,
        "lastTimestamp": "2026-07-01T11:00:00Z",
    }


def log(text: str) -> Json:
    return {
        "kind": "PodLog",
        "metadata": {"name": "fsm-injector-5d9c8d7f5b-x2xzq", "namespace": "fsm-system"},
        "container": "fsm-injector",
        "text": text,
    }


def only(mesh: World) -> Finding:
    (found,) = mesh.outcome(CHECK).findings
    return found


def test_a_control_plane_that_runs_has_no_finding() -> None:
    mesh = world()
    mesh.objects += [program_pod(name) for name in ("fsm-bootstrap", "fsm-controller")]
    mesh.objects.append(program_pod("fsm-injector"))
    assert mesh.outcome(CHECK).status is Status.PASSED
    assert mesh.messages(CHECK) == []


def test_no_deployment_at_all_is_one_finding() -> None:
    """Three absent programs are one cause: nobody has run `pulumi up`."""
    mesh = world()
    for name in ("fsm-bootstrap", "fsm-controller", "fsm-injector"):
        mesh.remove("Deployment", name)
    found = only(mesh)
    assert found.id == "control-plane-absent"
    assert found.message == (
        "the control plane is not installed: there is no Deployment fsm-bootstrap, "
        "fsm-controller, fsm-injector"
    )
    assert found.fix == "Run `pulumi up --refresh` for the stack."


@pytest.mark.parametrize(
    "check",
    ["cluster-mesh-config", "cluster-webhook", "cluster-services", "cluster-rights",
     "cluster-redirection"],
)  # fmt: skip
def test_what_is_missing_with_a_control_plane_is_not_told_again(check: str) -> None:
    mesh = world()
    kinds = {"Deployment", "Service", "ClusterRole", "MeshConfig", "MutatingWebhookConfiguration"}
    mesh.objects = [item for item in mesh.objects if item["kind"] not in kinds | {"ConfigMap"}]
    outcome = mesh.outcome(check)
    assert (outcome.status, outcome.why) == (
        Status.NOT_RUN,
        "the control plane is not installed",
    )


def test_one_deployment_that_is_gone_is_made_again() -> None:
    mesh = world()
    mesh.remove("Deployment", "fsm-injector")
    found = only(mesh)
    assert (found.id, found.message) == ("program-absent", "fsm-injector is not there")
    assert found.fix == "Run `pulumi up --refresh` for the stack."


def test_an_injector_scaled_to_0_is_scaled_and_not_restarted() -> None:
    """A rollout restart of a Deployment without pods makes none."""
    mesh = world("""\
config:
  fsm-stack:releaseAssets: {source: omit}
  fsm-stack:components: {injector: {replicas: 3}}
  fsm-stack:enrolledNamespaces:
    - {name: shop, create: true}
""")
    mesh.the("Deployment", "fsm-injector")["spec"]["replicas"] = 0
    mesh.the("Deployment", "fsm-injector")["status"] = {}
    found = only(mesh)
    assert found.id == "program-scaled-to-zero"
    assert found.message == "fsm-injector is scaled to 0 pods"
    scale = "kubectl scale deployment/fsm-injector --replicas=3 -n fsm-system"
    assert found.fix == scale
    mesh.remove("MutatingWebhookConfiguration", "fsm-webhook-fsm")
    (webhook,) = mesh.outcome("cluster-webhook").findings
    assert webhook.fix == f"The injector writes it when it starts: {scale}"


def test_a_service_without_endpoints_is_a_consequence_of_the_injector() -> None:
    mesh = world()
    mesh.the("Deployment", "fsm-injector")["spec"]["replicas"] = 0
    mesh.remove("EndpointSlice")
    (found,) = mesh.outcome("cluster-webhook-service").findings
    assert found.value == "a consequence: fsm-injector is scaled to 0 pods"
    assert found.fix.startswith(
        "kubectl scale deployment/fsm-injector --replicas=1 -n fsm-system ; if no injector"
    )


@pytest.mark.parametrize(
    ("message", "means", "fix"),
    [
        (
            'pods "x" is forbidden: exceeded quota: small, requested: cpu=500m, used: cpu=1, '
            "limited: cpu=1",
            "ResourceQuota small of namespace fsm-system leaves no room for its pods",
            "Raise ResourceQuota small in namespace fsm-system, or lower the pods' requests, "
            f"then: {RESTART}",
        ),
        (
            'pods "x" is forbidden: violates PodSecurity "restricted:latest": seccompProfile',
            "pod security restricted:latest of namespace fsm-system refuses its pods",
            "kubectl label namespace fsm-system pod-security.kubernetes.io/enforce=baseline "
            f"--overwrite, then: {RESTART}",
        ),
        (
            'pods "x" is forbidden: error looking up service account fsm-system/fsm: '
            'serviceaccount "fsm" not found',
            "service account fsm is not there",
            f"Run `pulumi up --refresh` for the stack, then: {RESTART}",
        ),
        (
            'admission webhook "policy.example" denied the request: no',
            "webhook policy.example refuses its pods",
            f"Change what webhook policy.example complains about, then: {RESTART}",
        ),
        (
            "something new",
            "the API server refuses its pods",
            f"Mend what the API server names, then: {RESTART}",
        ),
    ],
)
def test_pods_that_the_api_server_refuses_name_what_refuses_them(
    message: str, means: str, fix: str
) -> None:
    mesh = down(world())
    mesh.the("Deployment", "fsm-injector")["status"] = {
        "conditions": [{"type": "ReplicaFailure", "status": "True", "message": message}]
    }
    found = only(mesh)
    assert found.id == "program-refused"
    assert found.message == f"fsm-injector: 0 of 1 pods are available: {means}"
    assert (found.value, found.fix) == (message, fix)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (
            "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available",
            "no node has enough cpu left for its pod",
        ),
        (
            "0/1 nodes are available: 1 node(s) had untolerated taint {a: b}",
            "its pod does not tolerate the nodes' taints",
        ),
        (
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector",
            "no node is one that its affinity asks for",
        ),
    ],
)
def test_a_pod_that_no_node_takes_has_the_schedulers_reason(message: str, why: str) -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                 "message": message}  # fmt: skip
    mesh = broken({}, phase="Pending", conditions=[condition])
    found = only(mesh)
    assert found.id == "program-unschedulable"
    assert found.message == f"fsm-injector: 0 of 1 pods are available: {why}"
    assert found.value == message


def test_an_image_that_cannot_be_pulled_is_named_with_the_declared_one() -> None:
    mesh = broken({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}})
    mesh.objects[-1]["spec"]["containers"][0]["image"] = "flomesh/none:9"
    mesh.objects.append(event("Failed", 'Failed to pull image "flomesh/none:9": not found'))
    found = only(mesh)
    assert found.id == "program-image"
    assert found.message == (
        "fsm-injector: 0 of 1 pods are available: image flomesh/none:9 of container fsm-injector "
        "cannot be pulled: ImagePullBackOff, declared is flomesh/fsm-injector:1.5.1"
    )
    assert found.value == 'Failed to pull image "flomesh/none:9": not found'
    assert found.fix == "Run `pulumi up --refresh` for the stack."
    mesh.the("Deployment", "fsm-injector")["metadata"]["managedFields"] = [
        managed("kubectl-set", "spec.template.spec.containers.image")
    ]
    assert only(mesh).fix == (
        "Run `PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up --refresh` for the stack: a plain one "
        "ends in a conflict with kubectl-set."
    )


def test_a_rollout_beside_pods_that_serve_is_a_warning() -> None:
    """New pods are taken by the old injector, until it is gone."""
    mesh = broken({"waiting": {"reason": "ErrImagePull"}})
    mesh.the("Deployment", "fsm-injector")["status"] = {
        "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1,
        "conditions": [{"type": "Progressing", "status": "False",
                        "reason": "ProgressDeadlineExceeded", "message": "timed out"}],
    }  # fmt: skip
    found = only(mesh)
    assert (found.id, found.severity) == ("program-image", Severity.WARNING)
    assert found.message.startswith(
        "fsm-injector: 1 of 1 pods are available: pods of the rollout before serve: image "
    )
    assert found.value == "timed out"


CREATING = {"waiting": {"reason": "ContainerCreating"}}
SCRIPTS = (
    'MountVolume.SetUp failed for volume "scripts" : configmap "fsm-init-repo-scripts" not found'
)


def config_error(message: str) -> Json:
    return {"waiting": {"reason": "CreateContainerConfigError", "message": message}}


@pytest.mark.parametrize(
    ("state", "said", "why", "first"),
    [
        (
            CREATING,
            SCRIPTS,
            "ConfigMap fsm-system/fsm-init-repo-scripts is not there",
            "Set releaseAssets.source to vendored, or make ConfigMap "
            "fsm-system/fsm-init-repo-scripts",
        ),
        (
            CREATING,
            SCRIPTS.replace("fsm-init-repo-scripts", "preset-mesh-config"),
            "ConfigMap fsm-system/preset-mesh-config is not there",
            "Run `pulumi up --refresh` for the stack",
        ),
        (
            config_error('secret "fsm-flb-secret" not found'),
            "",
            "Secret fsm-system/fsm-flb-secret is not there",
            "Make Secret fsm-system/fsm-flb-secret, which nothing declares",
        ),
        (
            config_error("couldn't find key a in ConfigMap fsm-system/preset-mesh-config"),
            "",
            "ConfigMap fsm-system/preset-mesh-config has no key a",
            "Run `pulumi up --refresh` for the stack",
        ),
    ],
)
def test_a_missing_config_map_or_secret_is_named(
    state: Json, said: str, why: str, first: str
) -> None:
    mesh = broken(state, phase="Pending", conditions=[{"type": "PodScheduled", "status": "True"}])
    if said:
        mesh.objects.append(event("FailedMount", said))
    found = only(mesh)
    assert found.id == "program-files"
    assert found.message == f"fsm-injector: 0 of 1 pods are available: {why}"
    assert found.fix == f"{first}, then: {RESTART}"


def test_scripts_that_the_stack_carries_come_back_by_applying_it() -> None:
    mesh = broken(CREATING, phase="Pending",
                  conditions=[{"type": "PodScheduled", "status": "True"}])  # fmt: skip
    mesh.objects.append(event("FailedMount", SCRIPTS))
    mesh.known = replace(mesh.known, makes_scripts=True)
    assert only(mesh).fix == f"Run `pulumi up --refresh` for the stack, then: {RESTART}"


def forbidden() -> World:
    mesh = broken({"waiting": {"reason": "CrashLoopBackOff"}},
                  last={"terminated": {"exitCode": 1}}, restarts=4)  # fmt: skip
    mesh.objects.append(log(FORBIDDEN))
    return mesh


def test_a_right_that_is_missing_is_named_from_the_log() -> None:
    """A crash loop is what kubectl shows; the refused list is why."""
    mesh = forbidden()
    mesh.the("ClusterRole", "fsm")["rules"] = []
    found = only(mesh)
    assert found.id == "program-forbidden"
    assert found.message == (
        "fsm-injector: 0 of 1 pods are available: its account fsm-system/fsm may not list "
        "endpointslices.discovery.k8s.io in the whole cluster"
    )
    assert found.value == FORBIDDEN


@pytest.mark.parametrize(("count", "more"), [(2, ", and 1 more"), (3, ", and 2 more")])
def test_the_first_missing_right_is_named_and_the_others_counted(count: int, more: str) -> None:
    mesh = broken({"waiting": {"reason": "CrashLoopBackOff"}},
                  last={"terminated": {"exitCode": 1}}, restarts=4)  # fmt: skip
    resources = ("endpointslices", "nodes", "pods")[:count]
    mesh.objects.append(
        log("\n".join(FORBIDDEN.replace("endpointslices", name) for name in resources))
    )
    assert only(mesh).message.partition("may not ")[2] == (
        f"list endpointslices.discovery.k8s.io in the whole cluster{more}"
    )


def test_a_right_that_the_stack_declares_comes_back_by_applying_it() -> None:
    mesh = forbidden()
    declared = mesh.known.objects["ClusterRole", "", "fsm"]
    declared["rules"].append(
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]}
    )
    mesh.the("ClusterRole", "fsm")["rules"] = []
    assert only(mesh).fix == f"Run `pulumi up --refresh` for the stack, then: {RESTART}"
    mesh.the("ClusterRole", "fsm")["rules"] = declared["rules"]
    assert only(mesh).fix == RESTART  # granted meanwhile


def test_a_right_that_nothing_declares_is_spelled_out() -> None:
    mesh = forbidden()
    mesh.known.objects["ClusterRole", "", "fsm"]["rules"] = []  # type: ignore[index]
    mesh.the("ClusterRole", "fsm")["rules"] = []
    assert only(mesh).fix == (
        "Grant it by a role of fsm-system/fsm: apiGroups [discovery.k8s.io], resources "
        f"[endpointslices], verbs [list], then: {RESTART}"
    )


def test_a_program_killed_for_its_memory_says_so() -> None:
    mesh = broken({"waiting": {"reason": "CrashLoopBackOff"}},
                  last={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                  restarts=3)  # fmt: skip
    found = only(mesh)
    assert found.id == "program-crash"
    assert found.message == (
        "fsm-injector: 0 of 1 pods are available: container fsm-injector needs more memory than "
        "its limit, and was killed: OOMKilled, 3 restarts"
    )


def test_a_crash_loop_shows_the_last_line_of_its_log() -> None:
    mesh = broken({"waiting": {"reason": "CrashLoopBackOff"}},
                  last={"terminated": {"exitCode": 2, "reason": "Error"}}, restarts=3)  # fmt: skip
    mesh.objects.append(log('{"level":"fatal","message":"Error starting manager"}'))
    found = only(mesh)
    assert found.id == "program-crash"
    assert found.message == (
        "fsm-injector: 0 of 1 pods are available: container fsm-injector ends again and again, "
        "last with exit code 2"
    )
    assert found.value == '{"level":"fatal","message":"Error starting manager"}'
    assert found.fix == (
        "kubectl logs fsm-injector-5d9c8d7f5b-x2xzq -c fsm-injector -n fsm-system"
    )


@pytest.mark.parametrize("kind", ["Readiness", "Startup", "Liveness"])
def test_a_failing_probe_is_named_by_its_kind(kind: str) -> None:
    last = {"terminated": {"exitCode": 137, "reason": "Error"}} if kind == "Liveness" else None
    mesh = broken({"running": {}}, last=last)
    mesh.objects.append(event("Unhealthy", f"{kind} probe failed: HTTP probe failed: 500"))
    found = only(mesh)
    assert found.id == "program-probe"
    assert found.message == (
        "fsm-injector: 0 of 1 pods are available: container fsm-injector does not answer its "
        f"{kind.lower()} probe"
    )
    assert found.fix == RESTART


def test_a_container_that_the_runtime_does_not_start_is_told_from_a_crash() -> None:
    mesh = broken({"waiting": {"reason": "CrashLoopBackOff"}},
                  last={"terminated": {"exitCode": 128, "reason": "StartError",
                                       "message": "exec: no such file"}})  # fmt: skip
    found = only(mesh)
    assert (found.id, found.value) == ("program-start", "exec: no such file")


def test_an_injector_that_waits_for_the_bootstrap_says_whose_fault_it_is() -> None:
    mesh = down(broken({"waiting": {"reason": "PodInitializing"}}), "fsm-bootstrap", replicas=0)
    pod = mesh.objects[-1]
    pod["spec"]["initContainers"] = [{"name": "init-fsm-injector", "image": "flomesh/fsm-curl"}]
    pod["status"]["initContainerStatuses"] = [
        {"name": "init-fsm-injector", "ready": False, "state": {"running": {}}}
    ]
    assert [(item.id, item.message) for item in mesh.outcome(CHECK).findings] == [
        ("program-scaled-to-zero", "fsm-bootstrap is scaled to 0 pods"),
        (
            "program-waits",
            "fsm-injector: 0 of 1 pods are available: init container init-fsm-injector waits for "
            "fsm-bootstrap, which is not available",
        ),
    ]


def test_a_paused_rollout_is_resumed() -> None:
    mesh = down(world(), paused=True)
    mesh.the("Deployment", "fsm-injector")["status"] = {"replicas": 0}
    found = only(mesh)
    assert found.id == "program-rollout"
    assert found.fix == "kubectl rollout resume deployment/fsm-injector -n fsm-system"


def test_a_rollout_that_hangs_without_a_reason_is_named() -> None:
    mesh = world()
    mesh.the("Deployment", "fsm-injector")["status"] |= {
        "conditions": [{"type": "Progressing", "status": "False",
                        "reason": "ProgressDeadlineExceeded", "message": "timed out"}]
    }  # fmt: skip
    found = only(mesh)
    assert (found.id, found.value) == ("program-rollout", "timed out")


def test_what_was_not_read_is_said_beside_what_was_seen() -> None:
    mesh = down(world())
    mesh.not_read[Part.PROGRAM_PODS] = "not read: pods is forbidden"
    found = only(mesh)
    assert found.message == "fsm-injector: 0 of 1 pods are available"
    assert found.value == "pods of the control plane: not read: pods is forbidden"


def test_the_catalogue_explains_every_cause() -> None:
    for name in (
        "control-plane-absent", "program-absent", "program-scaled-to-zero", "program-refused",
        "program-unschedulable", "program-image", "program-files", "program-start",
        "program-waits", "program-forbidden", "program-crash", "program-probe", "program-rollout",
    ):  # fmt: skip
        assert rule(name).fix


BESIDE = """\
config:
  fsm-stack:releaseAssets: {source: omit}
  fsm-stack:ingress: {enabled: true}
  fsm-stack:components: {jaeger: {enabled: true}}
"""


def test_what_is_declared_beside_the_programs_is_there_too() -> None:
    assert world(BESIDE).messages(CHECK) == []
    mesh = down(world(BESIDE), "fsm-ingress")
    mesh.remove("Deployment", "fsm-jaeger")
    assert [(item.id, item.message) for item in mesh.outcome(CHECK).findings] == [
        ("cluster-control-plane", "fsm-ingress: 0 of 1 pods are available"),
        ("program-absent", "fsm-jaeger is not there"),
    ]


def everything() -> World:
    """A stack with every program that may run beside its control plane."""
    config = {f"fsm-stack:{key}": value for key, value in EVERYTHING.items()}
    config["fsm-stack:releaseAssets"] = {"source": "omit"}
    return world(yaml.safe_dump({"config": config}))


@pytest.mark.parametrize("check", ["cluster-control-plane", "cluster-images", "cluster-services"])
def test_every_program_that_may_run_beside_is_as_declared(check: str) -> None:
    """Else `verify` tells somebody with an ingress that its image is absent."""
    outcome = everything().outcome(check)
    assert (outcome.status, outcome.findings, outcome.why) == (Status.PASSED, (), "")


def test_the_images_of_every_program_beside_are_kept() -> None:
    """A name that is missing there makes `verify` find no image of that program."""
    made = {
        item["metadata"]["name"]
        for item in everything().objects
        if item["kind"] in {"Deployment", "DaemonSet"}
        and item["metadata"]["namespace"] == "fsm-system"
    }
    assert made - PROGRAMS == BESIDE_NAMES


@pytest.mark.parametrize("check", ["cluster-control-plane", "cluster-images"])
def test_an_anonymous_snapshot_has_the_programs_under_their_names(check: str) -> None:
    """Every installation calls them so; under other names they would be told as absent."""
    mesh = everything()
    kept = [item for given in mesh.objects if (item := keep(given)) is not None]
    mesh.objects = list(anonymous(kept, salt="salt"))
    assert mesh.messages(check) == []


def test_another_image_of_a_program_beside_is_named() -> None:
    mesh = everything()
    template = mesh.the("DaemonSet", "fsm-xnetwork")["spec"]["template"]
    template["spec"]["containers"][1]["image"] = "flomesh/xnet:other"
    (found,) = mesh.outcome("cluster-images").findings
    assert str(found.place) == "DaemonSet fsm-system/fsm-xnetwork"
    assert found.message.startswith(
        "fsm-xnetwork: image of container fsm-xnet is flomesh/xnet:other, expected flomesh/xnet:"
    )


NODE_LEVEL = """\
config:
  fsm-stack:releaseAssets: {source: omit}
  fsm-stack:traffic: {interceptionMode: NodeLevel}
"""


def of_nodes(**status: object) -> World:
    """A mesh whose redirection on the nodes has this status."""
    mesh = world(NODE_LEVEL)
    mesh.the("DaemonSet", "fsm-xnetwork")["status"] |= status
    return mesh


def test_redirection_on_the_nodes_that_is_gone_is_named() -> None:
    mesh = of_nodes()
    assert mesh.messages(CHECK) == []
    mesh.remove("DaemonSet", "fsm-xnetwork")
    found = only(mesh)
    assert (found.id, found.message, found.fix) == (
        "program-absent",
        "fsm-xnetwork is not there",
        "Run `pulumi up --refresh` for the stack.",
    )


def test_a_node_without_redirection_is_counted() -> None:
    found = only(of_nodes(numberAvailable=1))
    assert (found.id, found.message) == (
        "cluster-control-plane",
        "fsm-xnetwork: 1 of 2 pods are available",
    )
    assert found.fix == "kubectl describe daemonset fsm-xnetwork -n fsm-system"


def test_redirection_that_no_node_may_run_is_named() -> None:
    mesh = of_nodes(**dict.fromkeys(NODES, 0))
    assert (only(mesh).id, only(mesh).message) == (
        "program-unschedulable",
        "fsm-xnetwork: no node is one that it may run on",
    )
    del mesh.the("DaemonSet", "fsm-xnetwork")["status"]["observedGeneration"]
    found = only(mesh)
    assert (found.id, found.message) == (
        "cluster-control-plane",
        "fsm-xnetwork: no pod of it was made",
    )
    assert "kube-controller-manager" in found.fix


def test_what_refuses_the_pods_of_the_nodes_is_named_in_its_own_words() -> None:
    """They are privileged and share the node's network: pod security often refuses that."""
    mesh = of_nodes(currentNumberScheduled=0, numberAvailable=0)
    mesh.objects.append(
        {
            "kind": "Event",
            "type": "Warning",
            "metadata": {"name": "fsm-xnetwork.1", "namespace": "fsm-system"},
            "involvedObject": {
                "kind": "DaemonSet", "name": "fsm-xnetwork", "namespace": "fsm-system",
            },
            "reason": "FailedCreate",
            "message": 'Error creating: pods "fsm-xnetwork-x2xzq" is forbidden: violates '
            'PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
        }
    )  # fmt: skip
    found = only(mesh)
    assert (found.id, found.message) == (
        "program-refused",
        "fsm-xnetwork: 0 of 2 pods are available: pod security baseline:latest of namespace "
        "fsm-system refuses its pods",
    )
    assert found.fix == (
        "kubectl label namespace fsm-system pod-security.kubernetes.io/enforce=privileged "
        "--overwrite, then: kubectl rollout restart daemonset/fsm-xnetwork -n fsm-system"
    )
    mesh.the("DaemonSet", "fsm-xnetwork")["status"]["currentNumberScheduled"] = 2
    assert only(mesh).id == "cluster-control-plane"  # the warning is of before


def test_an_ingress_class_that_is_gone_or_of_others_is_named() -> None:
    """No Ingress finds FSM's controller without it, and nothing else says so."""
    mesh = world(BESIDE)
    mesh.the("IngressClass")["spec"]["controller"] = "example.com/other"
    found = only(mesh)
    assert (found.id, str(found.place)) == ("program-absent", "IngressClass pipy")
    assert found.message == (
        "ingress class pipy is of controller example.com/other, expected flomesh.io/ingress-pipy: "
        "FSM serves no Ingress"
    )
    assert found.fix == (
        "kubectl delete ingressclass pipy, then: Run `pulumi up --refresh` for the stack."
    )
    mesh.remove("IngressClass")
    found = only(mesh)
    assert found.message == "ingress class pipy is not there: FSM serves no Ingress"
    assert found.fix == "Run `pulumi up --refresh` for the stack."


@pytest.mark.parametrize(
    ("text", "part", "kind"),
    [(NODE_LEVEL, Part.DAEMONS, "DaemonSet"), (BESIDE, Part.INGRESS_CLASSES, "IngressClass")],
)
def test_what_is_declared_and_was_not_read_is_said(text: str, part: Part, kind: str) -> None:
    """As of a snapshot of a release before, or an account that may not read it."""
    mesh = world(text)
    mesh.remove(kind)
    mesh.unread = {part}
    outcome = mesh.outcome(CHECK)
    assert (outcome.status, outcome.why, outcome.findings) == (
        Status.NOT_RUN,
        f"{part.value}: not read of context test",
        (),
    )
    other = world()
    other.unread = {part}
    assert other.outcome(CHECK).status is Status.PASSED
