"""The dates of X.509 certificates in a PEM bundle, read without a library of cryptography.

Only the validity is taken: the structure down to it is fixed. Source: RFC 5280, section 4.1.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_BLOCK: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL
)
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_LONG_FORM: Final = 0x80
_LENGTH_BYTES_MAX: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """From when to when a certificate counts, both inside."""

    start: datetime
    end: datetime

    def problem(self, now: datetime) -> str:
        """Why it does not count now; empty: it does."""
        if now < self.start:
            return f"not valid before {self.start:%Y-%m-%d %H:%M} UTC"
        return f"expired at {self.end:%Y-%m-%d %H:%M} UTC" if now > self.end else ""


def read_bundle(encoded: str) -> tuple[Validity, ...]:
    """The validity of each certificate of a ``caBundle``.

    Args:
        encoded: base64 of PEM, as webhook configurations carry it.

    Raises:
        ValueError: it is no base64, holds no certificate, or one that cannot be read.
    """
    try:
        pem = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise ValueError("it is no base64") from None
    blocks = _BLOCK.findall(pem)
    if not blocks:
        raise ValueError("it holds no PEM certificate")
    return tuple(_validity(_der(block)) for block in blocks)


def _der(block: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(block.split()), validate=True)
    except binascii.Error:
        raise ValueError("a certificate in it is no base64") from None


def _validity(der: bytes) -> Validity:
    try:
        _, certificate, _ = _element(der)
        _, body, _ = _element(certificate)
        tag, _, rest = _element(body)
        if tag == _VERSION:
            _, _, rest = _element(rest)  # the serial number follows
        for _ in range(2):  # signature algorithm, issuer
            _, _, rest = _element(rest)
        tag, validity, _ = _element(rest)
        if tag != _SEQUENCE:
            raise ValueError("a certificate in it has no validity")
        first_tag, first, rest = _element(validity)
        second_tag, second, _ = _element(rest)
        return Validity(start=_time(first_tag, first), end=_time(second_tag, second))
    except IndexError:
        raise ValueError("a certificate in it is cut off") from None


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content and what follows."""
    tag, length, start = data[0], data[1], 2
    if length & _LONG_FORM:
        count = length & ~_LONG_FORM
        if not 0 < count <= _LENGTH_BYTES_MAX:
            raise ValueError("a certificate in it is damaged")
        length, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    if start + length > len(data):
        raise IndexError
    return tag, data[start : start + length], data[start + length :]


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii", "replace")
    if tag == _UTC_TIME:  # years 50 to 99 are 19xx; source: RFC 5280, 4.1.2.5.1
        text = f"{'19' if text[:2] >= '50' else '20'}{text}"
    elif tag != _GENERALIZED_TIME:
        raise ValueError("a certificate in it has dates of no known form")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
