"""The programs of the control plane: bootstrap, controller, injector.

Source: flomesh-io/fsm charts/fsm/templates fsm-bootstrap-deployment.yaml, fsm-deployment.yaml,
fsm-injector-deployment.yaml; cmd/fsm-*/ (the flags).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.manifests.certificates import certificate_arguments, flag
from fsm_stack.manifests.manifest import (
    ADMIN_PORT,
    BOOTSTRAP,
    CONTROLLER,
    DNS_PROXY_PORT,
    HEALTH_PORT,
    INJECTOR,
    INJECTOR_PORT,
    WEBHOOK_PORT,
    Manifest,
    Part,
    Wave,
    version_label,
)
from fsm_stack.manifests.pods import (
    deployment,
    health_probes,
    image,
    pod_name,
    port,
    probes,
    resources,
    startup_probe,
    wait_for_bootstrap,
)
from fsm_stack.manifests.programs.logs_and_traces import fluent_bit_containers, fluent_bit_volumes
from fsm_stack.manifests.release import SCRIPTS_KEY
from fsm_stack.manifests.services import webhook_writers
from fsm_stack.settings.models.components import image_reference

if TYPE_CHECKING:
    from fsm_stack.settings.models.components import Controller, Injector
    from fsm_stack.settings.models.stack import StackSettings

_SCRIPTS_VOLUME: Final = "fsm-init-repo-scripts"
_REPOSITORY_VOLUME: Final = "shared-repo"
_REPOSITORY_MOUNT: Final = {"mountPath": "/repo", "name": _REPOSITORY_VOLUME}


def _common(settings: StackSettings) -> list[str]:
    return [
        *("--verbosity", settings.observability.fsm_log_level),
        *("--fsm-namespace", settings.namespace),
        *("--fsm-version", version_label(settings)),
    ]


def bootstrap_arguments(settings: StackSettings) -> list[str]:
    """The arguments of fsm-bootstrap."""
    return [*_common(settings), *certificate_arguments(settings)]


def controller_arguments(settings: StackSettings) -> list[str]:
    """The arguments of fsm-controller."""
    return [
        *_common(settings),
        *("--fsm-service-account", settings.mesh.release_name),
        *("--mesh-name", settings.mesh_name),
        *("--validator-webhook-config", settings.validating_webhook_name),
        *certificate_arguments(settings),
        flag("enable-multi-clusters", on=settings.mesh.enable_multi_clusters),
        flag("validate-traffic-target", on=settings.mesh.validate_traffic_target),
    ]


def injector_arguments(settings: StackSettings) -> list[str]:
    """The arguments of fsm-injector."""
    timeout = settings.components.injector.webhook_timeout_seconds
    return [
        *_common(settings),
        *("--mesh-name", settings.mesh_name),
        *("--webhook-config-name", settings.mutating_webhook_name),
        *("--webhook-timeout", str(timeout)),
        *certificate_arguments(settings),
        f"--fsm-container-pull-policy={settings.images.pull_policy}",
    ]


def _replicas(component: Controller | Injector) -> int | None:
    return None if component.autoscaling.enabled else component.replicas


def bootstrap(settings: StackSettings) -> dict[str, Any]:
    """fsm-bootstrap: installs and converts CRDs, creates the MeshConfig where there is none."""
    component = settings.components.bootstrap
    container = {
        "name": BOOTSTRAP,
        **image(settings, "bootstrap"),
        "ports": [port("crdconversion", WEBHOOK_PORT), port("metrics", HEALTH_PORT)],
        "command": ["/fsm-bootstrap"],
        "args": bootstrap_arguments(settings),
        "resources": resources(component.resources),
        **health_probes(),
        **startup_probe(),
        "env": [pod_name("BOOTSTRAP_POD_NAME")],
    }
    return deployment(
        settings, BOOTSTRAP, component, replicas=component.replicas, containers=[container]
    )


def _unpack_scripts(settings: StackSettings, component: Controller) -> dict[str, Any]:
    """The init container that unpacks the release's Pipy scripts into the repository."""
    return {
        "name": "init-untar",
        **image(settings, "curl"),
        "command": ["sh", "-c", f"tar -C /repo -zxvf /{SCRIPTS_KEY}\n"],
        "volumeMounts": [
            {
                "mountPath": f"/{SCRIPTS_KEY}",
                "name": _SCRIPTS_VOLUME,
                "subPath": SCRIPTS_KEY,
            },
            dict(_REPOSITORY_MOUNT),
        ],
        "resources": resources(component.init_resources),
    }


