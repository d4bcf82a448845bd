"""Laws of the mutation on pods of any shape, and bounds on hostile documents."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm_stack.errors import InputError
from fsm_stack.systems import SYSTEMS
from fsm_stack.workloads.documents import split
from fsm_stack.workloads.preview import preview
from fsm_stack.workloads.stream import Context, run
from fsm_stack.yaml.write import dump
from tests.given import ID, mesh, namespace

MESHES = {name: mesh(name) for name in SYSTEMS}
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
PORT = st.integers(1, 65535)
HTTP = st.fixed_dictionaries(
    {"port": PORT | NAMES},
    optional={
        "path": st.text(max_size=8),
        "scheme": st.sampled_from(["HTTP", "HTTPS"]),
        "host": NAMES,
        "httpHeaders": st.lists(
            st.fixed_dictionaries({"name": NAMES, "value": NAMES}), max_size=2
        ),
    },
)
PROBE = st.fixed_dictionaries(
    {},
    optional={
        "httpGet": HTTP,
        "tcpSocket": st.fixed_dictionaries({"port": PORT | NAMES}, optional={"host": NAMES}),
        "exec": st.fixed_dictionaries({"command": st.lists(NAMES, max_size=2)}),
        "periodSeconds": st.integers(1, 60),
        "timeoutSeconds": st.integers(1, 60),
    },
)
CONTAINER = st.fixed_dictionaries(
    {"name": NAMES},
    optional={
        "image": NAMES,
        "ports": st.lists(
            st.fixed_dictionaries({"containerPort": PORT}, optional={"name": NAMES}), max_size=3
        ),
        "livenessProbe": PROBE,
        "readinessProbe": PROBE,
        "startupProbe": PROBE,
        "env": st.lists(st.fixed_dictionaries({"name": NAMES, "value": st.text()}), max_size=2),
    },
)
PREFIXES = ("flomesh.io", "openservicemesh.io")
ANNOTATIONS = st.dictionaries(
    st.sampled_from(
        [
            f"{prefix}/{name}"
            for prefix in PREFIXES
            for name in (
                "outbound-port-exclusion-list",
                "outbound-ip-range-exclusion-list",
                "sidecar-injection",
                "hold-application-until-proxy-starts",
                "sidecar-resource-limits-cpu",
            )
        ]
    )
    | NAMES,
    st.sampled_from(["80, 443", "10.0.0.0/8", "yes", "no", "100m", "", "x"]),
    max_size=4,
)
POD = st.fixed_dictionaries(
    {
        "apiVersion": st.just("v1"),
        "kind": st.just("Pod"),
        "metadata": st.fixed_dictionaries(
            {"name": NAMES},
            optional={
                "annotations": ANNOTATIONS,
                "labels": st.dictionaries(NAMES, NAMES, max_size=3),
            },
        ),
        "spec": st.fixed_dictionaries(
            {"containers": st.lists(CONTAINER, min_size=1, max_size=4)},
            optional={
                "initContainers": st.lists(CONTAINER, max_size=2),
                "volumes": st.lists(st.fixed_dictionaries({"name": NAMES}), max_size=2),
                "hostNetwork": st.booleans(),
                "serviceAccountName": NAMES,
                "nodeSelector": st.dictionaries(NAMES, NAMES, max_size=2),
            },
        ),
    }
)
PROBES = {"livenessProbe", "readinessProbe", "startupProbe"}


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(SYSTEMS)), pod=POD)
def test_no_field_of_the_users_pod_is_lost(name: str, pod: dict[str, Any]) -> None:
    """Never raises; probes, label, annotations and lists apart, everything is still there."""
    before = copy.deepcopy(pod)
    known = MESHES[name]
    result = preview(pod, mesh=known, namespace=namespace(of=known), proxy_id=ID)
    assert pod == before
    if not result.decision.inject:
        assert result.pod is pod
        return
    after: Any = result.pod
    assert json.loads(result.mutation.text()) == after  # type: ignore[union-attr]
    labels = pod["metadata"].get("labels", {})
    assert labels.items() <= after["metadata"]["labels"].items()
    assert pod["metadata"].get("annotations") == after["metadata"].get("annotations")
    own = [item for item in after["spec"]["containers"] if "web-" not in item["name"]]
    stripped = [without_probes(item) for item in own]
    for container in pod["spec"]["containers"]:
        assert without_probes(container) in stripped
    kept = after["spec"].get("initContainers", [])
    assert kept[: len(pod["spec"].get("initContainers", []))] == pod["spec"].get(
        "initContainers", []
    )
    assert after["spec"]["volumes"][:-1] == pod["spec"].get("volumes", [])
    lists = {"containers", "initContainers", "volumes"}
    rest = {key: value for key, value in pod["spec"].items() if key not in lists}
    assert rest == {key: value for key, value in after["spec"].items() if key not in lists}


def without_probes(container: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in container.items() if key not in PROBES}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(NAMES, children, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(SYSTEMS)), pod=POD, data=st.data())
def test_wrong_types_are_refused_and_never_crash(
    name: str, pod: dict[str, Any], data: st.DataObject
) -> None:
    """One part of the pod is replaced by anything at all."""
    paths = [
        ("metadata",), ("spec",), ("metadata", "annotations"), ("metadata", "labels"),
        ("metadata", "ownerReferences"), ("spec", "containers"), ("spec", "initContainers"),
        ("spec", "volumes"), ("spec", "hostNetwork"), ("spec", "nodeSelector"),
        ("spec", "serviceAccountName"), ("spec", "containers", 0, "ports"),
        ("spec", "containers", 0, "livenessProbe"), ("spec", "containers", 0, "name"),
        ("spec", "containers", 0, "readinessProbe", "httpGet"),
        ("spec", "containers", 0, "readinessProbe", "httpGet", "port"),
        ("spec", "containers", 0, "readinessProbe", "httpGet", "httpHeaders"),
        ("spec", "containers", 0, "readinessProbe", "timeoutSeconds"),
        ("spec", "containers", 0, "readinessProbe", "httpGet", "scheme"),
        ("spec", "containers", 0, "ports", 0), ("spec", "containers", 0, "startupProbe"),
        ("spec", "volumes", 0), ("spec", "initContainers", 0), ("metadata", "annotations", "a"),
        ("metadata", "ownerReferences", 0), ("metadata", "namespace"), ("spec", "hostAliases"),
        ("spec", "securityContext"), ("spec", "containers", 0, "securityContext"),
    ]  # fmt: skip
    *path, last = data.draw(st.sampled_from(paths))
    target: Any = pod
    for step, following in zip(path, [*path, last][1:], strict=True):
        empty: Any = [{}] if isinstance(following, int) else {}
        target = target.setdefault(step, empty) if isinstance(step, str) else target[step]
        if isinstance(following, int) and not target:
            target.append({})
    value = data.draw(JSON)
    target[last] = [{"controller": True, "name": value}] if last == "ownerReferences" else value
    known = MESHES[name]
    result = preview(pod, mesh=known, namespace=namespace(of=known), proxy_id=ID)
    assert result.decision.outcome in {"inject", "leave", "refuse"}


def swallow(text: str) -> None:
    context = Context(mesh=MESHES["fsm"], proxy_id=lambda *_: ID, dump=dump)
    for _ in run(split(text.splitlines(keepends=True), file="x"), context):
        pass


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGE_BOMB = "a: &a {k: 1, l: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"kind: Pod\napiVersion: v1\n{BOMB}",
            "x:1: its aliases repeat too much: expected at most 200",
        ),
        (
            f"kind: Pod\napiVersion: v1\n{MERGE_BOMB}",
            "x:8: its merge keys repeat too much: expected at most 200",
        ),
        (
            "kind: Pod\na: &a [*a]\n",
            "x:1: expected a Kubernetes document, this one is nested too deep",
        ),
        (
            "# Pod\n" + "[" * 100_000,
            "x:2: expected a Kubernetes document, this one is nested too deep",
        ),
        (
            "# Pod\n" + "- " * 100_000 + "a",
            "x:2: expected a Kubernetes document, this one is nested",
        ),
        ("# Pod\n" + "{a: " * 5_000, "x:2: expected a Kubernetes document, this one is nested"),
        (
            '{"kind": "Pod", "a": ' + '{"a":' * 90_000,
            "x:1: expected a Kubernetes document, this one",
        ),
        ("kind: Pod\na: !!python/object:os.system x\n", "x:2: expected YAML or JSON"),
        ("kind: Pod\n{1: 2}: 3\n", "x:"),
        ("kind: Pod\na: \0\n", "x:2: expected YAML or JSON"),
        ("kind: Pod\na: " + '[ "]", ' * 100_000, "x:2: expected a Kubernetes document, this one"),
        (
            "kind: Pod\n" + "".join(" " * depth + "a:\n" for depth in range(600)),
            "x:102: expected a Kubernetes document, this one is nested",
        ),
        ("kind: Pod\na: 1\na: 2\n", "x:3: expected each key once, got 'a' again"),
        (f"kind: Pod\na: {'1' * 9000}\n", "x:2: expected what JSON can say, got !!int 1111"),
        (
            "kind: Pod\napiVersion: v1\nspec: {1: .inf, containers: [{name: a}]}\n",
            "x:3: expected what JSON can say, got !!float .inf",
        ),
    ],
    ids=[
        "bomb",
        "merged bomb",
        "circle",
        "brackets",
        "dashes",
        "braces",
        "json",
        "tag",
        "key",
        "nul",
        "brackets in texts",
        "indentation",
        "key twice",
        "digits",
        "no JSON",
    ],
)
def test_a_hostile_document_is_an_error_within_a_second(text: str, message: str) -> None:
    started = time.process_time()
    with pytest.raises(InputError) as caught:
        swallow(text)
    assert str(caught.value).startswith(message)
    assert time.process_time() - started < 1


def test_a_document_larger_than_any_object_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsm_stack.workloads.documents.MAX_CHARACTERS", 1000)
    with pytest.raises(InputError) as caught:
        swallow("a\n" * 600)
    assert str(caught.value) == "x:1: expected at most 1000 characters in one document"


def test_a_huge_list_is_read_once() -> None:
    """Ten thousand odd items of the wrong type cost no more than a look each."""
    items = [{"apiVersion": "v1", "kind": "Pod", "spec": {"containers": 5}}, 7, None] * 3000
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    started = time.process_time()
    swallow(text)
    assert time.process_time() - started < 5
