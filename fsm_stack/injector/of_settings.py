"""The mesh of a stack, as its injector will see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.injector.decision import NamespaceView, assumed_namespace
from fsm_stack.injector.mesh import MeshView, mesh_view
from fsm_stack.manifests.deployments import injector
from fsm_stack.manifests.mesh import mesh_config
from fsm_stack.systems import OSM, OSM_EDGE
from fsm_stack.well_known import INJECTION, METRICS

if TYPE_CHECKING:
    from fsm_stack.settings.models.stack import StackSettings

# The images that the releases' charts give their injectors. Sources: flomesh-io/osm-edge f0c7a18c
# and openservicemesh/osm 7bec5b6b, charts/osm/values.yaml and the injector's Deployment.
_ENVIRONMENTS: Final = {
    OSM_EDGE.name: {
        "CONTROLLER_SVC_NAME": "osm-controller",
        "OSM_DEFAULT_SIDECAR_CLASS": "pipy",
        "OSM_DEFAULT_SIDECAR_WINDOWS_IMAGE": "envoyproxy/envoy-windows:latest",
        "OSM_DEFAULT_INIT_CONTAINER_IMAGE": "flomesh/osm-edge-sidecar-init:1.3.9",
        "OSM_DEFAULT_HEALTHCHECK_CONTAINER_IMAGE": "flomesh/osm-edge-healthcheck:1.3.9",
    },
    OSM.name: {
        "OSM_DEFAULT_ENVOY_IMAGE": "envoyproxy/envoy-distroless:v1.23.1@sha256:"
        "293ffbe026e50a9463e909d9114278ca0af076b33d59d77a4a369acc6cbc53a0",
        "OSM_DEFAULT_ENVOY_WINDOWS_IMAGE": "envoyproxy/envoy-windows:latest",
        "OSM_DEFAULT_INIT_CONTAINER_IMAGE": "openservicemesh/init:latest-main",
        "OSM_DEFAULT_HEALTHCHECK_CONTAINER_IMAGE": "openservicemesh/osm-healthcheck:latest-main",
    },
}


def injector_environment(settings: StackSettings) -> dict[str, str]:
    """The injector's environment: what the stack deploys, or the release's chart."""
    if not settings.profile.declares_control_plane:
        return _ENVIRONMENTS[settings.system]
    (container,) = injector(settings)["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item["value"] for item in container["env"] if "value" in item}


def mesh_of(settings: StackSettings, *, controller_ip: str | None = None) -> MeshView:
    """The mesh that a stack declares.

    Args:
        settings: the stack.
        controller_ip: the cluster IP of the controller's Service, which only a cluster knows; the
            DNS settings of pods depend on it.
    """
    system = settings.profile
    services = {} if controller_ip is None else {system.controller_name: controller_ip}
    return mesh_view(
        system,
        mesh_config(settings).object["spec"],
        environment=injector_environment(settings),
        name=settings.mesh_name,
        namespace=settings.namespace,
        trust_domain=settings.mesh.trust_domain,
        pull_policy=settings.images.pull_policy,
        services=services,
    )


def enrolled(settings: StackSettings, mesh: MeshView) -> dict[str, NamespaceView]:
    """The namespaces that the stack itself enrols, as it declares them."""
    key, metrics = mesh.system.annotation(INJECTION), mesh.system.annotation(METRICS)
    found = {}
    for item in settings.enrolled_namespaces:
        view = assumed_namespace(item.name, mesh)
        annotations = {metrics: "enabled"} if item.metrics else {}
        if item.sidecar_injection is not None:
            annotations[key] = "enabled" if item.sidecar_injection else "disabled"
        found[item.name] = NamespaceView(
            name=item.name, labels=view.labels, annotations=annotations
        )
    return found
