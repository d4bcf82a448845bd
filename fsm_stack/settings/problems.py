"""Pydantic's errors as findings with stable ids, and what remains of unusable input.

Settings that do not validate are checked all the same, on what remains. A list that has lost an
item has other indexes than the file: :meth:`Pruned.original` gives the file's back.
"""

from __future__ import annotations

import json
import types
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel

from fsm_stack.errors import counted, nearest
from fsm_stack.findings.catalogue import all_rules
from fsm_stack.findings.finding import Finding, finding
from fsm_stack.settings.models.base import EXPECTED
from fsm_stack.yaml.places import path_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

    from fsm_stack.yaml.places import Path


class Pruned:
    """Decoded JSON that values are taken out of.

    Attributes:
        data: what remains; a copy of the input.
    """

    def __init__(self, data: Any) -> None:  # noqa: ANN401  # decoded JSON
        self.data: Any = json.loads(json.dumps(data))
        # Of each list that lost items, by the file's path: the file's indexes of what remains.
        self._kept: dict[Path, list[int]] = {}
        self._gone: set[Path] = set()

    def is_gone(self, path: Path) -> bool:
        """Whether the value at a path, as the file has it, was taken away."""
        return path in self._gone

    def original(self, path: Path) -> Path:
        """A path in what remains, as the file has it."""
        found: Path = ()
        for step in path:
            kept = self._kept.get(found)
            if isinstance(step, int) and kept is not None and step < len(kept):
                found = (*found, kept[step])
            else:
                found = (*found, step)
        return found

    def remove(self, paths: Iterable[Path]) -> bool:
        """Take values away; where a key is absent, the mapping that misses it.

        Returns:
            False when nothing could be removed.
        """
        removed = False
        # Later items first, so that earlier indexes still hold.
        for path in sorted(set(paths), key=_order, reverse=True):
            removed = self._remove(path) or removed
        return removed

    def _remove(self, path: Path) -> bool:
        if not path:
            return False
        *parents, last = path
        target: Any = self.data
        for step in parents:
            try:
                target = target[step]
            except (KeyError, IndexError, TypeError):
                return False
        if isinstance(target, list) and isinstance(last, int) and last < len(target):
            place = self.original(tuple(parents))
            self._gone.add(self.original(path))
            if place not in self._kept:
                self._kept[place] = list(range(len(target)))
            self._kept[place].pop(last)
            del target[last]
            return True
        if isinstance(target, dict) and last in target:
            self._gone.add(self.original(path))
            del target[last]
            return True
        return self._remove(tuple(parents))


def _order(path: Path) -> list[tuple[str, int | str]]:
    return [(type(step).__name__, step) for step in path]


def type_name(value: object) -> str:
    """The YAML name of a decoded value's type."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a mapping"


def shown(value: object) -> str:
    """A value as a message shows it, in the file's spelling, shortened."""
    match value:
        case None:
            text = "nothing"
        case bool():
            text = str(value).lower()
        case str():
            text = repr(value)
        case list() | dict():
            return type_name(value)
        case _:
            text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004  # a terminal line


_WORDS: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "nothing",
}


def _unwrap(annotation: Any) -> Any:  # noqa: ANN401  # a typing form
    """The model, or the element annotation, behind Optional and Annotated."""
    origin = get_origin(annotation)
    if origin is Union or origin is types.UnionType:
        models = [a for a in get_args(annotation) if a is not type(None)]
        return _unwrap(models[0]) if models else annotation
    if hasattr(annotation, "__metadata__"):
        return _unwrap(get_args(annotation)[0])
    return annotation


def keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """The keys that files may use at a path below a model; empty where the path is no model."""
    current: Any = model
    for step in path:
        current = _unwrap(current)
        if isinstance(current, type) and issubclass(current, BaseModel):
            fields = {(f.alias or name): f for name, f in current.model_fields.items()}
            if step not in fields:
                return []
            current = fields[str(step)].annotation
        else:
            args = get_args(current)
            if not args:
                return []
            current = args[1] if get_origin(current) is dict else args[0]
    current = _unwrap(current)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [f.alias or name for name, f in current.model_fields.items()]
    return []


