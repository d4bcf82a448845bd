"""Findings as SARIF, for code scanning and editors.

A checked message of SARIF may hold links; brackets in it are escaped, so that nothing in a file
or a cluster makes one.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from fsm_stack import __version__
from fsm_stack.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsm_stack.findings import Finding, Place

_LEVELS: Final = {"error": "error", "warning": "warning", "info": "note"}


def sarif(
    findings: Iterable[Finding], *, invocation: dict[str, Any] | None = None
) -> dict[str, Any]:
    """One run with every finding, and the rules that they name.

    Args:
        findings: in the order of the report; what has no file gets a logical location alone.
        invocation: how the run went, where that is more than its findings.
    """
    found = list(findings)
    ids = sorted({item.id for item in found})
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "fsm-stack",
                "version": __version__,
                "rules": [_rule(rule_id) for rule_id in ids],
            }
        }
    }
    if invocation is not None:
        run["invocations"] = [invocation]
    run["results"] = [_result(item, ids) for item in found]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }


def plain(text: str) -> str:
    """Text of a message, without an embedded link. Source: SARIF 2.1.0, section 3.11.6."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _rule(rule_id: str) -> dict[str, Any]:
    known = rule(rule_id)
    return {
        "id": known.id,
        "shortDescription": {"text": plain(known.title)},
        "fullDescription": {"text": plain(known.why)},
        "help": {"text": plain(known.fix)},
        "defaultConfiguration": {"level": _LEVELS[known.severity]},
    }


def _result(item: Finding, ids: list[str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": item.id,
        "ruleIndex": ids.index(item.id),
        "level": _LEVELS[item.severity],
        "message": {"text": plain(" ".join(part for part in (item.message, item.fix) if part))},
    }
    location = _location(item.place)
    if location:
        result["locations"] = [location]
    return result


def _location(place: Place) -> dict[str, Any]:
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
        logical = {"fullyQualifiedName": place.path}
        location["logicalLocations"] = [logical if place.file else {**logical, "kind": "resource"}]
    return location
