"""Since when a connection has its fate: the same answer as asking every revision."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.errors import InputError
from fsm_stack.iptables.packet import Packet
from fsm_stack.review.blame import Question, deciding, since

from .sides import TODAY, text, traffic

PACKET = Packet(direction="outbound", destination="10.0.0.8", port=443, uid=1000)
OPEN = text(**traffic(outboundPortExclusionList=[443]))
SHUT = text()
INVALID = text(**traffic(outboundPortExclusionList=[70000]))
TOO_MANY = text(**traffic(outboundPortExclusionList=list(range(1, 17))))
OTHER_OPEN = text(
    **traffic(outboundPortExclusionList=[443, 80]), observability={"fsmLogLevel": "debug"}
)


def question() -> Question:
    return Question(PACKET, "mesh", TODAY)


def brute_force(texts: list[str | None]) -> int | None:
    """The oldest revision from which on every one that can be told has today's verdict."""
    fates = [question().of(one) for one in texts]
    last = None
    for index, fate in enumerate(fates):
        if texts[index] is None:
            return last
        if fate.decision is None:
            continue
        if not fate.like(fates[0]):
            return last
        last = index
    return None


@given(st.lists(st.sampled_from([OPEN, SHUT, INVALID, OTHER_OPEN, TOO_MANY, None]), max_size=8))
def test_the_answer_is_that_of_asking_every_revision(older: list[str | None]) -> None:
    for newest in (OPEN, SHUT):
        texts = [newest, *older]
        assert since(question(), texts).changed == brute_force(texts)


def test_each_distinct_settings_text_is_evaluated_once() -> None:
    asked = question()
    found = since(asked, [OPEN, OTHER_OPEN, OPEN, OPEN, SHUT, OPEN])
    assert (found.changed, found.looked) == (3, 5)
    assert asked.evaluated == 3


def test_sections_that_decide_nothing_are_no_distinct_settings() -> None:
    noted = OPEN.replace("config:", "# a note\nconfig:\n  other:key: 1\n", 1)
    assert deciding(noted) == deciding(OPEN)
    asked = question()
    since(
        asked, [OPEN, noted, text(**traffic(outboundPortExclusionList=[443]), images={"tag": "x"})]
    )
    assert asked.evaluated == 1


def test_a_text_with_references_is_taken_as_a_whole() -> None:
    """What an anchor elsewhere holds may be what decides."""
    shared = "config:\n  fsm-stack:images: &x {}\n  fsm-stack:traffic: *x\n"
    assert deciding(shared) == shared


def test_revisions_that_cannot_be_told_are_passed_over_and_counted() -> None:
    found = since(question(), [OPEN, INVALID, TOO_MANY, SHUT])
    assert (found.changed, found.skipped) == (0, 2)
    assert found.before is not None
    assert found.before.decision is not None
    assert found.before.decision.verdict == "to the outbound listener (15001)"


def test_the_entries_behind_the_verdict_are_named() -> None:
    found = since(question(), [OTHER_OPEN])
    assert found.changed is None
    assert found.now.entries == ("traffic.outboundPortExclusionList[0] 443",)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            [INVALID],
            "the newest revision: it does not validate: expected a port from 1 to 65535, got 70000",
        ),
        ([], "expected a history, got no revision of the file"),
        ([None], "the newest revision: the stack was not there"),
    ],
)
def test_a_history_without_an_answer_is_refused(texts: list[str | None], message: str) -> None:
    with pytest.raises(InputError) as error:
        since(question(), texts)
    assert str(error.value) == message


def test_a_profile_begins_where_it_was_declared() -> None:
    """What its pods had before is nothing that the stack says."""
    legacy = {"legacy": {"outboundPortExclusionList": [443]}}
    asked = Question(PACKET, "legacy", TODAY)
    found = since(asked, [text(annotationProfiles=legacy), SHUT, OPEN])
    assert (found.changed, found.skipped) == (0, 0)
    with pytest.raises(
        InputError, match="the newest revision: no profile 'legacy'; expected one of mesh"
    ):
        since(Question(PACKET, "legacy", TODAY), [OPEN])
