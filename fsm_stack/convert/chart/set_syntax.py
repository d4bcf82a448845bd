"""Helm's ``--set`` syntax, read as Helm reads it, and values as Helm merges them.

``{a,b}`` is a list, and ``[a,b]`` does not parse at all, though the documents of FSM write it. A
bare value stays a scalar, and ``"[6379]"`` stays that text.
Source: helm pkg/strvals and pkg/chartutil; requirements C13 and C14.
"""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal

from fsm_stack.errors import InputError
from fsm_stack.findings.finding import finding

if TYPE_CHECKING:
    from fsm_stack.findings.finding import Finding


Form = Literal["set", "set-string", "set-json"]

# Source: helm pkg/strvals, MaxIndex and MaxNestedNameLevel.
INDEX_MAX: Final = 65536
NESTED_MAX: Final = 30
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_INT64: Final = range(-(2**63), 2**63)
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
# A list as the documents write it: [a,b] where {a,b} is meant.
_BRACKETED: Final = re.compile(r"=\[([^\[\]{}]*,[^\[\]{}]*)\](?=,|$)")
_BRACKETS: Final = {"[": "]", "{": "}"}


class SetSyntaxError(InputError):
    """Text that Helm refuses; the message is Helm's own, so that it can be searched for."""


class _End(Exception):  # noqa: N818  # as Go's io.EOF: no error
    """The text is over."""


def parse_set(text: str, values: dict[str, Any], form: Form = "set") -> None:
    """Put what ``--set TEXT`` says into decoded values, as Helm does.

    Args:
        text: the option's value, without the shell's quotes.
        values: what earlier options said; it is changed.
        form: the option's name.

    Raises:
        SetSyntaxError: Helm refuses the text.
    """
    reader = _Reader(text, form)
    try:
        while True:
            reader.key(values, 0)
    except _End:
        return


def parse_set_leniently(text: str, values: dict[str, Any]) -> tuple[Finding, ...]:
    """The same for ``--set``; the documents' ``[a,b]`` is understood, and told.

    Raises:
        SetSyntaxError: Helm refuses the text, and not because of such a list.
    """
    try:
        parse_set(text, json.loads(json.dumps(values)))  # Helm stops half-way
    except SetSyntaxError as error:
        meant = _BRACKETED.sub(r"={\1}", text)
        if not (lists := [*_BRACKETED.finditer(text)]):
            raise
        parse_set(meant, values)
        # No more than the lists: another value of the same text may be a secret.
        keys = [(text[: found.start()].rpartition(",")[2], found) for found in lists]
        given = ",".join(f"{key}{found[0]}" for key, found in keys)
        right = ",".join(f"{key}={{{found[1]}}}" for key, found in keys)
        return (
            finding(
                "set-list-in-brackets",
                f"--set {given!r} does not parse: {error}; read as the list that it means",
                path=keys[0][0],
                value=given,
                fix=f'Write --set "{right}".',
            ),
        )
    parse_set(text, values)
    return ()


