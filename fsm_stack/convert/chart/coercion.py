"""Values as Helm compares and merges them, and lists as ``--set`` leaves them.

A bare value stays a scalar, and ``"[6379]"`` stays that text. Source: helm pkg/chartutil and
pkg/strvals; requirement C14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.findings.finding import finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_stack.findings.finding import Finding

_BRACKETS: Final = {"[": "]", "{": "}"}


def same(one: Any, other: Any) -> bool:  # decoded YAML
    """Equality in which true is not 1."""
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def merged(default: Any, given: Any) -> Any:  # decoded YAML
    """A mapping over the chart's default, as Helm merges them: null removes a key."""
    if given is None:
        return {}
    if not isinstance(default, dict) or not isinstance(given, dict):
        return given
    result = dict(default)
    for key, value in given.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(default[key], value) if key in default else value
    return result


def _split(text: str) -> list[str]:
    inner = text.strip()
    if inner and _BRACKETS.get(inner[0]) == inner[-1]:
        inner = inner[1:-1]
    return [part.strip() for part in inner.split(",") if part.strip()]


def _number(value: Any) -> Any:
    """A port as a number where it is one; other values stay, and the settings refuse them."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:  # noqa: PLR2004  # no port has more digits
        return int(value)
    return value


def _entries(value: Any) -> list[Any]:
    parts: Iterable[Any] = value if isinstance(value, list) else [value]
    entries: list[Any] = []
    for part in parts:
        entries.extend(_split(part) if isinstance(part, str) else [part])
    return entries


def as_list(
    path: str,
    value: Any,
    *,
    numbers: bool,
) -> tuple[list[Any], tuple[Finding, ...]]:
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
