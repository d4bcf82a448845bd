"""What is stale in a rendered stack: missing, changed or extra files, with a short diff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from fsm_stack.edges.files import read_tree
from fsm_stack.edges.gitops import compare

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DIFF_LINES: Final = 20
LINE_MAX: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """One file that is not as the stack says.

    Attributes:
        path: relative to the stack's directory.
        state: ``missing``, not there; ``changed``, other content; ``extra``, not of the stack.
        diff: from the file to what it should be; at most :data:`DIFF_LINES` lines, shortened.
    """

    path: str
    state: Literal["missing", "changed", "extra"]
    diff: tuple[str, ...] = ()


def check(
    target: Path, files: Mapping[str, bytes], *, shown: str, unknown: tuple[str, ...] = ()
) -> tuple[Stale, ...]:
    """Compare a stack's directory with what it should hold; changes nothing.

    Args:
        target: ``rendered/<stack>``.
        files: what :func:`fsm_stack.edges.gitops.tree` returned.
        shown: the directory as messages name it.
        unknown: files that may be there and whose content is not known here.

    Raises:
        InputError: when the target is no directory.
        FileError: when it cannot be read.
    """
    there = read_tree(target, shown=shown)
    known = {path: text for path, text in there.files.items() if path not in unknown}
    differences = compare(known, files)
    found = [Stale(path=path, state="missing") for path in differences.created]
    found += [
        Stale(path=path, state="changed", diff=diff(known[path], files[path]))
        for path in differences.changed
    ]
    found += [Stale(path=path, state="extra") for path in (*differences.removed, *there.others)]
    return tuple(sorted(found, key=lambda item: item.path))


def diff(old: bytes, new: bytes) -> tuple[str, ...]:
    """A unified diff without headers: the first lines of it, each cut at :data:`LINE_MAX`."""
    from difflib import unified_diff  # noqa: PLC0415  # only a stale file needs it

    before, after = (_lines(text) for text in (old, new))
    lines = list(unified_diff(before, after, n=1, lineterm=""))[2:]
    if len(lines) > DIFF_LINES:
        lines = [*lines[:DIFF_LINES], f"... {len(lines) - DIFF_LINES} more lines"]
    return tuple(lines)


def _lines(text: bytes) -> list[str]:
    """Lines for a terminal: no control characters, no line of 40 kB of base64."""
    return [
        "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)
        for line in (long[:LINE_MAX] for long in text.decode(errors="replace").split("\n"))
    ]
