"""An exclusion is tried on one namespace, promoted or given up, on real API servers.

The policy of a canary runs in the API server, before the injector's webhook. The webhook here is
this package's port of the injector; it records what each pod carried when its turn came.
"""

from __future__ import annotations

import base64
import copy
import json
import shlex
import shutil
import ssl
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner, Result

from fsm_stack.cli.main import cli
from fsm_stack.injector.decision import admit, namespace_view
from fsm_stack.injector.of_settings import mesh_of
from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.canary import BETA, BETA_SINCE, STABLE, STABLE_SINCE, tried
from fsm_stack.redirection.scopes import redirection
from fsm_stack.settings.stack_file import load_text
from fsm_stack.verify.canary import other_fate
from fsm_stack.verify.redirecting import redirecting_mesh
from fsm_stack.well_known import CANARY_KINDS, CANARY_LABEL

from .apiserver import KUBERNETES_VERSION, NEWEST_VERSION, serve, with_policies
from .client import eventually
from .conftest import or_skip
from .test_verify import OWNER, ROOT, ref, status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .client import Api

pytestmark = pytest.mark.cluster

Json = dict[str, Any]
PORTS = "flomesh.io/outbound-port-exclusion-list"
RANGES = "flomesh.io/outbound-ip-range-exclusion-list"
ADDS = {PORTS: "443,9443", RANGES: "203.0.113.0/24"}
VERSIONS = tuple(dict.fromkeys((KUBERNETES_VERSION, NEWEST_VERSION)))
OLD, NEW = "[6379, 7070]", "[6379, 7070, 443, 9443]"
OLD_RANGES, NEW_RANGES = "[1.1.1.1/32, 2.2.2.0/24]", "[1.1.1.1/32, 2.2.2.0/24, 203.0.113.0/24]"
# Kubernetes takes it; a structured merge of such a pod fails.
TWICE = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
UUID = "11111111-2222-4333-8444-555555555555"


@dataclass
class Mesh:
    """A cluster with the dev environment, its injector, and the project whose stack changes."""

    api: Api
    project: Path
    version: str
    asked: list[Json] = field(default_factory=list)
    """The pods as they came to the injector, newest last."""

    def settings(self) -> Any:
        text = (self.project / "Pulumi.dev.yaml").read_text(encoding="utf-8")
        return load_text(text, file="Pulumi.dev.yaml", today=date(2026, 7, 1)).require()

    def live(self) -> Any:
        """The mesh as the cluster's MeshConfig has it."""
        settings = self.settings()
        item = self.api.get(ref("MeshConfig", "fsm-mesh-config", "fsm-system",
                                "config.flomesh.io/v1alpha3"))  # fmt: skip
        known = redirecting_mesh(settings.profile, item["spec"], name="", namespace="")
        return replace(mesh_of(settings), lists=known.lists)

    def change(self, *, back: bool = False) -> None:
        """Edit the stack file: the new entries, or without them."""
        file = self.project / "Pulumi.dev.yaml"
        text = file.read_text(encoding="utf-8")
        for old, new in ((OLD, NEW), (OLD_RANGES, NEW_RANGES)):
            text = text.replace(new, old) if back else text.replace(old, new)
        file.write_text(text, encoding="utf-8")

    def up(self) -> None:
        """What ``pulumi up`` brings: the stack's MeshConfig."""
        settings = self.settings()
        for manifest in bundle(settings, redirection(settings)):
            if manifest.kind in {"MeshConfig", "ConfigMap"}:
                self.api.apply(dict(manifest.object), manager="fsm-stack", force=True)

    def run(self, *words: str) -> Result:
        place = ["-C", str(self.project), "--kubeconfig", str(self.api.kubeconfig)]
        result = CliRunner(env={"NO_COLOR": "1"}).invoke(
            cli, [*words, *place], prog_name="fsm-stack"
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result

    def canary(self, *words: str) -> Result:
        return self.run("canary", "dev", "-n", "demo", *words)

    def pod(self, name: str, annotations: Json | None = None, *, dry: bool = False) -> Json:
        """A pod of the Deployment, made through the API server; a kubelet's status beside it."""
        owner = self.api.get(OWNER)
        about = copy.deepcopy(owner["spec"]["template"]["metadata"])
        if annotations is not None:
            about["annotations"] = annotations
        labels = {**about.get("labels", {}), "pod-template-hash": "7f9c5d"}
        controller = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7f9c5d",
                      "uid": UUID, "controller": True}  # fmt: skip
        made = self.api.create(
            ref("Pod", f"web-7f9c5d-{name}", "demo")
            | {
                "metadata": {
                    **about,
                    "name": f"web-7f9c5d-{name}",
                    "namespace": "demo",
                    "labels": labels,
                    "ownerReferences": [controller],
                },
                "spec": {"containers": [{"name": "app", "image": "web:1", "env": TWICE}]},
            },
            dry_run=dry,
        )
        if not dry:
            self.api.patch(made | {"apiVersion": "v1", "kind": "Pod"}, status(),
                           subresource="status")  # fmt: skip
        return made

    def labelled(self) -> list[str]:
        """Everything that a canary made and that is still there, pods apart."""
        found = [
            item
            for kind in CANARY_KINDS
            for item in self.api.list(self.version, kind, labels=CANARY_LABEL)
        ]
        found += self.api.list("apps/v1", "Deployment", labels=CANARY_LABEL)
        return [f"{item['kind']}/{item['metadata']['name']}" for item in found]

    def carry_out(self, text: str) -> None:
        """The commands of a printed script, as kubectl would do them; restarts apart."""
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            if not words or words[0] == "sleep" or words[1:3] == ["rollout", "restart"]:
                continue
            assert words[0] == "kubectl", line
            if words[1] == "delete":
                (kind,) = (one for one in CANARY_KINDS if one.lower() == words[2])
                self.api.delete(ref(kind, words[3], None, self.version))
            else:
                assert words[1:6] == ["patch", "deployment", "web", "-n", "demo"], line
                self.api.patch(OWNER, json.loads(words[words.index("-p") + 1]))

    def begin(self) -> str:
        """Begin a canary by the policy, and wait until it is in force."""
        result = self.canary()
        assert result.exit_code == 0, result.output
        for item in yaml.safe_load_all(result.stdout):
            self.api.apply(item, manager="kubectl")
        self.eventually_tried(there=True)
        return result.stdout

    def eventually_tried(self, *, there: bool) -> None:
        eventually(
            f"new pods are {'' if there else 'not '}changed",
            lambda: (CANARY_LABEL in self.pod("probe", dry=True)["metadata"]["labels"]) is there,
            seconds=90,
        )


