"""A stack file with shorter lists and everything else as it was, byte for byte.

The text is not dumped anew: a round trip would fold lines and move comments. Only the entries that
change are cut out or written over, at the places that the YAML reader gives. Whatever comes out is
read again, and has to mean exactly what was meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from fsm_stack.edges.entry_text import NotEditableError, Patch, deletion, replacement
from fsm_stack.errors import InputError
from fsm_stack.redirection.tidying import Left, with_edit
from fsm_stack.settings.reader import PROJECT
from fsm_stack.settings.stack_file import load_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from fsm_stack.redirection.tidying import ListEdit
    from fsm_stack.settings.stack import StackSettings
    from fsm_stack.settings.yaml_text import Path

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
    kept = {item.home: item for item in edit.after}
    first = min(kept, default=len(edit.before))
    patches: list[Patch] = []
    if len(node.value) != len(edit.before):
        raise NotEditableError("its entries are not where they are expected")
    for index, entry in enumerate(edit.before):
        if index in kept:
            patches += replacement(text, node, index, kept[index], entry)
        else:
            patches += deletion(text, node, index, leading=index < first)
    if not kept:
        patches = _emptied(text, node, key, patches)
    for patch in sorted(patches, key=lambda one: one.start, reverse=True):
        text = text[: patch.start] + patch.text + text[patch.end :]
    return text


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
