"""Every recorded script of the real injectors, made again byte for byte: one test a row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.write import script, write_restore
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import SYSTEMS, system
from tests.recordings import recordings

CORPUS = recordings("FSM_STACK_CORPUS", "corpus")
ABSENT = f"recorded scripts not found in {CORPUS}: set FSM_STACK_CORPUS"


def direct_rows() -> list[Any]:
    """The rows of kind ``direct`` of every system, or one skipped row that says what is absent."""
    rows = []
    for name in SYSTEMS:
        path = CORPUS / f"{name}-scripts.jsonl"
        if not path.is_file():
            mark = pytest.mark.skip(reason=ABSENT)
            rows.append(pytest.param(name, None, id=f"{name}-absent", marks=mark))
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            row = json.loads(line)
            if row["in"]["kind"] == "direct":
                rows.append(pytest.param(name, row, id=f"{name}-{number}"))
    return rows


def faithful_lists(given: dict[str, Any]) -> InterceptLists:
    """A row's arguments as the generator's own lists, null as empty."""
    return InterceptLists(
        local_proxy_mode=given["mode"],
        interfaces=tuple(given["networkInterfaceExclusionList"] or ()),
        excluded_ranges=tuple(given["outboundIPRangeExclusionList"] or ()),
        included_ranges=tuple(given["outboundIPRangeInclusionList"] or ()),
        outbound_ports=tuple(given["outboundPortExclusionList"] or ()),
        inbound_ports=tuple(given["inboundPortExclusionList"] or ()),
        dns_proxy=given.get("dnsProxy", False),
    )


@pytest.mark.requirement("C5", "C18", "C20", "C29", "C37")
@pytest.mark.parametrize(("name", "row"), direct_rows())
def test_the_recorded_script_is_made_again(name: str, row: dict[str, Any] | None) -> None:
    """What a pod runs is what upstream's program writes, nonsense values included."""
    assert row is not None, ABSENT
    lists = faithful_lists(row["in"])
    assert write_restore(intercept(lists, system(name))) == row["out"]
    assert script(lists, system(name)) == row["out"]
