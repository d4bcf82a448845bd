"""Findings as SARIF, for code review.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from fsm_stack import __version__
from fsm_stack.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_stack.findings import Finding

_LEVELS: Final = {"error": "error", "warning": "warning", "info": "note"}


def sarif(findings: Iterable[Finding]) -> dict[str, Any]:
    """One run with every finding, and the rules that they name."""
    found = list(findings)
    ids = sorted({item.id for item in found})
    driver = {
        "name": "fsm-stack",
        "version": __version__,
        "rules": [_rule(rule_id) for rule_id in ids],
    }
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_result(item, ids) for item in found]}],
    }


def _rule(rule_id: str) -> dict[str, Any]:
    known = rule(rule_id)
    return {
        "id": known.id,
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": known.why},
        "help": {"text": known.fix},
        "defaultConfiguration": {"level": _LEVELS[known.severity]},
    }


def _result(item: Finding, ids: list[str]) -> dict[str, Any]:
    place = item.place
    location: dict[str, Any] = {}
    if place.file:
        physical: dict[str, Any] = {"artifactLocation": {"uri": quote(place.file)}}
        if place.line:
            region = {"startLine": place.line}
            if place.column:
                region["startColumn"] = place.column
            physical["region"] = region
        location["physicalLocation"] = physical
    if place.path:
        location["logicalLocations"] = [{"fullyQualifiedName": place.path}]
    fix = f" {item.fix}" if item.fix else ""
    result: dict[str, Any] = {
        "ruleId": item.id,
        "ruleIndex": ids.index(item.id),
        "level": _LEVELS[item.severity.value],
        "message": {"text": _text(item.message + fix)},
    }
    if location:
        result["locations"] = [location]
    return result


def _text(text: str) -> str:
    """Plain text: no embedded link. Source: SARIF 2.1.0, section 3.11.6."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
