"""What the pods of bootstrap, controller and injector have in common, and their arguments.

Source: flomesh-io/fsm charts/fsm/templates *-deployment.yaml, cmd/fsm-*/ (the flags).
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.manifests.manifest import (
    HEALTH_PORT,
    common_labels,
    metadata,
    version_label,
)
from fsm_stack.settings.models.components import image_reference
from fsm_stack.units import canonical_quantity

if TYPE_CHECKING:
    from fsm_stack.settings.models.components import Component, Resources
    from fsm_stack.settings.models.stack import StackSettings

# The programs run as no one in particular. Source: the chart's restricted.securityContext.
_SECURITY_CONTEXT: Final[dict[str, Any]] = {
    "runAsUser": 1000,
    "runAsGroup": 3000,
    "fsGroup": 2000,
    "supplementalGroups": [5555],
}


def image(settings: StackSettings, field: str) -> dict[str, str]:
    """A container's image and pull policy; ``field`` is the image's name in the settings."""
    return {
        "image": image_reference(settings.images, settings.fsm_version, field),
        "imagePullPolicy": settings.images.pull_policy,
    }


def resources(wanted: Resources) -> dict[str, dict[str, str]]:
    """A container's resources, without empty parts, in the form that the API server stores."""
    parts = (("limits", wanted.limits), ("requests", wanted.requests))
    return {
        name: {resource: canonical_quantity(amount) for resource, amount in amounts.items()}
        for name, amounts in parts
        if amounts
    }


def port(name: str, number: int, **more: str) -> dict[str, Any]:
    """A container port."""
    return {"name": name, "containerPort": number, **more}


def probes(port_number: int, *, ready: str, alive: str, delay: int) -> dict[str, Any]:
    """Readiness and liveness over HTTP; ``delay`` is the first wait in seconds."""

    def probe(path: str) -> dict[str, Any]:
        return {
            "initialDelaySeconds": delay,
            "timeoutSeconds": 5,
            "httpGet": {"scheme": "HTTP", "path": path, "port": port_number},
        }

    return {"readinessProbe": probe(ready), "livenessProbe": probe(alive)}


def health_probes() -> dict[str, Any]:
    """The probes of bootstrap and injector."""
    return probes(HEALTH_PORT, ready="/healthz", alive="/healthz", delay=5)


def startup_probe() -> dict[str, Any]:
    """How long bootstrap may take before it answers: it applies 64 CRDs first.

    Source: seen on a busy machine, where the liveness probe of the chart restarted it half-way.
    """
    return {
        "startupProbe": {
            "periodSeconds": 5,
            "failureThreshold": 60,
            "timeoutSeconds": 5,
            "httpGet": {"scheme": "HTTP", "path": "/healthz", "port": HEALTH_PORT},
        }
    }


def pod_name(variable: str) -> dict[str, Any]:
    """An environment variable with the pod's own name; the programs register events with it."""
    return {"name": variable, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}


def wait_for_bootstrap(settings: StackSettings, name: str, wanted: Resources) -> dict[str, Any]:
    """The init container that waits until fsm-bootstrap has installed the CRDs."""
    return {
        "name": name,
        **image(settings, "curl"),
        "command": [
            "curl",
            f"http://fsm-bootstrap.{settings.namespace}:{HEALTH_PORT}/healthz",
            *("--connect-timeout", "2"),
            *("--retry", "50"),
            "--retry-connrefused",
            *("--retry-delay", "5"),
        ],
        "resources": resources(wanted),
    }


def _expression(key: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": list(values)}


def default_affinity(app: str) -> dict[str, Any]:
    """Linux on amd64 or arm64, pods of one program preferably on different nodes.

    Source: flomesh-io/fsm charts/fsm/values.yaml, affinity of each component.
    """
    platform = [
        _expression("kubernetes.io/os", "linux"),
        _expression("kubernetes.io/arch", "amd64", "arm64"),
    ]
    apart = {
        "podAffinityTerm": {
            "labelSelector": {"matchExpressions": [_expression("app", app)]},
            "topologyKey": "kubernetes.io/hostname",
        },
        "weight": 100,
    }
    return {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": platform}]
            }
        },
        "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [apart]},
    }


def _scheduling(settings: StackSettings, component: Component, app: str) -> dict[str, Any]:
    affinity = component.affinity
    scheduling: dict[str, Any] = {
        "affinity": default_affinity(app) if affinity is None else deepcopy(affinity),
        "imagePullSecrets": [{"name": secret.name} for secret in settings.images.pull_secrets],
        "nodeSelector": dict(component.node_selector),
        "tolerations": [
            toleration.model_dump(by_alias=True, exclude_none=True)
            for toleration in component.tolerations
        ],
    }
    return {key: value for key, value in scheduling.items() if value}


