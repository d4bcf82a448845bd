"""The Services of the control plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsm_stack.manifests.labels import (
    BOOTSTRAP,
    CONTROLLER,
    DEBUG_PORT,
    DNS_PROXY_PORT,
    HEALTH_PORT,
    INJECTOR,
    INJECTOR_PORT,
    VALIDATOR,
    VALIDATOR_PORT,
    WEBHOOK_PORT,
    metadata,
)
from fsm_stack.manifests.manifest import Manifest, Part, Wave

if TYPE_CHECKING:
    from fsm_stack.settings.stack import StackSettings


def _port(name: str, port: int, target: int | None = None, **more: str) -> dict[str, Any]:
    """A Service port, its target said: what is not declared is not restored."""
    return {"name": name, "port": port, "targetPort": target or port, **more}


def _service(settings: StackSettings, name: str, app: str, *ports: dict[str, Any]) -> Manifest:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(settings, name, app=app),
        "spec": {"ports": list(ports), "selector": {"app": app}},
    }
    return Manifest(object=service, part=Part.CONTROL_PLANE, wave=Wave.FOUNDATION)


def services(settings: StackSettings) -> tuple[Manifest, ...]:
    """Bootstrap, controller, injector, and the controller's validator under a name of its own.

    Source: flomesh-io/fsm charts/fsm/templates fsm-bootstrap-service.yaml, fsm-service.yaml,
    fsm-injector-service.yaml, fsm-validator-service.yaml.
    """
    repository = settings.repo_server.port
    return (
        _service(
            settings,
            BOOTSTRAP,
            BOOTSTRAP,
            _port("crdconversion", WEBHOOK_PORT),
            _port("health", HEALTH_PORT),
        ),
        _service(
            settings,
            CONTROLLER,
            CONTROLLER,
            _port("pipy-admin-port", repository),
            _port("debug-port", DEBUG_PORT),
            _port("healthz", HEALTH_PORT),
            _port("webhook", WEBHOOK_PORT),
            _port("dns-proxy", 53, DNS_PROXY_PORT, protocol="UDP"),
        ),
        _service(settings, INJECTOR, INJECTOR, _port("sidecar-inject", INJECTOR_PORT)),
        _service(settings, VALIDATOR, CONTROLLER, _port("validator", VALIDATOR_PORT)),
    )
