"""The one way to settings: from a stack file's text, or from the engine's config.

Both go through the same strict validation and the same checks, and report every problem at once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from fsm_stack.errors import FindingsError, InputError
from fsm_stack.findings.finding import finding, in_order
from fsm_stack.settings.models.policy import Policy
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.settings.problems import location, to_finding
from fsm_stack.settings.reader import PROJECT, Loaded, Reader, engine_value, text_default
from fsm_stack.yaml.places import Document, read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import date

    from fsm_stack.findings.finding import Finding, Place
    from fsm_stack.yaml.places import Path

__all__ = [
    "Loaded",
    "from_engine",
    "load_mapping",
    "load_policy",
    "load_text",
    "project_settings",
    "stack_schema",
]


def load_text(text: str, *, file: str, today: date) -> Loaded:
    """Settings from a stack file's text, without the engine.

    Args:
        text: the content of ``Pulumi.<stack>.yaml``.
        file: its name, for places.
        today: for bypasses and accepted findings with an end.

    Raises:
        InputError: the text is no YAML document at all.
    """
    document = read_yaml(text, file=file)
    reader = Reader(document)
    data = reader.settings_of_file()
    reader.require_some(data)
    return reader.load(data, today)


def load_mapping(data: Mapping[str, Any], *, name: str, today: date) -> Loaded:
    """Settings from plain data in the file's form, for programs and tests."""
    return Reader(Document(file=name), prefix=()).load(dict(data), today)


def load_policy(text: str, *, file: str) -> tuple[Policy, Callable[[Path], Place]]:
    """What a project agreed on, and where each path of it stands.

    Args:
        text: the content of ``fsm-stack.yaml``.
        file: its name, for places.

    Raises:
        FindingsError: values in it cannot be used.
        InputError: the text is no YAML document at all.
    """
    document = read_yaml(text, file=file)
    data = {} if document.data is None else document.data
    found = list(document.findings)
    unread = {item.place.path for item in found}
    try:
        policy = Policy.model_validate_json(json.dumps(data), by_alias=True, by_name=False)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=True):
            path = location(detail, data)
            item = to_finding(detail, path, Policy)
            if item.place.path in unread:
                continue
            place = document.place(path, of_key=item.id == "unknown-key")
            found.append(item.at(file=file, line=place.line, column=place.column))
        raise FindingsError(in_order(found)) from None
    if found:
        raise FindingsError(in_order(found))
    return policy, document.place


# What declares a key of a project's config; source: pulumi sdk/go/common/workspace/project.json.
_DECLARING: Final = frozenset({"type", "description", "items", "secret", "default", "value"})


def project_settings(text: str, *, file: str) -> tuple[Finding, ...]:
    """What a project file gives to stacks whose own file says nothing: each is an error.

    Args:
        text: the content of ``Pulumi.yaml``.
        file: its name, for places.

    Raises:
        InputError: the text is no YAML document at all.
    """
    document = read_yaml(text, file=file)
    data = document.data if isinstance(document.data, dict) else {}
    config = data.get("config")
    found = []
    for key, declared in config.items() if isinstance(config, dict) else ():
        project, _, name = key.rpartition(":")
        ours = (project or data.get("name")) == PROJECT
        for path in _given(declared, usual=text_default(name)) if ours else ():
            place = document.place(("config", key, *path))
            message = "expected settings in Pulumi.<stack>.yaml only"
            item = finding("project-setting", message)
            found.append(item.at(file=file, line=place.line, column=place.column, path=place.path))
    return tuple(found)


def _given(declared: object, *, usual: str | None) -> Iterator[Path]:
    """Where a declaration gives a value; an empty one gives none, nor does the usual one."""
    if isinstance(declared, dict) and declared.keys() <= _DECLARING:
        for part in ("default", "value"):
            if declared.get(part) not in (None, "", [], {}, usual):
                yield (part,)
    elif declared is not None:
        yield ()


def from_engine(
    config: Mapping[str, str],
    *,
    today: date,
    secret_keys: Collection[str] = (),
    text: str | None = None,
    file: str = "stack config",
) -> Loaded:
    """Settings from the running engine's config.

    Args:
        config: full keys (``fsm-stack:traffic``) to the engine's strings; objects are JSON.
        today: for bypasses and accepted findings with an end.
        secret_keys: keys that the engine holds as secrets; each of ours is an error.
        text: the stack file's text, where it can be read: it gives the places.
        file: its name.
    """
    document = Document(file=file)
    if text is not None:
        try:
            document = read_yaml(text, file=file)
        except InputError:  # the engine has read it; only the places are lost
            document = Document(file=file)
        document.findings.clear()
    reader = Reader(document)
    data: dict[str, Any] = {}
    for full_key, value in config.items():
        project, _, key = full_key.partition(":")
        if project != PROJECT:
            reader.check_project(full_key, project, key)
            continue
        reader.file_keys[key] = full_key
        if full_key in secret_keys:
            for path in reader.secrets_of(key) or ((key,),):
                reader.refuse_secret(path)
            continue
        data[key] = engine_value(key, value)
    reader.require_some(data)
    return reader.load(data, today)


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
        f"{PROJECT}:{key}": _without_default(schema)
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
                "patternProperties": {f"^(?!{PROJECT}:)[^:]+:.+$": {}},
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
