"""JSON text of pods: two encoders, one meaning."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.injector.pieces import MARK, encode, piece
from fsm_stack.yaml.decode import decode_json
from fsm_stack.yaml.write import dump

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@given(VALUES)
def test_what_is_decoded_and_encoded_again_is_the_same(value: Any) -> None:
    text = json.dumps(value)
    assert decode_json(text) == value
    assert json.loads(encode(value)) == value
    assert "\n" not in encode(value)


@pytest.mark.parametrize(
    "value",
    ["half a pair \ud800", 10**30, nested(300), "\x00\x7f\u2028<&>", MARK],
    ids=["surrogate", "large", "deep", "controls", "mark"],
)
def test_what_one_encoder_refuses_the_other_takes(value: Any) -> None:
    assert json.loads(encode(value)) == value
    assert decode_json(encode(value)) == value


@pytest.mark.parametrize("hole", ['"quoted"', "back\\slash", "\u2028\x85\x7f", "\ud800", MARK])
def test_a_hole_is_filled_with_any_text(hole: str) -> None:
    filled = piece(lambda name: {"name": name}, 1).filled(hole)
    assert json.loads(filled.text()) == filled.plain() == {"name": hole}
    assert filled.text().isascii()


def test_an_emoji_in_a_hole_is_yaml() -> None:
    r"""YAML's readers refuse the halves \ud83d\ude00, which are JSON."""
    item = piece(lambda name: {"name": name}, 1).filled("a😀\\ud83d").yaml_item(dump, "  ")
    assert yaml.safe_load(item) == [{"name": "a😀\\ud83d"}]
