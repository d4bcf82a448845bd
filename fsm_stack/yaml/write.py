"""Kubernetes objects as YAML text: deterministic, one reading in YAML 1.1 and 1.2, made for diffs.

Not PyYAML's dumper, for two reasons. It takes 19 ms for the objects of one stack, more than the
whole budget of a further environment; this one takes 3 ms. And it leaves scalars plain that Go's
readers take for numbers (``1e3``, ``0o17``), because YAML 1.1 does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# A simple key ends within 1024 characters. Source: YAML 1.1 and 1.2, simple (implicit) keys.
KEY_MAX: Final = 1000

# What may stand without quotes, as long as it is neither a word nor a number below.
_PLAIN: Final = re.compile(
    r"[A-Za-z0-9_/](?:[A-Za-z0-9_./@%+=,;()$'*-]|:(?=[!-~])| (?=[A-Za-z0-9(]))*"
)
# Null and booleans of YAML 1.1 and of 1.2, in any case.
WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
# Whatever some reader could take for a number, a time or a date.
_NUMBER_LIKE: Final = re.compile(r"[0-9][0-9a-fA-FxXoObB_.,:+\-TtZz ]*")
# Not printable, or a line break of one YAML version only; the byte order mark.
# Alternatives: as one set it would take 4 ms to compile.
_UNPRINTABLE: Final = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|[\u2028\u2029]|[\ud800-\udfff]|[\ufeff\ufffe\uffff]"
)
# A text whose lines can stand as they are: no leading blank, no line of blanks only, no \r.
_LITERAL: Final = re.compile(r"(?![ \t\n])(?!.*^[ \t]+$)[^\r]*\n[^\r]*", re.DOTALL | re.MULTILINE)


def dump(value: Mapping[str, Any]) -> str:
    """The YAML text of one object; ``yaml.safe_load`` gives the same object back.

    Keys keep their order. A text of several lines is a literal block, so that a pull request shows
    a script rule by rule. No anchors, no aliases, no line folding.

    Args:
        value: JSON types only: mappings with text keys, lists or tuples, text, numbers, booleans
            and None.

    Raises:
        TypeError: for any other type.
        ValueError: for a number that JSON does not have, or a key of more than 1000 characters.
    """
    if not value:
        return "{}\n"
    lines: list[str] = []
    _mapping(value, "", "", lines)
    lines.append("")
    return "\n".join(lines)


def _mapping(value: Mapping[str, Any], pad: str, first: str, lines: list[str]) -> None:
    """Append a block mapping; its first line starts with ``first``, the others with ``pad``."""
    lead = first
    for key, item in value.items():
        _child(item, f"{lead}{_key(key)}:", pad, lines)
        lead = pad


def _child(item: object, head: str, pad: str, lines: list[str]) -> None:
    if isinstance(item, str):
        lines.append(f"{head} {_text(item, pad)}")
    elif isinstance(item, Mapping) and item:
        lines.append(head)
        _mapping(item, pad + "  ", pad + "  ", lines)
    elif isinstance(item, list | tuple) and item:
        lines.append(head)
        _sequence(item, pad, pad, lines)
    else:
        lines.append(f"{head} {_atom(item)}")


def _sequence(value: Sequence[Any], pad: str, first: str, lines: list[str]) -> None:
    lead = first
    for item in value:
        if isinstance(item, str):
            lines.append(f"{lead}- {_text(item, pad)}")
        elif isinstance(item, Mapping) and item:
            _mapping(item, pad + "  ", lead + "- ", lines)
        elif isinstance(item, list | tuple) and item:
            _sequence(item, pad + "  ", lead + "- ", lines)
        else:
            lines.append(f"{lead}- {_atom(item)}")
        lead = pad


def _atom(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    raise TypeError(f"expected a JSON type, got {type(value).__name__}")


def _float(value: float) -> str:
    """``json.dumps`` refuses what JSON lacks; YAML 1.1 wants a dot before an exponent."""
    text = json.dumps(value, allow_nan=False)
    mantissa, exponent, power = text.partition("e")
    return text if not exponent or "." in mantissa else f"{mantissa}.0e{power}"


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"expected text as a key, got {type(key).__name__}")
    if len(key) > KEY_MAX:
        raise ValueError(f"expected a key of at most {KEY_MAX} characters, got {len(key)}")
    return _line(key)


def _text(value: str, pad: str) -> str:
    """Text in one line, or as a literal block that is indented below ``pad``."""
    if "\n" not in value or not _LITERAL.fullmatch(value) or _UNPRINTABLE.search(value):
        return _line(value)
    body = value.rstrip("\n")
    ending = value[len(body) :]
    chomping = {"": "-", "\n": ""}.get(ending, "+")
    lines = [f"{pad}  {line}" if line else "" for line in body.split("\n")]
    lines += [""] * (len(ending) - 1)
    return "\n".join([f"|{chomping}", *lines])


@lru_cache(maxsize=4096)
def _line(value: str) -> str:
    if (
        _PLAIN.fullmatch(value)
        and value.lower() not in WORDS
        and not _NUMBER_LIKE.fullmatch(value)
    ):
        return value
    return quoted(value)


def quoted(value: str) -> str:
    """Text in double quotes. JSON's escapes are YAML's but for pairs of surrogates."""
    return _UNPRINTABLE.sub(_escape, json.dumps(value, ensure_ascii=False))


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"  # noqa: PLR2004  # 4 digits
