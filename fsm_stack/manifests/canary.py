"""A canary of a mesh-wide change: what gives one namespace's new pods the new entries.

The injector merges a pod's lists with the mesh's, so that an entry which is only added may stand
in pods' annotations first. Either an admission policy writes them there, which runs before the
injector's webhook, or the pod templates do. Everything that is made carries one label, whose value
tells one change from another.
Source: Kubernetes' documentation, Mutating Admission Policy (v1 since 1.36, v1beta1 in 1.34).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from fsm_stack.well_known import CANARY_BEFORE, CANARY_KINDS, CANARY_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.yaml import Json

POLICY, BINDING = CANARY_KINDS
GROUP: Final = "admissionregistration.k8s.io"
# The minor versions of Kubernetes 1 that serve the kind, each by the API version it has there.
STABLE_SINCE: Final = 36
BETA_SINCE: Final = 34
STABLE: Final = f"{GROUP}/v1"
BETA: Final = f"{GROUP}/v1beta1"
_MANAGED: Final = {"app.kubernetes.io/managed-by": "fsm-stack"}
CANARY_NAMESPACE: Final = "kubernetes.io/metadata.name"
_DIGITS: Final = 12


def plural_of(kind: str) -> str:
    """Where one of the two kinds is served: ``mutatingadmissionpolicies``."""
    return f"{kind.lower()}s" if kind == BINDING else f"{kind.lower()[:-1]}ies"


def digest(adds: Mapping[str, str]) -> str:
    """What tells one change from another: the label's value.

    Args:
        adds: the entries that are tried, as annotations of pods.
    """
    return hashlib.sha256(json.dumps(dict(adds), sort_keys=True).encode()).hexdigest()[:_DIGITS]


def tried(annotations: Mapping[str, str], adds: Mapping[str, str]) -> dict[str, str]:
    """A pod's annotations with the entries behind its own; one that it has already is not twice.

    What the injector would refuse stays, and is refused.
    """
    found = dict(annotations)
    for key, entries in adds.items():
        if (own := found.get(key)) is None:
            found[key] = entries
            continue
        known = {part.strip() for part in own.split(",")}
        found[key] = ",".join((own, *(one for one in entries.split(",") if one not in known)))
    return found


def name_of(namespace: str) -> str:
    """What the policy and its binding are called."""
    return f"fsm-stack-canary-{namespace}"


def objects(namespace: str, adds: Mapping[str, str], *, api_version: str) -> tuple[Json, Json]:
    """The policy and its binding.

    A policy that cannot be evaluated lets pods pass as they are: a trial keeps no pod from being
    made, and who lacks the entries is told.

    Args:
        namespace: whose new pods get the entries.
        adds: the entries, as annotations of pods.
        api_version: in which the cluster serves both.
    """
    name = name_of(namespace)
    about = {
        "name": name,
        "labels": {**_MANAGED, CANARY_LABEL: digest(adds)},
        "annotations": dict(adds),
    }
    policy = {
        "apiVersion": api_version,
        "kind": POLICY,
        "metadata": about,
        "spec": {
            "failurePolicy": "Ignore",
            "reinvocationPolicy": "Never",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": {"matchLabels": {CANARY_NAMESPACE: namespace}},
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
                    "expression": f"!has(object.metadata.labels) || "
                    f"!({json.dumps(CANARY_LABEL)} in object.metadata.labels)",
                }
            ],
            "variables": [
                {
                    "name": "own",
                    "expression": "has(object.metadata.annotations) ? "
                    "object.metadata.annotations : {}",
                }
            ],
            # Not an ApplyConfiguration: it fails on pods whose lists hold a name twice.
            "mutations": [
                {"patchType": "JSONPatch", "jsonPatch": {"expression": _expression(adds)}}
            ],
        },
    }
    binding = {
        "apiVersion": api_version,
        "kind": BINDING,
        "metadata": about,
        "spec": {"policyName": name},
    }
    return policy, binding


def _expression(adds: Mapping[str, str]) -> str:
    """The same as :func:`tried`, in CEL; a test compares the two on an API server."""
    made = [_added("labels", CANARY_LABEL, json.dumps(digest(adds)))]
    made += [
        _added("annotations", key, _merged(json.dumps(key), entries))
        for key, entries in adds.items()
    ]
    parts = [
        f"(has(object.metadata.{part}) ? [] : "
        f'[JSONPatch{{op: "add", path: "/metadata/{part}", value: {{}}}}])'
        for part in ("labels", "annotations")
    ]
    return " +\n".join((*parts, "[\n  {}\n]".format(",\n  ".join(made))))


def _added(part: str, key: str, value: str) -> str:
    path = json.dumps(f"/metadata/{part}/{key.replace('~', '~0').replace('/', '~1')}")
    return f'JSONPatch{{op: "add", path: {path}, value: {value}}}'


def _merged(key: str, entries: str) -> str:
    known = f"variables.own[{key}]"
    listed = json.dumps(entries.split(","))
    new = f"{listed}.filter(e, !({known}.split(',').map(p, p.trim()).exists(p, p == e)))"
    return f"{key} in variables.own ? ([{known}] + {new}).join(',') : {json.dumps(entries)}"


def patch(
    own: Mapping[str, str], adds: Mapping[str, str], *, earlier: Mapping[str, str | None]
) -> Json:
    """What gives an owner's pod template the entries, as a merge patch; it starts a rollout.

    Args:
        own: the template's annotations without any canary's.
        adds: the entries, as annotations of pods.
        earlier: of the template's annotations those that another change had written.
    """
    after = tried(own, adds)
    label = {CANARY_LABEL: digest(adds)}
    record = json.dumps({key: own.get(key) for key in adds}, sort_keys=True)
    written = {**earlier, **{key: after[key] for key in adds}}
    return {
        "metadata": {"labels": label, "annotations": {CANARY_BEFORE: record}},
        "spec": {"template": {"metadata": {"labels": label, "annotations": written}}},
    }


def unpatch(before: Mapping[str, str | None]) -> Json:
    """What takes the entries out of an owner's pod template again, and every trace with them.

    Args:
        before: of the template's annotations those that the canary wrote, as they were.
    """
    template = {"labels": {CANARY_LABEL: None}, "annotations": dict(before)}
    return {
        "metadata": {"labels": {CANARY_LABEL: None}, "annotations": {CANARY_BEFORE: None}},
        "spec": {"template": {"metadata": template}},
    }
