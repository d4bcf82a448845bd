"""``fsm-stack verify`` against a real API server: every check is seen to pass and to fail."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
import yaml
from click.testing import CliRunner, Result
from kubernetes.config import incluster_config

from fsm_stack.cli.main import cli
from fsm_stack.injector.annotations import interception
from fsm_stack.manifests.bundle import bundle
from fsm_stack.redirection.scopes import redirection
from fsm_stack.settings.stack_file import load_text
from fsm_stack.verify.every import CHECKS
from fsm_stack.verify.expected import of_stack
from fsm_stack.well_known import CANARY_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsm_stack.verify.expected import Expected

    from .client import Api

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parent.parent.parent
Json = dict[str, Any]
POD = "web-7f9c5d-x2x"
ASKED = (f"pod/{POD}", "-n", "demo")
PORTS = "flomesh.io/outbound-port-exclusion-list"
WEBHOOK = "fsm-webhook-fsm"


def expected() -> Expected:
    text = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    settings = load_text(text, file="Pulumi.dev.yaml", today=date(2026, 7, 1)).require()
    return of_stack(settings, title="dev")


def ref(kind: str, name: str, namespace: str | None = None, version: str = "v1") -> Json:
    about = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version, "kind": kind, "metadata": about}


THE_POD = ref("Pod", POD, "demo")
NAMESPACE = ref("Namespace", "demo")
OWNER = ref("Deployment", "web", "demo", "apps/v1")
MESH_CONFIG = ref("MeshConfig", "fsm-mesh-config", "fsm-system", "config.flomesh.io/v1alpha3")
HOOK = ref("MutatingWebhookConfiguration", WEBHOOK, None, "admissionregistration.k8s.io/v1")
INJECTOR = ref("Deployment", "fsm-injector", "fsm-system", "apps/v1")
SLICE = ref("EndpointSlice", "fsm-injector-x", "fsm-system", "discovery.k8s.io/v1")


def pod(script: str, *, name: str = POD, annotations: dict[str, str] | None = None) -> Json:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7f9c5d",
             "uid": "11111111-1111-1111-1111-111111111111", "controller": True}  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "demo", "labels": {"app": "web"},
                     "annotations": annotations or {}, "ownerReferences": [owner]},
        "spec": {
            "initContainers": [
                {"name": "fsm-init", "image": "flomesh/fsm-sidecar-init:1.5.1",
                 "command": ["/bin/sh"], "args": ["-c", script]}
            ],
            "containers": [
                {"name": "app", "image": "web:1", "ports": [{"containerPort": 8080}],
                 "env": [{"name": "PASSWORD", "value": "canary"}]},
                {"name": "sidecar", "image": "flomesh/pipy:1.5.12"},
            ],
        },
    }  # fmt: skip


def status(**init: Any) -> Json:
    """What a kubelet would write of a pod that runs."""
    about = {"image": "x", "imageID": "x", "restartCount": 0, "ready": True}
    running = {"running": {"startedAt": "2026-07-01T10:00:00Z"}}
    ended = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    return {
        "status": {
            "phase": "Running",
            "initContainerStatuses": [about | {"name": "fsm-init", "state": ended} | init],
            "containerStatuses": [
                about | {"name": name, "state": running, "started": True}
                for name in ("app", "sidecar")
            ],
        }
    }


@pytest.fixture(scope="module")
def mesh(api: Api) -> Iterator[Api]:
    """The dev environment as it stands after ``pulumi up``, with one running pod.

    Pods come first: no injector runs, and its webhook with policy Fail would refuse them.
    """
    known = expected()
    script = interception({}, known.mesh).script
    api.apply(NAMESPACE)
    template = {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "app", "image": "web:1"}]}}  # fmt: skip
    api.apply(
        OWNER | {"spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template}}
    )
    replicas(api, 1)
    api.apply(pod(script))
    api.apply(pod(interception({PORTS: "9999"}, known.mesh).script, name="older"))
    for name in (POD, "older"):
        api.patch(ref("Pod", name, "demo"), status(), subresource="status")
    text = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    settings = load_text(text, file="Pulumi.dev.yaml", today=date(2026, 7, 1)).require()
    for manifest in bundle(settings, redirection(settings)):
        api.apply(dict(manifest.object), manager="fsm-stack", force=True)
        if manifest.kind == "Deployment":
            there = {"replicas": 1, "availableReplicas": 1, "readyReplicas": 1}
            api.patch(dict(manifest.object), {"status": there}, subresource="status")
    api.apply(SLICE | {
        "metadata": SLICE["metadata"] | {"labels": {"kubernetes.io/service-name": "fsm-injector"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.244.0.3"], "conditions": {"ready": True}}],
    })  # fmt: skip
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        for item in api.list("admissionregistration.k8s.io/v1", kind):
            if item.get("webhooks"):
                set_bundle(api, item, BUNDLE)
    yield api
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        for item in api.list("admissionregistration.k8s.io/v1", kind):
            api.delete(item)
    for item in (THE_POD, ref("Pod", "older", "demo"), MESH_CONFIG):
        api.delete(item)
    api.patch(NAMESPACE, {"metadata": {"labels": {"flomesh.io/monitored-by": None}}})


def _real_bundle() -> str:
    """The API server checks a caBundle: a real certificate, in date until 2046."""
    return (Path(__file__).parent / "ca-bundle.b64").read_text(encoding="ascii").strip()


BUNDLE = _real_bundle()


def set_bundle(api: Api, which: Json, bundle_: str) -> None:
    live = api.get(which)
    for webhook in live["webhooks"]:
        webhook["clientConfig"]["caBundle"] = bundle_
    api.patch(live, {"webhooks": live["webhooks"]})


def change_hook(api: Api, **fields: Any) -> None:
    live = api.get(HOOK)
    live["webhooks"][0].update(fields)
    api.patch(live, {"webhooks": live["webhooks"]})


def traffic(api: Api, **lists: Any) -> None:
    """What the documents tell users to do: kubectl patch meshconfig --type=merge."""
    api.patch(MESH_CONFIG, {"spec": {"traffic": lists}})


def annotate(api: Api, which: Json, **annotations: Any) -> None:
    api.patch(which, {"metadata": {"annotations": annotations}})


def of_a_canary(api: Api, which: str | None) -> None:
    api.patch(THE_POD, {"metadata": {"labels": {CANARY_LABEL: which}}})


def stray(api: Api) -> None:
    live = api.get(HOOK)
    metadata = {"name": "fsm-webhook-old", "labels": live["metadata"]["labels"]}
    api.create(live | {"metadata": metadata})


def again(api: Api, which: Json) -> None:
    """Declare an object of the stack anew."""
    for key, item in expected().objects.items():
        if key[0] == which["kind"] and key[2] == which["metadata"]["name"]:
            api.apply(dict(item), manager="fsm-stack", force=True)


def pod_status(api: Api, **init: Any) -> None:
    api.patch(THE_POD, status(**init), subresource="status")


def available(api: Api, count: int) -> None:
    there = {"availableReplicas": count, "readyReplicas": count, "replicas": 1}
    api.patch(INJECTOR, {"status": there}, subresource="status")


def replicas(api: Api, count: int) -> None:
    api.patch(OWNER, {"status": {"replicas": count, "observedGeneration": 1}},
              subresource="status")  # fmt: skip


def not_ready(api: Api) -> None:
    broken = status()
    broken["status"]["containerStatuses"][1] |= {"ready": False}
    api.patch(THE_POD, broken, subresource="status")


def endpoint(api: Api, *, ready: bool) -> None:
    api.patch(SLICE, {"endpoints": [{"addresses": ["10.244.0.3"],
                                     "conditions": {"ready": ready}}]})  # fmt: skip


def image(api: Api, name: str) -> None:
    container = api.get(INJECTOR)["spec"]["template"]["spec"]["containers"][0]
    container["image"] = name
    api.patch(INJECTOR, {"spec": {"template": {"spec": {"containers": [container]}}}})


def template(api: Api, ports: str | None) -> None:
    annotations = {"flomesh.io/outbound-port-exclusion-list": ports}
    api.patch(OWNER, {"spec": {"template": {"metadata": {"annotations": annotations}}}})


def leads_to(api: Api, target: int) -> None:
    (port,) = api.get(SERVICE)["spec"]["ports"]
    api.patch(SERVICE, {"spec": {"ports": [port | {"targetPort": target}]}})


def sidecar_image(api: Api, name: str) -> None:
    """A pod's image is one of the few fields that can change."""
    containers = api.get(THE_POD)["spec"]["containers"]
    containers[1]["image"] = name
    api.patch(THE_POD, {"spec": {"containers": containers}})


