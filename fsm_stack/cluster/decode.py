"""Answers of an API server as values: of pods only the fields that are looked at.

Half of a pod's text is about who manages its fields, a quarter is its environment and volumes.
What nobody reads is passed over without a Python object made of it.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.snapshot.allow_pod import POD_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import CoreSchema, SchemaValidator


@contextmanager
def resting() -> Iterator[None]:
    """Collect nothing meanwhile, and leave alone afterwards what was made.

    Decoded JSON has no cycles. The collector would look through all of a mesh's pods again and
    again: a fifth of the time that 10,000 of them take.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


Json = dict[str, Any]
_PODS: Final = b'{"kind":"PodList",'


def decoded(content: bytes) -> Json:
    """An object or a list; of a list of pods the fields in ``allow_pod.POD_FIELDS``.

    Raises:
        ValueError: it is no JSON object; the text says so.
    """
    from pydantic_core import from_json  # noqa: PLC0415  # twice as fast as json

    try:
        if content.startswith(_PODS) and (pods := _pods(content)) is not None:
            return pods
        value = from_json(content)
    except ValueError:
        raise ValueError("an answer that is no JSON, or is cut off") from None
    if not isinstance(value, dict):
        raise ValueError("an answer that is no object")  # noqa: TRY004  # of the text, not a type
    return value


def _pods(content: bytes) -> Json | None:
    """None: a field is of another type than Kubernetes gives it, or it is no JSON."""
    from pydantic_core import ValidationError  # noqa: PLC0415  # as above

    try:
        found: Json = _validator().validate_json(content)
    except ValidationError:
        return None
    return found


@lru_cache(maxsize=1)
def _validator() -> SchemaValidator:
    from pydantic_core import SchemaValidator  # noqa: PLC0415  # as above

    return SchemaValidator(_schema({"metadata": True, "items": [POD_FIELDS]}))


def _schema(shape: Any) -> CoreSchema:  # noqa: ANN401  # a Shape of verify.shape
    from pydantic_core import core_schema  # noqa: PLC0415  # as above

    if isinstance(shape, list):
        return core_schema.list_schema(_schema(shape[0]))
    if not isinstance(shape, dict):  # kept whole, or a function decides later
        return core_schema.any_schema()
    fields = {
        name: core_schema.typed_dict_field(_schema(part), required=False)
        for name, part in shape.items()
    }
    return core_schema.typed_dict_schema(fields, extra_behavior="ignore")