def _pipy_repository(settings: StackSettings, component: Controller) -> dict[str, Any]:
    number = settings.repo_server.port
    return {
        "name": "fsm-pipy-repo",
        **image(settings, "pipy_repo"),
        "ports": [port("pipy-admin-port", number)],
        "command": ["pipy"],
        "args": [f"--admin-port={number}"],
        "resources": resources(component.repo_resources),
        **probes(number, ready="/", alive="/", delay=1),
    }


def controller(settings: StackSettings) -> dict[str, Any]:
    """fsm-controller, and beside it the Pipy repository unless that runs elsewhere."""
    component = settings.components.controller
    program = {
        "name": CONTROLLER,
        **image(settings, "controller"),
        "ports": [
            port("admin-port", ADMIN_PORT),
            port("metrics", HEALTH_PORT),
            port("webhook", WEBHOOK_PORT),
            port("dns-proxy", DNS_PROXY_PORT, protocol="UDP"),
        ],
        "command": ["/fsm-controller"],
        "args": controller_arguments(settings),
        "resources": resources(component.resources),
        **probes(HEALTH_PORT, ready="/health/ready", alive="/health/alive", delay=1),
        "env": [pod_name("CONTROLLER_POD_NAME")],
        "volumeMounts": [dict(_REPOSITORY_MOUNT)],
    }
    repository = (
        [] if component.standalone_repo_server else [_pipy_repository(settings, component)]
    )
    single = {"enforceSingleMesh": "true"} if settings.mesh.enforce_single_mesh else {}
    return deployment(
        settings,
        CONTROLLER,
        component,
        replicas=_replicas(component),
        init_containers=[
            wait_for_bootstrap(settings, "init-fsm-controller", component.init_resources),
            _unpack_scripts(settings, component),
        ],
        containers=[*repository, program, *fluent_bit_containers(settings)],
        volumes=[
            {
                "name": _SCRIPTS_VOLUME,
                "configMap": {"name": settings.release_assets.config_map_name},
            },
            {"name": _REPOSITORY_VOLUME, "emptyDir": {}},
            *fluent_bit_volumes(settings),
        ],
        own_labels=single,
        selector={"codebase": settings.repo_server.codebase},
    )


def _injected_images(settings: StackSettings) -> list[dict[str, Any]]:
    """What the injector puts into pods; it reads these images from its environment only."""
    return [
        {
            "name": f"FSM_DEFAULT_{variable}_IMAGE",
            "value": image_reference(settings.images, settings.fsm_version, field),
        }
        for variable, field in (
            ("SIDECAR", "pipy"),
            ("INIT_CONTAINER", "sidecar_init"),
            ("HEALTHCHECK_CONTAINER", "healthcheck"),
        )
    ]


def injector(settings: StackSettings) -> dict[str, Any]:
    """fsm-injector: the server of the mutating webhook."""
    component = settings.components.injector
    container = {
        "name": INJECTOR,
        **image(settings, "injector"),
        "ports": [port("sidecar-inject", INJECTOR_PORT), port("metrics", HEALTH_PORT)],
        "command": ["/fsm-injector"],
        "args": injector_arguments(settings),
        "resources": resources(component.resources),
        **health_probes(),
        "env": [
            {"name": "CONTROLLER_SVC_NAME", "value": CONTROLLER},
            pod_name("INJECTOR_POD_NAME"),
            *_injected_images(settings),
        ],
    }
    return deployment(
        settings,
        INJECTOR,
        component,
        replicas=_replicas(component),
        init_containers=[
            wait_for_bootstrap(settings, "init-fsm-injector", component.init_resources)
        ],
        containers=[container],
    )


def deployments(settings: StackSettings) -> tuple[Manifest, ...]:
    """The three Deployments.

    Injector and controller write the CA bundle into their webhook configurations when they start,
    and never again: after a new configuration they have to start once more.
    Source: flomesh-io/fsm pkg/injector/webhook.go, pkg/validator/patch.go.
    """
    writers = webhook_writers(settings)
    return tuple(
        Manifest(
            object=item,
            part=Part.CONTROL_PLANE,
            wave=Wave.CONTROL_PLANE,
            restarts_with=writers.get(item["metadata"]["name"], ()),
        )
        for item in (bootstrap(settings), controller(settings), injector(settings))
    )