ROLE = ref("ClusterRole", "fsm", None, "rbac.authorization.k8s.io/v1")
SERVICE = ref("Service", "fsm-injector", "fsm-system")
REDIRECTION = ref("ConfigMap", "fsm-redirection", "fsm-system")
INJECTION = "flomesh.io/sidecar-injection"
BROKEN: dict[str, tuple[Callable[[Api], Any], Callable[[Api], Any]]] = {
    "cluster-mesh-config": (lambda a: a.delete(MESH_CONFIG), lambda a: again(a, MESH_CONFIG)),
    "cluster-lists": (
        lambda a: traffic(a, outboundPortExclusionList=[6379]),
        lambda a: traffic(a, outboundPortExclusionList=[6379, 7070]),
    ),
    "next-pod": (
        lambda a: template(a, ",".join(map(str, range(9000, 9014)))),  # and two of the mesh
        lambda a: template(a, None),
    ),
    "cluster-mesh-config-content": (
        lambda a: traffic(a, outboundIPRangeExclusionList=["0.0.0.0/0"]),
        lambda a: again(a, MESH_CONFIG),
    ),
    "cluster-mesh-config-drift": (
        lambda a: traffic(a, enableEgress=not a.get(MESH_CONFIG)["spec"]["traffic"]["enableEgress"]),
        lambda a: again(a, MESH_CONFIG),
    ),
    "cluster-control-plane": (lambda a: available(a, 0), lambda a: available(a, 1)),
    "cluster-images": (lambda a: image(a, "other:1"), lambda a: again(a, INJECTOR)),
    "cluster-redirection": (
        lambda a: a.patch(REDIRECTION, {"data": {"settingsDigest": "sha256:0"}}),
        lambda a: again(a, REDIRECTION),
    ),
    "cluster-rights": (lambda a: a.patch(ROLE, {"rules": []}), lambda a: again(a, ROLE)),
    "cluster-services": (
        lambda a: leads_to(a, 9999),
        lambda a: leads_to(a, 9090),
    ),
    "cluster-webhook": (
        lambda a: a.delete(HOOK),
        lambda a: (again(a, HOOK), set_bundle(a, HOOK, BUNDLE)),
    ),
    "cluster-webhook-ca": (
        lambda a: set_bundle(a, HOOK, ""),
        lambda a: set_bundle(a, HOOK, BUNDLE),
    ),
    "cluster-webhook-stray": (
        stray,
        lambda a: a.delete(ref("MutatingWebhookConfiguration", "fsm-webhook-old", None,
                               "admissionregistration.k8s.io/v1")),
    ),
    "cluster-webhook-service": (
        lambda a: endpoint(a, ready=False),
        lambda a: endpoint(a, ready=True),
    ),
    "cluster-webhook-rules": (
        lambda a: change_hook(a, matchConditions=[{"name": "none", "expression": "false"}]),
        lambda a: change_hook(a, matchConditions=None),
    ),
    "cluster-webhook-drift": (
        lambda a: change_hook(a, failurePolicy="Ignore"),
        lambda a: change_hook(a, failurePolicy="Fail"),
    ),
    "namespace-enrolled": (
        lambda a: annotate(a, NAMESPACE, **{INJECTION: "disabled"}),
        lambda a: annotate(a, NAMESPACE, **{INJECTION: "enabled"}),
    ),
    "namespace-selected": (
        lambda a: a.patch(NAMESPACE, {"metadata": {"labels": {"flomesh.io/ignore": "true"}}}),
        lambda a: a.patch(NAMESPACE, {"metadata": {"labels": {"flomesh.io/ignore": None}}}),
    ),
    "pod-injected": (
        lambda a: annotate(a, THE_POD, **{INJECTION: "maybe"}),
        lambda a: annotate(a, THE_POD, **{INJECTION: None}),
    ),
    "pod-ready": (not_ready, pod_status),
    "pod-images": (
        lambda a: sidecar_image(a, "flomesh/pipy:1.5.0"),
        lambda a: sidecar_image(a, "flomesh/pipy:1.5.12"),
    ),
    "pod-init": (
        lambda a: pod_status(a, state={"terminated": {"exitCode": 2}}),
        pod_status,
    ),
    "pod-annotations": (
        lambda a: annotate(a, THE_POD, **{PORTS: "80,x"}),
        lambda a: annotate(a, THE_POD, **{PORTS: None}),
    ),
    "pod-rules": (
        lambda a: annotate(a, THE_POD, **{PORTS: "8080"}),
        lambda a: annotate(a, THE_POD, **{PORTS: None}),
    ),
    "pod-stale": (
        lambda a: annotate(a, THE_POD, **{PORTS: "8080"}),
        lambda a: annotate(a, THE_POD, **{PORTS: None}),
    ),
    "pod-annotation-effect": (
        lambda a: annotate(a, THE_POD, **{"flomesh.io/outbound-port": "1"}),
        lambda a: annotate(a, THE_POD, **{"flomesh.io/outbound-port": None}),
    ),
    "canary-pods": (
        lambda a: (of_a_canary(a, "x"), annotate(a, THE_POD, **{PORTS: "8080"})),
        lambda a: (of_a_canary(a, None), annotate(a, THE_POD, **{PORTS: None})),
    ),
    "owner-pods": (lambda a: replicas(a, 0), lambda a: replicas(a, 1)),
    "owner-annotations": (
        lambda a: annotate(a, OWNER, **{PORTS: "8080"}),
        lambda a: annotate(a, OWNER, **{PORTS: None}),
    ),
    "pod-live-rules": (
        lambda a: pod_status(a, restartCount=2),
        pod_status,
    ),
}  # fmt: skip
# An existing pod's containers cannot change: these are seen on pods made broken.
# What is pasted is no cluster's, and what a quota refuses is held to the API server's words where
# pods are refused.
MADE_BROKEN = {
    "pod-script", "pod-generation", "pod-reserved", "told-cause", "namespace-quota",
    "cluster-guard", "cluster-guard-refused",
}  # fmt: skip


