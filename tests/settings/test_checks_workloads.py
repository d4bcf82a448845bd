from __future__ import annotations

from typing import Any

import pytest

from .loading import found

OWNERS = [
    ("components", "injector", "resources"),
    ("components", "controller", "initResources"),
    ("components", "controller", "repoResources"),
    ("sidecar", "resources"),
    ("sidecar", "initResources"),
    ("sidecar", "healthcheckResources"),
]


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    return dict(value)


@pytest.mark.parametrize("owner", OWNERS)
def test_an_unknown_resource_is_told(owner: tuple[str, ...]) -> None:
    """The API server would refuse the Deployment, or every injected pod."""
    (item,) = found(nested(owner, {"limits": {"memroy": "1Gi"}}))
    assert item[:2] == ("unknown-key", f"{'.'.join(owner)}.limits.memroy")
    assert item[2].endswith("got 'memroy'; did you mean 'memory'?")


@pytest.mark.parametrize("owner", OWNERS)
def test_a_request_above_its_limit_is_told(owner: tuple[str, ...]) -> None:
    value = {"limits": {"cpu": "1"}, "requests": {"cpu": "1001m", "memory": "1Gi"}}
    assert found(nested(owner, value)) == [
        (
            "invalid-value",
            f"{'.'.join(owner)}.requests.cpu",
            "expected at most the limit 1, got 1001m",
        )
    ]


def test_what_kubernetes_takes_is_taken() -> None:
    amounts = {
        "cpu": "1",
        "memory": "1Gi",
        "ephemeral-storage": "1Gi",
        "hugepages-2Mi": "4Mi",
        "example.com/gpu": 1,
    }
    assert found({"sidecar": {"resources": {"limits": amounts, "requests": amounts}}}) == []


@pytest.mark.parametrize("label", ["app", "codebase", "app.kubernetes.io/name"])
def test_a_label_that_selects_pods_is_not_a_users(label: str) -> None:
    data = {"components": {"controller": {"podLabels": {label: "x", "team": "mesh"}}}}
    assert [item[:2] for item in found(data)] == [
        ("name-taken", f"components.controller.podLabels.{label}")
    ]


TOLERATIONS = [
    ({"key": "a", "operator": "Exists", "value": "b"}, ".value"),
    ({"operator": "Equal", "value": "b"}, ""),
    ({"value": "b"}, ""),
    ({"key": "a b", "operator": "Exists"}, ".key"),
    ({"key": "a..b/c", "operator": "Exists"}, ".key"),
    ({"key": "a", "operator": "Equal", "value": "a b"}, ".value"),
    ({"key": "a", "value": "-"}, ".value"),
    ({"key": "a", "effect": "NoSchedule", "tolerationSeconds": 3}, ".tolerationSeconds"),
]


@pytest.mark.parametrize(("toleration", "below"), TOLERATIONS)
def test_a_toleration_that_kubernetes_refuses(toleration: dict[str, Any], below: str) -> None:
    data = {"components": {"injector": {"tolerations": [toleration]}}}
    assert [item[:2] for item in found(data)] == [
        ("invalid-value", f"components.injector.tolerations[0]{below}")
    ]


@pytest.mark.parametrize(
    "toleration",
    [
        {"operator": "Exists"},
        {"key": "a", "value": "b"},
        {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3},
    ],
)
def test_a_toleration_that_kubernetes_takes(toleration: dict[str, Any]) -> None:
    assert found({"components": {"injector": {"tolerations": [toleration]}}}) == []


REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
EXPRESSION = {"key": "a", "operator": "In", "values": ["b"]}
FIELD = {"key": "metadata.name", "operator": "In", "values": ["node-1"]}
ZONE = {"topologyKey": "zone"}
MISFITS = [
    ({"nodeAfinity": {}}, "unknown-key", "nodeAfinity"),
    ({"nodeAffinity": {REQUIRED: []}}, "wrong-type", f"nodeAffinity.{REQUIRED}"),
    (
        {"podAffinity": {PREFERRED: [{"weight": "1", "podAffinityTerm": {"topologyKey": "a"}}]}},
        "wrong-type",
        f"podAffinity.{PREFERRED}[0].weight",
    ),
    (
        {"podAffinity": {PREFERRED: [{"weight": 101, "podAffinityTerm": {"topologyKey": "a"}}]}},
        "invalid-value",
        f"podAffinity.{PREFERRED}[0].weight",
    ),
    (
        {"podAffinity": {PREFERRED: [{"weight": 1}]}},
        "missing-key",
        f"podAffinity.{PREFERRED}[0].podAffinityTerm",
    ),
    (
        {"podAntiAffinity": {REQUIRED: [{"labelSelector": {}}]}},
        "missing-key",
        f"podAntiAffinity.{REQUIRED}[0].topologyKey",
    ),
    (
        {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}},
        "invalid-value",
        f"nodeAffinity.{REQUIRED}.nodeSelectorTerms",
    ),
    (
        {
            "nodeAffinity": {
                PREFERRED: [
                    {
                        "weight": 1,
                        "preference": {"matchExpressions": [{"key": "a", "operator": "Inn"}]},
                    }
                ]
            }
        },
        "invalid-value",
        f"nodeAffinity.{PREFERRED}[0].preference.matchExpressions[0].operator",
    ),
    (
        {"podAntiAffinity": {REQUIRED: [{"labelSelector": {"matchExpression": []}, **ZONE}]}},
        "unknown-key",
        f"podAntiAffinity.{REQUIRED}[0].labelSelector.matchExpression",
    ),
    (
        {
            "nodeAffinity": {
                REQUIRED: {"nodeSelectorTerms": [{"matchFields": [{**EXPRESSION, "values": "b"}]}]}
            }
        },
        "wrong-type",
        f"nodeAffinity.{REQUIRED}.nodeSelectorTerms[0].matchFields[0].values",
    ),
]


