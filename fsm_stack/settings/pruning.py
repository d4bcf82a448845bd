"""Input without its unusable values, that still knows where everything was in the file.

Settings that do not validate are checked all the same, on what remains. A list that has lost an
item has other indexes than the file: :meth:`Pruned.original` gives the file's back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

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
