"""Whatever `validate` accepts in any field, a real API server accepts as the objects made of it.

Each field of the settings models gets many values, alone. What passes validation is rendered, and
the objects that differ from those of the plain stack are sent as a dry run.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from fsm_stack.findings.finding import Severity
from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.release import ReleaseAsset
from fsm_stack.redirection.scopes import redirection
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.settings.stack_file import load_mapping

from .client import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .client import Api

pytestmark = pytest.mark.cluster

Place = tuple[str | int, ...]
Json = dict[str, Any]

TODAY = date(2026, 7, 1)
SCRIPTS = ReleaseAsset(version="1.5.1", sha256="0" * 64, scripts=b"stands for the release's own")
BASE: Json = {"releaseAssets": {"source": "existingConfigMap"}}
LABEL = "x" * 63

# Text that Kubernetes takes in one place and not in another, and all that ours must sort out.
TEXTS: list[str] = [
    "a", "A", "0", "1", "9", "-", "_", ".", "a-", "-a", "a.", ".a", "a_", "_a", "a.b", "a..b", "a.-b",
    "a-.b", "a_b", "a--b", "A.B", "a.B/c", "a/b", "a/b/c", "/a", "a/", "a..b/c", "a.b/c", "a.b/c_d.e",
    "a.b/-c", "-a/b", "a_b/c", "A/b", LABEL, f"{LABEL}x", f"{LABEL}.{LABEL}", f"{LABEL}x.{LABEL}",
    f"{LABEL}/{LABEL}", f"{LABEL}x/{LABEL}", f"{LABEL}/{LABEL}x", ".".join([LABEL] * 3) + "." + "x" * 61,
    ".".join([LABEL] * 3) + "." + "x" * 62,
    ".".join([LABEL] * 3) + "." + "x" * 62 + "/a", ".".join([LABEL] * 3) + "." + "x" * 61 + "/a", "x" * 128,
    "x" * 129, "x" * 200, "x" * 201, "x" * 253, "x" * 254, "a b", " a", "a\n", "a=b", "a:b", "a@b",
    "a,b", "*", "*.a.b", "*.a", "a.*", "%41", "~", "$(x)", "${x}", "{{ x }}", "'", '"', "\\", "<", "é",
    "\U0001f600", "null", "true", "80", "0x10", "1.50", "-1", "+1", "01", "1e3", "1E3", "0.5", ".5", "5.",
    "1m", "100m", "1n", "1Ki", "1Gi", "1G", "1E", "1Ei", "9E", "1e30", "1e-30", "0", "-0", "0.0001", "1s",
    "1h", "1h30m", "90s", "1.5h", "1ns", "876000h", "9999999h", "-1s", "1d", "10.0.0.1", "10.0.0.0/8",
    "10.0.0.1:80", "256.0.0.1", "010.0.0.1", "::1", "::", "fd00::1", "fd00::/8", "::ffff:10.0.0.1", "1::2::3",
    "0:0:0:0:0:0:0:0:0", "12345::", "[::1]", "host", "HOST", "host.example.com", "host:80", "http://host",
    "host/path", "registry.example.com:5000/team", "registry:99999", "a/b/c/d", "a__b", "a___b",
    "sha256:" + "0" * 64, "sha256:" + "0" * 63, "latest", "v1.5.1", "1.5.1", "1.6.0", "1.34", "1.34.2",
    "2.0", "kubernetes.io/x", "k8s.io/x", "x.kubernetes.io/y", "example.com/gpu", "requests.cpu",
    "requests.example.com/x", "hugepages-2Mi", "hugepages-3Mi", "hugepages-0Mi", "cpu", "memory",
    "ephemeral-storage", "storage", "pods", "count/pods", "kube-system", "default", "kube-public", "fsm-system",
    "system:masters", "system-node-critical", "system-cluster-critical", "system-x",
    "01234567-89ab-cdef-0123-456789abcdef", "-" * 36, "2026-12-31", "/x", "/x?y=z", "a.b.c.d.e",
    "TLSv1_2", "TLSv1_3", "TLS_AUTO", "Localhost", "PodIP", "iptables", "NodeLevel", "None", "ClusterIP",
    "NodePort", "LoadBalancer", "mixed", "domain", "ip", "In", "NotIn", "Exists", "Gt", "Equal", "NoExecute",
    "info", "vault", "tresor", "cert-manager", "vendored", "osm", "osm-edge", "fsm", "Issuer", "ClusterIssuer",
    "ee:ee:ee:ee:ee:ee", "ee:ee:ee:ee:ee", "@hourly", "@always", "*/15 * * * *", "61 * * * *", "* * * *",
]  # fmt: skip
NUMBERS: list[Any] = [
    -1, 0, 1, 2, 3, 30, 31, 100, 101, 1023, 1024, 2048, 4096, 30000, 32767, 32768, 65535, 65536,
    2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, 1.5, 0.0, 1e30,
]  # fmt: skip
# What a setting needs beside it before it is in any object.
BESIDE: dict[str, Json] = {
    "certificateProvider.vault": {
        "certificateProvider": {
            "kind": "vault",
            "vault": {"host": "vault", "tokenSecret": {"name": "t", "key": "t"}},
        }
    },
    "certificateProvider.certManager": {
        "certificateProvider": {"kind": "cert-manager", "certManager": {"issuerName": "i"}}
    },
    "components.controller.autoscaling": {
        "components": {"controller": {"autoscaling": {"enabled": True, "maxReplicas": 2**31 - 1}}}
    },
    "components.injector.autoscaling": {
        "components": {"injector": {"autoscaling": {"enabled": True, "maxReplicas": 2**31 - 1}}}
    },
    "observability.remoteLogging": {"observability": {"remoteLogging": {"enable": True}}},
    "observability.tracing": {"observability": {"tracing": {"enable": True}}},
    "certificate.ingressGateway": {
        "certificate": {
            "ingressGateway": {
                "subjectAltNames": ["a.b"],
                "validityDuration": "24h",
                "secret": {"name": "a", "namespace": "a"},
            }
        }
    },
    **{
        f"components.{name}.tolerations": {
            "components": {
                name: {
                    "tolerations": [
                        {"key": "a", "operator": "Equal", "value": "a", "effect": "NoExecute"}
                    ]
                }
            }
        }
        for name in ("bootstrap", "controller", "injector")
    },
    "verify": {"verify": {"schedule": "@hourly", "image": "a.b/c:1"}},
    "repoServer": {"components": {"controller": {"standaloneRepoServer": True}}},
}


SCHEMA = StackSettings.model_json_schema()


def fields() -> dict[Place, Json]:
    """Every place of a stack file that takes a plain value, and its schema."""
    schema = SCHEMA
    found: dict[Place, Json] = {}

    def walk(node: Json, path: Place) -> None:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        for branch in node.get("anyOf", ()):
            walk(branch, path)
        if node.get("type") in {"string", "integer", "number", "boolean"} or "enum" in node:
            found[path] = node
        for key, part in node.get("properties", {}).items():
            walk(part, (*path, key))
        if isinstance(node.get("items"), dict):
            walk(node["items"], (*path, 0))
        for part in (
            node.get("additionalProperties"),
            *node.get("patternProperties", {}).values(),
        ):
            if isinstance(part, dict):
                walk(part, (*path, "*"))

    walk(schema, ())
    return found


FIELDS = fields()
# What is in no object of the control plane.
ELSEWHERE = {"accept", "contracts"}
SECTIONS = sorted({str(path[0]) for path in FIELDS} - ELSEWHERE)


def merged(one: Any, other: Any) -> Any:
    """Two documents as one; of plain values the other's."""
    if isinstance(one, dict) and isinstance(other, dict):
        both = one.keys() | other.keys()
        return {
            key: merged(one.get(key), other[key]) if key in other else one[key] for key in both
        }
    if isinstance(one, list) and isinstance(other, list) and one and other:
        return [merged(one[0], other[0])]
    return other


