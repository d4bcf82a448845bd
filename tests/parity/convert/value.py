"""One value of FSM's chart that becomes a setting, and groups of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

# How a value becomes a setting:
#   same       as it is
#   tag        text; a number is what YAML made of an unquoted version
#   optional   an empty text means "not set"
#   ports, texts   a list; Helm's --set makes other forms of it
#   program    resources of a container for which the chart reads cpu and memory only
#   resources  resources of a container
#   where_on   as it is, where the section's `enable` is true; else the chart leaves it out
#   where_on_optional   both of these
How = Literal[
    "same",
    "tag",
    "optional",
    "ports",
    "texts",
    "program",
    "resources",
    "where_on",
    "where_on_optional",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of the chart that becomes a setting.

    Attributes:
        default: the chart's default.
        target: the setting's path in a stack file.
        how: how it becomes the setting.
    """

    default: Any
    target: str
    how: How = "same"


def group(
    source: str,
    target: str,
    how: How = "same",
    /,
    **defaults: Any,  # values of YAML
) -> dict[str, Value]:
    """Values side by side, by path; a pair names the setting where it has another name."""
    values = {}
    for key, default in defaults.items():
        name, value = default if isinstance(default, tuple) else (key, default)
        values[f"{source}.{key}"] = Value(default=value, target=f"{target}.{name}", how=how)
    return values


def amounts(cpu: str, memory: str, cpu_request: str, memory_request: str) -> dict[str, Any]:
    """Limits, then requests, of one container."""
    return {
        "limits": {"cpu": cpu, "memory": memory},
        "requests": {"cpu": cpu_request, "memory": memory_request},
    }
