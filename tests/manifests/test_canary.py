"""What is made to try entries on one namespace, whole; what it does, an API server decides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fsm_stack.manifests.canary import (
    BETA,
    STABLE,
    digest,
    name_of,
    objects,
    patch,
    plural_of,
    tried,
    unpatch,
)
from tests.manifests import laws

PORTS, RANGES = "flomesh.io/outbound-port-exclusion-list", "example.com/a~b"
ADDS = {PORTS: "443,8443", RANGES: "10.0.0.0/8"}
LABEL = "fsm-stack.flomesh.io/canary"
BEFORE = "fsm-stack.flomesh.io/canary-before"


def spoken(expression: str) -> list[str]:
    """The lines of a CEL expression."""
    return [line.strip() for line in expression.splitlines()]


@pytest.mark.parametrize("version", [STABLE, BETA])
def test_policy_and_binding(version: str) -> None:
    """New pods of the namespace alone, unless their template has the entries; none is refused."""
    policy, binding = objects("shop", ADDS, api_version=version)
    known = version.rpartition("/")[2].capitalize()
    for made in (policy, binding):
        assert [*laws.unknown(made, f"{known}{made['kind']}", made["kind"])] == []
    about = {
        "name": "fsm-stack-canary-shop",
        "labels": {"app.kubernetes.io/managed-by": "fsm-stack", LABEL: "04acecfb0225"},
        "annotations": ADDS,
    }
    assert binding == {
        "apiVersion": version,
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": about,
        "spec": {"policyName": name_of("shop")},
    }
    [mutation] = policy["spec"].pop("mutations")
    assert policy == {
        "apiVersion": version,
        "kind": "MutatingAdmissionPolicy",
        "metadata": about,
        "spec": {
            "failurePolicy": "Ignore",
            "reinvocationPolicy": "Never",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                    }
                ],
            },
            "matchConditions": [
                {
                    "name": "not-by-its-template",
                    "expression": "!has(object.metadata.labels) || "
                    f'!("{LABEL}" in object.metadata.labels)',
                }
            ],
            "variables": [
                {
                    "name": "own",
                    "expression": "has(object.metadata.annotations) ? "
                    "object.metadata.annotations : {}",
                }
            ],
        },
    }
    assert mutation.pop("patchType") == "JSONPatch"
    path = "/metadata/annotations/"
    assert spoken(mutation["jsonPatch"]["expression"]) == [
        *(
            f'(has(object.metadata.{part}) ? [] : [JSONPatch{{op: "add", '
            f'path: "/metadata/{part}", value: {{}}}}]) +'
            for part in ("labels", "annotations")
        ),
        "[",
        'JSONPatch{op: "add", path: "/metadata/labels/fsm-stack.flomesh.io~1canary", '
        'value: "04acecfb0225"},',
        f'JSONPatch{{op: "add", path: "{path}flomesh.io~1outbound-port-exclusion-list", '
        f'value: "{PORTS}" in variables.own ? ([variables.own["{PORTS}"]] + '
        f'["443", "8443"].filter(e, !(variables.own["{PORTS}"].split(\',\')'
        ".map(p, p.trim()).exists(p, p == e)))).join(',') : \"443,8443\"},",
        f'JSONPatch{{op: "add", path: "{path}example.com~1a~0b", '
        f'value: "{RANGES}" in variables.own ? ([variables.own["{RANGES}"]] + '
        f'["10.0.0.0/8"].filter(e, !(variables.own["{RANGES}"].split(\',\')'
        ".map(p, p.trim()).exists(p, p == e)))).join(',') : \"10.0.0.0/8\"}",
        "]",
    ]


def test_a_change_is_told_by_its_entries_in_any_order() -> None:
    assert digest(ADDS) == digest(dict(reversed(ADDS.items()))) == "04acecfb0225"
    assert digest(ADDS | {PORTS: "443"}) != digest(ADDS)


def test_the_kinds_are_served_under_their_plurals() -> None:
    assert plural_of("MutatingAdmissionPolicy") == "mutatingadmissionpolicies"
    assert plural_of("MutatingAdmissionPolicyBinding") == "mutatingadmissionpolicybindings"


def test_entries_stand_behind_a_pods_own_and_none_twice() -> None:
    own = {PORTS: "80, 443", "team": "web"}
    assert tried(own, ADDS) == {PORTS: "80, 443,8443", "team": "web", RANGES: "10.0.0.0/8"}
    assert own == {PORTS: "80, 443", "team": "web"}


def test_a_template_remembers_what_it_had_and_gets_it_back() -> None:
    own = {PORTS: "80"}
    given: dict[str, Any] = patch(own, ADDS, earlier={"example.com/old": None})
    label = {LABEL: "04acecfb0225"}
    assert json.loads(given["metadata"]["annotations"].pop(BEFORE)) == {PORTS: "80", RANGES: None}
    assert given == {
        "metadata": {"labels": label, "annotations": {}},
        "spec": {
            "template": {
                "metadata": {
                    "labels": label,
                    "annotations": {
                        "example.com/old": None,
                        PORTS: "80,443,8443",
                        RANGES: "10.0.0.0/8",
                    },
                }
            }
        },
    }
    assert unpatch({PORTS: "80", RANGES: None}) == {
        "metadata": {"labels": {LABEL: None}, "annotations": {BEFORE: None}},
        "spec": {
            "template": {
                "metadata": {
                    "labels": {LABEL: None},
                    "annotations": {PORTS: "80", RANGES: None},
                }
            }
        },
    }
