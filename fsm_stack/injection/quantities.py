"""Resource quantities in annotations, read as Kubernetes reads them and written back by it.

Source: k8s.io/apimachinery pkg/api/resource, ParseQuantity, CanonicalizeBytes and String.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Final

# Signs and leading zeros may stand alone: "-" and "+" are 0.
_QUANTITY: Final = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?(?P<suffix>[eEinumkKMGTP]*[+-]?[0-9]*)"
)
_BINARY: Final = {s: 1024**n for n, s in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
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
_EXPONENT: Final = re.compile(r"[eE]([+-]?[0-9]+)")
_NANO: Final = 9
_MAX: Final = 2**63 - 1
_KIBI: Final = 1024
_EXPONENT_MAX: Final = 400  # beyond it every value is cut down to the largest, or rounded up
_TEXT_MAX: Final = 256


@lru_cache(maxsize=1024)
def stored_quantity(text: str) -> str | None:
    """A quantity as the API server stores it, ``0.1`` as ``100m``; None where Go refuses it.

    A sign alone is 0, which the injectors take.
    """
    match = _QUANTITY.fullmatch(text)
    if not text or len(text) > _TEXT_MAX or match is None:
        return None
    whole, part, suffix = match["whole"], match["part"], match["suffix"]
    if not whole and part is None and not match["sign"]:
        return None
    value = Fraction(int((whole or "0") + (part or "")), 10 ** len(part or ""))
    form = "decimal"
    exponent = _EXPONENT.fullmatch(suffix)
    if suffix in _BINARY:
        value *= _BINARY[suffix]
        form = "binary"
    elif suffix in _DECIMAL:
        value *= Fraction(10) ** _DECIMAL[suffix]
    elif exponent is not None and len(exponent[1]) < 6:  # noqa: PLR2004  # digits: bounded work
        power = max(-_EXPONENT_MAX, min(_EXPONENT_MAX, int(exponent[1])))
        value *= Fraction(10) ** power
        form = "exponent"
    else:
        return None
    value = Fraction(ceil(value * 10**_NANO), 10**_NANO)
    value = min(value, Fraction(_MAX))
    return ("-" if match["sign"] == "-" and value else "") + _written(value, form)


def _written(value: Fraction, form: str) -> str:
    if not value:
        return "0"
    if form == "binary" and value.denominator == 1 and value >= _KIBI:
        return _with_suffix(int(value), _BINARY)
    if form == "binary" and value >= _KIBI:
        return _with_suffix(ceil(value), _BINARY)
    power = _thousands(value)
    number = str(int(value / Fraction(10) ** power))
    if form == "exponent":
        return f"{number}e{power}" if power else number
    return number + next(suffix for suffix, known in _DECIMAL.items() if known == power)


def _with_suffix(value: int, suffixes: dict[str, int]) -> str:
    best = max((size for size in suffixes.values() if value % size == 0), default=1)
    suffix = next((name for name, size in suffixes.items() if size == best), "")
    return f"{value // best}{suffix}"


def _thousands(value: Fraction) -> int:
    """The largest power of a thousand, from nano to exa, that leaves a whole number."""
    return max(
        power for power in _DECIMAL.values() if (value / Fraction(10) ** power).denominator == 1
    )
