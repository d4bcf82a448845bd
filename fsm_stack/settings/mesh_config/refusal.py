"""How these models refuse a value: with a rule id, a whole sentence and a concrete fix."""

from __future__ import annotations

from pydantic_core import PydanticCustomError


def refusal(rule_id: str, message: str, fix: str = "") -> PydanticCustomError:
    """An error for a validator to raise; the text is context, because braces are a template."""
    return PydanticCustomError(rule_id, "{message}", {"message": message, "fix": fix})
