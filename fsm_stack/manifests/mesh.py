"""The mesh's own objects: MeshConfig, CRD, preset, scripts; and the namespaces that join it."""

from __future__ import annotations

import base64
import hashlib
import uuid
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import FindingsError, InputError
from fsm_stack.findings.finding import finding
from fsm_stack.manifests.manifest import Manifest, Part, Wave, common_labels, metadata
from fsm_stack.manifests.mesh_config import (
    mesh_config_crd,
    mesh_config_object,
    mesh_config_spec,
    preset_mesh_config,
)
from fsm_stack.manifests.mesh_config_osm import osm_edge_spec, osm_spec
from fsm_stack.manifests.release import SCRIPTS_KEY, ReleaseAsset, assets_missing
from fsm_stack.redirection.scopes import CONFIG_MAP_NAME, REDIRECTION_KEY, config_map_data
from fsm_stack.settings.models.components import FSM_IMAGES, image_name, image_reference
from fsm_stack.systems import FSM, OSM, OSM_EDGE
from fsm_stack.well_known import CONFIG_MAP_MAX, PRESET_CONFIG_MAP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fsm_stack.redirection.scopes import Redirection
    from fsm_stack.settings.models.control_plane import EnrolledNamespace
    from fsm_stack.settings.models.stack import StackSettings


def _config_map(
    about: dict[str, Any],
    part: Part,
    repeats: tuple[str, ...] = (),
    **content: Mapping[str, str],
) -> Manifest:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, **content}
    return Manifest(object=config_map, part=part, wave=Wave.FOUNDATION, repeats=repeats)


def pipy_scripts(settings: StackSettings, asset: ReleaseAsset | None) -> tuple[Manifest, ...]:
    """The release's Pipy scripts, unless others declare them or the stack goes without.

    Raises:
        FindingsError: ``assets-missing``: the stack wants them and they are not there.
        InputError: they are another release's.
    """
    if settings.release_assets.source != "vendored":
        return ()
    version = settings.fsm_version
    if asset is None:
        raise FindingsError((assets_missing(settings),))
    if asset.version != version:
        raise InputError(
            f"the Pipy scripts are those of FSM {asset.version}, expected FSM {version}"
        )
    about = metadata(settings, settings.release_assets.config_map_name)
    encoded = base64.b64encode(asset.scripts).decode("ascii")
    return (_config_map(about, Part.CONTROL_PLANE, binaryData={SCRIPTS_KEY: encoded}),)


def redirection_config_map(settings: StackSettings, redirected: Redirection) -> Manifest:
    """What the stack redirects, so that a cluster can be checked without the stack file.

    Raises:
        FindingsError: ``too-large``: the API server would refuse the ConfigMap.
    """
    about = {
        "name": CONFIG_MAP_NAME,
        "namespace": settings.namespace,
        "labels": common_labels(settings),
    }
    data = config_map_data(redirected)
    size = sum(len(key) + len(value.encode()) for key, value in data.items())
    if size > CONFIG_MAP_MAX:
        message = (
            f"expected lists of at most {CONFIG_MAP_MAX} bytes for ConfigMap {CONFIG_MAP_NAME}, "
            f"got {size}: the mesh's lists count once for itself and once for each profile"
        )
        raise FindingsError((finding("too-large", message, path="traffic"),))
    return _config_map(about, Part.MESH_CONFIG, repeats=(f'data["{REDIRECTION_KEY}"]',), data=data)


# Identities are derived within this one (RFC 9562, version 5): a render has no chance in it.
_IDENTITIES: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "fsm-stack.flomesh.io")

# The key that bootstrap reads. Source: flomesh-io/fsm cmd/fsm-bootstrap.
PRESET_KEY: Final = "preset-mesh-config.json"
_PRESET_DIGEST: Final = "preset-mesh-config.sha256"


def cluster_uid(settings: StackSettings) -> str:
    """The cluster's identity in the mesh: the setting, or one derived from cluster and mesh.

    The chart makes a random one in every render; two renders of ours are equal.
    """
    if settings.cluster_set.uid is not None:
        return settings.cluster_set.uid
    cluster = settings.cluster.uid or settings.cluster.context or settings.cluster_set.name
    return str(uuid.uuid5(_IDENTITIES, f"{cluster}/{settings.namespace}/{settings.mesh_name}"))


