"""The door to an API server: pages, retries, time-outs, and every way in which it says no."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.cluster.api import ATTEMPTS, Answer, Cluster, Refused
from fsm_stack.cluster.connect import connect
from fsm_stack.cluster.read import Reader
from fsm_stack.cluster.subject import Subject, subject
from fsm_stack.errors import CouldNotCheckError, InputError
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.systems import FSM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]
Scripted = tuple[int, Json | str] | OSError


class Server:
    """Answers from a script; keeps what was asked, and how long was waited."""

    def __init__(self, answer: Callable[[str], Scripted | list[Scripted]]) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.waited: list[float] = []
        self.times: dict[str, int] = {}
        self.headers: dict[str, str] = {}

    def get(self, url: str) -> Answer:
        path = url.removeprefix("https://server")
        self.asked.append(path)
        known = self.answer(path)
        if isinstance(known, list):
            turn = self.times.get(path, 0)
            self.times[path] = turn + 1
            known = known[min(turn, len(known) - 1)]
        if isinstance(known, OSError):
            raise known
        code, content = known
        text = content if isinstance(content, str) else json.dumps(content)
        return Answer(code, self.headers, lambda: (text.encode(),))

    def cluster(self) -> Cluster:
        return Cluster(
            context="test",
            server="https://server",
            namespace="default",
            get=self.get,
            sleep=self.waited.append,
        )


def pod(name: str) -> Json:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {}, "status": {}}


def page(*names: str, following: str = "") -> tuple[int, Json]:
    return 200, {"metadata": {"continue": following}, "items": [pod(name) for name in names]}


def test_lists_are_read_in_pages() -> None:
    server = Server(lambda path: page("b") if "continue=x" in path else page("a", following="x"))
    names = [item["metadata"]["name"] for item in server.cluster().pages("/api/v1/pods")]
    assert names == ["a", "b"]
    assert server.asked == ["/api/v1/pods?limit=500", "/api/v1/pods?limit=500&continue=x"]


def test_an_expired_continuation_starts_again_once() -> None:
    """Objects come and go while they are read; the second reading counts."""
    gone: Scripted = (410, {"message": "The provided continue parameter is too old"})
    server = Server(
        lambda path: [gone, page("b")] if "continue=x" in path else page("a", following="x")
    )
    names = [item["metadata"]["name"] for item in server.cluster().pages("/api/v1/pods")]
    assert names == ["a", "a", "b"]


def test_a_continuation_that_always_expires_ends() -> None:
    gone: Scripted = (410, {"message": "too old"})
    server = Server(lambda path: gone if "continue" in path else page("a", following="x"))
    with pytest.raises(Refused) as caught:
        list(server.cluster().pages("/api/v1/pods"))
    assert str(caught.value) == "too old"
    assert len(server.asked) == 4


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_busy_server_is_asked_again(code: int) -> None:
    server = Server(lambda _: [(code, {"message": "busy"}), (200, {"kind": "Pod"})])
    assert server.cluster().read("/x") == {"kind": "Pod"}
    assert server.waited == [0.2]


def test_the_wait_that_a_server_asks_for_is_kept_and_bounded() -> None:
    server = Server(lambda _: [(429, {"message": "busy"}), (200, {})])
    server.headers = {"Retry-After": "3600"}
    server.cluster().read("/x")
    assert server.waited == [5.0]


@pytest.mark.parametrize("value", ["nan", "inf", "x", ""])
def test_a_wait_that_is_no_number_is_ours_to_choose(value: str) -> None:
    server = Server(lambda _: [(429, {"message": "busy"}), (200, {})])
    server.headers = {"Retry-After": value}
    server.cluster().read("/x")
    assert server.waited == [0.2]


@pytest.mark.parametrize("items", ["x", {}, 5, [1], [None]])
def test_a_list_that_is_none_is_not_taken_for_an_empty_one(items: object) -> None:
    """Else what is there would be told as missing."""
    server = Server(lambda _: (200, {"items": items}))
    with pytest.raises(Refused) as caught:
        list(server.cluster().pages("/api/v1/pods"))
    assert str(caught.value) == "/api/v1/pods: an answer that is no list of objects"
    assert not list(Server(lambda _: (200, {"items": None})).cluster().pages("/api/v1/pods"))


@pytest.mark.parametrize("value", ["x", [1], 5, None])
def test_an_object_of_no_known_form_ends_in_no_traceback(value: object) -> None:
    strange = dict.fromkeys(("metadata", "spec", "status"), value)

    def answer(path: str) -> Scripted:
        return (200, {"items": [strange]}) if path.endswith("limit=500") else (200, strange)

    for asked in (None, subject("pod/web", "shop"), subject("deploy/web", "shop")):
        reader = Reader(cluster=Server(answer).cluster())
        assert reader.uid() == ""
        reader.snapshot(systems=[FSM], namespace="m", asked=asked)


def test_a_server_that_never_answers_is_given_up_with_its_name() -> None:
    server = Server(lambda _: OSError("timed out"))
    with pytest.raises(CouldNotCheckError) as caught:
        server.cluster().read("/x")
    assert str(caught.value) == (
        "context test: https://server: no answer in 3 attempts: timed out"
    )
    assert len(server.asked) == ATTEMPTS


def test_credentials_that_are_not_accepted_end_everything() -> None:
    server = Server(lambda _: (401, {"message": "Unauthorized"}))
    with pytest.raises(CouldNotCheckError) as caught:
        server.cluster().read("/x")
    assert str(caught.value) == (
        "context test: https://server does not accept the credentials (401 Unauthorized): log in "
        "again"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"items": [', "/x: an answer that is no JSON, or is cut off"),
        ("<html>proxy</html>", "/x: an answer that is no JSON, or is cut off"),
        ("[]", "/x: an answer that is no object"),
    ],
)
def test_an_answer_that_is_none_is_told(content: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        Server(lambda _: (200, content)).cluster().read("/x")
    assert str(caught.value) == message


def test_a_refusal_without_a_message_names_its_status() -> None:
    with pytest.raises(Refused) as caught:
        Server(lambda _: (418, "teapot")).cluster().read("/x")
    assert str(caught.value) == "/x: HTTP status 418"


def mesh(path: str) -> Scripted:
    """A small mesh: one namespace, two pods, nothing else."""
    if path.startswith("/api/v1/namespaces?"):
        return 200, {"items": [{"metadata": {"name": "shop"}}]}
    if path.startswith("/api/v1/namespaces/shop/pods"):
        return page("a", "b")
    if "/configmaps/" in path:
        return 404, {"message": "not found"}
    return 200, {"items": []}


def test_a_server_that_dies_half_way_costs_what_comes_after_and_ends_soon() -> None:
    """Three attempts for the first request that fails, none for those after it."""

    def answer(path: str) -> Scripted:
        return OSError("connection reset") if "admission" in path else mesh(path)

    server = Server(answer)
    found = Reader(cluster=server.cluster()).snapshot(systems=[FSM], namespace="fsm-system")
    why = "not read: https://server: no answer in 3 attempts: connection reset"
    assert found.not_read[Part.MUTATING] == why
    assert found.not_read[Part.NAMESPACES] == why
    assert Part.MESH_CONFIG in found.read
    assert sum("admission" in path for path in server.asked) == ATTEMPTS


def test_a_forbidden_part_costs_that_part_alone() -> None:
    def answer(path: str) -> Scripted:
        return (403, {"message": "services is forbidden"}) if "services" in path else mesh(path)

    found = Reader(cluster=Server(answer).cluster()).snapshot(systems=[FSM], namespace="m")
    assert found.not_read == {Part.SERVICES: "not read: services is forbidden"}
    assert [one.name for one in found.pods] == ["a", "b"]


def test_a_log_of_a_pod_that_was_deleted_meanwhile_is_let_be() -> None:
    failing = pod("a")
    failing["status"]["initContainerStatuses"] = [
        {"name": "fsm-init", "state": {"terminated": {"exitCode": 2}}}
    ]

    def answer(path: str) -> Scripted:
        if path.startswith("/api/v1/namespaces/shop/pods/a/log"):
            return 404, {"message": "not found"}
        if path.startswith("/api/v1/namespaces/shop/pods"):
            return 200, {"items": [failing]}
        return mesh(path)

    server = Server(answer)
    found = Reader(cluster=server.cluster()).snapshot(systems=[FSM], namespace="m")
    assert found.logs == {}
    assert server.asked[-1] == (
        "/api/v1/namespaces/shop/pods/a/log?container=fsm-init&tailLines=20&limitBytes=4096"
    )


def test_logs_of_many_failing_pods_are_bounded() -> None:
    status = {"name": "fsm-init", "state": {"terminated": {"exitCode": 2}}}
    many = [pod(f"p{number}") for number in range(50)]
    for one in many:
        one["status"]["initContainerStatuses"] = [status]

    def answer(path: str) -> Scripted:
        if "/log?" in path:
            return 200, "too many ports specified"
        if path.startswith("/api/v1/namespaces/shop/pods"):
            return 200, {"items": many}
        return mesh(path)

    server = Server(answer)
    found = Reader(cluster=server.cluster()).snapshot(systems=[FSM], namespace="m")
    assert len(found.logs) == 20
    assert found.logs["shop/p0"] == "too many ports specified"


def test_a_pod_that_is_not_there_is_bad_input() -> None:
    server = Server(lambda path: (404, {}) if path.endswith("/pods/x") else mesh(path))
    asked = Subject(kind="Pod", name="x", namespace="shop")
    with pytest.raises(InputError) as caught:
        Reader(cluster=server.cluster()).snapshot(systems=[FSM], namespace="m", asked=asked)
    assert str(caught.value) == "pod/x -n shop: there is no such pod"


@pytest.mark.parametrize(
    ("text", "kind"),
    [("pod/a", "Pod"), ("po/a", "Pod"), ("deploy/a", "Deployment"), ("sts/a", "StatefulSet"),
     ("DaemonSet/a", "DaemonSet")],
)  # fmt: skip
def test_subjects_are_written_as_kubectl_has_them(text: str, kind: str) -> None:
    assert subject(text, "shop") == Subject(kind=kind, name="a", namespace="shop")


@pytest.mark.parametrize("text", ["cronjob/a", "pod/", "pod/a/b", "a"])
def test_what_makes_no_pods_is_no_subject(text: str) -> None:
    with pytest.raises(InputError) as caught:
        subject(text, "shop")
    assert str(caught.value) == (
        f"{text!r}: expected pod/NAME, deployment/NAME, statefulset/NAME, daemonset/NAME, "
        "replicaset/NAME, job/NAME or namespace/NAME"
    )


def test_progress_is_told_every_500_pods() -> None:
    many = [pod(f"p{number}") for number in range(1200)]
    server = Server(
        lambda path: (
            (200, {"items": many})
            if path.startswith("/api/v1/namespaces/shop/pods")
            else mesh(path)
        )
    )
    told: list[int] = []
    Reader(cluster=server.cluster(), progress=told.append).snapshot(systems=[FSM], namespace="m")
    assert told == [500, 1000]


def test_without_any_kubeconfig_the_ways_to_name_one_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(CouldNotCheckError) as caught:
        connect()
    assert str(caught.value) == (
        "no cluster: expected a kubeconfig file (KUBECONFIG, ~/.kube/config, --kubeconfig), or to "
        "run inside a pod"
    )


def test_the_environment_is_asked_at_each_connection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The library keeps what the variable said when it was imported: another cluster."""
    from kubernetes import config  # noqa: F401, PLC0415  # it has been imported by now

    for name in ("one", "two"):
        (tmp_path / name).write_text(
            "apiVersion: v1\nkind: Config\n"
            f"clusters: [{{name: c, cluster: {{server: 'https://{name}.example'}}}}]\n"
            f"contexts: [{{name: {name}, context: {{cluster: c, user: u}}}}]\n"
            f"users: [{{name: u, user: {{token: t}}}}]\ncurrent-context: {name}\n"
        )
        monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none:{tmp_path / name}")
        found = connect()
        assert (found.context, found.server) == (name, f"https://{name}.example")


