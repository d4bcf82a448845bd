"""FSM's MeshConfig, its CRD, and the preset ConfigMap's content, from the settings.

The specification is canonical: what bootstrap writes when it has read it through upstream's Go
type. So bootstrap's rewrite changes nothing, and a later refresh shows no drift. Source:
flomesh-io/fsm f1b55bd8, pkg/apis/config/v1alpha3/mesh_config.go (fields, order, ``omitempty``)
and cmd/fsm-bootstrap (the rewrite); tried with those types built by Go 1.26.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.lists import KEYS
from fsm_stack.settings.models.mesh import MeshSettings
from fsm_stack.settings.models.traffic import effective_mode
from fsm_stack.systems import FSM, system
from fsm_stack.templating import text
from fsm_stack.units import canonical_duration, canonical_quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.yaml import Json

# Fields that Go leaves out when they are empty, where our settings have an empty value for them.
# The other ``omitempty`` fields are absent settings, or never empty.
OMITTED_WHEN_EMPTY: Final = frozenset(
    {
        "sidecar.maxDataPlaneConnections",
        "sidecar.sidecarTimeout",
        "sidecar.cipherSuites",
        "sidecar.ecdhCurves",
        "sidecar.resources.limits",
        "sidecar.resources.requests",
        "sidecar.initResources.limits",
        "sidecar.initResources.requests",
        "sidecar.healthcheckResources.limits",
        "sidecar.healthcheckResources.requests",
        "sidecar.localDNSProxy.generateIPv6BasedOnIPv4",
        "sidecar.localDNSProxy.db",
        "sidecar.xnetDNSProxy.upstreams",
        "traffic.serviceAccessNames.mustWithServicePort",
        "observability.remoteLogging.level",
        "connector.lb.slaveNamespaces",
    }
)
RESOURCES: Final = ("resources", "initResources", "healthcheckResources")

# What the chart writes for a switched-on exporter whose values are not set.
# Source: charts/fsm/values.yaml, fsm.tracing and fsm.remoteLogging.
_TRACING_WHERE_ON: Final = {"port": 9411, "endpoint": "/api/v2/spans"}
_LOGGING_WHERE_ON: Final = {"level": 2, "port": 30514, "sampledFraction": "1.0"}

# Upstream's CRD requires the notice and these fields; fsm-connector fills them at run time.
CONNECTOR_NOTICE: Final = "viaGateway Managed by fsm-connector-gateway."
_VIA_GATEWAY: Final = {
    "clusterIP": "",
    "externalIP": "",
    "ingressAddr": "",
    "ingressHTTPPort": 0,
    "ingressGRPCPort": 0,
    "egressAddr": "",
    "egressHTTPPort": 0,
    "egressGRPCPort": 0,
}


def sections(mesh: MeshSettings) -> Json:
    """The sections that the settings decide, canonical, under upstream's names.

    Entries of the redirection lists are reduced to their values.
    """
    spec = mesh.model_dump(
        mode="json", by_alias=True, exclude_none=True, include=set(MeshSettings.model_fields)
    )
    traffic, sidecar = spec["traffic"], spec["sidecar"]
    for key in KEYS:
        traffic[key] = [entry["value"] for entry in traffic[key]]
    for name in RESOURCES:
        sidecar[name] = {
            side: {unit: canonical_quantity(amount) for unit, amount in amounts.items()}
            for side, amounts in sidecar[name].items()
        }
    spec["warmup"]["duration"] = canonical_duration(spec["warmup"]["duration"])
    spec["warmup"]["aggression"] = _number(spec["warmup"]["aggression"])
    for chain in spec["pluginChains"].values():
        for plugin in chain:
            plugin["priority"] = _number(plugin["priority"])
    tracing, logging = (spec["observability"][name] for name in ("tracing", "remoteLogging"))
    if tracing["enable"]:
        tracing.update(_TRACING_WHERE_ON | tracing)
    if logging["enable"]:
        logging.update(_LOGGING_WHERE_ON | logging)
    return _without_empty(spec, "")


def _number(value: float) -> float:
    """A whole number as an integer, as Go writes it."""
    return int(value) if value.is_integer() else value


def _without_empty(value: Json, prefix: str) -> Json:
    """The mapping without the empty fields that Go leaves out."""
    return {
        key: _without_empty(item, f"{prefix}{key}.") if isinstance(item, dict) else item
        for key, item in value.items()
        if item or f"{prefix}{key}" not in OMITTED_WHEN_EMPTY
    }


def mesh_config_spec(
    mesh: MeshSettings,
    *,
    image: Mapping[str, Any],
    sidecar_image: str,
    repo_server_image: str,
    uid: str,
    endpoint_slices: bool,
) -> Json:
    """The complete, canonical ``spec`` of a MeshConfig v1alpha3.

    Server-side apply cannot take the last limit or request of ``sidecar.resources``,
    ``initResources`` or ``healthcheckResources`` back: it makes null of the empty mapping that Go
    keeps, and the API server refuses that (seen with 1.34.2). A merge patch that sets ``limits``
    or ``requests`` to null goes first.

    Args:
        mesh: the mesh's settings.
        image: section ``image``: registry, tag, name, digest and pullPolicy.
        sidecar_image: the sidecar's full reference.
        repo_server_image: the Pipy repository's full reference.
        uid: the cluster's identity where ``clusterSet.uid`` is not set.
        endpoint_slices: whether the cluster serves them; where not, no gateway uses them.
    """
    spec = sections(mesh)
    spec["featureFlags"]["useEndpointSlicesForGateway"] &= endpoint_slices
    spec["clusterSet"] = {"uid": uid, "controlPlaneUID": ""} | spec["clusterSet"]
    spec["sidecar"]["sidecarImage"] = sidecar_image
    mode = effective_mode(mesh.traffic.interception_mode, FSM.name)
    spec["traffic"] = {"interceptionMode": mode} | spec["traffic"]
    connector = spec.pop("connector")
    spec["image"] = {
        key: dict(value) if isinstance(value, dict) else value for key, value in image.items()
    }
    spec["misc"] = {"repoServerImage": repo_server_image}
    spec["connector"] = connector | {
        "DO_NOT_EDIT_viaGateway": CONNECTOR_NOTICE,
        "viaGateway": dict(_VIA_GATEWAY),
    }
    return spec


def mesh_config_object(
    spec: Mapping[str, Any], *, namespace: str, system_name: str = FSM.name
) -> Json:
    """The MeshConfig object; its name is fixed for each system.

    Args:
        spec: from :func:`mesh_config_spec`, or its counterpart for osm-edge and OSM.
        namespace: the control plane's namespace.
        system_name: ``fsm``, ``osm-edge`` or ``osm``.
    """
    known = system(system_name)
    return {
        "apiVersion": known.mesh_config_api_version,
        "kind": "MeshConfig",
        "metadata": {"name": known.mesh_config_name, "namespace": namespace},
        "spec": dict(spec),
    }


def preset_mesh_config(mesh: MeshSettings, spec: Json) -> str:
    """The JSON text of ConfigMap ``preset-mesh-config``, from which bootstrap makes a lost mesh.

    It means the same mesh as ``spec``, from :func:`mesh_config_spec`. It has every key of the
    chart's, with the chart's spelling of values: also two of ``sidecar.localDNSProxy`` that no
    type of upstream knows, and fields that Go would leave out.
    Source: flomesh-io/fsm charts/fsm/templates/preset-mesh-config.yaml.
    """
    proxy = spec["sidecar"]["localDNSProxy"] | {
        "generateIPv6BasedOnIPv4": mesh.sidecar.local_dns_proxy.generate_ipv6_based_on_ipv4,
        "searchesWithNamespace": True,
        "searchesWithTrustDomain": True,
    }
    sidecar = spec["sidecar"] | {
        "maxDataPlaneConnections": mesh.sidecar.max_data_plane_connections,
        "sidecarTimeout": mesh.sidecar.sidecar_timeout,
        "localDNSProxy": proxy,
    }
    warmup = spec["warmup"] | {"duration": mesh.warmup.duration}
    return json.dumps(spec | {"sidecar": sidecar, "warmup": warmup}, indent=2)


CRD_NAME: Final = "meshconfigs.config.flomesh.io"


def mesh_config_schema() -> Json:
    """The ``openAPIV3Schema`` of a MeshConfig v1alpha3; a copy of the caller's own.

    The schema of ``spec`` is made from the settings' models, which costs more than a whole
    rendering: it is committed, ``make schema`` writes it anew, a test holds it current.
    """
    return {
        "type": "object",
        "description": "MeshConfig holds the mesh-wide settings of FSM.",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": json.loads(text("crd/meshconfig.spec.json")),
        },
        "required": ["spec"],
    }


def mesh_config_crd() -> Json:
    """The CustomResourceDefinition ``meshconfigs.config.flomesh.io``.

    It guards the first creation of the MeshConfig only: when fsm-bootstrap starts, it replaces
    the CRD's versions by its own, which have no limits on ports. Later changes it does not see.

    It has one version, v1alpha3, served and stored. Upstream's also serves v1alpha1 and v1alpha2,
    with conversion ``None``: an object written through those would skip this schema, and no FSM
    program since 1.5 reads them. A CRD that an older FSM stored objects under is safe: the API
    server refuses to drop a version named in ``status.storedVersions``. Bootstrap adds the older
    versions by itself.

    Source: flomesh-io/fsm f1b55bd8, cmd/fsm-bootstrap (applyOrUpdateCRDs, computeVersions) and
    cmd/fsm-bootstrap/crds/config.flomesh.io_meshconfigs.yaml.
    """
    group, _, version = FSM.mesh_config_api_version.partition("/")
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": CRD_NAME, "labels": {"app.kubernetes.io/name": "flomesh.io"}},
        "spec": {
            "group": group,
            "names": {
                "kind": "MeshConfig",
                "listKind": "MeshConfigList",
                "plural": "meshconfigs",
                "shortNames": ["meshconfig"],
                "singular": "meshconfig",
            },
            "scope": "Namespaced",
            "conversion": {"strategy": "None"},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": mesh_config_schema()},
                }
            ],
        },
    }