def script_of(pod: Json) -> str:
    (init,) = pod["spec"]["initContainers"]
    assert init["name"] == "fsm-init"
    text: str = init["args"][1]
    return text


@contextmanager
def injector(mesh: Mesh, home: Path) -> Iterator[int]:
    """The injector behind the webhook; the API server's own certificate serves it, too."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            request = json.loads(self.rfile.read(length))["request"]
            pod = request["object"]
            mesh.asked.append(copy.deepcopy(pod))
            place = namespace_view(mesh.api.get(ref("Namespace", request["namespace"])))
            _, mutation = admit(
                pod, mesh=mesh.live(), namespace=place, proxy_id=UUID, dry_run=True
            )
            change = []
            if mutation is not None:
                made = mutation.plain()
                change = [{"op": "replace", "path": f"/{part}", "value": made[part]}
                          for part in ("metadata", "spec")]  # fmt: skip
            answer = {"uid": request["uid"], "allowed": True, "patchType": "JSONPatch",
                      "patch": base64.b64encode(json.dumps(change).encode()).decode()}  # fmt: skip
            review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                      "response": answer}  # fmt: skip
            content = json.dumps(review).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "certs/apiserver.crt", home / "certs/apiserver.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module", params=VERSIONS)
def cluster(request: pytest.FixtureRequest) -> Iterator[Mesh]:
    """The dev environment on an API server of its own, with the gate where it needs one."""
    version = request.param
    minor = int(version.split(".")[1])
    if minor < BETA_SINCE:
        pytest.skip(f"Kubernetes {version} serves no {CANARY_KINDS[0]} in a version that is used")
    stable = minor >= STABLE_SINCE
    with tempfile.TemporaryDirectory(prefix="fsm-stack-") as text, ExitStack() as stack:
        home = Path(text)
        project = home / "project"
        project.mkdir()
        for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
            shutil.copy(ROOT / name, project / name)
        stack.enter_context(or_skip())
        api = stack.enter_context(serve(home, version=version, more=with_policies(version)))
        mesh = Mesh(api=api, project=project, version=STABLE if stable else BETA)
        settings = mesh.settings()
        hook: Json = {}
        for manifest in bundle(settings, redirection(settings)):
            item = dict(manifest.object)
            if manifest.kind == "MutatingWebhookConfiguration":
                hook = copy.deepcopy(item)
            elif manifest.kind != "ValidatingWebhookConfiguration":
                api.apply(item, manager="fsm-stack", force=True)
        port = stack.enter_context(injector(mesh, home))
        (one,) = hook["webhooks"]
        authority = base64.b64encode(api.ca_file.read_bytes()).decode()
        one["clientConfig"] = {"url": f"https://127.0.0.1:{port}", "caBundle": authority}
        api.apply(hook)
        api.apply(ref("ServiceAccount", "default", "demo"))
        yield mesh


@pytest.fixture
def mesh(cluster: Mesh) -> Iterator[Mesh]:
    """The same with one Deployment and one pod of before; afterwards as it was."""
    api = cluster.api
    cluster.change(back=True)
    cluster.up()
    template = {"metadata": {"labels": {"app": "web"}, "annotations": {PORTS: "9999"}},
                "spec": {"containers": [{"name": "app", "image": "web:1"}]}}  # fmt: skip
    api.apply(
        OWNER | {"spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template}}
    )
    eventually(
        "the injector is asked",
        lambda: "initContainers" in cluster.pod("probe", dry=True)["spec"],
        seconds=30,
    )
    cluster.eventually_tried(there=False)  # a policy that is gone stays in force for a moment
    cluster.pod("old")
    cluster.change()
    yield cluster
    for pod in api.list("v1", "Pod", namespace="demo"):
        api.delete(pod)
    for kind in CANARY_KINDS:
        for item in api.list(cluster.version, kind, labels=CANARY_LABEL):
            api.delete(item)
    api.delete(OWNER)


def test_an_exclusion_is_tried_promoted_and_no_pod_of_the_canary_restarts(mesh: Mesh) -> None:
    text = mesh.begin()
    assert f"# adds {PORTS} 443,9443\n# adds {RANGES} 203.0.113.0/24\n" in text
    assert "#   Deployment web\n" in text
    assert "#   kubectl rollout restart deployment/web -n demo --context test\n" in text
    old, new = mesh.api.get(ref("Pod", "web-7f9c5d-old", "demo")), mesh.pod("new")

    # The annotation is there before the injector's turn.
    asked = mesh.asked[-1]["metadata"]
    assert asked["annotations"] == {PORTS: "9999,443,9443", RANGES: "203.0.113.0/24"}
    assert "--dports 6379,7070,9999,443,9443 " in script_of(new)
    assert "203.0.113.0/24" in script_of(new)
    assert "443" not in script_of(old)

    shown = mesh.canary("--status", "-o", "json")
    state = json.loads(shown.stdout)
    assert [one["name"] for one in state["pods"]] == ["web-7f9c5d-new"]
    assert state["pods"][0]["ready"] is True
    assert state["waiting"] == ["web-7f9c5d-old"]
    assert (shown.exit_code, state["findings"]) == (0, [])
    told = mesh.run("verify", "dev", "namespace/demo", "--check", "canary-pods", "-o", "json")
    (item,) = json.loads(told.stdout)["checks"][0]["findings"]
    assert (told.exit_code, item["severity"]) == (0, "info")

    first = mesh.canary("--promote")
    assert first.exit_code == 0, first.output
    assert "# first: Run `pulumi up --refresh` for the stack" in first.stdout
    mesh.up()
    second = mesh.canary("--promote")
    assert "# first:" not in second.stdout
    assert "# 1 pod of the canary keeps its rules: no restart" in second.stdout
    mesh.carry_out(second.stdout)
    assert mesh.labelled() == []
    mesh.eventually_tried(there=False)

    later = mesh.pod("later")
    assert mesh.asked[-1]["metadata"]["annotations"] == {PORTS: "9999"}
    assert other_fate(script_of(new), script_of(later)) == ""
    verified = mesh.run("verify", "dev", "namespace/demo", "--check", "pod-stale",
                        "--check", "pod-rules", "--check", "canary-pods",
                        "--check", "pod-annotation-effect", "-o", "json")  # fmt: skip
    places = {
        item["place"]["path"]
        for one in json.loads(verified.stdout)["checks"]
        for item in one.get("findings") or ()
    }
    assert places == {"pod demo/web-7f9c5d-old"}
    ended = mesh.canary("--status")
    assert ended.exit_code == 2
    assert "--namespace demo: it has no canary" in ended.output


def test_aborting_leaves_nothing(mesh: Mesh) -> None:
    before = mesh.pod("before", dry=True)
    mesh.begin()
    mesh.pod("new")
    assert sorted(mesh.labelled()) == [f"{kind}/fsm-stack-canary-demo" for kind in CANARY_KINDS]
    listed = CliRunner().invoke(
        cli, ["leftovers", "-o", "json", "--kubeconfig", str(mesh.api.kubeconfig)]
    )
    left = json.loads(listed.stdout)
    assert sorted(one["object"] for one in left["leftovers"] if one["step"] == "canary") == [
        f"{kind}/fsm-stack-canary-demo" for kind in CANARY_KINDS
    ]
    result = mesh.canary("--abort")
    assert result.exit_code == 0, result.output
    assert "kubectl rollout restart deployment/web -n demo --context test" in result.stdout
    mesh.carry_out(result.stdout)
    assert mesh.labelled() == []
    mesh.eventually_tried(there=False)
    told = mesh.run("verify", "dev", "namespace/demo", "--check", "canary-pods", "-o", "json")
    (item,) = json.loads(told.stdout)["checks"][0]["findings"]
    assert item["place"]["path"] == "pod demo/web-7f9c5d-new"
    mesh.api.delete(ref("Pod", "web-7f9c5d-new", "demo"))
    after = mesh.pod("before", dry=True)
    for part in ("labels", "annotations"):
        assert after["metadata"][part] == before["metadata"][part]
    assert script_of(after) == script_of(before)


def test_the_policy_merges_as_the_proof_does(mesh: Mesh) -> None:
    """What the API server makes of a pod's annotations, and what is claimed of it."""
    mesh.begin()
    for own in (
        {},
        {"example.com/x": "y"},
        {PORTS: "80"},
        {PORTS: "443, 80", RANGES: "203.0.113.0/24"},
        {PORTS: "9443,443"},
        {PORTS: " 443 ,\t1", RANGES: "10.0.0.0/8"},
    ):
        made = mesh.pod("merged", own, dry=True)
        known = {key: value for key, value in made["metadata"]["annotations"].items()
                 if not key.startswith("prometheus.io/")}  # fmt: skip
        assert known == tried(own, ADDS)
        mesh.asked.clear()