def verify(
    api: Api, *words: str, stack: str | None = "dev", kubeconfig: Path | None = None
) -> Result:
    place = ["-C", str(ROOT), "--kubeconfig", str(kubeconfig or api.kubeconfig)]
    arguments = ["verify", *([stack] if stack else []), *words, *place]
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(cli, arguments, prog_name="fsm-stack")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def answers(result: Result) -> dict[str, Json]:
    return {one["id"]: one for one in json.loads(result.stdout)["checks"]}


def test_every_check_passes_on_the_applied_environment(mesh: Api) -> None:
    result = verify(mesh, *ASKED, "-o", "json")
    wrong = {
        name: one
        for name, one in answers(result).items()
        if one["status"] not in {"passed", "not applicable"}
    }
    assert wrong == {}
    assert result.exit_code == 0
    assert json.loads(result.stdout)["server"] == f"https://127.0.0.1:{mesh.port}"


def test_every_check_is_broken_somewhere() -> None:
    assert {check.id for check in CHECKS} - set(BROKEN) == MADE_BROKEN


@pytest.mark.requirement("C23", "C24", "C30", "C35")
@pytest.mark.parametrize("check", list(BROKEN))
def test_a_check_fails_when_its_subject_is_broken_and_passes_again(mesh: Api, check: str) -> None:
    break_it, mend = BROKEN[check]
    words = (*ASKED, "--check", check, "-o", "json")
    before = answers(verify(mesh, *words))[check]["status"]
    break_it(mesh)
    try:
        broken = answers(verify(mesh, *words))[check]
    finally:
        mend(mesh)
    assert before in {"passed", "not applicable"}
    assert broken["status"] in {"failed", "warned"}
    assert answers(verify(mesh, *words))[check]["status"] == before


