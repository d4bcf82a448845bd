"""JSON Schemas of the models: for editors, and as Kubernetes' structural schemas.

A CRD's schema has no references, no ``null`` alternatives, no ``additionalProperties: false`` and
only patterns that Go's RE2 compiles. Source: Kubernetes' documentation of structural schemas;
k8s.io/apiextensions-apiserver pkg/apiserver/schema and pkg/apis/apiextensions/validation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.units import KUBERNETES_PATTERN

if TYPE_CHECKING:
    from collections.abc import Mapping

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


_PROJECT: Final = "fsm-stack"
_ENTRY_MODELS: Final = ("PortEntry", "CidrEntry", "InterfaceEntry")


def stack_schema() -> dict[str, Any]:
    """The schema of a whole stack file: our keys typed, other projects' keys free.

    Every description of a setting is the model's. A list entry is a plain value or the long form
    with ``reason``, ``owner`` and ``until``.
    """
    models = StackSettings.model_json_schema(by_alias=True, mode="validation")
    definitions = models.pop("$defs", {})
    for name in _ENTRY_MODELS:
        entry = definitions.get(name)
        if entry is not None:
            definitions[name] = {
                "anyOf": [entry["properties"]["value"], entry],
                "description": entry.get("description", ""),
            }
    settings = {
        f"{_PROJECT}:{key}": _without_default(schema)
        for key, schema in models["properties"].items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Pulumi.<stack>.yaml of fsm-stack",
        "description": "One environment of an FSM service mesh.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "config": {
                "type": "object",
                "description": "The stack's config. Keys of other projects are theirs.",
                "properties": settings,
                "patternProperties": {f"^(?!{_PROJECT}:)[^:]+:.+$": {}},
                "additionalProperties": False,
            },
            "secretsprovider": {"type": "string", "description": "The engine's own."},
            "encryptedkey": {"type": "string", "description": "The engine's own."},
            "encryptionsalt": {"type": "string", "description": "The engine's own."},
        },
        "$defs": definitions,
    }


def _without_default(schema: dict[str, Any]) -> dict[str, Any]:
    """A whole section's default repeats what its own fields say."""
    return {
        key: value
        for key, value in schema.items()
        if key != "default" or not isinstance(value, dict | list)
    }
