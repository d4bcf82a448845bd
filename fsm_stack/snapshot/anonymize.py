"""Snapshots to hand to others: names replaced, structure kept.

The same name always becomes the same word within one snapshot, so that owners, pods and
namespaces still belong together. Names of the mesh's own objects stay: they are public. So do
images, ports and ranges: they are what is looked at.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fsm_stack.injector.annotations import namespace_keys, pod_keys
from fsm_stack.lists import KEYS
from fsm_stack.snapshot.allow_pod import MESH_CONTAINERS
from fsm_stack.snapshot.programs import BESIDE, POLICY_KINDS, PROGRAMS, RIGHTS_KINDS
from fsm_stack.snapshot.shape import pruned
from fsm_stack.snapshot.snapshot import ANONYMIZED
from fsm_stack.systems import SYSTEMS
from fsm_stack.well_known import CANARY_BEFORE, CANARY_KINDS, INGRESS_CLASS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fsm_stack.snapshot.snapshot import Snapshot
    from fsm_stack.yaml import Json

_PUBLIC: Final = (
    frozenset({"kube-system", "kube-public", "default", "fsm-redirection"})
    | MESH_CONTAINERS
    | PROGRAMS
    | BESIDE
    | {INGRESS_CLASS}
    | {known.default_namespace for known in SYSTEMS.values()}
    | {known.mesh_config_name for known in SYSTEMS.values()}
)
# Objects whose own names are the mesh's; of the namespace that they are in that is not sure.
_OF_MESH: Final = frozenset(
    {"MeshConfig", "ConfigMap", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
)
# Free text; roles, accounts and policies, which nothing is compared with where no stack is named.
_LEFT_OUT: Final = frozenset({"PodLog", "Event", *POLICY_KINDS}) | RIGHTS_KINDS
_NAME_LABELS: Final = frozenset(
    {
        "name",
        "kubernetes.io/metadata.name",
        "kubernetes.io/service-name",
        "control-plane",
        "ignore",
    }
)
# Values that are switches, ports, ranges and images; others may say anything.
_KNOWN_ANNOTATIONS: Final = frozenset(
    key for known in SYSTEMS.values() for key in (*pod_keys(known), *namespace_keys(known))
) | {CANARY_BEFORE}
# What decides the rules of pods; other settings hold addresses.
_MESH_CONFIG: Final = {
    "apiVersion": True,
    "kind": True,
    "metadata": True,
    "spec": {
        "sidecar": {
            "localProxyMode": True,
            "localDNSProxy": {"enable": True},
            "sidecarClass": True,
        },
        "traffic": dict.fromkeys((*KEYS, "interceptionMode"), True),
    },
}
_CONTAINERS: Final = (
    "initContainers",
    "containers",
    "initContainerStatuses",
    "containerStatuses",
)
_HEX: Final = 10


def anonymous(objects: Iterable[Json], *, salt: str) -> Iterator[Json]:
    """The same objects with other names, without logs and pods' addresses.

    Args:
        objects: as they would be saved.
        salt: random text of the caller's: without it short names could be guessed.
    """
    for item in objects:
        names, kind = _Names(salt), item.get("kind")
        if kind in _LEFT_OUT:
            continue
        if kind in CANARY_KINDS:
            yield names.renamed(item) | {"spec": names.canary(item.get("spec") or {})}
        else:
            yield names.moved(item) if kind in _OF_MESH else names.renamed(item)


def anonymous_source(snapshot: Snapshot) -> Snapshot:
    """The same snapshot from an unnamed cluster; its UID, which is random, stays."""
    source = replace(snapshot.source, context=ANONYMIZED, server="")
    unread = dict.fromkeys(snapshot.not_read, "not read")
    return replace(snapshot, source=source, not_read=unread)


def _without_messages(status: Json) -> Json:
    """A container's status without what the kubelet says of it: that names the pod."""
    kept = dict(status)
    for part in ("state", "lastState"):
        if part in kept:
            kept[part] = {
                name: {key: value for key, value in about.items() if key != "message"}
                for name, about in kept[part].items()
            }
    return kept


