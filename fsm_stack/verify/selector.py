"""Label selectors of webhook configurations, as the API server evaluates them.

Source: Kubernetes, meta/v1 LabelSelector. An empty selector selects everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def refusal(selector: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Why a selector does not select an object with these labels; empty: it does."""
    for key, wanted in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != wanted:
            return f"label {key} is {_shown(labels, key)}, expected {wanted!r}"
    for one in selector.get("matchExpressions") or ():
        if why := _refused(one, labels):
            return why
    return ""


def _refused(expression: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    key, operator = str(expression.get("key")), expression.get("operator")
    values = [str(value) for value in expression.get("values") or ()]
    has = key in labels
    holds = {
        "In": has and labels[key] in values,
        "NotIn": not has or labels[key] not in values,
        "Exists": has,
        "DoesNotExist": not has,
    }.get(str(operator))
    if holds:
        return ""
    wanted = f"{operator} {', '.join(values)}".strip()
    return f"label {key} is {_shown(labels, key)}, expected {wanted}"


def _shown(labels: Mapping[str, str], key: str) -> str:
    return repr(labels[key]) if key in labels else "absent"