def test_a_patched_list_names_the_field_manager_that_wrote_it(mesh: Api) -> None:
    traffic(mesh, outboundPortExclusionList=[6379])
    try:
        result = verify(mesh, *ASKED, "--check", "cluster-lists", "-o", "json")
    finally:
        traffic(mesh, outboundPortExclusionList=[6379, 7070])
    (finding,) = answers(result)["cluster-lists"]["findings"]
    assert finding["message"].startswith(
        "outboundPortExclusionList lacks 7070; last written by test at 20"
    )


def test_pods_made_under_other_settings_are_stale_and_their_owner_is_listed(mesh: Api) -> None:
    result = verify(mesh, "--check", "pod-stale", "-o", "json")
    (finding,) = answers(result)["pod-stale"]["findings"]
    assert finding["place"] == {"path": "pod demo/older"}
    assert finding["message"] == "its rules are older than the settings: it still has 9999"
    place = ["-C", str(ROOT), "--kubeconfig", str(mesh.kubeconfig)]
    listed = CliRunner().invoke(cli, ["restart-list", "dev", *place])
    assert listed.exit_code == 1
    assert listed.output.splitlines() == [
        f"# context test, server https://127.0.0.1:{mesh.port}",
        "# stack dev, Pulumi.dev.yaml (fsm)",
        "# 1 pod of 1 owner has other rules or images than the injector would give now",
        "",
        "# batch 1: 1 owner",
        "# Deployment web -n demo: outbound ports 9999: not declared",
        "kubectl rollout restart deployment/web -n demo --context test",
        "kubectl rollout status deployment/web -n demo --timeout=10m --context test",
    ]