def deployment(
    settings: StackSettings,
    app: str,
    component: Component,
    *,
    replicas: int | None,
    containers: list[dict[str, Any]],
    init_containers: list[dict[str, Any]] | None = None,
    volumes: list[dict[str, Any]] | None = None,
    own_labels: dict[str, str] | None = None,
    selector: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A Deployment of the control plane.

    Args:
        settings: the stack.
        app: the program, and the name of everything of its own.
        component: its settings.
        replicas: None where an autoscaler decides.
        containers: its containers.
        init_containers: those that run before.
        volumes: of its pods.
        own_labels: more labels of the Deployment itself.
        selector: more labels by which the Deployment finds its pods; they are on the pods too.
    """
    about = metadata(settings, app, app=app)
    about["labels"] |= {"meshName": settings.mesh_name, **(own_labels or {})}
    match = {"app": app, **(selector or {})}
    pod_spec = {
        "priorityClassName": component.priority_class_name,
        "serviceAccountName": settings.mesh.release_name,
        "securityContext": deepcopy(_SECURITY_CONTEXT),
        **({"initContainers": init_containers} if init_containers else {}),
        "containers": containers,
        **({"volumes": volumes} if volumes else {}),
        **_scheduling(settings, component, app),
    }
    template = {
        "metadata": {
            "labels": {**component.pod_labels, **common_labels(settings), **match},
            "annotations": {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": str(HEALTH_PORT),
            },
        },
        "spec": pod_spec,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": about,
        "spec": {
            **({} if replicas is None else {"replicas": replicas}),
            "selector": {"matchLabels": match},
            "template": template,
        },
    }


def _flag(name: str, *, on: bool) -> str:
    return f"--{name}={'true' if on else 'false'}"


def _vault(settings: StackSettings) -> list[str]:
    """Where Vault is, and which Secret holds its token; the token itself is never an argument."""
    provider = settings.certificate_provider
    if provider.kind != "vault":
        return []
    if provider.vault is None:
        raise InputError("certificateProvider.vault: expected Vault's host and tokenSecret")
    vault = provider.vault
    return [
        *("--vault-host", vault.host),
        *("--vault-port", str(vault.port)),
        *("--vault-protocol", vault.protocol),
        *("--vault-role", vault.role),
        *("--vault-token-secret-name", vault.token_secret.name),
        *("--vault-token-secret-key", vault.token_secret.key),
    ]


def _certificates(settings: StackSettings) -> list[str]:
    """What every program is told about the issuer of certificates."""
    provider = settings.certificate_provider
    issuer = provider.cert_manager
    return [
        *("--ca-bundle-secret-name", provider.ca_bundle_secret_name),
        *("--certificate-manager", provider.kind),
        *("--trust-domain", settings.mesh.trust_domain),
        _flag("enable-mesh-root-certificate", on=False),
        *_vault(settings),
        *("--cert-manager-issuer-name", issuer.issuer_name),
        *("--cert-manager-issuer-kind", issuer.issuer_kind),
        *("--cert-manager-issuer-group", issuer.issuer_group),
        _flag("enable-reconciler", on=settings.mesh.enable_reconciler),
    ]


def _common(settings: StackSettings) -> list[str]:
    return [
        *("--verbosity", settings.observability.fsm_log_level),
        *("--fsm-namespace", settings.namespace),
        *("--fsm-version", version_label(settings)),
    ]


def bootstrap_arguments(settings: StackSettings) -> list[str]:
    """The arguments of fsm-bootstrap."""
    return [*_common(settings), *_certificates(settings)]


def controller_arguments(settings: StackSettings) -> list[str]:
    """The arguments of fsm-controller."""
    return [
        *_common(settings),
        *("--fsm-service-account", settings.mesh.release_name),
        *("--mesh-name", settings.mesh_name),
        *("--validator-webhook-config", settings.validating_webhook_name),
        *_certificates(settings),
        _flag("enable-multi-clusters", on=settings.mesh.enable_multi_clusters),
        _flag("validate-traffic-target", on=settings.mesh.validate_traffic_target),
    ]


def injector_arguments(settings: StackSettings) -> list[str]:
    """The arguments of fsm-injector."""
    timeout = settings.components.injector.webhook_timeout_seconds
    return [
        *_common(settings),
        *("--mesh-name", settings.mesh_name),
        *("--webhook-config-name", settings.mutating_webhook_name),
        *("--webhook-timeout", str(timeout)),
        *_certificates(settings),
        f"--fsm-container-pull-policy={settings.images.pull_policy}",
    ]