def put(path: Place, value: Any) -> Any:
    for step in reversed(path):
        value = [value] if isinstance(step, int) else {step: value}
    return value


def required(path: Place) -> Json:
    """What the mappings on the way to a place cannot be without, as examples."""
    schema = SCHEMA
    node: Json = schema
    needed: Json = {}
    for index, step in enumerate(path):
        node = _resolved(node, schema, step)
        for key in node.get("required", ()):
            if key != step:
                part = _resolved(node["properties"][key], schema, None)
                way = ("a" if one == "*" else one for one in path[:index])
                needed = merged(needed, put((*way, key), _example(part, schema)))
        if isinstance(step, int):
            node = node["items"]
        elif step in node.get("properties", {}):
            node = node["properties"][step]
        else:
            known = node.get("additionalProperties")
            node = (
                known
                if isinstance(known, dict)
                else next(iter(node["patternProperties"].values()))
            )
    return needed


def _resolved(node: Json, schema: Json, step: str | int | None) -> Json:
    if "$ref" in node:
        return _resolved(schema["$defs"][node["$ref"].rpartition("/")[2]], schema, step)
    for branch in node.get("anyOf", ()):
        known = _resolved(branch, schema, step)
        wanted = "array" if isinstance(step, int) else "object"
        if known.get("type") != "null" and (step is None or known.get("type") == wanted):
            return known
    return node