@pytest.mark.parametrize(("affinity", "rule", "path"), MISFITS)
def test_an_affinity_of_another_shape_is_told(
    affinity: dict[str, Any], rule: str, path: str
) -> None:
    """The API server would refuse the Deployment in the middle of an update."""
    data = {"components": {"controller": {"affinity": affinity}}}
    assert [item[:2] for item in found(data)] == [(rule, f"components.controller.affinity.{path}")]


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("term", "below"),
    [
        ({"matchExpressions": [{"key": "a", "operator": "In"}]}, "matchExpressions[0].values"),
        ({"matchExpressions": [expression("a", "NotIn")]}, "matchExpressions[0].values"),
        ({"matchExpressions": [expression("a", "Exists", "b")]}, "matchExpressions[0].values"),
        ({"matchExpressions": [expression("a", "Gt", "1", "2")]}, "matchExpressions[0].values"),
        ({"matchExpressions": [expression("a b", "In", "b")]}, "matchExpressions[0].key"),
        ({"matchExpressions": [expression("a..b/c", "In", "b")]}, "matchExpressions[0].key"),
        ({"matchExpressions": [expression("a", "In", "b c")]}, "matchExpressions[0].values[0]"),
        ({"matchFields": [EXPRESSION]}, "matchFields[0].key"),
        ({"matchFields": [expression("metadata.name", "Exists")]}, "matchFields[0].operator"),
        ({"matchFields": [expression("metadata.name", "In", "a", "b")]}, "matchFields[0].values"),
        ({"matchFields": [expression("metadata.name", "In", "A")]}, "matchFields[0].values[0]"),
    ],
)
def test_a_node_term_that_kubernetes_refuses(term: dict[str, Any], below: str) -> None:
    """Its types are right; the API server looks at keys, values and how many there are."""
    affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}}
    path = f"components.controller.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0].{below}"
    data = {"components": {"controller": {"affinity": affinity}}}
    assert [item[:2] for item in found(data)] == [("invalid-value", path)]


@pytest.mark.parametrize(
    ("term", "below"),
    [
        ({"topologyKey": "a b"}, "topologyKey"),
        ({**ZONE, "namespaces": ["A"]}, "namespaces[0]"),
        ({**ZONE, "matchLabelKeys": ["a"]}, "matchLabelKeys[0]"),
        ({**ZONE, "labelSelector": {}, "matchLabelKeys": ["a b"]}, "matchLabelKeys[0]"),
        (
            {**ZONE, "labelSelector": {"matchLabels": {"a": "b"}}, "mismatchLabelKeys": ["a"]},
            "mismatchLabelKeys[0]",
        ),
        (
            {**ZONE, "labelSelector": {}, "matchLabelKeys": ["a"], "mismatchLabelKeys": ["a"]},
            "mismatchLabelKeys[0]",
        ),
        ({**ZONE, "labelSelector": {"matchLabels": {"a": "b c"}}}, "labelSelector.matchLabels.a"),
        (
            {**ZONE, "namespaceSelector": {"matchExpressions": [expression("a", "In")]}},
            "namespaceSelector.matchExpressions[0].values",
        ),
    ],
)
def test_a_pod_term_that_kubernetes_refuses(term: dict[str, Any], below: str) -> None:
    data = {"components": {"controller": {"affinity": {"podAffinity": {REQUIRED: [term]}}}}}
    path = f"components.controller.affinity.podAffinity.{REQUIRED}[0].{below}"
    assert [item[:2] for item in found(data)] == [("invalid-value", path)]


