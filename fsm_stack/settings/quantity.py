"""Kubernetes quantities, such as ``500m`` and ``1Gi``, and their canonical form.

Source: k8s.io/apimachinery pkg/api/resource, ParseQuantity and CanonicalizeBytes.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_BINARY: Final = {s: 1024**n for n, s in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DECIMAL: Final = {"": 1, **{s: 1000**n for n, s in enumerate("kMGTPE", start=1)}}
_SMALL: Final = {"m": 3, "u": 6, "n": 9}

# Upstream also reads signs, exponents (1e3) and the suffixes n and u. Each value they make can be
# written without them, and what Go writes back for them depends on how they were parsed.
_QUANTITY: Final = r"^[0-9]{1,15}(\.[0-9]{1,6})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
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
        text: a quantity that :data:`Quantity` accepts.

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


def parse_quantity(value: object) -> str:
    """A quantity's text; whole and decimal numbers are read as they are written.

    Raises:
        PydanticCustomError: ``invalid-value``.
    """
    text = str(value)
    if isinstance(value, float) and value.is_integer():
        text = str(int(value))  # the engine hands numbers over as floats
    if isinstance(value, bool) or not isinstance(value, int | float | str) or amount(text) is None:
        shown = repr(value) if isinstance(value, str) else text
        raise PydanticCustomError(
            "invalid-value",
            "{message}",
            {
                "message": "expected a quantity such as 500m, 0.5, 256Mi or 2G, "
                f"got {shown if len(shown) <= 60 else shown[:57] + '...'}",  # noqa: PLR2004  # a line
                "fix": "",
            },
        )
    return text


Quantity = Annotated[
    str,
    BeforeValidator(parse_quantity),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": _QUANTITY}, {"type": "number", "minimum": 0}],
            "examples": ["500m", "256Mi"],
        }
    ),
]