def location(error: ErrorDetails, data: Any) -> Path:  # noqa: ANN401  # decoded JSON
    """The error's path in the file: pydantic's, without steps that the file does not have."""
    path: list[str | int] = []
    current = data
    for step in error["loc"]:
        if step == "[key]":
            continue
        if isinstance(current, dict):
            path.append(step)
            current = current.get(step)
        elif isinstance(current, list) and isinstance(step, int):
            path.append(step)
            current = current[step] if step < len(current) else None
        # anything else is a step of the model only: the short form of a list entry
    return tuple(path)


def to_finding(
    error: ErrorDetails, path: Path, model: type[BaseModel], *, written: str = ""
) -> Finding:
    """One of pydantic's errors as a finding with its path, without file and line.

    Args:
        error: from ``ValidationError.errors()``.
        path: where it is, see :func:`location`.
        model: the root model, for the keys that exist.
        written: a number as the file has it, 1.10 or 0123; "" where nobody knows that.
    """
    kind, value = error["type"], error.get("input")
    context = error.get("ctx", {})
    text = path_text(path)
    if kind in all_rules():
        message, fix = str(context.get("message", error["msg"])), str(context.get("fix", ""))
        if written:
            message = message.replace(f"got {value}", f"got {written}")
            fix = fix.replace(f"Write {value}", f"Write {written}")
        return finding(kind, message, path=text, value=value, fix=fix)
    if kind == "extra_forbidden":
        return _unknown_key(path, model)
    if kind == "missing":
        return finding("missing-key", f"expected {text}, got nothing", path=text)
    if kind in _WORDS:
        fix = ""
        if kind in {"tuple_type", "list_type"} and value is not None:
            fix = f"Write a list: [{written or value}]." if not isinstance(value, dict) else ""
        if kind == "string_type" and isinstance(value, int | float):
            # Of a number that the engine hands over nobody knows how it was written.
            fix = f'Quote it: "{written}".' if written else "Quote it, as it is written there."
        if value is None:
            fix = "Remove the key, or give it a value."
        scalar = isinstance(value, str | int | float) and not isinstance(value, bool)
        got = f"{type_name(value)} {written or shown(value)}" if scalar else shown(value)
        message = f"expected {_WORDS[kind]}, got {got}"
        return finding("wrong-type", message, path=text, value=value, fix=fix)
    return finding(
        "invalid-value", _expectation(kind, context, error["msg"], value), path=text, value=value
    )


def _unknown_key(path: Path, model: type[BaseModel]) -> Finding:
    known, word = keys_at(model, path[:-1]), str(path[-1])
    message = f"expected a setting of {path_text(path[:-1]) or 'a stack'}, got {word!r}"
    homes = _homes(word, model)
    close = nearest(word, known)
    if len(homes) == 1 and (close is None or close.lower() != word.lower()):
        home = path_text(homes[0][:-1]) or "the stack itself"
        hint, fix = f", which is one of {home}; here: {', '.join(known)}", ""
    elif close:
        hint, fix = f"; did you mean {close!r}?", f"Write {close}."
    else:
        hint, fix = f": {', '.join(known)}" if known else "", ""
    return finding("unknown-key", f"{message}{hint}", path=path_text(path), fix=fix)


def _homes(word: str, model: type[BaseModel]) -> list[Path]:
    """Where a key is known: in the stack itself, or in its sections."""
    sections = keys_at(model, ())
    found: list[Path] = [(word,)] if word in sections else []
    return [*found, *((name, word) for name in sections if word in keys_at(model, (name,)))]


def _expectation(kind: str, context: dict[str, Any], message: str, value: object) -> str:
    got = f"got {shown(value)}"
    match kind:
        case "literal_error" | "enum":
            return f"expected {context.get('expected')}, {got}"
        case "greater_than_equal":
            return f"expected at least {context.get('ge')}, {got}"
        case "less_than_equal":
            return f"expected at most {context.get('le')}, {got}"
        case "string_pattern_mismatch":
            pattern = str(context.get("pattern"))
            return f"expected {EXPECTED.get(pattern, f'text that matches {pattern}')}, {got}"
        case "string_too_short":
            return "expected text, got an empty one"
        case "string_too_long":
            return f"expected at most {context.get('max_length')} characters, {got}"
        case "too_long":
            return (
                f"expected at most {counted(context['max_length'], 'item')}, "
                f"got {context.get('actual_length')}"
            )
        case "too_short":
            return (
                f"expected at least {counted(context['min_length'], 'item')}, "
                f"got {context.get('actual_length')}"
            )
        case _:
            return f"{message[:1].lower()}{message[1:]}, {got}"
