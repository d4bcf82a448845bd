"""The CRD of MeshConfig, its schema made from the settings' models.

Making it costs more than a whole rendering, so the result is committed as
``templates/crd/meshconfig.spec.json``; ``make schema`` writes it anew, a test holds it current.

It guards the first creation of the MeshConfig only: when fsm-bootstrap starts, it replaces the
CRD's versions by its own, which have no limits on ports. Later changes it does not see.

It has one version, v1alpha3, served and stored. Upstream's also serves v1alpha1 and v1alpha2, with
conversion ``None``: an object written through those would skip this schema, and no FSM program
since 1.5 reads them. A CRD that an older FSM stored objects under is safe: the API server refuses
to drop a version named in ``status.storedVersions``. Bootstrap adds the older versions by itself.

Source: flomesh-io/fsm f1b55bd8, cmd/fsm-bootstrap (applyOrUpdateCRDs, computeVersions) and
cmd/fsm-bootstrap/crds/config.flomesh.io_meshconfigs.yaml.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any, Final

from fsm_stack.lists import LISTS
from fsm_stack.manifests.mesh_config import CONNECTOR_NOTICE, OMITTED_WHEN_EMPTY
from fsm_stack.settings.models.mesh import MeshSettings
from fsm_stack.settings.schema import optional_paths, require_all, structural
from fsm_stack.systems import FSM
from fsm_stack.templating import text
from fsm_stack.well_known import INTERFACE_NAME_MAX, MULTIPORT_MAX, PORT_MAX, PORT_MIN

Json = dict[str, Any]

# In a MeshConfig a list holds plain values; reasons, owners and dates stay in the stack file.
_PLAIN_ENTRIES: Final[dict[str, Json]] = {
    "PortEntry": {"type": "integer", "minimum": PORT_MIN, "maximum": PORT_MAX},
    "CidrEntry": {
        "type": "string",
        "pattern": r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}"
        r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])/(3[0-2]|[12]?[0-9])$",
    },
    "InterfaceEntry": {
        "type": "string",
        "pattern": r"^([a-zA-Z0-9._:@][a-zA-Z0-9._:@-]*\+?|\+)$",
        "maxLength": INTERFACE_NAME_MAX,
    },
}
_TEXT: Final[Json] = {"type": "string"}
_TEXTS: Final[Json] = {"type": "object", "additionalProperties": {"type": "string"}}
_NUMBER: Final[Json] = {"type": "integer", "minimum": 0, "maximum": PORT_MAX}


def _texts(description: str, *names: str) -> Json:
    properties = {name: dict(_TEXT) for name in names}
    return {"type": "object", "description": description, "properties": properties}


def _image() -> Json:
    section = _texts("The images of FSM's programs.", "registry", "tag", "pullPolicy")
    section["properties"] |= {"name": deepcopy(_TEXTS), "digest": deepcopy(_TEXTS)}
    return section


def _via_gateway() -> Json:
    gateway = _texts(
        "Written by fsm-connector at run time.",
        "clusterIP",
        "externalIP",
        "ingressAddr",
        "egressAddr",
    )
    ports = ("ingressHTTPPort", "ingressGRPCPort", "egressHTTPPort", "egressGRPCPort")
    gateway["properties"] |= {name: dict(_NUMBER) for name in ports}
    return gateway


def spec_schema() -> Json:
    """The schema of ``spec``: the models', plus what other settings and programs write."""
    models = MeshSettings.model_json_schema(by_alias=True)
    definitions = models["$defs"]
    spec = structural(models, definitions, _PLAIN_ENTRIES)
    sections: dict[str, Json] = {
        name: part["properties"] for name, part in spec["properties"].items()
    }
    for listed in LISTS:
        if listed.holds == "ports":
            sections["traffic"][listed.key]["maxItems"] = MULTIPORT_MAX
    modes = sections["traffic"]["interceptionMode"]
    modes["enum"] = list(FSM.interception_modes)
    sections["clusterSet"]["controlPlaneUID"]["pattern"] = r"^[A-Za-z0-9-]*$"
    sections["sidecar"]["sidecarImage"] = {"type": "string", "description": "The sidecar's image."}
    sections["connector"]["DO_NOT_EDIT_viaGateway"] = {
        "type": "string",
        "description": f"Upstream's notice: {CONNECTOR_NOTICE}",
    }
    sections["connector"]["viaGateway"] = _via_gateway()
    spec["properties"]["image"] = _image()
    spec["properties"]["misc"] = _texts("The image of the Pipy repository.", "repoServerImage")
    derived = {"clusterSet.uid", "clusterSet.controlPlaneUID", "traffic.interceptionMode"}
    optional = optional_paths(models, definitions) - derived | OMITTED_WHEN_EMPTY
    require_all(spec, optional)
    spec["description"] = "The mesh-wide settings."
    return spec


CRD_NAME: Final = "meshconfigs.config.flomesh.io"


def _spec_schema() -> Json:
    """A fresh copy of the committed schema of ``spec``."""
    return dict(json.loads(text("crd/meshconfig.spec.json")))


def mesh_config_schema() -> Json:
    """The ``openAPIV3Schema`` of a MeshConfig v1alpha3; a copy of the caller's own."""
    return {
        "type": "object",
        "description": "MeshConfig holds the mesh-wide settings of FSM.",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _spec_schema(),
        },
        "required": ["spec"],
    }


def mesh_config_crd() -> Json:
    """The CustomResourceDefinition ``meshconfigs.config.flomesh.io``."""
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
