"""What the pods of FSM's programs have in common.

Source: flomesh-io/fsm charts/fsm/templates *-deployment.yaml.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.manifests.manifest import (
    BOOTSTRAP,
    HEALTH_PORT,
    common_labels,
    metadata,
)
from fsm_stack.settings.models.components import image_reference
from fsm_stack.units import canonical_quantity

if TYPE_CHECKING:
    from fsm_stack.settings.models.components import Component, Placed, Resources
    from fsm_stack.settings.models.stack import StackSettings

# The programs run as no one in particular. Source: the chart's restricted.securityContext.
_SECURITY_CONTEXT: Final[dict[str, Any]] = {
    "runAsUser": 1000,
    "runAsGroup": 3000,
    "fsGroup": 2000,
    "supplementalGroups": [5555],
}


def security_context(
    settings: StackSettings, users: dict[str, Any], **always: object
) -> dict[str, Any]:
    """The field of a pod or a container; none where it would say nothing.

    Args:
        settings: of the stack.
        users: what it asks for, unless the cluster is an OpenShift, which gives its own.
        always: what it says anywhere.
    """
    wanted = always if settings.cluster.openshift else always | deepcopy(users)
    return {"securityContext": wanted} if wanted else {}


def as_no_one(settings: StackSettings) -> dict[str, Any]:
    """The security context of pods that need no rights."""
    return security_context(settings, _SECURITY_CONTEXT)


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


def from_pod(variable: str, field: str) -> dict[str, Any]:
    """An environment variable with a field of the pod."""
    return {"name": variable, "valueFrom": {"fieldRef": {"fieldPath": field}}}


def pod_name(variable: str) -> dict[str, Any]:
    """An environment variable with the pod's own name; the programs register events with it."""
    return from_pod(variable, "metadata.name")


def waiting(
    settings: StackSettings, name: str, wanted: Resources, *, path: str, retries: int = 50
) -> dict[str, Any]:
    """The init container that waits until a program answers, for example ``fsm-bootstrap``.

    Args:
        settings: the stack.
        name: the container's name.
        wanted: its resources.
        path: ``program`` and path: ``fsm-bootstrap`` answers at ``/healthz``.
        retries: every five seconds.
    """
    program, slash, rest = path.partition("/")
    return {
        "name": name,
        **image(settings, "curl"),
        "command": [
            "curl",
            f"http://{program}.{settings.namespace}:{HEALTH_PORT}{slash}{rest}",
            *("--connect-timeout", "2"),
            *("--retry", str(retries)),
            "--retry-connrefused",
            *("--retry-delay", "5"),
        ],
        "resources": resources(wanted),
    }


def wait_for_bootstrap(settings: StackSettings, name: str, wanted: Resources) -> dict[str, Any]:
    """The init container that waits until fsm-bootstrap has installed the CRDs."""
    return waiting(settings, name, wanted, path=f"{BOOTSTRAP}/healthz")


def _expression(key: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": list(values)}


# Nodes on which FSM's images run. Source: flomesh-io/fsm charts/fsm/values.yaml, affinity.
_FSM_PLATFORMS: Final = ("amd64", "arm64")


def platform_affinity(*architectures: str) -> dict[str, Any]:
    """Linux on these architectures."""
    platform = [
        _expression("kubernetes.io/os", "linux"),
        _expression("kubernetes.io/arch", *architectures),
    ]
    return {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": platform}]
            }
        }
    }


def default_affinity(app: str, **labels: str) -> dict[str, Any]:
    """Linux on amd64 or arm64, pods of one program preferably on different nodes.

    ``labels`` tell the program's pods, beside their label ``app``.
    Source: flomesh-io/fsm charts/fsm/values.yaml, affinity of each component.
    """
    own = [_expression("app", app), *(_expression(key, one) for key, one in labels.items())]
    apart = {
        "podAffinityTerm": {
            "labelSelector": {"matchExpressions": own},
            "topologyKey": "kubernetes.io/hostname",
        },
        "weight": 100,
    }
    return {
        **platform_affinity(*_FSM_PLATFORMS),
        "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [apart]},
    }


def pull_secrets(settings: StackSettings) -> list[dict[str, str]]:
    """The Secrets that pull the control plane's images."""
    return [{"name": secret.name} for secret in settings.images.pull_secrets]


def scheduling(
    placed: Placed, usual: dict[str, Any], secrets: list[dict[str, str]]
) -> dict[str, Any]:
    """Where pods run, and how their images are pulled; without empty parts.

    Args:
        placed: the settings.
        usual: the affinity where none is set.
        secrets: from :func:`pull_secrets`, or none.
    """
    affinity = placed.affinity
    parts: dict[str, Any] = {
        "affinity": usual if affinity is None else deepcopy(affinity),
        "imagePullSecrets": secrets,
        "nodeSelector": dict(placed.node_selector),
        "tolerations": [
            toleration.model_dump(by_alias=True, exclude_none=True)
            for toleration in placed.tolerations
        ],
    }
    return {key: value for key, value in parts.items() if value}


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
        **as_no_one(settings),
        **({"initContainers": init_containers} if init_containers else {}),
        "containers": containers,
        **({"volumes": volumes} if volumes else {}),
        **scheduling(component, default_affinity(app), pull_secrets(settings)),
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
