"""Values as the injectors read them: Go's rules, which differ from Python's in every corner.

Source: Go's standard library (strconv.Atoi, strings.TrimSpace, strings.ToLower, net.ParseCIDR,
net/netip.ParseAddr) and k8s.io/apimachinery pkg/api/resource (ParseQuantity). Each recorded
annotation of the real injectors is read as they read it.
"""

from __future__ import annotations

import re
from typing import Final

# unicode.IsSpace. Not U+FEFF, U+200B or U+001C to U+001F, which Python's str.strip removes.
WHITE_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_INT64_MAX: Final = 2**63 - 1
_INT64_DIGITS: Final = 19
_INT32: Final = 2**32
_INTEGER: Final = re.compile(r"([+-]?)([0-9]+)")
_OCTETS: Final = 4
_OCTET: Final = re.compile(r"0|[1-9][0-9]{0,2}")
_OCTET_MAX: Final = 255
_IPV4_BITS: Final = 32
_IPV6_BITS: Final = 128
_GROUPS: Final = 8
_GROUP: Final = re.compile(r"[0-9a-fA-F]{1,4}")
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
    if not slash or not _DIGITS.fullmatch(prefix):
        return False
    if _is_ipv4(address):
        bits = _IPV4_BITS
    elif _is_ipv6(address):
        bits = _IPV6_BITS
    else:
        return False
    length = prefix.lstrip("0") or "0"
    return len(length) < _PREFIX_TOO_LONG and int(length) <= bits


def _is_ipv4(text: str) -> bool:
    octets = text.split(".")
    return len(octets) == _OCTETS and all(
        _OCTET.fullmatch(octet) and int(octet) <= _OCTET_MAX for octet in octets
    )


def _is_ipv6(text: str) -> bool:
    if ":" not in text or text.count("::") > 1 or ":::" in text:
        return False
    before, ellipsis, after = text.partition("::")
    head = before.split(":") if before else []
    tail = after.split(":") if after else []
    groups = head + tail
    count = len(groups)
    if groups and "." in groups[-1]:  # an embedded IPv4 address can only be the last part
        if (ellipsis and not tail) or not _is_ipv4(groups.pop()):
            return False
        count += 1
    if not all(_GROUP.fullmatch(group) for group in groups):
        return False
    return count < _GROUPS if ellipsis else count == _GROUPS
