"""Resource quantities in annotations, read as Kubernetes reads them and written back by it.

Not the strict quantities of :mod:`fsm_stack.settings.quantity`: what Go takes is taken, and what
it writes is written, its oddities included. Source: k8s.io/apimachinery pkg/api/resource,
ParseQuantity, CanonicalizeBytes and MarshalJSON.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple

Format = Literal["decimal", "binary", "exponent"]

_QUANTITY: Final = re.compile(
    r"(?P<sign>[+-]?)0*(?P<whole>[0-9]*)(?:(?P<point>\.)(?P<part>[0-9]*))?"
    r"(?P<suffix>[eEinumkKMGTP]*[+-]?[0-9]*)",
    re.ASCII,
)
_BINARY: Final = {s: 10 * n for n, s in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DECIMAL: Final = {
    "n": -9,
    "u": -6,
    "m": -3,
    "": 0,
    "k": 3,
    "M": 6,
    "G": 9,
    "T": 12,
    "P": 15,
    "E": 18,
}
_SUFFIX: Final = {power: suffix for suffix, power in _DECIMAL.items()}
_EXPONENT: Final = re.compile(r"[eE]([+-]?[0-9]{1,19})")
_NANO: Final = -9
_INT64: Final = 2**63
_INT32: Final = 2**32
_DIGITS: Final = 18  # maxInt64Factors: so many digits always fit 64 bits
_BINARY_DIGITS: Final = 15
_KIBI: Final = 1024
_TEXT_MAX: Final = 256  # a longer one is a mistake, and costs


class _Amount(NamedTuple):
    """``mantissa`` times ten to the ``power``; the power may be huge, so it stays apart."""

    mantissa: int
    power: int


@lru_cache(maxsize=1024)
def stored_quantity(text: str) -> str | None:
    """A quantity as the API server stores it, ``0.1`` as ``100m``; None where Go refuses it.

    A sign or a point alone is 0, and so is a suffix alone.
    """
    match = _QUANTITY.fullmatch(text)
    if not text or len(text) > _TEXT_MAX or match is None:
        return None
    whole, part = match["whole"] or "0", match["part"] or ""
    suffix = _read_suffix(match["suffix"])
    if suffix is None:
        return None
    form, power = suffix
    sign = -1 if match["sign"] == "-" else 1
    shifted = whole + part
    if form == "binary":
        room = -1 if part else _BINARY_DIGITS - len(whole) - power * 3 // 10 - 1
        factor, scale = 2**power, 0
    else:
        room, factor, scale = _DIGITS - len(shifted), 1, power - len(part)
    value = int(shifted) * factor
    if room >= 0 and scale >= _NANO and value < _INT64:
        if _canonical(form, int(shifted), shifted, scale):
            return text
        return _written(_Amount(sign * value, scale), form)
    if not any(character.isdigit() for character in text[: match.start("suffix")]):
        return None
    amount = _Amount(value, -len(part) if form == "binary" else scale)
    return _written(*_bounded(amount, sign, form))


def _read_suffix(suffix: str) -> tuple[Format, int] | None:
    """The form, and the power of ten, or of two for the binary one."""
    if suffix in _DECIMAL:
        return "decimal", _DECIMAL[suffix]
    if suffix in _BINARY:
        return "binary", _BINARY[suffix]
    match = _EXPONENT.fullmatch(suffix)
    if match is None or not -_INT64 <= int(match[1]) < _INT64:
        return None
    power = int(match[1]) % _INT32  # int32(): what does not fit is cut
    return "exponent", power - _INT32 if power >= _INT32 // 2 else power


def _canonical(form: Format, value: int, digits: str, scale: int) -> bool:
    """Whether Go keeps the text as it is; its test is quick, and lets ``1.110e3`` pass."""
    if form == "binary":
        return value & 7 != 0
    return scale % 3 == 0 and not digits.endswith("000") and digits[0] != "0"


def _bounded(amount: _Amount, sign: int, form: Format) -> tuple[_Amount, Format]:
    """Rounded up to nano; binary amounts are cut down to 64 bits."""
    mantissa, power = amount
    if mantissa and power < _NANO:
        cut = _NANO - power
        # More digits than there are leave the smallest amount.
        mantissa = -(-mantissa // 10**cut) if cut <= len(str(mantissa)) else 1
        power = _NANO
    if form == "binary":
        one = 10**-power
        mantissa = min(mantissa, (_INT64 - 1) * one)
        if 0 < mantissa < one:
            form = "decimal"
    return _Amount(sign * mantissa, power), form


def _written(amount: _Amount, form: Format) -> str:
    mantissa, power = amount
    if not mantissa:
        return "0"
    while mantissa % 10 == 0:
        mantissa //= 10
        power += 1
    if form == "binary" and power >= 0 and abs(mantissa * 10**power) >= _KIBI:
        return _in_kibi(mantissa * 10**power)
    mantissa *= 10 ** (power % 3)
    power -= power % 3
    if form == "exponent":
        return f"{mantissa}e{power}" if power else str(mantissa)
    return f"{mantissa}{_SUFFIX.get(power, '')}"  # beyond exa Go forgets the suffix


def _in_kibi(value: int) -> str:
    times = 0
    while value % _KIBI == 0:
        value //= _KIBI
        times += 1
    return f"{value}{next((s for s, power in _BINARY.items() if power == 10 * times), '')}"