class _Reader:
    """Helm's parser of one text, step by step: odd texts mean what they mean there."""

    def __init__(self, text: str, form: Form) -> None:
        self._text = text
        self._at = 0
        self._form = form

    def key(self, data: dict[str, Any], level: int) -> None:
        """One ``key=value`` into a mapping."""
        name, last = self._until("=[,.")
        if last == "" and not name:
            raise _End
        if last in {"", ","}:
            end = " (cannot end with ,)" if last else ""
            raise SetSyntaxError(f"key {json.dumps(name)} has no value{end}")
        if last == "[":
            index = self._index()
            known = data.get(name, [])
            if not isinstance(known, list):
                raise SetSyntaxError(f"unable to parse key: {name} is a {_kind(known)}, no list")
            try:
                known = self._item(known, index, level)
            finally:
                _put(data, name, known)
            return
        if last == "=":
            _put(data, name, self._value())
            return
        self._nested(data, name, level + 1)

    def _nested(self, data: dict[str, Any], name: str, level: int) -> None:
        """What follows ``name.`` into the mapping of that name."""
        if level > NESTED_MAX:
            raise SetSyntaxError(
                "value name nested level is greater than maximum supported nested level of "
                f"{NESTED_MAX}"
            )
        inner = data.get(name, {})
        if not isinstance(inner, dict):
            raise SetSyntaxError(f"unable to parse key: {name} is a {_kind(inner)}, no mapping")
        try:
            self.key(inner, level)
        finally:
            if inner:
                _put(data, name, inner)
        if not inner:
            raise SetSyntaxError(f"key map {json.dumps(name)} has no value")

    def _item(self, items: list[Any], index: int, level: int) -> list[Any]:
        """What follows ``name[index]``, put into the list."""
        if index < 0:
            raise SetSyntaxError(f"negative {index} index not allowed")
        if index > INDEX_MAX:
            raise SetSyntaxError(
                f"index of {index} is greater than maximum supported index of {INDEX_MAX}"
            )
        unexpected, last = self._until("[.=")
        if unexpected:
            raise SetSyntaxError(
                f"unexpected data at end of array index: {json.dumps(unexpected)}"
            )
        if last == "":
            raise _End  # which leaves the list as it is
        items = [*items, *[None] * (index + 1 - len(items))]
        current = items[index]
        if last == "=":
            items[index] = self._value()
        elif last == "[":
            following = self._index()
            if current is not None and not isinstance(current, list):
                raise SetSyntaxError(
                    f"unable to parse key: [{index}] is a {_kind(current)}, no list"
                )
            items[index] = self._item(current or [], following, level)
        else:
            items[index] = inner = current if isinstance(current, dict) else {}
            self.key(inner, level)
        return items

    def _value(self) -> Any:
        if self._form == "set-json":
            return self._json()
        if self._text.startswith("{", self._at):
            self._at += 1
            return self._list()
        text, _ = self._until(",")
        return self._typed(text)

    def _list(self) -> list[Any]:
        found: list[Any] = []
        while True:
            text, last = self._until(",}")
            if last == "":
                raise SetSyntaxError("list must terminate with '}'")
            found.append(self._typed(text))
            if last == "}":
                self._at += self._text.startswith(",", self._at)
                return found

    def _json(self) -> Any:
        if self._skipped():
            return None
        try:
            value, end = json.JSONDecoder().raw_decode(self._text, self._at)
        except (ValueError, RecursionError) as error:
            raise SetSyntaxError(f"--set-json: {error}") from None
        self._at = end
        self._skipped()
        return value

    def _skipped(self) -> bool:
        """Pass blanks and one comma; whether there is nothing before the comma or the end."""
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == ",":
                self._at += 1
                return True
            if not character.isspace():
                return False
            self._at += 1
        return True

    def _index(self) -> int:
        text, last = self._until("]")
        if last == "" or not _INTEGER.fullmatch(text):
            raise SetSyntaxError(f"error parsing index: expected a number, got {text!r}")
        if len(text) > len(str(INDEX_MAX)) + 1:  # Python refuses thousands of digits
            raise SetSyntaxError(f"error parsing index: {text[:20]}... is too large")
        return int(text)

    def _until(self, stops: str) -> tuple[str, str]:
        """The text up to a stop, which is consumed; "" for the end. A backslash escapes."""
        found: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            self._at += 1
            if character in stops:
                return "".join(found), character
            if character == "\\":
                if self._at == len(self._text):
                    break
                character = self._text[self._at]
                self._at += 1
            found.append(character)
        return "".join(found), ""

    def _typed(self, text: str) -> Any:
        if self._form == "set-string":
            return text
        if (word := text.lower()) in _WORDS:
            return _WORDS[word]
        if text == "0":
            return 0
        short = 0 < len(text) <= len(str(_INT64.start)) and not text.startswith("0")
        if short and _INTEGER.fullmatch(text) and int(text) in _INT64:
            return int(text)
        return text


def _put(data: dict[str, Any], name: str, value: Any) -> None:
    if name:  # Helm does not set an empty key
        data[name] = value


def _kind(value: object) -> str:
    return "mapping" if isinstance(value, dict) else "list" if isinstance(value, list) else "value"


def merged(default: Any, given: Any) -> Any:  # decoded YAML
    """A mapping over the chart's default, as Helm merges them: null removes a key."""
    if given is None:
        return {}
    if not isinstance(default, dict) or not isinstance(given, dict):
        return given
    result = dict(default)
    for key, value in given.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(default[key], value) if key in default else value
    return result


def _split(text: str) -> list[str]:
    inner = text.strip()
    if inner and _BRACKETS.get(inner[0]) == inner[-1]:
        inner = inner[1:-1]
    return [part.strip() for part in inner.split(",") if part.strip()]


def _number(value: Any) -> Any:
    """A port as a number where it is one; other values stay, and the settings refuse them."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:  # noqa: PLR2004  # no port has more digits
        return int(value)
    return value


def _entries(value: Any) -> list[Any]:
    parts = value if isinstance(value, list) else [value]
    split = [_split(part) if isinstance(part, str) else [part] for part in parts]
    return [*chain.from_iterable(split)]


def as_list(path: str, value: Any, *, numbers: bool) -> tuple[list[Any], tuple[Finding, ...]]:
    """A list value, whatever form ``--set`` gave it.

    Args:
        path: the value's path, for the finding.
        value: the value as YAML or Helm gives it; None is the empty list.
        numbers: whether the entries are ports.

    Returns:
        The list, and a warning when the value was not that list already.
    """
    if value is None:
        return [], ()
    entries = _entries(value)
    if numbers:
        entries = [_number(entry) for entry in entries]
    if entries == value and [*map(type, entries)] == [*map(type, value)]:
        return entries, ()
    shown = ",".join(str(entry) for entry in entries)
    warning = finding(
        "helm-value-coerced",
        f"expected a list, got {value!r}; read as {entries!r}",
        path=path,
        value=value,
        fix=f"Write {path}={{{shown}}} for --set, or a YAML list in a values file.",
    )
    return entries, (warning,)
