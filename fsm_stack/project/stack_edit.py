"""A stack file with shorter lists and everything else as it was, byte for byte.

The text is not dumped anew: a round trip would fold lines and move comments. Only the entries that
change are cut out or written over, at the places that the YAML reader gives. Whatever comes out is
read again, and has to mean exactly what was meant.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml

from fsm_stack.errors import FsmStackError, InputError
from fsm_stack.redirection.tidying import Left, with_edit
from fsm_stack.settings.reader import PROJECT
from fsm_stack.settings.stack_file import load_text
from fsm_stack.yaml.write import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from fsm_stack.redirection.tidying import Kept, ListEdit
    from fsm_stack.settings.effective import AnyEntry
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.yaml.places import Path

# Text that every YAML reader takes for the same text without quotes, inside brackets too.
_PLAIN: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9_/ .()'-]*[A-Za-z0-9_/.)])?")
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


def addition(text: str, node: yaml.SequenceNode, index: int, kept: Kept) -> Patch:
    """Another entry behind one of the list.

    Raises:
        NotEditableError: that one is written in a form that has no end of its own.
    """
    item = node.value[index]
    notes = {"reason": kept.reason, "owner": kept.owner, "until": kept.until}
    fields = "".join(f", {name}: {_scalar(str(note))}" for name, note in notes.items() if note)
    value = _value(kept.value)
    entry = f"{{value: {value}{fields}}}" if fields else value
    if node.flow_style:
        return Patch(item.end_mark.index, item.end_mark.index, f", {entry}")
    dash = text[_line_start(text, text.rindex("-", 0, item.start_mark.index)) :]
    indent = dash[: len(dash) - len(dash.lstrip())]
    at = len(text[: _line_end(text, _content_end(text, item))].rstrip("\r\n"))
    return Patch(at, at, f"{_newline(text, item.start_mark.index)}{indent}- {entry}")


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
    if _PLAIN.fullmatch(value) and value.lower() not in WORDS:
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


_CONFIG: Final = "config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A stack file after its edits.

    Attributes:
        text: the whole file.
        made: the edits that are in it.
        left: lists that could not be edited safely, and why.
    """

    text: str
    made: tuple[ListEdit, ...]
    left: tuple[Left, ...]


def edited(
    text: str, settings: StackSettings, edits: Sequence[ListEdit], *, file: str, today: date
) -> Edited:
    """A stack file's text with its lists edited.

    Args:
        text: the file.
        settings: what it means now.
        edits: what each list becomes.
        file: its name, for errors.
        today: as for loading.

    Returns:
        The new text. An edit that cannot be made in the text, or that would change anything else
        that the file means, is left out and told.
    """
    made: list[ListEdit] = []
    left: list[Left] = []
    for edit in edits:
        try:
            candidate = _with_edit(text, edit)
        except NotEditableError as error:
            left.append(Left(path=edit.path, why=str(error)))
            continue
        wanted = with_edit(settings, edit)
        if not _means(candidate, wanted, file=file, today=today):
            left.append(Left(path=edit.path, why="its text is shared with something else"))
            continue
        text, settings = candidate, wanted
        made.append(edit)
    return Edited(text=text, made=tuple(made), left=tuple(left))


def _means(text: str, wanted: StackSettings, *, file: str, today: date) -> bool:
    """Whether a text is read as these settings, notes included."""
    try:
        found = load_text(text, file=file, today=today).settings
    except InputError:
        return False
    return found is not None and found.model_dump() == wanted.model_dump()


def _with_edit(text: str, edit: ListEdit) -> str:
    node, key = _list_node(text, edit.path)
    kept: dict[int, list[Kept]] = {}
    for item in edit.after:
        kept.setdefault(item.home, []).append(item)
    first = min(kept, default=len(edit.before))
    patches: list[Patch] = []
    if len(node.value) != len(edit.before):
        raise NotEditableError("its entries are not where they are expected")
    for index, entry in enumerate(edit.before):
        if index in kept:
            own, *more = kept[index]
            patches += replacement(text, node, index, own, entry)
            patches += [addition(text, node, index, item) for item in more]
        else:
            patches += deletion(text, node, index, leading=index < first)
    if not kept:
        patches = _emptied(text, node, key, patches)
    pieces, at = [], 0
    for patch in sorted(patches, key=lambda one: one.start):
        pieces += [text[at : patch.start], patch.text]
        at = patch.end
    return "".join([*pieces, text[at:]])


def _emptied(
    text: str, node: yaml.SequenceNode, key: yaml.Node, patches: list[Patch]
) -> list[Patch]:
    """An empty list: in brackets, also where it was a block."""
    if node.flow_style:
        inner = text[node.start_mark.index : node.end_mark.index]
        if "#" in inner:
            raise NotEditableError("comments inside its brackets")
        return [Patch(node.start_mark.index, node.end_mark.index, "[]")]
    colon = text.index(":", key.end_mark.index) + 1
    return [Patch(colon, colon, " []"), *patches]


def _list_node(text: str, path: Path) -> tuple[yaml.SequenceNode, yaml.Node]:
    """The list's node and its key's.

    Raises:
        NotEditableError: the list is not written in the file as a list of its own.
    """
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    first = str(path[0])
    steps: list[tuple[str, ...]] = [(_CONFIG,), (f"{PROJECT}:{first}", first)]
    steps += [(str(step),) for step in path[1:]]
    node, key = root, root
    for names in steps:
        if not isinstance(node, yaml.MappingNode):
            raise NotEditableError("it is not written as YAML of its own")
        pair = next((pair for pair in node.value if pair[0].value in names), None)
        if pair is None:
            raise NotEditableError("it comes from elsewhere in the file")
        key, node = pair
    if not isinstance(node, yaml.SequenceNode):
        raise NotEditableError("it is not written as a YAML list")
    if node.start_mark.index < key.end_mark.index:
        raise NotEditableError("it is an alias of another list")
    return node, key
