"""Every sentence of the checks, whole: what an error says is what its reader has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fsm_stack.settings.models.base import EXPECTED
from fsm_stack.settings.models.policy import Policy
from fsm_stack.settings.models.stack import StackSettings
from fsm_stack.settings.models.values import CIDR_PATTERN
from fsm_stack.settings.stack_file import load_text
from fsm_stack.units import DURATION_PATTERN, QUANTITY_PATTERN

from .loading import TODAY

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).parent.parent / "golden" / "settings"


def sentences(text: str) -> Iterator[str]:
    """What the command line prints of each finding, and the value that programs get beside it."""
    for item in load_text(text, file="Pulumi.t.yaml", today=TODAY).findings:
        yield item.as_text()
        if item.value is not None:
            yield f"    value: {item.value!r}"


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.yaml")))
def test_a_broken_stack_is_told_word_for_word(name: str) -> None:
    told = list(sentences((GOLDEN / f"{name}.yaml").read_text(encoding="utf-8")))
    assert told == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").splitlines()


# Validators of their own say what is expected of these.
TOLD_OTHERWISE = {DURATION_PATTERN, QUANTITY_PATTERN, CIDR_PATTERN}


def patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for value in schema.values():
            yield from patterns(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from patterns(value)


def fits_an_interface(pattern: str) -> bool:
    """The one that editors check names of interfaces with."""
    return bool(re.search(pattern, "eth+")) and not re.search(pattern, "a" * 16)


@pytest.mark.parametrize("model", [StackSettings, Policy])
def test_no_regular_expression_reaches_a_user(model: type[StackSettings | Policy]) -> None:
    """Each pattern of the settings has words for it, or a validator that has."""
    schema = model.model_json_schema(by_alias=True)
    silent = {one for one in patterns(schema) if one not in EXPECTED} - TOLD_OTHERWISE
    assert {one for one in silent if not fits_an_interface(one)} == set()
