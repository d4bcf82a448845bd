"""Durations in Go's syntax and Kubernetes quantities, each with its canonical form.

Source: Go's time.ParseDuration and Duration.String; k8s.io/apimachinery meta/v1 Duration, which
marshals through the latter.

Source: k8s.io/apimachinery pkg/api/resource, ParseQuantity and CanonicalizeBytes.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_NANOSECONDS: Final = {"ms": 1_000_000, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_UNITS: Final = r"(?:ms|s|m|h)"
DURATION_PATTERN: Final = rf"^(0|([0-9]+(\.[0-9]+)?{_UNITS})+)$"
_TERM: Final = re.compile(rf"([0-9]+)(?:\.([0-9]+))?({_UNITS})")
_WHOLE: Final = re.compile(DURATION_PATTERN)

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
        text: a duration that :func:`nanoseconds` knows.

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


_BINARY: Final = {s: 1024**n for n, s in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DECIMAL: Final = {"": 1, **{s: 1000**n for n, s in enumerate("kMGTPE", start=1)}}
_SMALL: Final = {"m": 3, "u": 6, "n": 9}

# Upstream also reads signs, exponents (1e3) and the suffixes n and u. Each value they make can be
# written without them, and what Go writes back for them depends on how they were parsed.
QUANTITY_PATTERN: Final = r"^[0-9]{1,15}(\.[0-9]{1,6})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
_PARTS: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)(m|[kMGTPE]|[KMGTPE]i)?")

# What Kubernetes itself accepts: a canonical quantity may be longer, or in micros.
# Source: the pattern that controller-gen writes for resource.Quantity.
KUBERNETES_PATTERN: Final = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)

# Quantities above this are silently cut down to it. Source: maxAllowed in quantity.go.
_MAX: Final = 2**63 - 1


def amount(text: str) -> Fraction | None:
    """The exact value of a quantity; None for other text, or above what Kubernetes holds."""
    match = _PARTS.fullmatch(text)
    if match is None:
        return None
    number, suffix = Fraction(match[1]), match[2] or ""
    scale = _BINARY.get(suffix) or _DECIMAL.get(suffix) or Fraction(1, 1000)
    value = number * scale
    return value if value <= _MAX else None


def canonical_quantity(text: str) -> str:
    """The quantity as the API server writes it: ``0.5`` is ``500m``, ``1024Mi`` is ``1Gi``.

    Args:
        text: a quantity that :func:`amount` knows.

    Raises:
        ValueError: when it is none.
    """
    value = amount(text)
    if value is None:
        message = f"{text!r} is not a quantity"
        raise ValueError(message)
    if text.endswith("i") and value.denominator == 1 and value >= 1024:  # noqa: PLR2004  # 1Ki
        return _largest(int(value), _BINARY)
    if value.denominator == 1:
        return _largest(int(value), _DECIMAL)
    for suffix, places in _SMALL.items():
        scaled = value * 10**places
        if scaled.denominator == 1:
            return f"{scaled.numerator}{suffix}"
    raise AssertionError(text)  # at most 6 places of a thousandth: never below a nano


def _largest(value: int, suffixes: dict[str, int]) -> str:
    """The value with the largest suffix that leaves a whole number."""
    best = max((size for size in suffixes.values() if value % size == 0 and value), default=1)
    suffix = next((name for name, size in suffixes.items() if size == best), "")
    return f"{value // best}{suffix}"


_MONTHS: Final = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
_DAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# Each field of a schedule: what it is, its least and most, and the names of its values.
_CRON: Final = (
    ("a minute", 0, 59, ()),
    ("an hour", 0, 23, ()),
    ("a day of the month", 1, 31, ()),
    ("a month", 1, 12, _MONTHS),
    ("a day of the week", 0, 6, _DAYS),
)


def cron_problem(schedule: str) -> str | None:
    """What Kubernetes refuses of five fields as cron writes them; None: nothing, or it is a name.

    Source: github.com/robfig/cron parser.go, which CronJobs are validated with.
    """
    if schedule.startswith("@"):
        return None
    for field, (title, least, most, names) in zip(schedule.split(" "), _CRON, strict=True):
        known = {name: index + least for index, name in enumerate(names)}
        for part in field.split(","):
            span, slash, step = part.partition("/")
            low, dash, high = span.partition("-")
            ends = [low, high] if dash else [low]
            numbers = [known.get(one.lower(), one) for one in ends if one not in {"*", "?"}]
            whole = all(str(one).isascii() and str(one).isdigit() for one in numbers)
            if slash and not (step.isascii() and step.isdigit() and int(step)):
                return f"expected {title} whose step is above zero"
            if not whole or [int(one) for one in numbers] != sorted(int(one) for one in numbers):
                return f"expected {title} that is a number, or a range from low to high"
            if not all(least <= int(one) <= most for one in numbers):
                return f"expected {title} from {least} to {most}"
    return None
