"""A mesh as it should be."""

from __future__ import annotations

import pytest

from fsm_stack.findings.catalogue import all_rules
from fsm_stack.verify.check import Status
from fsm_stack.verify.every import CHECKS

from .world import world


@pytest.mark.parametrize("check_id", [check.id for check in CHECKS])
def test_every_check_passes_on_a_clean_mesh(check_id: str) -> None:
    outcome = world().outcome(check_id)
    assert outcome.findings == ()
    absent = {"pod-live-rules", "told-cause", "namespace-quota"}  # nothing is, or none is there
    expected = Status.NOT_APPLICABLE if check_id in absent else Status.PASSED
    assert outcome.status is expected, outcome.why


def test_every_check_has_an_entry_in_the_catalogue() -> None:
    assert [check.id for check in CHECKS if check.id not in all_rules()] == []


def test_every_check_has_an_id_of_its_own() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)
