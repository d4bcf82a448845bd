"""Write the MeshConfig CRD's schema of ``spec``, made from the settings' models.

A CRD's schema has no references, no ``null`` alternatives, no ``additionalProperties: false`` and
only patterns that Go's RE2 compiles. Source: Kubernetes' documentation of structural schemas;
k8s.io/apiextensions-apiserver pkg/apiserver/schema and pkg/apis/apiextensions/validation.
"""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.lists import LISTS
from fsm_stack.manifests.mesh_config import CONNECTOR_NOTICE, OMITTED_WHEN_EMPTY
from fsm_stack.settings.models.mesh import MeshSettings
from fsm_stack.systems import FSM
from fsm_stack.units import KUBERNETES_PATTERN
from fsm_stack.well_known import INTERFACE_NAME_MAX, MULTIPORT_MAX, PORT_MAX, PORT_MIN

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).parent.parent / "templates" / "crd" / "meshconfig.spec.json"

Json = dict[str, Any]

# Keywords that mean the same in both; all others are dropped or translated.
_KEPT: Final = (
    "type",
    "description",
    "enum",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
)


def structural(
    schema: Mapping[str, Any],
    definitions: Mapping[str, Json],
    replacements: Mapping[str, Json],
) -> Json:
    """A structural schema that accepts what the JSON Schema accepts, without defaults.

    Args:
        schema: from ``model_json_schema``, or a part of it.
        definitions: its ``$defs``.
        replacements: structural schemas to take for some of the definitions, by name.

    Raises:
        ValueError: for a construct that has no structural form; a defect of ours.
    """
    reference = schema.get("$ref")
    if reference is not None:
        name = reference.rpartition("/")[2]
        inlined = (
            dict(replacements[name])
            if name in replacements
            else structural(definitions[name], definitions, replacements)
        )
        return inlined | _described(schema)
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:
        return structural(choices[0], definitions, replacements) | _described(schema)
    if choices:
        return _quantity(choices) | _described(schema)
    if "type" not in schema:
        message = f"no structural form of {dict(schema)!r}"
        raise ValueError(message)
    result: Json = {key: _whole(schema[key]) for key in _KEPT if key in schema}
    if "const" in schema:
        result["enum"] = [schema["const"]]
    if "items" in schema:
        result["items"] = structural(schema["items"], definitions, replacements)
    if "properties" in schema:
        result["properties"] = {
            name: structural(part, definitions, replacements)
            for name, part in schema["properties"].items()
        }
    if isinstance(schema.get("additionalProperties"), dict):
        values = schema["additionalProperties"]
        result["additionalProperties"] = structural(values, definitions, replacements)
    return result


def _whole(value: object) -> object:
    """A limit such as 1.0 as the API server writes it back: 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _described(schema: Mapping[str, Any]) -> Json:
    """The description beside a reference, which counts more than the definition's."""
    return {"description": schema["description"]} if "description" in schema else {}


def _quantity(choices: list[Mapping[str, Any]]) -> Json:
    """The one union that settings have: a quantity is a number or text."""
    if sorted(choice.get("type", "") for choice in choices) != ["number", "string"]:
        message = f"no structural form of the union {choices!r}"
        raise ValueError(message)
    return {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": KUBERNETES_PATTERN,
        "x-kubernetes-int-or-string": True,
    }


def require_all(schema: Json, optional: frozenset[str], prefix: str = "") -> None:
    """Add ``required`` to an object schema, in place: every property but those named.

    Args:
        schema: a structural schema of an object.
        optional: dotted paths of properties that may be absent; items of lists add no part.
        prefix: the path of the schema itself, with a dot at its end.
    """
    properties = schema.get("properties", {})
    names = [name for name in properties if f"{prefix}{name}" not in optional]
    if names:
        schema["required"] = sorted(names)
    for name, part in properties.items():
        require_all(part.get("items", part), optional, f"{prefix}{name}.")


def optional_paths(
    schema: Mapping[str, Any], definitions: Mapping[str, Json], prefix: str = ""
) -> frozenset[str]:
    """Dotted paths of the properties of a JSON Schema that may be null, and so absent."""
    found: set[str] = set()
    target = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    for name, part in target.get("properties", {}).items():
        path = f"{prefix}{name}"
        choices = part.get("anyOf", ())
        if any(choice.get("type") == "null" for choice in choices):
            found.add(path)
        for inner in (part.get("items", part), *choices):
            found |= optional_paths(inner, definitions, f"{path}.")
    return frozenset(found)


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


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(
        json.dumps(spec_schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
