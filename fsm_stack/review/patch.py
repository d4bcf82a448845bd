"""What a patch by hand would make of a MeshConfig: ``kubectl patch --type merge`` and ``json``.

Source: RFC 7386, JSON Merge Patch; RFC 6902, JSON Patch.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fsm_stack.errors import InputError

Json = dict[str, Any]


def patched_spec(spec: Json, patch: Any, shown: str) -> Json:  # noqa: ANN401  # decoded JSON
    """The MeshConfig's ``spec`` after a patch.

    Args:
        spec: before it.
        patch: ``{"spec": …}``, or a list of operations.
        shown: the patch's file, for messages.

    Raises:
        InputError: the patch is none, or names what is not there.
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
    found = whole.get("spec")
    if not isinstance(found, dict):
        raise InputError(f"{shown}: expected a patch that leaves a spec")
    return found


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
