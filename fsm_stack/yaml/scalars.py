"""How two YAML readers see one plain scalar: the Pulumi CLI's (Go) and Python's.

The CLI reads YAML with Go's yaml.v3. A stack file is also read here, without the CLI. A scalar
that the two would read differently is refused, so that both always mean the same mesh.

Source: gopkg.in/yaml.v3 resolve.go; PyYAML resolver.py and constructor.py (YAML 1.1).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import isfinite
from typing import Final

Scalar = str | int | float | bool | None

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
# YAML 1.1 only.
_OLD_TRUE: Final = frozenset({"yes", "Yes", "YES", "on", "On", "ON"})
_OLD_FALSE: Final = frozenset({"no", "No", "NO", "off", "Off", "OFF"})

_LONGEST: Final = 64  # no number that is exact has more characters
_EXACT: Final = 2**53  # a JSON number beyond it is rounded on its way through the engine
_GO_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_GO_INT: Final = re.compile(
    r"([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]+|0|[1-9][0-9]*)"
)
_LATE_SIGN: Final = re.compile(r"(0b)[-+][01]+|0o[-+][0-7]+")
_OLD_INT: Final = re.compile(
    r"[-+]?(0b[0-1_]+|0[0-7_]+|(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)"
)
_OLD_FLOAT: Final = re.compile(
    r"[-+]?([0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*"
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?")
_SPECIAL: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class Unclear:
    """A scalar without a plain meaning: a date, an infinity, a base-60 number."""

    what: str
    fix: str = ""


def _go_int(text: str) -> int | None:
    plain = text.replace("_", "")
    if late := _LATE_SIGN.fullmatch(plain):  # yaml.v3 hands ParseInt what follows the prefix
        return int(plain[2:], 2 if late[1] else 8)
    match = _GO_INT.fullmatch(plain)
    if match is None:
        return None
    sign, digits = match.groups()
    lowered = digits.lower()
    if lowered.startswith("0") and lowered.isdigit() and len(lowered) > 1:
        number = int(lowered, 8)
    else:
        number = int(lowered, 0)
    return -number if sign == "-" else number


def go_scalar(text: str) -> Scalar | Unclear:
    """The plain scalar as Go's yaml.v3 reads it into an untyped value."""
    if text in _NULLS:
        return None
    if len(text) > _LONGEST and not text.strip("+-0123456789_.eE"):
        return Unclear("a number too large to be exact")
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _SPECIAL.fullmatch(text):
        return Unclear("a float that is not finite")
    if text[0].isdigit() or text[0] in "+-.":
        if _DATE.fullmatch(text):
            return Unclear("a date")
        number = _go_int(text)
        if number is not None:
            return number if abs(number) <= _EXACT else Unclear("a number too large to be exact")
        # A point comes first: yaml.v3 hands the text to ParseFloat as it stands.
        plain = text if text[0] == "." else text.replace("_", "")
        if _GO_FLOAT.fullmatch(plain) and isfinite(float(plain)):
            return _json_number(float(plain))
    return text


def _json_number(value: float) -> float:
    """A float as it comes out of JSON: ``1.0`` is 1."""
    return int(value) if value.is_integer() and abs(value) <= _EXACT else value


def old_scalar(text: str) -> Scalar | Unclear:
    """The plain scalar as a YAML 1.1 reader such as PyYAML reads it."""
    if text in _NULLS:
        return None
    if text in _TRUE or text in _OLD_TRUE:
        return True
    if text in _FALSE or text in _OLD_FALSE:
        return False
    if _SPECIAL.fullmatch(text):
        return Unclear("a float that is not finite")
    if text == "=":
        return Unclear("a YAML 1.1 default value")
    if _DATE.fullmatch(text):
        return Unclear("a date")
    if _OLD_INT.fullmatch(text):
        return Unclear("a base-60 number") if ":" in text else _old_int(text.replace("_", ""))
    if _OLD_FLOAT.fullmatch(text):
        return Unclear("a base-60 number") if ":" in text else _old_float(text)
    return text


def _old_int(plain: str) -> int | Unclear:
    digits = plain.lstrip("+-")
    if digits in {"0x", "0b"}:
        return Unclear("a number without digits")
    octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
    number = int(digits, 8 if octal else 0)
    return -number if plain[0] == "-" else number


def _old_float(text: str) -> float:
    return _json_number(float(text.replace("_", "")))


def agreed(text: str) -> Scalar | Unclear:
    """The value that both readers see.

    Returns:
        The value, or :class:`Unclear` with what the two readings are.
    """
    go = go_scalar(text)
    if isinstance(go, Unclear):
        return go
    old = old_scalar(text)
    if not isinstance(old, Unclear) and type(go) is type(old) and go == old:
        return go
    read = old.what if isinstance(old, Unclear) else json.dumps(old)
    meant = old if isinstance(old, bool) else go  # what is not text
    plain = isinstance(old, Unclear) or not isinstance(meant, int | float)
    return Unclear(
        f"{json.dumps(go)} to the Pulumi CLI and {read} to YAML 1.1 readers",
        fix="" if plain else f'Quote it if it is text: "{text}"; else write {json.dumps(meant)}.',
    )