def image_section(settings: StackSettings) -> dict[str, Any]:
    """MeshConfig's section ``image``: what the controller starts by itself, such as gateways.

    Source: flomesh-io/fsm pkg/apis/config/v1alpha3, ImageSpec.
    """
    images = settings.images
    known = [(key, field) for field, (key, _) in FSM_IMAGES.items()]
    return {
        "registry": images.registry,
        "tag": images.tag or settings.fsm_version,
        "pullPolicy": images.pull_policy,
        "name": {key: image_name(images, field) for key, field in known},
        "digest": {key: getattr(images, field).digest or "" for key, field in known},
    }


def custom_resource_definition(settings: StackSettings) -> Manifest:
    """The CRD of MeshConfig; it guards the first creation, bootstrap replaces its versions."""
    return Manifest(
        object=mesh_config_crd(),
        part=Part.MESH_CONFIG,
        wave=Wave.CRD,
        retain=settings.deployment.retain_crds,
    )


def _fsm_spec(settings: StackSettings) -> dict[str, Any]:
    images, version = settings.images, settings.fsm_version
    return mesh_config_spec(
        settings,
        image=image_section(settings),
        sidecar_image=image_reference(images, version, "pipy"),
        repo_server_image=image_reference(images, version, "pipy_repo"),
        uid=cluster_uid(settings),
        endpoint_slices=settings.cluster.serves_endpoint_slices,
    )


_SPECS: Final[Mapping[str, Callable[[StackSettings], dict[str, Any]]]] = {
    FSM.name: _fsm_spec,
    OSM_EDGE.name: osm_edge_spec,
    OSM.name: osm_spec,
}


def mesh_config(settings: StackSettings) -> Manifest:
    """The MeshConfig, complete and canonical: bootstrap's rewrite of it changes nothing.

    In osm-edge and OSM the release decides the images; the settings here are FSM's.
    """
    spec = _SPECS[settings.system](settings)
    declared = mesh_config_object(spec, namespace=settings.namespace, system_name=settings.system)
    return Manifest(object=declared, part=Part.MESH_CONFIG, wave=Wave.MESH_CONFIG)


def preset_config_map(settings: StackSettings) -> Manifest:
    """The MeshConfig as bootstrap would create it where there is none.

    Ours is there first, so bootstrap skips it; it means the same mesh, whoever comes first.
    Source: flomesh-io/fsm cmd/fsm-bootstrap, createDefaultMeshConfig.
    """
    preset = f"{preset_mesh_config(settings, _fsm_spec(settings))}\n"
    digest = hashlib.sha256(preset.encode()).hexdigest()
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": PRESET_CONFIG_MAP, "namespace": settings.namespace},
        # The engine shows an object whose only difference is left out as a whole.
        "data": {PRESET_KEY: preset, _PRESET_DIGEST: f"sha256:{digest}"},
    }
    return Manifest(
        object=config_map,
        part=Part.MESH_CONFIG,
        wave=Wave.FOUNDATION,
        repeats=(f'data["{PRESET_KEY}"]',),
    )


def control_plane_namespace(settings: StackSettings) -> tuple[Manifest, ...]:
    """The control plane's namespace; a patch of its label where the settings say that it exists.

    A stack that stops declaring its namespace must not delete it, and all that is in it.
    Its label ``name`` is what Helm gives a namespace that it creates, and what the webhooks'
    selectors look at to leave the control plane alone.
    Source: helm pkg/action/install.go; flomesh-io/fsm pkg/injector/webhook.go.
    """
    name = settings.namespace
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"name": name}},
    }
    return (
        Manifest(
            object=namespace,
            part=Part.CONTROL_PLANE,
            wave=Wave.NAMESPACE,
            patch=not settings.mesh.create_namespace,
        ),
    )


def _enrolment(settings: StackSettings, enrolled: EnrolledNamespace) -> dict[str, Any]:
    system = settings.profile
    annotations: dict[str, str] = {}
    if enrolled.sidecar_injection is not None:
        annotations[system.annotation("sidecar-injection")] = (
            "enabled" if enrolled.sidecar_injection else "disabled"
        )
    if enrolled.metrics:
        annotations[system.annotation("metrics")] = "enabled"
    metadata: dict[str, Any] = {
        "name": enrolled.name,
        "labels": {system.monitored_by_label: settings.mesh_name},
    }
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def enrolled_namespaces(settings: StackSettings) -> tuple[Manifest, ...]:
    """One object for each enrolled namespace.

    A namespace that others own is a patch: only the label and the annotations are ours.
    Source: flomesh-io/fsm cmd/cli namespace_add.go and metrics_enable.go.
    """
    return tuple(
        Manifest(
            object=_enrolment(settings, enrolled),
            part=Part.INJECTOR_WEBHOOK,
            wave=Wave.ENROLMENT,
            patch=not enrolled.create,
        )
        for enrolled in settings.enrolled_namespaces
    )
