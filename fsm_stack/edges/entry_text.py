"""One entry of a list in a YAML text: cut out, or written over, with nothing else touched."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

import yaml

from fsm_stack.errors import FsmStackError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.redirection.tidying import Kept
    from fsm_stack.settings.checks.at import AnyEntry

# Text that every YAML reader takes for the same text without quotes, inside brackets too.
_PLAIN: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9_/ .()'-]*[A-Za-z0-9_/.)])?")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
# Ranges and interfaces need quotes where a reader could see a number or the end of the entry.
_RANGE: Final = re.compile(r"[0-9.]+/[0-9]+")


class NotEditableError(FsmStackError):
    """A list that cannot be edited in place; the message says why."""


class Patch(NamedTuple):
    """Characters from ``start`` to before ``end`` become ``text``."""

    start: int
    end: int
    text: str


def deletion(text: str, node: yaml.SequenceNode, index: int, *, leading: bool) -> list[Patch]:
    """Cut an entry out; its comments stay.

    Args:
        text: the whole file.
        node: the list.
        index: the entry's place in it.
        leading: whether every entry before it is cut out, too.

    Raises:
        NotEditableError: a comment inside a list in brackets.
    """
    if node.flow_style:
        return [_flow_deletion(text, node, index, leading=leading)]
    item = node.value[index]
    start = _line_start(text, text.rindex("-", 0, item.start_mark.index))
    end = _line_end(text, _content_end(text, item))
    dash = text[start : item.start_mark.index]
    if dash.strip() != "-":
        raise NotEditableError("an entry shares its line with something else")
    indent = dash[: len(dash) - len(dash.lstrip())]
    comments = [
        f"{indent}{comment}{_newline(text, start)}" for comment in _comments(text[start:end])
    ]
    return [Patch(start, end, "".join(comments))]


def _flow_deletion(text: str, node: yaml.SequenceNode, index: int, *, leading: bool) -> Patch:
    """With the comma after it at the head of the list, else with the comma before it."""
    items = node.value
    if not leading:
        start, end = items[index - 1].end_mark.index, items[index].end_mark.index
    elif index + 1 < len(items):
        start, end = items[index].start_mark.index, items[index + 1].start_mark.index
    else:
        start, end = items[index].start_mark.index, items[index].end_mark.index
    own = text[items[index].start_mark.index : items[index].end_mark.index]
    if "#" in text[start:end].replace(own, "", 1) or "#" in own:
        raise NotEditableError("comments inside its brackets")
    return Patch(start, end, "")


def replacement(
    text: str, node: yaml.SequenceNode, index: int, kept: Kept, entry: AnyEntry
) -> Iterator[Patch]:
    """Write over what changes of an entry; nothing when it stays as it is.

    Raises:
        NotEditableError: the entry is written in a form that cannot be added to.
    """
    item = node.value[index]
    notes = {
        "reason": (entry.reason, kept.reason),
        "owner": (entry.owner, kept.owner),
        "until": (entry.until, kept.until),
    }
    changed = {name: str(new) for name, (old, new) in notes.items() if old != new}
    if isinstance(item, yaml.ScalarNode):
        if changed:
            fields = "".join(f", {name}: {_scalar(value)}" for name, value in changed.items())
            yield _over(item, f"{{value: {_value(kept.value)}{fields}}}")
        elif kept.value != entry.value:
            yield _over(item, _like(text, item, kept.value))
        return
    if not isinstance(item, yaml.MappingNode):
        raise NotEditableError("an entry is neither a value nor a mapping")
    fields_now = {key.value: value for key, value in item.value}
    if kept.value != entry.value:
        yield _over(fields_now["value"], _like(text, fields_now["value"], kept.value))
    added = ""
    for name, value in changed.items():
        if name in fields_now:
            yield _over(fields_now[name], _scalar(value))
        else:
            added += _added(text, item, name, value)
    if added:
        end = _content_end(text, item.value[-1][1])
        if not item.flow_style:  # below the line, so that its comment stays where it is
            end = len(text[: _line_end(text, end)].rstrip("\r\n"))
        yield Patch(end, end, added)


def _added(text: str, item: yaml.MappingNode, name: str, value: str) -> str:
    if item.flow_style:
        return f", {name}: {_scalar(value)}"
    newline = _newline(text, item.start_mark.index)
    return f"{newline}{' ' * item.start_mark.column}{name}: {_scalar(value)}"


def _over(node: yaml.Node, text: str) -> Patch:
    if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
        raise NotEditableError("an entry has a text of several lines")
    return Patch(node.start_mark.index, node.end_mark.index, text)


def _like(text: str, node: yaml.Node, value: int | str) -> str:
    """The value in the quotes that the old one has."""
    first = text[node.start_mark.index]
    return f"{first}{value}{first}" if first in "'\"" else _value(value)


def _value(value: int | str) -> str:
    if isinstance(value, int) or _RANGE.fullmatch(value):
        return str(value)
    return _scalar(value)


def _scalar(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def _content_end(text: str, node: yaml.Node) -> int:
    """Where an entry's own text ends; a block's mark is past the lines that follow it."""
    last = node
    while isinstance(last, yaml.MappingNode) and not last.flow_style:
        last = last.value[-1][1]
    if isinstance(last, yaml.ScalarNode) and last.style in ("|", ">"):
        raise NotEditableError("an entry has a text of several lines")
    if isinstance(last, yaml.SequenceNode) and not last.flow_style:
        raise NotEditableError("an entry holds a list")
    end = last.end_mark.index
    return len(text[:end].rstrip()) if text[:end].endswith("\n") else end


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _line_end(text: str, index: int) -> int:
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def _newline(text: str, index: int) -> str:
    """How the line ends that an index is in."""
    return "\r\n" if text[index : _line_end(text, index)].endswith("\r\n") else "\n"


def _comments(text: str) -> Iterator[str]:
    """What follows a ``#`` outside quotes that stands at a line's start or after a blank."""
    for line in text.splitlines():
        quote = ""
        for index, character in enumerate(line):
            if quote:
                quote = "" if character == quote else quote
            elif character in "'\"":
                quote = character if not index or line[index - 1] in " {[,:" else ""
            elif character == "#" and (not index or line[index - 1] in " \t"):
                yield line[index:].rstrip()
                break