def _example(node: Json, schema: Json) -> Any:
    if "const" in node or "enum" in node:
        return node.get("const", node.get("enum", [None])[0])
    match node.get("type"):
        case "object":
            parts = node.get("properties", {})
            return {
                key: _example(_resolved(parts[key], schema, None), schema)
                for key in node.get("required", ())
            }
        case "integer" | "number":
            return node.get("minimum", 1)
        case "boolean":
            return False
        case "array":
            return []
    pattern = node.get("pattern", "")
    return next((text for text in TEXTS if re.search(pattern, text)), "a")


def values(node: Json) -> list[Any]:
    if "enum" in node or "const" in node:
        return node.get("enum") or [node["const"]]
    match node.get("type"):
        case "boolean":
            return [True, False]
        case "integer" | "number":
            return NUMBERS
    return TEXTS


# Fields of one schema take the same values: of those, later fields get the ends and some between.
_TAKEN: dict[str, list[Any]] = {}
_SOME = 12


def stacks(path: Place) -> Iterator[tuple[Json, tuple[Json, ...] | None]]:
    """Each stack that is tried for a field, and its objects where it is accepted."""
    about = {"title", "description", "default", "examples"}
    schema = json.dumps({key: item for key, item in FIELDS[path].items() if key not in about})
    kind = f"{schema} {'*' in path}"
    known = _TAKEN.get(kind)
    if known and len(known) > _SOME:
        known = [
            *known[:: len(known) // _SOME],
            *sorted(known, key=lambda one: len(str(one)))[-4:],
        ]
    taken = []
    for only in (known, None):
        for value, data in tried(path):
            if only is None or value in only:
                objects = accepted(data)
                if objects is not None:
                    taken.append(value)
                yield data, objects
        if taken or known is None:
            break
    if taken:
        _TAKEN.setdefault(kind, taken)


def tried(path: Place) -> Iterator[tuple[Any, Json]]:
    """Values, each with a stack that has one field set to it; keys of mappings likewise."""
    beside = next(
        (known for name, known in BESIDE.items() if ".".join(map(str, path)).startswith(name)), {}
    )
    base = merged(copy.deepcopy(BASE), merged(required(path), copy.deepcopy(beside)))
    for value in values(FIELDS[path]):
        yield value, _with(base, tuple("a" if step == "*" else step for step in path), value)
    if "*" in path:
        good = "1" if "resources" in str(path).lower() else "a"
        for key in TEXTS:
            yield key, _with(base, tuple(key if step == "*" else step for step in path), good)


def _with(base: Json, path: Place, value: Any) -> Json:
    whole = copy.deepcopy(base)
    target: Any = whole
    for step, following in itertools.pairwise(path):
        fresh: Any = [] if isinstance(following, int) else {}
        if isinstance(step, int):
            if not target:
                target.append(fresh)
            target = target[step]
        else:
            target = target.setdefault(step, fresh)
    last = path[-1]
    if isinstance(last, int) and not target:
        target.append(value)
    else:
        target[last] = value
    return whole


def accepted(data: Json) -> tuple[Json, ...] | None:
    """The objects of a stack; None: `validate` finds an error."""
    try:  # most values end here, without a search for their places
        StackSettings.model_validate_json(json.dumps(data), by_alias=True, by_name=False)
    except ValidationError:
        return None
    loaded = load_mapping(data, name="", today=TODAY)
    if loaded.settings is None or loaded.worst() is Severity.ERROR:
        return None
    known = loaded.settings
    asset = SCRIPTS if known.release_assets.source == "vendored" else None
    return tuple(dict(item.object) for item in bundle(known, redirection(known), asset=asset))


@pytest.fixture(scope="module")
def plain(api: Api) -> set[str]:
    """The plain stack's objects, applied: namespaces and the MeshConfig's kind are there then.

    Of webhooks the services are not there; a Deployment that is there cannot change its selector.
    """
    objects = accepted(BASE)
    assert objects is not None
    known = set()
    for item in objects:
        if "webhooks" not in item and item["kind"] != "Deployment":
            api.apply(item, manager="fsm-stack", force=True)
        known.add(json.dumps(item, sort_keys=True))
    return known


def disagreement(api: Api, item: Json) -> str:
    """What the server has against an object; empty: nothing."""
    name = f"{item['kind']}/{item['metadata']['name']}"
    try:
        api.apply(item, manager="fsm-stack", force=True, dry_run=True)
    except ApiError as error:
        namespace = item["metadata"].get("namespace")
        if error.code == 404 and namespace and f'"{namespace}" not found' in error.message:
            bare = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            api.apply(bare, manager="test")
            return disagreement(api, item)
        return f"{name}: {error.message}"
    return ""


@pytest.mark.parametrize("section", SECTIONS)
def test_what_validate_accepts_the_api_server_accepts(
    api: Api, plain: set[str], section: str
) -> None:
    asked = set(plain)
    refused = []
    for path in (one for one in FIELDS if one[0] == section):
        for data, objects in stacks(path):
            for item in objects or ():
                text = json.dumps(item, sort_keys=True)
                if text in asked:
                    continue
                asked.add(text)
                if problem := disagreement(api, item):
                    refused.append(
                        f"{'.'.join(map(str, path))}: {json.dumps(data)[-200:]}: {problem}"
                    )
    assert refused == [], "\n".join(refused[:40])


# Of these fields no value is accepted alone; their own suites have them.
WITH_OTHERS = {("observability", "remoteLogging", "authorization"), ("deployment", "adopt", 0)}


def test_some_value_of_every_field_is_accepted() -> None:
    """Else the property above would hold of nothing."""
    known = (path for path in FIELDS if path[0] in SECTIONS)
    without = [path for path in known if all(objects is None for _, objects in stacks(path))]
    assert set(without) <= WITH_OTHERS


# Affinity is taken as Kubernetes has it: its own shapes, each with every text.

_EXPRESSION = {"key": "a", "operator": "In", "values": ["b"]}
_POD_TERM = {
    "topologyKey": "a",
    "labelSelector": {"matchLabels": {"a": "b"}, "matchExpressions": [_EXPRESSION]},
    "namespaceSelector": {"matchExpressions": [_EXPRESSION]},
    "namespaces": ["a"],
    "matchLabelKeys": ["c"],
    "mismatchLabelKeys": ["d"],
}
_FIELD = {"key": "metadata.name", "operator": "In", "values": ["b"]}
_NODE_TERM = {"matchExpressions": [_EXPRESSION], "matchFields": [_FIELD]}
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_PODS = {_REQUIRED: [_POD_TERM], _PREFERRED: [{"weight": 1, "podAffinityTerm": _POD_TERM}]}
AFFINITY: Json = {
    "nodeAffinity": {
        _REQUIRED: {"nodeSelectorTerms": [_NODE_TERM]},
        _PREFERRED: [{"weight": 1, "preference": _NODE_TERM}],
    },
    "podAffinity": _PODS,
    "podAntiAffinity": _PODS,
}
OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Equal"]


def affinities() -> Iterator[Json]:
    yield copy.deepcopy(AFFINITY)
    seen: set[tuple[str, ...]] = set()
    for path in _places(AFFINITY):
        names = tuple(str(step) for step in path if not isinstance(step, int))[-2:]
        if names in seen:  # of a pod's terms for and against there is one shape
            continue
        seen.add(names)
        found: Any = AFFINITY
        for step in path:
            found = found[step]
        new: list[Any] = [None, [], {}, ["a", "b"], [1], {"a": "b"}, 1, 0, 101, "a", *OPERATORS]
        if isinstance(found, str):
            new += TEXTS
        if isinstance(found, dict):
            new += [{key: item for key, item in found.items() if key != gone} for gone in found]
            new += [{**found, "operator": name} for name in OPERATORS if "operator" in found]
            new += [
                {"key": found["key"], "operator": name, **more}
                for name in OPERATORS
                for more in ({}, {"values": []}, {"values": ["1"]}, {"values": ["1", "2"]})
                if "operator" in found
            ]
            if path[-1] == "matchLabels":
                new += [{text: "b"} for text in TEXTS]
        for value in new:
            whole = copy.deepcopy(AFFINITY)
            target: Any = whole
            for step in path[:-1]:
                target = target[step]
            target[path[-1]] = value
            yield whole


def _places(value: Any, path: Place = ()) -> Iterator[Place]:
    if path:
        yield path
    if isinstance(value, dict | list):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(item, (*path, step))


def test_an_affinity_that_validate_accepts_the_api_server_accepts(
    api: Api, plain: set[str]
) -> None:
    asked, refused = set(plain), []
    for affinity in affinities():
        data = BASE | {"components": {"injector": {"affinity": affinity}}}
        for item in accepted(data) or ():
            text = json.dumps(item, sort_keys=True)
            if text not in asked:
                asked.add(text)
                if problem := disagreement(api, item):
                    refused.append(problem)
    assert len(asked) > len(plain) + 100
    assert refused == [], "\n".join(refused[:40])
