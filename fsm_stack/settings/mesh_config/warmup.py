"""Section ``warmup``: a new endpoint gets its share of traffic step by step."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from fsm_stack.settings.duration import Duration
from fsm_stack.settings.mesh_config.refusal import refusal
from fsm_stack.settings.model import Model

Weight = Annotated[int, Field(ge=0, le=100)]


class Warmup(Model):
    """The mesh's default warm-up policy."""

    enable: bool = Field(False, description="Warm new endpoints up.")
    duration: Duration = Field("90s", description="How long an endpoint warms up.")
    min_weight: Weight = Field(10, description="Share of its weight at the start, in percent.")
    max_weight: Weight = Field(100, description="Share of its weight at the end, in percent.")
    aggression: Annotated[float, Field(ge=1, le=1e6, allow_inf_nan=False)] = Field(
        1.0, description="How fast the share grows: 1 is linear, more is faster at first."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_weight > self.max_weight:
            raise refusal(
                "invalid-value",
                f"expected minWeight at most maxWeight, got {self.min_weight} and "
                f"{self.max_weight}",
                f"Set minWeight to {self.max_weight} or less.",
            )
        return self
