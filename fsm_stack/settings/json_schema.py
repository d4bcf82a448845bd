"""The JSON Schema of ``Pulumi.<stack>.yaml``, for editors; generated from the models."""

from __future__ import annotations

from typing import Any, Final

from fsm_stack.settings.stack import StackSettings

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