def test_the_cause_is_found_for_one_connection(mesh: Api) -> None:
    assert verify(mesh, *ASKED, "--why", "10.9.9.9:6379").exit_code == 0
    result = verify(mesh, "pod/older", "-n", "demo", "--why", "10.9.9.9:9999", "-o", "json")
    assert json.loads(result.stdout)["cause"] == "pod-not-restarted"
    assert result.exit_code == 1


def test_a_namespace_that_lost_its_label_is_not_reported_as_missing(mesh: Api) -> None:
    """Of the whole mesh, where namespaces are listed by that label."""
    label = "flomesh.io/monitored-by"
    mesh.patch(NAMESPACE, {"metadata": {"labels": {label: None}}})
    try:
        result = verify(mesh, "-o", "json")
    finally:
        mesh.patch(NAMESPACE, {"metadata": {"labels": {label: "fsm"}}})
    known = answers(result)
    found = known["namespace-enrolled"]["findings"]
    told = {item["place"]["path"]: item["message"] for item in found}  # others are of the stacks
    assert told["namespace demo"] == f"label {label} is absent, expected 'fsm'"
    assert json.loads(result.stdout)["pods"] == 2
    assert {item["severity"] for item in known["pod-injected"]["findings"]} == {"warning"}


@pytest.mark.requirement("C35")
def test_a_list_that_was_patched_in_the_cluster_is_the_cause(mesh: Api) -> None:
    """Both ways: an entry that somebody removed, and one that somebody added."""
    elsewhere = ref("Namespace", "elsewhere")
    mesh.apply(elsewhere)  # without the label: no injector runs, and its webhook refuses pods
    made = pod(interception({}, expected().mesh).script.replace("6379,", ""))
    mesh.create(made | {"metadata": {"name": "without", "namespace": "elsewhere"}})
    words = ("pod/without", "-n", "elsewhere", "--why", "10.9.9.9:6379", "-o", "json")
    traffic(mesh, outboundPortExclusionList=[9999, 7070])
    try:
        added = verify(mesh, "pod/older", "-n", "demo", "--why", "10.9.9.9:9999", "-o", "json")
        removed = verify(mesh, *words)
    finally:
        traffic(mesh, outboundPortExclusionList=[6379, 7070])
    assert json.loads(added.stdout)["cause"] == "config-undeclared"
    assert "last written by test at 20" in json.loads(added.stdout)["why"]
    assert json.loads(removed.stdout)["cause"] == "config-absent"


def test_rules_of_the_kernel_are_compared_with_the_script(mesh: Api, tmp_path: Path) -> None:
    script = interception({}, expected().mesh).script
    rules = tmp_path / "rules.txt"
    rules.write_text("\n".join(script.splitlines()[1:-1]) + "\n")
    words = (*ASKED, "--check", "pod-live-rules", "-o", "json", "--rules", str(rules))
    assert answers(verify(mesh, *words))["pod-live-rules"]["status"] == "passed"
    rules.write_text("*nat\nCOMMIT\n")
    assert answers(verify(mesh, *words))["pod-live-rules"]["status"] == "failed"


@pytest.mark.parametrize("words", [("-n", "demo"), ("ns/demo",)])
def test_a_namespace_stands_for_its_pods(mesh: Api, words: tuple[str, ...]) -> None:
    result = verify(mesh, *words, "--check", "pod-stale", "-o", "json")
    assert json.loads(result.stdout)["pods"] == 2


def test_a_deployment_stands_for_its_pods(mesh: Api) -> None:
    result = verify(mesh, "deploy/web", "-n", "demo", "--check", "pod-stale", "-o", "json")
    assert json.loads(result.stdout)["pods"] == 2


def test_without_a_stack_the_cluster_itself_is_what_is_expected(mesh: Api) -> None:
    result = verify(mesh, *ASKED, "-o", "json", stack=None)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["stack"] == "the cluster's own MeshConfig"


