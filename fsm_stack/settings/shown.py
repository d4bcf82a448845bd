"""Values as messages show them: in the file's spelling, not in Python's."""

from __future__ import annotations


def type_name(value: object) -> str:
    """The YAML name of a decoded value's type."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a mapping"


def shown(value: object) -> str:
    """A value as a message shows it, in the file's spelling, shortened."""
    match value:
        case None:
            text = "nothing"
        case bool():
            text = str(value).lower()
        case str():
            text = repr(value)
        case list() | dict():
            return type_name(value)
        case _:
            text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004  # a terminal line
