"""Values and quantities as the injectors read them: Go's rules, which differ from Python's.

Source: Go's standard library (strconv.Atoi, strings.TrimSpace, strings.ToLower, net.ParseCIDR,
net/netip.ParseAddr) and k8s.io/apimachinery pkg/api/resource (ParseQuantity). Each recorded
annotation of the real injectors is read as they read it.

Not the strict quantities of :mod:`fsm_stack.units`: what Go takes is taken, and what
it writes is written, its oddities included. Source: k8s.io/apimachinery pkg/api/resource,
ParseQuantity, CanonicalizeBytes and MarshalJSON.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, Literal, NamedTuple

# unicode.IsSpace. Not U+FEFF, U+200B or U+001C to U+001F, which Python's str.strip removes.
WHITE_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_INT64_MAX: Final = 2**63 - 1
_INT64_DIGITS: Final = 19
_INT32: Final = 2**32
_INTEGER: Final = re.compile(r"([+-]?)([0-9]+)")
_DIGITS: Final = re.compile(r"[0-9]+")
_PREFIX_TOO_LONG: Final = 4  # significant digits of a prefix length above any


def trim(text: str) -> str:
    """``strings.TrimSpace``."""
    return text.strip(WHITE_SPACE)


def lower(text: str) -> str:
    """``strings.ToLower``: rune by rune, so that a final sigma and a dotted I stay one rune."""
    if text.isascii():
        return text.lower()
    return "".join("i" if rune == "\u0130" else rune.lower() for rune in text)


def equal_fold(text: str, ascii_word: str) -> bool:
    """``strings.EqualFold`` with a word in lower-case ASCII."""
    return text.casefold() == ascii_word


def atoi(text: str) -> int | None:
    """``strconv.Atoi``: one sign, ASCII digits, no underscore, 64 bits; None for its errors."""
    match = _INTEGER.fullmatch(text)
    if match is None:
        return None
    sign, digits = match.groups()
    digits = digits.lstrip("0") or "0"
    if len(digits) > _INT64_DIGITS:
        return None
    value = -int(digits) if sign == "-" else int(digits)
    return value if -_INT64_MAX - 1 <= value <= _INT64_MAX else None


def port_number(value: object) -> int:
    """``int32(IntOrString.IntValue())``: 0 for a name; a number out of range is cut down."""
    if isinstance(value, str):
        match = _INTEGER.fullmatch(value)
        if match is None:
            return 0
        number = atoi(value)
        if number is None:  # Atoi returns the nearest number beside its error
            number = -_INT64_MAX - 1 if match[1] == "-" else _INT64_MAX
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = int(value)
    else:
        return 0
    number %= _INT32
    return number - _INT32 if number >= _INT32 // 2 else number


def is_cidr(text: str) -> bool:
    """Whether ``net.ParseCIDR`` takes the text: IPv4 or IPv6, a prefix length, no zone."""
    address, slash, prefix = text.partition("/")
    if not slash or "%" in address or not _DIGITS.fullmatch(prefix):
        return False
    try:
        bits = ip_address(address).max_prefixlen
    except ValueError:
        return False
    length = prefix.lstrip("0") or "0"
    return len(length) < _PREFIX_TOO_LONG and int(length) <= bits


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
_EXACT_DIGITS: Final = 18  # maxInt64Factors: so many digits always fit 64 bits
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
        room, factor, scale = _EXACT_DIGITS - len(shifted), 1, power - len(part)
    value = int(shifted) * factor
    if room >= 0 and scale >= _NANO and value < _INT64:
        if _canonical(form, int(shifted), shifted, scale):
            return text
        return _written(_Amount(sign * value, scale), form)
    if not any(character.isdigit() for character in text[: match.start("suffix")]):
        return None
    amount = _Amount(value, -len(part) if form == "binary" else scale)
    return _written(_bounded(amount, sign, form), form)


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


def _bounded(amount: _Amount, sign: int, form: Format) -> _Amount:
    """Rounded up to nano; binary amounts are cut down to 64 bits."""
    mantissa, power = amount
    if mantissa and power < _NANO:
        cut = _NANO - power
        # More digits than there are leave the smallest amount.
        mantissa = -(-mantissa // 10**cut) if cut <= len(str(mantissa)) else 1
        power = _NANO
    if form == "binary":
        mantissa = min(mantissa, (_INT64 - 1) * 10**-power)
    return _Amount(sign * mantissa, power)


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