def test_other_namespaces_are_left_alone(mesh: Mesh) -> None:
    mesh.begin()
    other = mesh.api.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "other-"}}
    )["metadata"]["name"]
    mesh.api.apply(ref("ServiceAccount", "default", other))
    made = mesh.api.create(
        ref("Pod", "web", other) | {"spec": {"containers": [{"name": "app", "image": "web:1"}]}},
        dry_run=True,
    )
    assert not {"labels", "annotations"} & made["metadata"].keys()


def test_templates_carry_a_canary_and_lose_every_trace_of_it(mesh: Mesh) -> None:
    before = mesh.api.get(OWNER)
    result = mesh.canary("--by", "templates")
    assert result.exit_code == 0, result.output
    mesh.carry_out(result.stdout)
    assert mesh.labelled() == ["Deployment/web"]
    new = mesh.pod("new")
    assert mesh.asked[-1]["metadata"]["annotations"] == tried({PORTS: "9999"}, ADDS)
    state = json.loads(mesh.canary("--status", "-o", "json").stdout)
    assert state["by"] == "templates"
    assert [one["name"] for one in state["pods"]] == ["web-7f9c5d-new"]
    assert state["findings"] == []
    mesh.up()
    promoted = json.loads(mesh.canary("--promote", "-o", "json").stdout)
    assert (promoted["unchanged"], promoted["findings"]) == (1, [])
    assert promoted["commands"] == []
    mesh.carry_out(mesh.canary("--abort").stdout)
    assert mesh.labelled() == []
    after = mesh.api.get(OWNER)
    assert after["spec"] == before["spec"]
    for part in ("labels", "annotations"):
        assert (after["metadata"].get(part) or {}) == (before["metadata"].get(part) or {})
    later = mesh.pod("later")
    assert other_fate(script_of(new), script_of(later)) == ""


def test_what_cannot_be_tried_is_refused_and_nothing_is_printed_to_apply(mesh: Mesh) -> None:
    file = mesh.project / "Pulumi.dev.yaml"
    file.write_text(file.read_text().replace(NEW, "[7070, 443]"), encoding="utf-8")
    try:
        result = mesh.canary()
    finally:
        file.write_text(file.read_text().replace("[7070, 443]", NEW), encoding="utf-8")
    assert result.exit_code == 1
    assert list(yaml.safe_load_all(result.stdout)) in ([], [None])
    assert "outboundPortExclusionList loses 6379" in result.stderr
