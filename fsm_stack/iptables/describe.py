"""The init container's script inside the output of ``kubectl describe pod``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.iptables.tokens import Line, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def script_in_description(text: str, container: str) -> str:
    """The arguments of one init container, with the lines before them blank.

    Blank lines keep every line at its own number, so that errors and findings name the lines of
    the whole description.

    Args:
        text: what ``kubectl describe pod`` printed.
        container: the init container's name, from the system's profile: never guessed.

    Raises:
        RuleSyntaxError: no such init container, no script in it, or more pods than one.
    """
    lines = list(lines_of(text))
    section = _block(lines, "Init Containers:", lines[0])
    own = _block(section, f"{container}:", lines[0])
    arguments = _block(own, "Args:", own[0])
    script = [line for line in arguments[1:] if line.content != "-c"]
    kept = {line.number for line in script}
    return "\n".join(line.text if line.number in kept else "" for line in lines[: max(kept) + 1])


def _block(lines: list[Line], heading: str, place: Line) -> list[Line]:
    """The heading's line and what is indented below it."""
    found = [n for n, line in enumerate(lines) if line.content == heading]
    if not found:
        raise place.error(f"no {heading!r} in this description")
    if len(found) > 1:
        raise lines[found[1]].error(f"a second {heading!r}: expected one pod's description")
    start = found[0]
    block = [lines[start], *_indented(lines[start + 1 :], _indent(lines[start]))]
    if len(block) == 1:
        raise lines[start].error(f"nothing below {heading!r}")
    return block


def _indented(lines: list[Line], depth: int) -> Iterator[Line]:
    for line in lines:
        if line.content and _indent(line) <= depth:
            return
        if line.content:
            yield line


def _indent(line: Line) -> int:
    return len(line.text) - len(line.text.lstrip(" "))
