"""Findings that a team takes on purpose, with a reason, an owner and an end."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from fsm_stack.settings.model import Model
from fsm_stack.settings.values import Day

Sentence = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Accepted(Model):
    """One finding that does not count while this stands."""

    id: Sentence = Field(description="The finding's id, as fsm-stack explain lists it.")
    path: Sentence = Field(
        description="The finding's path, for example traffic.outboundPortExclusionList[0]."
    )
    reason: Sentence = Field(description="Why the risk is taken.")
    owner: Sentence = Field(description="Who answers for it.")
    until: Day | None = Field(None, description="The day after which the finding counts again.")
