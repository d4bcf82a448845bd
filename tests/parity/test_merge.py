"""Every recorded parse and merge of the real injectors, done again: one test a row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fsm_stack.injector.annotations import parse_list
from fsm_stack.injector.profile import Refusal
from fsm_stack.lists import EXCLUDED_RANGES, OUTBOUND_PORTS, Lists, merged
from fsm_stack.systems import SYSTEMS
from tests.recordings import recordings

CORPUS = recordings("FSM_STACK_CORPUS", "corpus")
ABSENT = f"recorded merges not found in {CORPUS}: set FSM_STACK_CORPUS"


def rows() -> list[Any]:
    """The rows of every system, or one skipped row that says what is absent."""
    found = []
    for name in SYSTEMS:
        path = CORPUS / f"{name}-merge.jsonl"
        if not path.is_file():
            mark = pytest.mark.skip(reason=ABSENT)
            found.append(pytest.param(None, id=f"{name}-absent", marks=mark))
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            found.append(pytest.param(json.loads(line), id=f"{name}-{number}"))
    return found


def answer(given: dict[str, Any]) -> dict[str, Any]:
    """What our reading and merging make of a row's input."""
    try:
        if given["kind"] == "ports":
            ports = parse_list(OUTBOUND_PORTS, given["value"], given["annotation"])
            mesh = Lists(outbound_ports=tuple(given["global"] or ()))
            both = merged(mesh, Lists(outbound_ports=ports)).outbound_ports
            return {"out": {"parsed": list(ports), "merged": list(both)}}
        ranges = parse_list(EXCLUDED_RANGES, given["value"], given["annotation"])
        mesh = Lists(excluded_ranges=tuple(given["global"] or ()))
        all_ranges = merged(mesh, Lists(excluded_ranges=ranges)).excluded_ranges
        return {"out": {"parsed": list(ranges), "merged": list(all_ranges)}}
    except Refusal as refusal:
        return {"error": refusal.message}


@pytest.mark.requirement("C8", "C9", "C10", "C11", "C29")
@pytest.mark.parametrize("row", rows())
def test_the_recorded_merge_is_made_again(row: dict[str, Any] | None) -> None:
    """Which values are refused, with which words, and in which order the others end up."""
    assert row is not None, ABSENT
    expected = {key: value for key, value in row.items() if key != "in"}
    if "out" in expected:
        expected["out"] = {key: value or [] for key, value in expected["out"].items()}
    assert answer(row["in"]) == expected
