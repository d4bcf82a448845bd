"""fsm-controller: follows the mesh's objects, and completes its validating webhook at its start."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from datetime import UTC, datetime
from typing import Any

from standins.api import create, get, request
from standins.authority import authority, server_context
from standins.process import arguments, end_on_request, log, serve
from standins.rights import controller_paths, synchronise
from standins.webhooks import labels, monitored, rule, webhook, write

HEALTH_PORT, WEBHOOK_PORT, DEBUG_PORT = 9091, 9093, 9092
LEASE_SECONDS = 10
READY = threading.Event()


def main() -> None:
    """Serve health at once, be ready when everything is followed and the webhook is complete."""
    end_on_request()
    given = arguments()
    namespace = given["fsm-namespace"]
    serve(HEALTH_PORT, _health)
    synchronise(controller_paths(namespace))
    ca = authority(namespace, given["ca-bundle-secret-name"])
    host = f"fsm-validator.{namespace}.svc"
    serve(WEBHOOK_PORT, _validate, tls=server_context(ca, host))
    write(
        "ValidatingWebhookConfiguration",
        given["validator-webhook-config"],
        labels=labels("flomesh.io", given, "fsm-controller"),
        webhook=_validator(given, namespace),
        ca=ca[0],
    )
    threading.Thread(target=_lead, args=(namespace,), daemon=True).start()
    READY.set()
    log("info", "controller is ready")
    while True:
        signal.pause()


def _validator(given: dict[str, str], namespace: str) -> dict[str, Any]:
    changes = "CREATE UPDATE"
    rules = [
        rule(changes, "policy.flomesh.io", "v1alpha1", "ingressbackends egresses egressgateways"),
        rule(changes, "plugin.flomesh.io", "v1alpha1", "plugins pluginchains pluginconfigs"),
    ]
    if given["validate-traffic-target"] == "true":
        rules.append(rule(changes, "access.smi-spec.io", "v1alpha3", "traffictargets"))
    service = {
        "namespace": namespace, "name": "fsm-validator", "path": "/validate", "port": WEBHOOK_PORT,
    }  # fmt: skip
    selector = monitored("flomesh.io", given["mesh-name"], "name", namespace)
    return webhook("fsm-validator.k8s.io", service, rules, selector)


def _health(_: str, path: str, *__: Any) -> tuple[int, str]:
    ready = READY.is_set() or path != "/health/ready"
    return (200, "{}") if ready else (503, "{}")


def _validate(_: str, __: str, ___: Any, body: bytes) -> tuple[int, str]:
    review = json.loads(body)
    review["response"] = {"uid": review.pop("request")["uid"], "allowed": True}
    return 200, json.dumps(review)


def _lead(namespace: str) -> None:
    """Hold the lease of the leader's election."""
    root = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    own = os.environ["CONTROLLER_POD_NAME"]
    while True:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        spec = {"holderIdentity": own, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now}
        lease = get(f"{root}/fsm-controller-leader")
        if lease is None:
            metadata = {"name": "fsm-controller-leader", "namespace": namespace}
            kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
            create(root, {**kind, "metadata": metadata, "spec": spec})
        else:
            lease["spec"] |= spec
            request("PUT", f"{root}/fsm-controller-leader", lease)
        time.sleep(LEASE_SECONDS)