@pytest.mark.parametrize(
    ("resources", "below"),
    [
        ({"limits": {"example.com/gpu": "0.5"}}, ["limits.example.com/gpu"]),
        ({"limits": {"cpu": "1", "hugepages-2Mi": "3Mi"}}, ["limits.hugepages-2Mi"]),
        ({"limits": {"cpu": "1", "hugepages-2Mi": "0"}}, ["limits.hugepages-2Mi"]),
        ({"limits": {"hugepages-2Mi": "4Mi"}}, ["limits.hugepages-2Mi"]),
        ({"limits": {"memory": "1Gi", "hugepages-1Gi": "2Gi"}}, []),
        ({"requests": {"example.com/gpu": "1"}}, ["requests.example.com/gpu"]),
        (
            {"limits": {"example.com/gpu": "2"}, "requests": {"example.com/gpu": "1"}},
            ["requests.example.com/gpu"],
        ),
        ({"limits": {"example.com/gpu": "2"}, "requests": {"example.com/gpu": "2"}}, []),
        ({"limits": {"example.com/gpu": "2"}}, []),
    ],
)
def test_a_device_is_counted_and_reserved_as_a_whole(
    resources: dict[str, Any], below: list[str]
) -> None:
    data = {"components": {"controller": {"resources": resources}}}
    path = "components.controller.resources"
    assert [item[:2] for item in found(data)] == [
        ("invalid-value", f"{path}.{part}") for part in below
    ]


@pytest.mark.parametrize(
    "name", ["requests.example.com/gpu", f"{'a.' * 122}b/c", "hugepages-0Mi", "pods"]
)
def test_a_name_that_is_no_resources(name: str) -> None:
    """A quota counts a device as requests.<domain>/<name>, which has to be a name as well."""
    data = {"components": {"controller": {"resources": {"limits": {"cpu": "1", name: "1"}}}}}
    path = f"components.controller.resources.limits.{name}"
    assert [item[:2] for item in found(data)] == [("unknown-key", path)]
    longest = f"{'a.' * 121}b/c"
    assert found({"components": {"controller": {"resources": {"limits": {longest: "1"}}}}}) == []


def test_the_prefix_of_a_labels_key_is_a_domain() -> None:
    data = {"components": {"controller": {"nodeSelector": {"a..b/c": "v"}}}}
    (item,) = found(data)
    assert (item[0], item[2]) == (
        "invalid-value",
        "expected a label's key such as name or example.com/name, got 'a..b/c'",
    )
    assert found({"components": {"controller": {"nodeSelector": {"a.b-c.d/e": "v"}}}}) == []


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("10.0.0.1", True),
        ("jaeger.tools.svc", True),
        ("fd00::1", True),
        ("10.0.0.1:6060", False),
        ("jaeger:9411", False),
    ],
)
def test_an_address_has_no_port(address: str, taken: bool) -> None:  # noqa: FBT001  # pytest's way
    """FSM appends the port of the setting beside it: jaeger:9411:9411 is nowhere."""
    for data, path in (
        ({"repoServer": {"ipaddr": address}}, "repoServer.ipaddr"),
        ({"observability": {"tracing": {"address": address}}}, "observability.tracing.address"),
    ):
        refused = [item for item in found(data) if item[:2] == ("invalid-value", path)]
        assert [item[2] for item in refused] == (
            []
            if taken
            else [f"expected a host name or address, without protocol and port, got {address!r}"]
        )


def test_a_whole_affinity_is_taken() -> None:
    term = {
        "labelSelector": {"matchLabels": {"app": "x"}, "matchExpressions": [EXPRESSION]},
        "topologyKey": "zone",
        "namespaces": ["a"],
        "namespaceSelector": {},
    }
    pods = {REQUIRED: [term], PREFERRED: [{"weight": 1, "podAffinityTerm": term}]}
    affinity = {
        "nodeAffinity": {
            REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [EXPRESSION]}]},
            PREFERRED: [{"weight": 1, "preference": {"matchFields": [FIELD]}}],
        },
        "podAffinity": pods,
        "podAntiAffinity": pods,
    }
    assert found({"components": {"controller": {"affinity": affinity}}}) == []


def test_a_pull_secret_is_named_once() -> None:
    """Server-side apply refuses a list of references with the same name twice."""
    data = {"images": {"pullSecrets": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}}
    assert [item[:2] for item in found(data)] == [("name-taken", "images.pullSecrets[2].name")]


def test_replicas_fit_the_api() -> None:
    """An int32 there; a higher number would be refused in the middle of an update."""
    (item,) = found({"components": {"injector": {"replicas": 2**31}}})
    assert item[:2] == ("invalid-value", "components.injector.replicas")
