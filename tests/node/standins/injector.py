"""The injector of FSM, osm-edge or OSM: this package's own mutation behind a real webhook.

At its start it makes the authority where there is none, and writes its webhook configuration with
it; never again after that. What it injects comes from the live MeshConfig and the live
namespace.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from standins.api import create, follow, get, request
from standins.authority import authority, server_context
from standins.probes import bootstrap_configuration
from standins.process import arguments, end_on_request, log, serve
from standins.rights import injector_paths, synchronise
from standins.webhooks import labels, monitored, rule, webhook, write

from fsm_stack.injector.decision import admit, namespace_view
from fsm_stack.injector.mesh import mesh_view
from fsm_stack.injector.profile import Refusal, injector_profile
from fsm_stack.systems import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.systems import System

HEALTH_PORT, WEBHOOK_PORT = 9091, 9090
ADMISSION_PATH = "/mutate-pod-creation"
READY = threading.Event()


def main() -> None:
    """Be ready when everything is followed and the webhook leads here."""
    end_on_request()
    given = arguments()
    program = Path(sys.argv[0]).name
    system = SYSTEMS[os.environ.get("MESH_SYSTEM", program.removesuffix("-injector"))]
    prefix = "fsm" if system.name == "fsm" else "osm"
    namespace = given[f"{prefix}-namespace"]
    serve(HEALTH_PORT, lambda *_: (200 if READY.is_set() else 503, "{}"))
    if system.name == "fsm":
        own = os.environ["INJECTOR_POD_NAME"]
        assert get(f"/api/v1/namespaces/{namespace}/pods/{own}") is not None
        follow(f"/api/v1/namespaces/{namespace}/events", since="0")
        synchronise(injector_paths(namespace))
    ca = authority(namespace, given["ca-bundle-secret-name"])

    def mesh() -> MeshView:
        group, _, version = system.mesh_config_api_version.partition("/")
        path = f"/apis/{group}/{version}/namespaces/{namespace}/meshconfigs"
        live = get(f"{path}/{system.mesh_config_name}")
        listed = request("GET", f"/api/v1/namespaces/{namespace}/services")["items"]
        return mesh_view(
            system,
            None if live is None else live["spec"],
            environment=dict(os.environ),
            name=given["mesh-name"],
            namespace=namespace,
            trust_domain=given["trust-domain"],
            pull_policy=given[f"{prefix}-container-pull-policy"],
            services={one["metadata"]["name"]: one["spec"]["clusterIP"] for one in listed},
        )

    def mutate(_: str, path: str, __: Mapping[str, str], body: bytes) -> tuple[int, str]:
        if not path.startswith(ADMISSION_PATH):
            return 404, "{}"
        review = json.loads(body)
        asked = review.pop("request")
        review["response"] = {"uid": asked["uid"], **_answer(asked, mesh())}
        return 200, json.dumps(review)

    host = f"{prefix}-injector.{namespace}.svc"
    serve(WEBHOOK_PORT, mutate, tls=server_context(ca, host))
    write(
        "MutatingWebhookConfiguration",
        given["webhook-config-name"],
        labels=labels(system.annotation_prefix, given, system.injector_name),
        webhook=_webhook(given, system, namespace),
        ca=ca[0],
    )
    READY.set()
    log("info", "injector is ready")
    while True:
        signal.pause()


def _webhook(given: dict[str, str], system: System, namespace: str) -> dict[str, Any]:
    rules = [rule("CREATE", "*", "v1", "pods")]
    if system.name == "fsm":
        rules.append(rule("CREATE", "machine.flomesh.io", "v1alpha1", "virtualmachines"))
    service = {
        "namespace": namespace,
        "name": system.injector_name,
        "path": ADMISSION_PATH,
        "port": WEBHOOK_PORT,
    }
    name_label = injector_profile(system).name_label
    selector = monitored(system.annotation_prefix, given["mesh-name"], name_label, namespace)
    name = f"{system.injector_name.partition('-')[0]}-inject.k8s.io"
    return webhook(name, service, rules, selector, timeout=int(given["webhook-timeout"]))


def _answer(asked: dict[str, Any], mesh: MeshView) -> dict[str, Any]:
    """The admission response to one request."""
    place = asked["namespace"]
    live = get(f"/api/v1/namespaces/{place}")
    assert live is not None
    given = asked["object"]
    proxy = str(uuid.uuid4())
    dry_run = bool(asked.get("dryRun"))
    try:
        decision, mutation = admit(
            given, mesh=mesh, namespace=namespace_view(live), proxy_id=proxy, dry_run=dry_run
        )
    except Refusal as refusal:
        return {"allowed": False, "status": {"message": refusal.message}}
    if mutation is None:
        log("info", "not injected", why=decision.why)
        return {"allowed": True}
    if mutation.secret is not None:
        _secret(mutation.secret, place, mesh, bootstrap_configuration(given, mesh))
    changed = mutation.plain()
    patch = [
        {"op": "replace", "path": "/metadata", "value": changed["metadata"]},
        {"op": "replace", "path": "/spec", "value": changed["spec"]},
    ]
    encoded = base64.b64encode(json.dumps(patch).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": encoded}


def _secret(name: str, place: str, mesh: MeshView, configuration: dict[str, Any]) -> None:
    """The sidecar's configuration, which is mounted into the pod and which nobody removes."""
    text = json.dumps(configuration)
    labels = {
        "app.kubernetes.io/name": mesh.system.annotation_prefix,
        "app.kubernetes.io/instance": mesh.name,
    }
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": place, "labels": labels},
        "stringData": {"bootstrap.yaml": text},  # JSON is YAML
    }
    create(f"/api/v1/namespaces/{place}/secrets", body)