class _Names:
    def __init__(self, salt: str) -> None:
        self._salt = salt

    def moved(self, item: Json) -> Json:
        """An object of the mesh's own, in a namespace of another name."""
        metadata = dict(item.get("metadata") or {})
        if metadata.get("namespace"):
            metadata["namespace"] = self._word(metadata["namespace"])
        moved = {**item, "metadata": metadata}
        if item.get("kind") == "MeshConfig":
            return dict(pruned(moved, _MESH_CONFIG))
        if "webhooks" in item:
            if not item["webhooks"]:  # of another product
                metadata["name"] = self._word(metadata.get("name"))
            moved["webhooks"] = [self._webhook(one) for one in item["webhooks"]]
        return moved

    def _webhook(self, webhook: Json) -> Json:
        client = {key: one for key, one in (webhook.get("clientConfig") or {}).items()
                  if key != "url"}  # fmt: skip
        if service := client.get("service"):
            words = {key: self._word(service[key]) for key in ("name", "namespace")
                     if key in service}  # fmt: skip
            client["service"] = {**service, **words}
        # Expressions of conditions may name anything.
        conditions = [{"name": self._word(one.get("name"))}
                      for one in webhook.get("matchConditions") or ()]  # fmt: skip
        return {
            **webhook,
            **({"matchConditions": conditions} if conditions else {}),
            "clientConfig": client,
            "namespaceSelector": self._selector(webhook.get("namespaceSelector") or {}),
        }

    def _selector(self, selector: Json) -> Json:
        """A selector of namespaces by their names."""
        labels = {key: self._word(value) if key in _NAME_LABELS else value
                  for key, value in (selector.get("matchLabels") or {}).items()}  # fmt: skip
        expressions = [
            {**one, "values": [self._word(value) for value in one.get("values") or ()]}
            if one.get("key") in _NAME_LABELS
            else one
            for one in selector.get("matchExpressions") or ()
        ]
        known = {"matchLabels": labels, "matchExpressions": expressions}
        return {key: value for key, value in known.items() if value}

    def renamed(self, item: Json) -> Json:
        """Any other object."""
        metadata = dict(item.get("metadata") or {})
        for key in ("name", "namespace"):
            if key in metadata:
                metadata[key] = self._word(metadata[key])
        metadata.pop("managedFields", None)  # its keys name what others wrote
        metadata["labels"] = {
            key: self._word(value) if key in _NAME_LABELS else value
            for key, value in (metadata.get("labels") or {}).items()
            if not key.startswith("app.kubernetes.io/")
        }
        metadata["annotations"] = {
            key: value if key in _KNOWN_ANNOTATIONS else self._word(value)
            for key, value in (metadata.get("annotations") or {}).items()
        }
        metadata["ownerReferences"] = [
            {**owner, "name": self._owner(str(owner.get("kind")), str(owner.get("name")))}
            for owner in metadata.get("ownerReferences") or ()
        ]
        spec, status = dict(item.get("spec") or {}), dict(item.get("status") or {})
        for key in ("podIP", "message", "loadBalancer"):
            status.pop(key, None)
        if "conditions" in status:  # their messages name pods
            status["conditions"] = [
                {key: value for key, value in one.items() if key != "message"}
                for one in status["conditions"]
            ]
        for key in ("clusterIP", "externalIPs", "selector"):
            spec.pop(key, None)
        if "endpoints" in item:
            item = {**item, "endpoints": [
                {key: value for key, value in one.items() if key != "addresses"}
                for one in item["endpoints"]
            ]}  # fmt: skip
        for holder in (spec, status):
            for part in _CONTAINERS:
                if part in holder:
                    holder[part] = [
                        {**_without_messages(one), "name": self._word(one.get("name"))}
                        for one in holder[part]
                    ]
        return {**item, "metadata": metadata, "spec": spec, "status": status}

    def canary(self, spec: Json) -> Json:
        """Of a canary's policy the namespace, of its binding the policy."""
        if "policyName" in spec:
            return {"policyName": self._word(spec["policyName"])}
        selector = (spec.get("matchConstraints") or {}).get("namespaceSelector") or {}
        return {"matchConstraints": {"namespaceSelector": self._selector(selector)}}

    def _owner(self, kind: str, name: str) -> str:
        """A ReplicaSet's name keeps its Deployment's in front."""
        if kind == "ReplicaSet" and "-" in name:
            front, _, tail = name.rpartition("-")
            return f"{self._word(front)}-{self._word(tail)}"
        return self._word(name)

    def _word(self, name: object) -> str:
        text = str(name)
        if text in _PUBLIC:
            return text
        return f"x{hashlib.sha256((self._salt + text).encode()).hexdigest()[:_HEX]}"
