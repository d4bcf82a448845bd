"""Lists as Helm's ``--set`` leaves them: bare values, and lists written into a text.

Helm reads ``{a,b}`` as a list; a bare value stays a scalar, and ``"[6379]"`` stays that text.
Source: requirements C13 and C14; helm pkg/strvals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsm_stack.findings.finding import Finding, finding

if TYPE_CHECKING:
    from collections.abc import Iterable

_BRACKETS = {"[": "]", "{": "}"}


def _split(text: str) -> list[str]:
    inner = text.strip()
    if inner and _BRACKETS.get(inner[0]) == inner[-1]:
        inner = inner[1:-1]
    return [part.strip() for part in inner.split(",") if part.strip()]


def _number(value: Any) -> Any:  # decoded YAML
    """A port as a number where it is one; other values stay, and the settings refuse them."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value


def _entries(value: Any) -> list[Any]:  # decoded YAML
    parts: Iterable[Any] = value if isinstance(value, list) else [value]
    entries: list[Any] = []
    for part in parts:
        entries.extend(_split(part) if isinstance(part, str) else [part])
    return entries


def as_list(
    path: str, value: Any, *, numbers: bool
) -> tuple[list[Any], tuple[Finding, ...]]:  # decoded YAML
    """A list value, whatever form ``--set`` gave it.

    Args:
        path: the value's path, for the finding.
        value: the value as YAML or Helm gives it; None is the empty list.
        numbers: whether the entries are ports.

    Returns:
        The list, and a warning when the value was not that list already.
    """
    if value is None:
        return [], ()
    entries = _entries(value)
    if numbers:
        entries = [_number(entry) for entry in entries]
    if entries == value and all(
        type(entry) is type(given) for entry, given in zip(entries, value, strict=True)
    ):
        return entries, ()
    shown = ",".join(str(entry) for entry in entries)
    warning = finding(
        "helm-value-coerced",
        f"expected a list, got {value!r}; read as {entries!r}",
        path=path,
        value=value,
        fix=f"Write {path}={{{shown}}} for --set, or a YAML list in a values file.",
    )
    return entries, (warning,)
