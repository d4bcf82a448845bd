"""Upstream's MeshConfig CRD as data, and a validator for structural schemas.

Its directory is ``FSM_STACK_CRD``, by default ``../shared/crd`` beside the checkout.
"""

from __future__ import annotations

import re
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fsm_stack.units import nanoseconds
from tests.recordings import recordings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FILE = "config.flomesh.io_meshconfigs.yaml"
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


@cache
def _crd(path: Path) -> dict[str, Any]:
    return dict(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))


def upstream_crd() -> dict[str, Any]:
    """Upstream's CRD; without it the test skips."""
    directory = recordings("FSM_STACK_CRD", "crd")
    path = directory / _FILE
    if path.exists():
        return _crd(path)
    pytest.skip(f"no {_FILE} in {directory}: set FSM_STACK_CRD to upstream's CRDs")


def upstream_spec_schema() -> dict[str, Any]:
    """The schema of ``spec`` in upstream's v1alpha3."""
    versions = {version["name"]: version for version in upstream_crd()["spec"]["versions"]}
    schema = versions["v1alpha3"]["schema"]["openAPIV3Schema"]
    return dict(schema["properties"]["spec"])


def problems(schema: dict[str, Any], value: Any, path: str = "spec") -> Iterator[str]:
    """What an API server with strict field validation would refuse, one line each."""
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield f"{path}: expected an integer or text, got {value!r}"
            return
    elif not isinstance(value, _TYPES[schema["type"]]) or (
        isinstance(value, bool) and schema["type"] != "boolean"
    ):
        yield f"{path}: expected {schema['type']}, got {value!r}"
        return
    yield from _keyword_problems(schema, value, path)
    if isinstance(value, dict):
        yield from _object_problems(schema, value, path)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from problems(schema["items"], item, f"{path}[{index}]")


def _keyword_problems(schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    size = len(value) if isinstance(value, str | list | dict) else 0
    checks = {
        "enum": lambda limit: value in limit,
        "minimum": lambda limit: value >= limit,
        "maximum": lambda limit: value <= limit,
        "minLength": lambda limit: size >= limit,
        "maxLength": lambda limit: size <= limit,
        "minItems": lambda limit: size >= limit,
        "maxItems": lambda limit: size <= limit,
        "pattern": lambda limit: not isinstance(value, str) or re.search(limit, value),
        "format": lambda limit: limit != "duration" or nanoseconds(value) is not None,
    }
    for keyword, check in checks.items():
        if keyword in schema and not check(schema[keyword]):
            yield f"{path}: {value!r} breaks {keyword} {schema[keyword]!r}"


def _object_problems(schema: dict[str, Any], value: dict[str, Any], path: str) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}.{name}: required"
    properties = schema.get("properties", {})
    for name, item in value.items():
        part = properties.get(name, schema.get("additionalProperties"))
        if part is None:
            yield f"{path}.{name}: unknown"
        else:
            yield from problems(part, item, f"{path}.{name}")


def defaulted(schema: dict[str, Any], value: Any) -> Any:
    """The value as an API server stores it: defaults of the schema filled in."""
    if isinstance(value, list):
        return [defaulted(schema["items"], item) for item in value]
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for name, part in schema.get("properties", {}).items():
        if name not in filled and "default" in part:
            filled[name] = deepcopy(part["default"])
        if name in filled:
            filled[name] = defaulted(part, filled[name])
    return filled


def property_paths(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Every property of a schema as a dotted path; items of lists add no part."""
    for name, part in schema.get("properties", {}).items():
        yield f"{prefix}{name}"
        yield from property_paths(part.get("items", part), f"{prefix}{name}.")