def test_a_kubeconfig_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        connect(kubeconfig=tmp_path / "none")
    assert str(caught.value) == f"{tmp_path}/none: no such kubeconfig file"


@pytest.mark.parametrize("text", ["", "contexts: 5", "{", "apiVersion: v1\nkind: Config\n"])
def test_a_damaged_kubeconfig_is_told_without_a_traceback(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises((InputError, CouldNotCheckError)) as caught:
        connect(kubeconfig=file)
    assert str(caught.value).startswith("kubeconfig")


def test_a_declared_namespace_that_lost_its_label_is_read_all_the_same() -> None:
    """Else a namespace that is there would be reported as missing, and its pods not at all."""

    def answer(path: str) -> Scripted:
        if path.startswith("/api/v1/namespaces?"):
            return 200, {"items": []}
        if path == "/api/v1/namespaces/shop":
            return 200, {"metadata": {"name": "shop"}}
        return mesh(path)

    found = Reader(cluster=Server(answer).cluster()).snapshot(
        systems=[FSM], namespace="m", declared=["shop"]
    )
    assert list(found.namespaces) == ["shop"]
    assert [one.name for one in found.pods] == ["a", "b"]


def test_without_the_right_to_namespaces_pods_are_named_as_unknown() -> None:
    def answer(path: str) -> Scripted:
        if path.startswith("/api/v1/namespaces?"):
            return 403, {"message": "namespaces is forbidden"}
        return mesh(path)

    found = Reader(cluster=Server(answer).cluster()).snapshot(systems=[FSM], namespace="m")
    assert found.not_read[Part.NAMESPACES] == "not read: namespaces is forbidden"
    assert found.not_read[Part.PODS] == ("not read: which namespaces are in the mesh is unknown")


def test_nodes_that_do_not_answer_hold_nobody_up() -> None:
    """The server takes half a minute to find out, for each log: three are enough."""
    many = [pod(f"p{number}") for number in range(9)]
    for one in many:
        one["status"]["initContainerStatuses"] = [
            {"name": "fsm-init", "state": {"terminated": {"exitCode": 2}}}
        ]

    def answer(path: str) -> Scripted:
        if "/pods/p1/log?" in path:
            return 200, "too many ports specified"
        if "/log?" in path:
            return 500, {"message": "dial tcp 10.0.0.1:10250: i/o timeout"}
        if path.startswith("/api/v1/namespaces/shop/pods"):
            return 200, {"items": many}
        return mesh(path)

    server = Server(answer)
    found = Reader(cluster=server.cluster()).snapshot(systems=[FSM], namespace="m")
    assert [path.split("/")[6] for path in server.asked if "/log?" in path] == [
        "p0", "p1", "p2", "p3",
    ]  # fmt: skip
    assert server.waited == []
    assert found.logs == {"shop/p1": "too many ports specified"}
    assert found.not_read == {Part.LOGS: "not read: dial tcp 10.0.0.1:10250: i/o timeout"}


def test_a_log_that_may_not_be_read_is_noted_once() -> None:
    many = [pod(f"p{number}") for number in range(5)]
    for one in many:
        one["status"]["initContainerStatuses"] = [
            {"name": "fsm-init", "state": {"terminated": {"exitCode": 2}}}
        ]

    def answer(path: str) -> Scripted:
        if "/log?" in path:
            return 403, {"message": 'cannot get resource "pods/log"'}
        if path.startswith("/api/v1/namespaces/shop/pods"):
            return 200, {"items": many}
        return mesh(path)

    server = Server(answer)
    found = Reader(cluster=server.cluster()).snapshot(systems=[FSM], namespace="m")
    assert found.not_read == {Part.LOGS: 'not read: cannot get resource "pods/log"'}
    assert sum("/log?" in path for path in server.asked) == 1


def test_the_next_page_is_asked_for_while_one_is_read() -> None:
    """kube-apiserver writes the token before the objects, and the server is not kept waiting."""

    def answer(path: str) -> Scripted:
        following = "" if "continue=x" in path else "x"
        metadata = f'"metadata":{{"resourceVersion":"1","continue":"{following}"}}'
        item = json.dumps(pod("b" if following == "" else "a"))
        return 200, f'{{"kind":"PodList","apiVersion":"v1",{metadata},"items":[{item}]}}'

    server = Server(answer)
    pages = server.cluster().pages("/api/v1/pods")
    assert next(pages)["metadata"]["name"] == "a"
    assert server.asked == ["/api/v1/pods?limit=500", "/api/v1/pods?limit=500&continue=x"]
    assert [item["metadata"]["name"] for item in pages] == ["b"]
    assert len(server.asked) == 2


def test_a_page_asked_for_early_that_fails_is_asked_for_again() -> None:
    def answer(path: str) -> Scripted | list[Scripted]:
        if "continue=x" in path:
            return [OSError("reset"), page("b")]
        item = json.dumps(pod("a"))
        return 200, f'{{"kind":"PodList","metadata":{{"continue":"x"}},"items":[{item}]}}'

    server = Server(answer)
    names = [item["metadata"]["name"] for item in server.cluster().pages("/api/v1/pods")]
    assert names == ["a", "b"]
    assert server.waited == [0.2]


CONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {%s}}]
contexts: [{name: x, context: {cluster: c, user: u, namespace: shop}}]
current-context: x
"""
LOGIN = "exec: {apiVersion: client.authentication.k8s.io/v1, command: %s, interactiveMode: Never}"


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("no-such-login", "[Errno 2] No such file or directory: 'no-such-login'"),
        ('"false"', "exec: process returned 1"),
    ],
)
def test_a_login_program_that_fails_is_named_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], program: str, says: str
) -> None:
    """Else the server is asked as nobody, and says that nobody has the rights."""
    file = tmp_path / "config"
    file.write_text(CONFIG % (LOGIN % program))
    with pytest.raises(CouldNotCheckError) as caught:
        connect(kubeconfig=file)
    assert str(caught.value).startswith(f"context x: no credentials: {says}")
    assert capsys.readouterr().err == ""


def test_a_connection_has_its_contexts_server_and_namespace(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(CONFIG % "token: x")
    made = connect(kubeconfig=file)
    assert (made.context, made.server, made.namespace) == ("x", "https://127.0.0.1:1", "shop")


KIND = {"resources": [{"name": "mutatingadmissionpolicies", "kind": "MutatingAdmissionPolicy"}]}
POLICIES = "/apis/admissionregistration.k8s.io/{}/mutatingadmissionpolic"


@pytest.mark.parametrize("version", ["v1", "v1beta1", ""])
def test_canaries_are_read_in_the_version_that_is_served(version: str) -> None:
    """A cluster that serves none is asked for none: no right is needed there."""

    def answer(path: str) -> Scripted:
        if version and path == f"/apis/admissionregistration.k8s.io/{version}":
            return 200, KIND
        if path == "/apis/admissionregistration.k8s.io/v1beta1":
            return 404, {"message": "not found"}
        if version and path.startswith(f"{POLICIES.format(version)}ies?"):
            labels = {"fsm-stack.flomesh.io/canary": "x"}
            return 200, {"items": [{"metadata": {"name": "mine", "labels": labels}}]}
        return mesh(path)

    server = Server(answer)
    found = Reader(cluster=server.cluster()).snapshot(systems=[FSM], namespace="m")
    assert Part.CANARIES in found.read
    asked = [path for path in server.asked if "/mutatingadmissionpolic" in path]
    assert len(asked) == (2 if version else 0)
    assert all("labelSelector=fsm-stack.flomesh.io%2Fcanary" in path for path in asked)
    assert [(one["kind"], one["apiVersion"]) for one in found.canaries] == (
        [("MutatingAdmissionPolicy", f"admissionregistration.k8s.io/{version}")] if version else []
    )


def test_canaries_that_may_not_be_read_are_said_not_to_be() -> None:
    def answer(path: str) -> Scripted:
        if path == "/apis/admissionregistration.k8s.io/v1":
            return 200, KIND
        forbidden = 403, {"message": "mutatingadmissionpolicies is forbidden"}
        return forbidden if path.startswith(POLICIES.format("v1")) else mesh(path)

    found = Reader(cluster=Server(answer).cluster()).snapshot(systems=[FSM], namespace="m")
    assert found.not_read == {Part.CANARIES: "not read: mutatingadmissionpolicies is forbidden"}
