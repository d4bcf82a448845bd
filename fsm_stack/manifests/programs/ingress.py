"""FSM's ingress: its Deployment and Service, and the ingress class.

FSM's Gateway API, service load balancer and FLB need no object of a stack: the controller starts
what they need when the MeshConfig switches them on.
Source: flomesh-io/fsm charts/fsm/templates fsm-ingress-*.yaml.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.manifests.manifest import (
    CONTROLLER,
    Manifest,
    Part,
    Wave,
    metadata,
    version_label,
)
from fsm_stack.manifests.pods import (
    default_affinity,
    image,
    port,
    pull_secrets,
    resources,
    scheduling,
    waiting,
)
from fsm_stack.manifests.programs.beside import gateway_metadata, own_place
from fsm_stack.well_known import INGRESS_CLASS, INGRESS_LABEL

if TYPE_CHECKING:
    from fsm_stack.settings.models.programs import IngressProgram
    from fsm_stack.settings.models.stack import StackSettings

_INGRESS: Final = "fsm-ingress"
_HEALTH: Final = 8081
# Source: flomesh-io/fsm pkg/constants, IngressPipyController.
_CLASS_CONTROLLER: Final = "flomesh.io/ingress-pipy"


def runs_ingress(settings: StackSettings) -> bool:
    """Whether the stack runs the ingress for all namespaces."""
    ingress = settings.ingress
    serves = ingress.http.enabled or ingress.tls.enabled
    return ingress.enabled and serves and not ingress.namespaced


def _ingress_ports(settings: StackSettings) -> list[tuple[str, int, int, int]]:
    """Name, port of the Service, of the container, of the nodes."""
    ingress = settings.ingress
    return [
        (name, listener.bind, listener.listen, listener.node_port)
        for name, listener in (("http", ingress.http), ("https", ingress.tls))
        if listener.enabled
    ]


def _ingress_deployment(settings: StackSettings, program: IngressProgram) -> dict[str, Any]:
    secured = (
        {"securityContext": deepcopy(program.security_context)} if program.security_context else {}
    )
    wait = waiting(
        settings,
        "wait-controller",
        program.init_resources,
        path=f"{CONTROLLER}/health/ready",
        retries=100,
    )
    listening = _ingress_ports(settings)
    alive = {
        "initialDelaySeconds": 5,
        "timeoutSeconds": 5,
        "tcpSocket": {"port": listening[0][2]},
    }
    container = {
        "name": "ingress",
        **image(settings, "ingress"),
        "ports": [
            *(port(name, listen) for name, _, listen, _ in listening),
            port("health", _HEALTH),
        ],
        "args": [
            f"--verbosity={settings.ingress.log_level}",
            f"--fsm-namespace={settings.namespace}",
            f"--fsm-version={version_label(settings)}",
            f"--mesh-name={settings.mesh_name}",
        ],
        "resources": resources(program.resources),
        "env": [
            *own_place(settings),
            *(one.model_dump(by_alias=True, exclude_none=True) for one in program.env),
        ],
        **secured,
        "livenessProbe": deepcopy(alive),
        "readinessProbe": alive,
    }
    pod_context = program.pod_security_context
    affinity = default_affinity(_INGRESS, **{INGRESS_LABEL: "false"})
    pod = {
        "priorityClassName": "system-node-critical",
        "serviceAccountName": settings.mesh.release_name,
        "terminationGracePeriodSeconds": 60,
        **({"securityContext": deepcopy(pod_context)} if pod_context else {}),
        "initContainers": [wait | deepcopy(secured)],
        "containers": [container],
        **scheduling(program, affinity, pull_secrets(settings)),
    }
    selector = {"app": _INGRESS, INGRESS_LABEL: "false"}
    about = gateway_metadata(settings, _INGRESS, _INGRESS)
    about["labels"][INGRESS_LABEL] = "false"
    annotations = {"annotations": dict(program.pod_annotations)} if program.pod_annotations else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": about,
        "spec": {
            "replicas": program.replicas,
            "selector": {"matchLabels": selector},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {
                "metadata": {"labels": {**program.pod_labels, **selector}, **annotations},
                "spec": pod,
            },
        },
    }


def _ingress_service(settings: StackSettings, program: IngressProgram) -> dict[str, Any]:
    about = gateway_metadata(settings, program.service_name, _INGRESS)
    about["labels"][INGRESS_LABEL] = "false"
    if program.service_annotations:
        about["annotations"] = dict(program.service_annotations)
    kind = settings.ingress.type
    ports = []
    for name, bind, listen, node_port in _ingress_ports(settings):
        one = {"name": name, "port": bind, "protocol": "TCP", "targetPort": listen}
        ports.append(one | ({"nodePort": node_port} if kind == "NodePort" else {}))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": about,
        "spec": {
            "type": kind,
            "ports": ports,
            "selector": {"app": _INGRESS, INGRESS_LABEL: "false"},
        },
    }


def _ingress_class(settings: StackSettings, service: str) -> dict[str, Any]:
    about = metadata(settings, INGRESS_CLASS, app=_INGRESS, namespaced=False)
    # Where other clusters find this cluster's ingress.
    # Source: flomesh-io/fsm pkg/multicluster/ingress_class.go.
    about["annotations"] = {
        "meta.flomesh.io/namespace": settings.namespace,
        "meta.flomesh.io/ingress-pipy-svc": service,
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": about,
        "spec": {"controller": _CLASS_CONTROLLER},
    }


def ingress(settings: StackSettings) -> tuple[Manifest, ...]:
    """FSM's ingress, where the stack has it; of single namespaces' ingresses only the class."""
    if not settings.ingress.enabled:
        return ()
    program, part = settings.components.ingress, Part.CONTROL_PLANE
    made = [
        Manifest(
            object=_ingress_class(settings, program.service_name),
            part=part,
            wave=Wave.FOUNDATION,
        )
    ]
    if runs_ingress(settings):
        service = _ingress_service(settings, program)
        made.append(Manifest(object=service, part=part, wave=Wave.FOUNDATION))
        deployed = _ingress_deployment(settings, program)
        made.append(Manifest(object=deployed, part=part, wave=Wave.CONTROL_PLANE))
    return tuple(made)