def test_rendered_files_stand_for_a_stack(mesh: Api) -> None:
    against = ("--against", str(ROOT / "rendered/dev"))
    result = verify(mesh, *ASKED, *against, "-o", "json", stack=None)
    # The injector's authority is no drift: the same writers are expected as for a stack.
    assert [one for one in answers(result).values() if one.get("findings")] == []
    wrong = {
        name: one
        for name, one in answers(result).items()
        if one["status"] not in {"passed", "not applicable"}
    }
    assert wrong == {}
    traffic(mesh, enableEgress=not mesh.get(MESH_CONFIG)["spec"]["traffic"]["enableEgress"])
    try:
        broken = verify(mesh, *ASKED, *against, "-o", "json", stack=None)
    finally:
        again(mesh, MESH_CONFIG)
    assert answers(broken)["cluster-mesh-config-drift"]["status"] == "warned"


def test_nothing_is_ever_written(mesh: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request of a whole run is seen: a reader has no other verb."""
    methods: list[str] = []
    urlopen = urllib3.HTTPConnectionPool.urlopen

    def watched(self: Any, method: str, *args: Any, **more: Any) -> Any:
        methods.append(method)
        return urlopen(self, method, *args, **more)

    monkeypatch.setattr(urllib3.HTTPConnectionPool, "urlopen", watched)
    verify(mesh)
    verify(mesh, *ASKED)
    assert len(methods) > 20
    assert set(methods) == {"GET"}


def test_another_cluster_than_the_stacks_is_refused_first(mesh: Api, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: fsm-stack\n")
    other = "00000000-0000-0000-0000-000000000000"
    (tmp_path / "Pulumi.uid.yaml").write_text(
        f"config:\n  fsm-stack:releaseAssets: {{source: omit}}\n"
        f"  fsm-stack:cluster: {{uid: {other}}}\n"
    )
    (tmp_path / "Pulumi.context.yaml").write_text(
        "config:\n  fsm-stack:releaseAssets: {source: omit}\n"
        "  fsm-stack:cluster: {context: prod}\n"
    )
    uid = mesh.get(ref("Namespace", "kube-system"))["metadata"]["uid"]
    for stack, text in (
        ("uid", f"meant for the cluster whose namespace kube-system has UID {other}, got {uid}: "
                "this is another cluster"),
        ("context", "meant for context 'prod', got 'test': name it with --context prod, or "
                    "correct cluster.context"),
    ):  # fmt: skip
        words = ["verify", stack, "-C", str(tmp_path), "--kubeconfig", str(mesh.kubeconfig)]
        result = CliRunner().invoke(cli, words)
        assert result.exit_code == 2
        assert text in result.stderr


def test_what_is_not_there_is_bad_input(mesh: Api) -> None:
    result = verify(mesh, "pod/nobody", "-n", "demo")
    assert result.exit_code == 2
    assert result.stderr == "fsm-stack: error: pod/nobody -n demo: there is no such pod\n"


def test_a_snapshot_of_the_cluster_gives_the_same_answers(mesh: Api, tmp_path: Path) -> None:
    file = tmp_path / "mesh.jsonl"
    words = ["snapshot", str(file), "--kubeconfig", str(mesh.kubeconfig)]
    assert CliRunner().invoke(cli, words).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert "canary" not in file.read_text()
    live = answers(verify(mesh, "-o", "json"))
    words = ["verify", "dev", "-C", str(ROOT), "--from", str(file), "-o", "json"]
    saved = answers(CliRunner().invoke(cli, words))
    assert {name: one["status"] for name, one in saved.items()} == {
        name: one["status"] for name, one in live.items()
    }


# --- rights -----------------------------------------------------------------------------------


def documented_rules() -> list[Json]:
    text = (ROOT / "docs/verify.md").read_text(encoding="utf-8")
    block = text.partition("```yaml\n")[2].partition("```")[0]
    rules: list[Json] = yaml.safe_load(block)["rules"]
    return rules


def account(api: Api, name: str, rules: list[Json], folder: Path) -> Path:
    """A kubeconfig of an account with these rights and no others."""
    api.apply(ref("ServiceAccount", name, "default"))
    rbac = "rbac.authorization.k8s.io/v1"
    api.apply(ref("ClusterRole", name, None, rbac) | {"rules": rules})
    api.apply(ref("ClusterRoleBinding", name, None, rbac) | {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
    })  # fmt: skip
    path = f"/api/v1/namespaces/default/serviceaccounts/{name}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = api.request("POST", path, body=body)["status"]["token"]
    return kubeconfig(api, folder / name, token)


def kubeconfig(api: Api, file: Path, token: str, **cluster: str) -> Path:
    known = json.loads(api.kubeconfig.read_text())
    known["users"][0]["user"] = {"token": token}
    known["clusters"][0]["cluster"].update(cluster)
    file.write_text(json.dumps(known))
    return file


def test_the_documented_rights_are_enough(mesh: Api, tmp_path: Path) -> None:
    config = account(mesh, "verify-all", documented_rules(), tmp_path)
    result = verify(mesh, *ASKED, kubeconfig=config)
    assert result.exit_code == 0, result.output
    whole = verify(mesh, "-o", "json", kubeconfig=config)
    assert json.loads(whole.stdout)["complete"] is True


def test_the_rights_of_other_commands_are_those_that_the_page_says(
    mesh: Api, tmp_path: Path
) -> None:
    """The same for what reads pods and lists; Helm's Secrets and CRDs beside them for others."""

    def run(config: Path, *words: str) -> Result:
        return CliRunner(env={"NO_COLOR": "1"}).invoke(cli, [*words, "--kubeconfig", str(config)])

    plain = account(mesh, "rights-plain", documented_rules(), tmp_path)
    rest = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}
    crds = {
        "apiGroups": ["apiextensions.k8s.io"],
        "resources": ["customresourcedefinitions"],
        "verbs": ["list"],
    }
    more = account(mesh, "rights-more", [*documented_rules(), rest, crds], tmp_path)
    place = ("-C", str(ROOT))
    canary = run(plain, "canary", "dev", "-n", "demo", "--against", "prod", *place)
    assert canary.exit_code != 3, canary.output
    saved = run(plain, "snapshot", str(tmp_path / "mesh.jsonl"))
    assert saved.exit_code == 0, saved.output
    assert run(plain, "restart-list", "dev", *place).exit_code in {0, 1}
    for words in (("convert", "--cluster"), ("leftovers",)):
        refused = run(plain, *words)
        assert refused.exit_code == 3, refused.output
        assert "secrets is forbidden" in refused.stderr
        assert run(more, *words).exit_code in {0, 1}, words


