"""A report in SARIF 2.1.0, for code scanning and editors.

Objects of a cluster have no file: results carry logical locations. A checked message of SARIF may
hold links; brackets in it are escaped, so that an object's name makes none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack import __version__
from fsm_stack.catalogue import rule
from fsm_stack.verify.check import Status
from fsm_stack.verify.report import safe

if TYPE_CHECKING:
    from fsm_stack.findings import Finding
    from fsm_stack.verify.check import Report

_LEVELS: Final = {"error": "error", "warning": "warning", "info": "note"}
_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(report: Report) -> dict[str, Any]:
    """The whole document; a check that did not run is a notification, and the run no success."""
    findings = [safe(item) for item in report.findings]
    ids = list(dict.fromkeys(item.id for item in findings))
    not_run = [
        {
            "level": "error",
            "message": {"text": _text(f"{one.check.title}: {one.why}")},
            "descriptor": {"id": one.check.id},
        }
        for one in report.outcomes
        if one.status is Status.NOT_RUN or (one.why and not one.complete)
    ]
    run = {
        "tool": {
            "driver": {
                "name": "fsm-stack",
                "version": __version__,
                "rules": [_rule(one) for one in ids],
            }
        },
        "invocations": [
            {
                "executionSuccessful": report.complete,
                "toolExecutionNotifications": not_run,
            }
        ],
        "results": [_result(item, ids) for item in findings],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule_id: str) -> dict[str, Any]:
    known = rule(rule_id)
    return {
        "id": known.id,
        "shortDescription": {"text": _text(known.title)},
        "fullDescription": {"text": _text(known.why)},
        "help": {"text": _text(known.fix)},
    }


def _result(item: Finding, ids: list[str]) -> dict[str, Any]:
    parts = [item.message, f"Seen: {item.value}" if item.value else "", item.fix]
    return {
        "ruleId": item.id,
        "ruleIndex": ids.index(item.id),
        "level": _LEVELS[item.severity],
        "message": {"text": _text(" ".join(part for part in parts if part))},
        "locations": [
            {"logicalLocations": [{"fullyQualifiedName": item.place.path, "kind": "resource"}]}
        ],
    }


def _text(text: str) -> str:
    """Plain text: no embedded link. Source: SARIF 2.1.0, section 3.11.6."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
