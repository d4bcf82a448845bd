"""What a patch by hand would make of a MeshConfig: ``kubectl patch --type merge`` and ``json``.

Source: RFC 7386, JSON Merge Patch; RFC 6902, JSON Patch.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError, did_you_mean
from fsm_stack.review.side import json_text
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.yaml import Json
    from fsm_stack.yaml.places import Path

_TYPES: Final[dict[str, tuple[str, tuple[type, ...]]]] = {
    "object": ("an object", (dict,)),
    "array": ("a list", (list,)),
    "string": ("a text", (str,)),
    "integer": ("a whole number", (int,)),
    "number": ("a number", (int, float)),
    "boolean": ("true or false", (bool,)),
}


def patched_spec(
    spec: Json,
    patch: Any,  # noqa: ANN401  # decoded JSON
    shown: str,
    *,
    schema: Json | None = None,
    complete: bool = True,
) -> Json:
    """The MeshConfig's ``spec`` after a patch.

    Args:
        spec: before it.
        patch: ``{"spec": …}``, or a list of operations.
        shown: the patch's file, for messages.
        schema: of a MeshConfig: its fields and their types hold; None: nothing is checked. Bounds
            of values are no matter here: what iptables makes of them is told.
        complete: the schema knows every field; else one that it does not know passes.

    Raises:
        InputError: the patch is none, names what is not there, or does not fit the schema.
    """
    whole: Json = {"spec": deepcopy(spec)}
    if isinstance(patch, dict):
        whole = merge(whole, patch)
    elif isinstance(patch, list):
        for number, operation in enumerate(patch, start=1):
            try:
                _apply(whole, operation)
            except (LookupError, TypeError, ValueError) as error:
                raise InputError(f"{shown}: operation {number}: {error}") from None
    else:
        raise InputError(f"{shown}: expected a JSON object or a list of operations")
    for problem in _misfits(whole, schema or {}, (), complete=complete):
        raise InputError(f"{shown}: {problem}")
    found = whole.get("spec")
    if not isinstance(found, dict):
        raise InputError(f"{shown}: expected a patch that leaves a spec")
    return found


def _misfits(value: Any, schema: Json, path: Path, *, complete: bool) -> Iterator[str]:  # noqa: ANN401  # decoded JSON
    """What of a value has another type than its schema says, or a field that it lacks."""
    expected, types = _TYPES.get(schema.get("type", ""), ("", ()))
    if types and (not isinstance(value, types) or (isinstance(value, bool) != (bool in types))):
        yield f"{path_text(path)}: expected {expected}, got {json_text(value)}"
        return
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _misfits(item, schema["items"], (*path, index), complete=complete)
    if not isinstance(value, dict):
        return
    fields, rest = schema.get("properties", {}), schema.get("additionalProperties")
    for key, item in value.items():
        if key in fields:
            yield from _misfits(item, fields[key], (*path, key), complete=complete)
        elif isinstance(rest, dict):
            yield from _misfits(item, rest, (*path, key), complete=complete)
        elif fields and complete:
            hint = did_you_mean(key, fields) or f"; expected one of {', '.join(fields)}"
            yield f"{path_text((*path, key))}: no such field of a MeshConfig{hint}"


def merge(target: Any, patch: Any) -> Any:  # noqa: ANN401  # decoded JSON
    """RFC 7386: null removes, objects are merged, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merge(found.get(key), value)
    return found


def _apply(whole: Json, operation: Any) -> None:  # noqa: ANN401  # decoded JSON
    if not isinstance(operation, dict):
        raise ValueError("expected an object with op and path")  # noqa: TRY004  # one kind for the caller
    op, pointer = operation.get("op"), operation.get("path")
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise ValueError(f"expected a path such as /spec/traffic, got {pointer!r}")
    *parents, last = [
        step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")
    ]
    place: Any = whole
    for step in parents:
        place = place[int(step)] if isinstance(place, list) else _member(place, step)
    if op == "add":
        _add(place, last, operation["value"])
        return
    there = place[int(last)] if isinstance(place, list) else _member(place, last)
    key = int(last) if isinstance(place, list) else last
    if op == "replace":
        place[key] = operation["value"]
    elif op == "remove":
        del place[key]
    elif op == "test":
        if there != operation.get("value"):
            raise ValueError(f"the test of {pointer} fails")
    else:
        raise ValueError(f"expected op add, replace, remove or test, got {op!r}")


def _add(place: Any, last: str, value: Any) -> None:  # noqa: ANN401  # decoded JSON
    if isinstance(place, list):
        place.insert(len(place) if last == "-" else int(last), value)
    else:
        place[last] = value


def _member(place: Any, step: str) -> Any:  # noqa: ANN401  # decoded JSON
    if not isinstance(place, dict) or step not in place:
        raise LookupError(f"nothing at {step!r}")
    return place[step]
