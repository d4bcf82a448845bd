"""Any valid MeshSettings, as the JSON data of a stack file, made from the models' own schema.

So a new setting is in every property test without a line here.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from fsm_stack.settings.models.mesh import MeshSettings
from fsm_stack.units import amount, nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable

_ASCII = st.characters(codec="ascii", exclude_categories=("Cc",))
_ENTRIES = ("PortEntry", "CidrEntry", "InterfaceEntry")


def durations() -> st.SearchStrategy[str]:
    """Durations as people write them, most of them not in Go's form."""
    number = st.integers(0, 5000).map(str)
    term = st.builds("{}{}".format, number, st.sampled_from(("ms", "s", "m", "h")))
    decimal = st.builds("{}.{}{}".format, number, st.integers(0, 99), st.sampled_from("smh"))
    text = st.lists(st.one_of(term, decimal), min_size=1, max_size=3).map("".join)
    return st.one_of(st.just("0"), text.filter(lambda value: nanoseconds(value) is not None))


def quantities() -> st.SearchStrategy[str | int | float]:
    """Quantities as people write them: text, whole and decimal numbers."""
    text = st.from_regex(
        r"[0-9]{1,6}(\.[0-9]{1,6})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?", fullmatch=True
    ).filter(lambda value: value.isascii() and amount(value) is not None)
    return st.one_of(text, st.integers(0, 10**6), st.sampled_from((0.5, 0.25, 1.5, 2.0)))


def interfaces() -> st.SearchStrategy[str]:
    """Names of network interfaces, with and without iptables' wildcard."""
    return st.from_regex(r"[a-zA-Z0-9_:@][a-zA-Z0-9_.:@-]{0,13}\+?", fullmatch=True).filter(
        lambda name: "\n" not in name
    )


_SPECIAL = {"90s": durations, "500m": quantities, "net1": interfaces}


@cache
def mesh_data() -> st.SearchStrategy[dict[str, Any]]:
    """Settings of the mesh as decoded JSON; every key may be absent."""
    schema = MeshSettings.model_json_schema(by_alias=True)
    return _Schemas(schema["$defs"]).of(schema).map(_ordered_weights)


def _ordered_weights(data: dict[str, Any]) -> dict[str, Any]:
    """Warm-up weights in order: the one rule that spans two fields."""
    warmup = data.get("warmup", {})
    low, high = warmup.get("minWeight", 10), warmup.get("maxWeight", 100)
    if low > high:
        data["warmup"] = warmup | {"minWeight": high, "maxWeight": low}
    return data


def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date":
        return st.dates().map(str)
    longest = schema.get("maxLength", 40)
    if "pattern" not in schema:
        return st.text(_ASCII, max_size=min(longest, 40))
    return st.from_regex(schema["pattern"], fullmatch=True, alphabet=_ASCII).filter(
        lambda text: len(text) <= longest and "\n" not in text
    )


_SCALARS: dict[str, Callable[[dict[str, Any]], st.SearchStrategy[Any]]] = {
    "string": _text,
    "integer": lambda schema: st.integers(schema["minimum"], schema["maximum"]),
    "number": lambda schema: st.floats(schema["minimum"], schema["maximum"]),
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
}


class _Schemas:
    """Strategies for the parts of one JSON Schema."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions
        self._named = cache(self._of_definition)

    def _of_definition(self, name: str) -> st.SearchStrategy[Any]:
        long_form = self.of(self._definitions[name])
        if name not in _ENTRIES:
            return long_form
        return st.one_of(self.of(self._definitions[name]["properties"]["value"]), long_form)

    def of(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        """Values of one part."""
        if "$ref" in schema:
            return self._named(schema["$ref"].rpartition("/")[2])
        special = next((_SPECIAL[e] for e in schema.get("examples", ()) if e in _SPECIAL), None)
        if special is not None:
            return special()
        if "anyOf" in schema:
            return st.one_of([self.of(choice) for choice in schema["anyOf"]])
        if "const" in schema or "enum" in schema:
            return st.sampled_from(schema.get("enum") or [schema["const"]])
        scalar = _SCALARS.get(schema["type"])
        return scalar(schema) if scalar is not None else self._structure(schema)

    def _structure(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        if schema["type"] == "object":
            return self._object(schema)
        return st.lists(self.of(schema["items"]), min_size=schema.get("minItems", 0), max_size=4)

    def _object(self, schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        if isinstance(schema.get("additionalProperties"), dict):
            units = st.sampled_from(("cpu", "memory", "ephemeral-storage"))
            return st.dictionaries(units, self.of(schema["additionalProperties"]), max_size=2)
        parts = {name: self.of(part) for name, part in schema.get("properties", {}).items()}
        required = {name: parts.pop(name) for name in schema.get("required", ())}
        return st.fixed_dictionaries(required, optional=parts)