def test_a_pods_own_account_is_used_where_there_is_no_kubeconfig(
    mesh: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a CronJob in the cluster would run it, with the documented rights."""
    known = json.loads(account(mesh, "verify-inside", documented_rules(), tmp_path).read_text())
    (tmp_path / "token").write_text(known["users"][0]["user"]["token"])
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(mesh.ca_file))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(mesh.port))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    words = ["verify", "dev", *ASKED, "-C", str(ROOT), "-o", "json"]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["context"] == "in-cluster"
    (tmp_path / "Pulumi.yaml").write_text("name: fsm-stack\n")
    (tmp_path / "Pulumi.named.yaml").write_text(
        "config:\n  fsm-stack:releaseAssets: {source: omit}\n"
        "  fsm-stack:cluster: {context: prod}\n"
    )
    named = CliRunner().invoke(cli, ["verify", "named", "-C", str(tmp_path)])
    assert named.exit_code == 3
    assert named.stderr == (
        "fsm-stack: error: the stack is meant for context 'prod', and a pod's own account has no "
        "context: declare cluster.uid, too\n"
    )


MISSING = {
    "namespaces": "namespace-enrolled",
    "validatingwebhookconfigurations": "cluster-webhook-ca",
    "pods": "pod-init",
    "services": "cluster-webhook-service",
    "configmaps": "cluster-redirection",
    "deployments": "cluster-control-plane",
    "endpointslices": "cluster-webhook-service",
    "mutatingwebhookconfigurations": "cluster-webhook",
    "meshconfigs": "cluster-lists",
    "clusterroles": "cluster-rights",
    "clusterrolebindings": "cluster-rights",
    "roles": "cluster-rights",
    "rolebindings": "cluster-rights",
    "serviceaccounts": "cluster-rights",
    "resourcequotas": "namespace-quota",
    "limitranges": "namespace-quota",
}


@pytest.mark.parametrize("resource", list(MISSING))
def test_a_missing_right_is_named_and_the_other_checks_run(
    mesh: Api, tmp_path: Path, resource: str
) -> None:
    rules = documented_rules()
    for rule in rules:
        rule["resources"] = [one for one in rule["resources"] if one != resource]
    rules = [rule for rule in rules if rule["resources"]]
    config = account(mesh, f"verify-without-{resource}", rules, tmp_path)
    result = verify(mesh, *ASKED, "-o", "json", kubeconfig=config)
    known = answers(result)
    assert known[MISSING[resource]]["status"] == "not run"
    why = known[MISSING[resource]]["why"]
    assert "is forbidden: User" in why
    assert f'resource "{resource}"' in why
    assert result.exit_code == 3, result.stdout
    assert [one for one in known.values() if one["status"] == "passed"]


def without(resource: str, name: str, folder: Path, api: Api) -> Path:
    """An account with the documented rights but one."""
    rules = documented_rules()
    for rule in rules:
        rule["resources"] = [one for one in rule["resources"] if one != resource]
    return account(api, name, [rule for rule in rules if rule["resources"]], folder)


@pytest.mark.parametrize("resource", ["statefulsets", "daemonsets", "deployments"])
def test_a_missing_right_to_owners_is_named(mesh: Api, tmp_path: Path, resource: str) -> None:
    config = without(resource, f"verify-no-{resource}", tmp_path, mesh)
    known = answers(verify(mesh, "-o", "json", kubeconfig=config))
    why = known["owner-annotations"]["why"]
    assert f'resource "{resource}" in API group "apps"' in why


def test_a_missing_right_to_logs_is_named_with_the_failure(mesh: Api, tmp_path: Path) -> None:
    config = without("pods/log", "verify-no-logs", tmp_path, mesh)
    pod_status(mesh, state={"terminated": {"exitCode": 2}})
    try:
        result = verify(mesh, *ASKED, "--check", "pod-init", "-o", "json", kubeconfig=config)
    finally:
        pod_status(mesh)
    (finding,) = answers(result)["pod-init"]["findings"]
    assert finding["message"] == "init container fsm-init failed with exit code 2"
    assert 'cannot get resource "pods/log"' in finding["value"]


def test_a_missing_right_to_events_is_named_with_the_program_that_is_down(
    mesh: Api, tmp_path: Path
) -> None:
    config = without("events", "verify-no-events", tmp_path, mesh)
    available(mesh, 0)
    try:
        words = ("--check", "cluster-control-plane", "-o", "json")
        result = verify(mesh, *words, kubeconfig=config)
    finally:
        available(mesh, 1)
    (finding,) = answers(result)["cluster-control-plane"]["findings"]
    assert finding["message"] == "fsm-injector: 0 of 1 pods are available"
    assert finding["value"].startswith("events: not read: events is forbidden: User ")


def test_every_documented_right_is_seen_missing_once() -> None:
    resources = {one for rule in documented_rules() for one in rule["resources"]}
    # A server that serves no such policies is asked for none: tests/cluster/test_api.py refuses one.
    policies = {one for one in resources if "admissionpolic" in one}  # dev has no guard, no canary
    owners = {"statefulsets", "daemonsets", "pods/log", "events"}
    beside = {"ingressclasses"}  # dev has none: test_verify_programs.py
    assert resources - set(MISSING) == owners | policies | beside


def test_without_the_right_to_pods_of_the_mesh_nothing_is_counted_as_passed(
    mesh: Api, tmp_path: Path
) -> None:
    config = without("namespaces", "verify-mesh-no-namespaces", tmp_path, mesh)
    result = verify(mesh, "-o", "json", stack=None, kubeconfig=config)
    assert result.exit_code == 3
    assert answers(result)["pod-rules"]["why"] == (
        "not read: which namespaces are in the mesh is unknown"
    )


def test_credentials_that_are_not_accepted_are_told_once(mesh: Api, tmp_path: Path) -> None:
    config = kubeconfig(mesh, tmp_path / "expired", "no-such-token")
    result = verify(mesh, kubeconfig=config)
    assert result.exit_code == 3
    assert result.stderr == (
        f"fsm-stack: error: context test: https://127.0.0.1:{mesh.port} does not accept the "
        "credentials (401 Unauthorized): log in again\n"
    )


def test_a_server_that_is_not_there_is_told(mesh: Api, tmp_path: Path) -> None:
    config = kubeconfig(mesh, tmp_path / "away", "x", server="https://127.0.0.1:1")
    result = verify(mesh, kubeconfig=config)
    assert result.exit_code == 3
    assert result.stderr == (
        "fsm-stack: error: context test: https://127.0.0.1:1: no answer in 3 attempts: "
        "Connection refused\n"
    )


def test_a_context_that_is_not_there_is_bad_input(mesh: Api) -> None:
    result = verify(mesh, "--context", "tset")
    assert result.exit_code == 2
    assert result.stderr == (
        "fsm-stack: error: context 'tset': not in the kubeconfig; did you mean 'test'?\n"
    )
