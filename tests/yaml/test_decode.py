"""What decoded text can be: JSON's types, or an error with the line."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.yaml.decode import DecodeError, decode_json, decode_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 2026-13-45", {"a": "2026-13-45"}),
        ("a: 2026-11-28", {"a": "2026-11-28"}),
        ("a: =", {"a": "="}),
        ("=: b", {"=": "b"}),
        ("a: <<", {"a": "<<"}),
        ("{1: a, true: b, 1.5: c}", {"1": "a", "true": "b", "1.5": "c"}),
        ("{1: a, '1 ': b}", {"1": "a", "1 ": "b"}),
        ("a: !!float 5", {"a": 5.0}),
        ("a: !!str 5", {"a": "5"}),
        ("x: &x {k: 1, l: 1}\ny: {k: 2, <<: *x}", {"x": {"k": 1, "l": 1}, "y": {"k": 2, "l": 1}}),
        (
            "x: &x {k: 1}\ny: &y {<<: *x, k: 2}\nz: {<<: [*x, *y]}\nq: {<<: [*y, *x]}",
            {"x": {"k": 1}, "y": {"k": 2}, "z": {"k": 1}, "q": {"k": 2}},
        ),
    ],
)
def test_yaml_is_read_as_kubernetes_tools_read_it(text: str, value: object) -> None:
    """Source: sigs.k8s.io/yaml; of several merged mappings the first one counts."""
    assert decode_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: .inf", "expected what JSON can say, got !!float .inf"),
        ("a: -.INF", "expected what JSON can say, got !!float -.INF"),
        ("a: .nan", "expected what JSON can say, got !!float .nan"),
        ("a: !!binary aGk=", "expected what JSON can say, got !!binary"),
        ("a: !!set {b}", "expected what JSON can say, got !!set a mapping"),
        ("a: !!omap [b: c]", "expected what JSON can say, got !!omap a list"),
        ("a: !!timestamp 2026-13-45", "expected what JSON can say, got !!timestamp 2026-13-45"),
        ("a: !!value 5", "expected what JSON can say, got !!value 5"),
        ("a: !!null 5", "expected what JSON can say, got !!null 5"),
        ("a: !!bool 5", "expected what JSON can say, got !!bool 5"),
        ("a: !!int x", "expected what JSON can say, got !!int"),
        ("a: !!map [b]", "expected what JSON can say, got !!map a list"),
        ("a: 0x_", "expected what JSON can say, got !!int 0x_"),
        ("a: " + "1" * 5000, "expected what JSON can say, got !!int " + "1" * 40),
        ("a: {b: 1, b: 2}", "expected each key once, got 'b' again"),
        ("a: {1: b, '1': c}", "expected each key once, got '1' again"),
        ("a: {<<: {b: 1}, <<: {c: 1}}", "expected each key once, got '<<' again"),
        ("a: {<<: 5}", "expected YAML or JSON: expected a mapping behind '<<'"),
        ("a: {null: b}", "expected YAML or JSON: a key is no text"),
        ("a: {[b]: c}", "expected YAML or JSON: a key is no text"),
    ],
)
def test_what_json_cannot_say_is_told_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_yaml(f"# first\n{text}\n")
    assert (caught.value.problem, caught.value.line) == (problem, 1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1, "a": 2}', "expected each key once, got 'a' again"),
        ("[NaN]", "expected a number that JSON can say, got NaN"),
        ("[1e999]", "expected a number that JSON can say, got 1e999"),
        (f"[{'1' * 5000}]", "expected a number of at most 100 digits"),
    ],
)
def test_json_is_read_as_strictly(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decode_json(text)


def test_json_is_json() -> None:
    assert decode_json('{"1": 1e3, "a": [true, null, -5]}') == {"1": 1000.0, "a": [True, None, -5]}


WORDS = st.sampled_from(
    ["a", "1", "1.5", "true", "null", "~", ".inf", ".nan", "0x_", "2026-13-45", "=", "<<", "*x",
     "&x", "!!binary", "!!set", "!!timestamp", "!!bool", "!!value", "!!merge", "!y", "[", "]", "{",
     "}", ",", ": ", "? ", "- ", "\n", "\n  ", "'", '"', "|", "9" * 120, "\\ud800"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=25).map("".join) | st.text(max_size=40))
def test_any_text_is_json_or_an_error(text: str) -> None:
    """No other exception leaves the decoder, and nothing else than JSON's types does."""
    try:
        value = decode_yaml(text)
    except DecodeError:
        return
    json.dumps(value, allow_nan=False)
    assert all(type(item) in {str, int, float, bool, type(None)} for item in leaves(value))


def leaves(value: Any) -> Iterator[object]:
    if isinstance(value, dict):
        assert all(type(key) is str for key in value)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        assert not isinstance(value, float) or math.isfinite(value)
        yield value
