"""fsm-bootstrap: brings CRDs to its own state, then makes the MeshConfig where there is none."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from standins.api import create, follow, get, request
from standins.process import arguments, end_on_request, log, serve

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OURS = {"app.kubernetes.io/name": "flomesh.io"}
# Some of the CRDs that come with FSM: one of each group, other projects' among them.
OTHERS = {
    "egresses.policy.flomesh.io": "Egress",
    "plugins.plugin.flomesh.io": "Plugin",
    "serviceexports.multicluster.flomesh.io": "ServiceExport",
    "gateways.gateway.networking.k8s.io": "Gateway",
    "traffictargets.access.smi-spec.io": "TrafficTarget",
}
VERSIONS = {
    "gateway.networking.k8s.io": "v1",
    "access.smi-spec.io": "v1alpha3",
}
READY_PORT = 9091
LIMITS = frozenset(
    {"maxItems", "minItems", "maxLength", "maximum", "minimum", "pattern",
     "x-kubernetes-validations"}
)  # fmt: skip


def main() -> None:
    """Do it in the real one's order, and only then answer the probes."""
    end_on_request()
    namespace = arguments()["fsm-namespace"]
    pod = os.environ["BOOTSTRAP_POD_NAME"]
    assert get(f"/api/v1/namespaces/{namespace}/pods/{pod}") is not None
    follow(f"/api/v1/namespaces/{namespace}/events", since="0")
    for name, kind in {"meshconfigs.config.flomesh.io": "MeshConfig", **OTHERS}.items():
        _settle(name, kind)
    _mesh_config(namespace)
    serve(READY_PORT, lambda *_: (200, "{}"))
    log("info", "bootstrapped")
    while True:
        signal.pause()


def _settle(name: str, kind: str) -> None:
    """A CRD with FSM's label and without a conversion webhook."""
    live = get(f"{CRDS}/{name}")
    if live is None:
        create(CRDS, _crd(name, kind))
        return
    live["metadata"].setdefault("labels", {}).update(OURS)
    live["spec"]["conversion"] = {"strategy": "None"}
    live["spec"]["versions"] = _without_limits(live["spec"]["versions"])
    request("PUT", f"{CRDS}/{name}", live)


def _without_limits(schema: Any) -> Any:
    """A schema as upstream's own is: types and required keys, but no bounds."""
    if isinstance(schema, list):
        return [_without_limits(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_limits(value) for key, value in schema.items() if key not in LIMITS}


def _crd(name: str, kind: str) -> dict[str, Any]:
    plural, _, group = name.partition(".")
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    number = "v1alpha3" if kind == "MeshConfig" else VERSIONS.get(group, "v1alpha1")
    approval = {"api-approved.kubernetes.io": "unapproved, a test"} if "k8s.io" in group else {}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name, "labels": OURS, "annotations": approval},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [{"name": number, **version}],
        },
    }


def _mesh_config(namespace: str) -> None:
    """The MeshConfig from the preset, where it is absent; otherwise it is written as it is."""
    path = f"/apis/config.flomesh.io/v1alpha3/namespaces/{namespace}/meshconfigs"
    live = get(f"{path}/fsm-mesh-config")
    if live is not None:
        request("PUT", f"{path}/fsm-mesh-config", live)
        return
    preset = get(f"/api/v1/namespaces/{namespace}/configmaps/preset-mesh-config")
    assert preset is not None
    create(
        path,
        {
            "apiVersion": "config.flomesh.io/v1alpha3",
            "kind": "MeshConfig",
            "metadata": {"name": "fsm-mesh-config", "namespace": namespace},
            "spec": json.loads(preset["data"]["preset-mesh-config.json"]),
        },
    )
