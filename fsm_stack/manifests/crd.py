"""The CRD of MeshConfig, with a schema made from the settings' models.

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
from typing import Any, Final

from fsm_stack.systems import FSM
from fsm_stack.templating import text

Json = dict[str, Any]

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
