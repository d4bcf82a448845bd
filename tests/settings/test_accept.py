from __future__ import annotations

from typing import Any

import pytest

from fsm_stack.findings.catalogue import all_rules
from fsm_stack.settings.stack_file import load_mapping

from .loading import TODAY, found

MOVING = {"images": {"pipy": {"tag": "latest"}}}


def accepting(**changes: Any) -> dict[str, Any]:
    entry = {
        "id": "mutable-image",
        "path": "images.pipy.tag",
        "reason": "nothing runs here",
        "owner": "platform-team",
        **changes,
    }
    return {**MOVING, "accept": [entry]}


def test_an_accepted_finding_does_not_count_and_is_kept_apart() -> None:
    loaded = load_mapping(accepting(until="2026-07-01"), name="", today=TODAY)
    assert loaded.findings == ()
    assert [item.id for item in loaded.accepted] == ["mutable-image"]


def test_past_its_date_the_finding_counts_again_and_so_does_the_entry() -> None:
    assert [item[0] for item in found(accepting(until="2026-06-30"))] == [
        "accept-expired",
        "mutable-image",
    ]


def test_an_entry_that_accepts_nothing_is_told() -> None:
    data = {**accepting(), "images": {}}
    assert found(data) == [
        ("accept-unused", "accept[0]", "no finding mutable-image at images.pipy.tag")
    ]


def test_an_unknown_id_is_told_with_the_nearest_one() -> None:
    assert found(accepting(id="mutable-images"))[0] == (
        "accept-unknown",
        "accept[0]",
        "expected a finding's id, got 'mutable-images'; did you mean 'mutable-image'?",
    )


def test_what_breaks_every_pod_cannot_be_accepted() -> None:
    path = "traffic.outboundPortExclusionList"
    data = {
        "traffic": {"outboundPortExclusionList": list(range(1, 17))},
        **accepting(id="too-many-ports", path=path),
    }
    ids = [item[0] for item in found(data)]
    assert ids == ["accept-refused", "mutable-image", "too-many-ports"]


@pytest.mark.parametrize("missing", ["reason", "owner"])
def test_nothing_is_accepted_without_reason_and_owner(missing: str) -> None:
    data = accepting()
    del data["accept"][0][missing]
    assert (
        "missing-key",
        f"accept[0].{missing}",
        f"expected accept[0].{missing}, got nothing",
    ) in (found(data))


def test_every_rule_of_the_catalogue_says_why_and_what_to_do() -> None:
    for known in all_rules().values():
        assert known.title
        assert known.why.endswith(".")
        assert known.fix
