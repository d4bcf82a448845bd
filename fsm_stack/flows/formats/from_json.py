"""What the formats in JSON share: typed decoding of a record, and texts as values.

Only declared fields become Python objects: the decoder steps over everything else.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from fsm_stack.flows.row import TIME_MAX, BadRecordError

if TYPE_CHECKING:
    from collections.abc import Callable

_TIMES_MAX: Final = 10_000
_Record = TypeVar("_Record", bound=msgspec.Struct)


def decoder(kind: type[_Record]) -> Callable[[bytes], _Record]:
    """Decodes records of one type; numbers may be written as texts, as many exporters do.

    Raises (the decoder):
        BadRecordError: no JSON, or a field of another type; of the content it says nothing.
    """
    decode = msgspec.json.Decoder(kind, strict=False).decode

    def decoded(record: bytes) -> _Record:
        try:
            return decode(record)
        except msgspec.ValidationError as error:
            raise BadRecordError(_plain(str(error))) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise BadRecordError("damaged or cut off JSON") from None

    return decoded


def _plain(message: str) -> str:
    """A decoder's message: types and declared names, unless it should ever quote a value."""
    return message if "'" not in message and '"' not in message else "a field of another type"


def object_of(record: bytes) -> dict[str, Any]:
    """A whole record, for recognition; empty: it is no object."""
    try:
        found = msgspec.json.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


class _Times(dict[str, float]):
    """Times in seconds since 1970, each parsed once."""

    def __missing__(self, text: str) -> float:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise BadRecordError("expected a time as 2026-12-31T23:59:59Z")
        if len(self) >= _TIMES_MAX:
            self.clear()
        self[text] = found.timestamp()
        return self[text]


class _TimesUtc(dict[str, float]):
    """The same of UTC's times, without their zone."""

    def __missing__(self, text: str) -> float:
        if len(self) >= _TIMES_MAX:
            self.clear()
        self[text] = _times[f"{text}Z"]
        return self[text]


_times: Final = _Times()
_times_utc: Final = _TimesUtc()


def seconds(text: str) -> float:
    """A time as RFC 3339 writes it in seconds since 1970; of UTC without their fractions.

    Raises:
        BadRecordError: it is none.
    """
    return _times_utc[text[:19]] if text[-1:] == "Z" else _times[text]


def milliseconds(time: float) -> float:
    """Seconds of a time in milliseconds.

    Raises:
        BadRecordError: no time that a log could have.
    """
    found = time / 1000
    if not 0 <= found <= TIME_MAX:
        raise BadRecordError("expected a time in milliseconds since 1970")
    return found


def counted(*values: int) -> int:
    """The sum of sizes.

    Raises:
        BadRecordError: one is negative.
    """
    if min(values) < 0:
        raise BadRecordError("expected a size of 0 or more")
    return sum(values)
