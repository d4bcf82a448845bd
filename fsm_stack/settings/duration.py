"""Durations in Go's syntax, and the form in which Go writes them back.

Source: Go's time.ParseDuration and Duration.String; k8s.io/apimachinery meta/v1 Duration, which
marshals through the latter.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_NANOSECONDS: Final = {"ms": 1_000_000, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_UNITS: Final = r"(?:ms|s|m|h)"
_DURATION: Final = rf"^(0|([0-9]+(\.[0-9]+)?{_UNITS})+)$"
_TERM: Final = re.compile(rf"([0-9]+)(?:\.([0-9]+))?({_UNITS})")
_WHOLE: Final = re.compile(_DURATION)

# Go counts nanoseconds in 64 signed bits: about 292 years.
_MAX_NANOSECONDS: Final = 2**63 - 1


def nanoseconds(text: str) -> int | None:
    """The length of a duration such as ``1h30m`` or ``1.5s``; None for other text.

    Signs and units below the millisecond, which Go has and no mesh needs, are other text, and so
    is a fraction of a millisecond: Go would write it back with a character outside ASCII.
    """
    if _WHOLE.fullmatch(text) is None:
        return None
    total = 0
    for whole, fraction, unit in _TERM.findall(text):
        size = _NANOSECONDS[unit]
        part, rest = divmod(int(fraction or "0") * size, 10 ** len(fraction))
        if rest:
            return None
        total += int(whole) * size + part
    if total > _MAX_NANOSECONDS or total % _NANOSECONDS["ms"]:
        return None
    return total


def canonical_duration(text: str) -> str:
    """The duration as Go writes it: ``90s`` is ``1m30s``, ``24h`` is ``24h0m0s``, ``0`` is ``0s``.

    Args:
        text: a duration that :data:`Duration` accepts.

    Raises:
        ValueError: when it is none.
    """
    total = nanoseconds(text)
    if total is None:
        message = f"{text!r} is not a duration"
        raise ValueError(message)
    if 0 < total < _NANOSECONDS["s"]:
        return f"{total // _NANOSECONDS['ms']}ms"
    minutes, rest = divmod(total, _NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    seconds, fraction = divmod(rest, _NANOSECONDS["s"])
    tail = f"{seconds}.{fraction:09d}".rstrip("0") if fraction else str(seconds)
    head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{head}{tail}s"


def _with_unit(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        raise _no_duration(str(value), str(value))
    return value


def _checked(text: str) -> str:
    if nanoseconds(text) is None:
        raise _no_duration(text, repr(text))
    return text


def _no_duration(text: str, shown: str) -> PydanticCustomError:
    return PydanticCustomError(
        "invalid-value",
        "{message}",
        {
            "message": "expected a duration such as 90s, 1h30m or 250ms (units h, m, s, ms), "
            f"got {shown}",
            "fix": f"Write {text}s." if text.isascii() and text.isdigit() else "",
        },
    )


# A duration as it was written; lowering canonicalises where upstream's type is metav1.Duration.
Duration = Annotated[
    str,
    BeforeValidator(_with_unit),
    AfterValidator(_checked),
    WithJsonSchema({"type": "string", "pattern": _DURATION, "examples": ["90s", "24h"]}),
]
