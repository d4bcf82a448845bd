"""A container that is added to many pods: its text is made once, with holes for what differs.

So a mutation encodes only the user's own fields, in JSON and in YAML.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import PydanticSerializationError, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Container = dict[str, Any]

# A hole in a text. Private use: no name, UUID or path of Kubernetes holds it, and YAML quotes it.
MARK: Final = "\ue000\ue001"

_encode_any: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def encode(value: object) -> str:
    """Compact JSON text of decoded JSON."""
    try:
        return to_json(value, inf_nan_mode="constants").decode()  # a third of json's time
    except PydanticSerializationError:  # half a surrogate pair, or a deep value
        return _encode_any(value)


class _Template:
    """A container with holes, made once for all pods that get the same."""

    __slots__ = ("json", "make", "yaml")

    def __init__(self, make: Callable[..., Container], holes: int) -> None:
        self.make = make
        self.json = encode(make(*[MARK] * holes)).split(encode(MARK)[1:-1])
        self.yaml: tuple[str, ...] = ()


class Piece:
    """A container to add: what all pods get, and one pod's own texts for its holes."""

    __slots__ = ("_holes", "_template")

    def __init__(self, template: _Template, holes: tuple[str, ...] = ()) -> None:
        self._template = template
        self._holes = holes

    def filled(self, *holes: str) -> Piece:
        """The same piece with a pod's own values in its holes."""
        return Piece(self._template, holes)

    def plain(self) -> Container:
        """The container as plain data, made anew: callers may change it."""
        return self._template.make(*self._holes)

    def text(self) -> str:
        """The container as JSON."""
        return self._joined(self._template.json)

    def yaml_item(self, dump: Callable[[Mapping[str, Any]], str], pad: str) -> str:
        """The container as an item of a YAML sequence, without the last line's end.

        Args:
            dump: an object as YAML text; the same function for every call.
            pad: the blanks in front of the sequence's dashes.
        """
        template = self._template
        if not template.yaml:
            holes = [MARK] * (len(template.json) - 1)
            item = dump({"x": [template.make(*holes)]}).partition("\n")[2].rstrip("\n")
            # JSON's escapes are YAML's: the marks have put double quotes around the holes.
            template.yaml = tuple(item.split(MARK))
        return pad + self._joined(template.yaml).replace("\n", f"\n{pad}")

    def _joined(self, texts: Sequence[str]) -> str:
        if not self._holes:
            return texts[0]
        parts = [texts[0]]
        for hole, text in zip(self._holes, texts[1:], strict=True):
            parts.append(_encode_any(hole)[1:-1])  # ASCII, which YAML's quotes take, too
            parts.append(text)
        return "".join(parts)


def piece(make: Callable[..., Container], holes: int = 0) -> Piece:
    """A piece of a function that makes the container from its holes' texts."""
    return Piece(_Template(make, holes))
