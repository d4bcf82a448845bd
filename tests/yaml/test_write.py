from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.yaml.write import dump, quoted

LINES = st.lists(st.text(" \tabc:#-|>'\"é\\", max_size=6), min_size=1, max_size=5).map("\n".join)
TEXT = (
    st.text(max_size=20) | LINES | st.from_regex(r"[-+]?[0-9.eExXobB_:TZ-]{1,8}", fullmatch=True)
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXT, JSON, max_size=5))
def test_any_object_reads_back_as_it_was(value: dict[str, Any]) -> None:
    """What a controller applies must be what bundle() said, byte for byte."""
    text = dump(value)
    read = yaml.safe_load(text)
    assert read == value
    assert repr(read) == repr(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("fsm-system", "fsm-system"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("flomesh/pipy:1.5.12", "flomesh/pipy:1.5.12"),
        ("512M", "512M"),
        ("1e3", '"1e3"'),
        ("0o17", '"0o17"'),
        ("15001", '"15001"'),
        ("1_000", '"1_000"'),
        ("12:30:45", '"12:30:45"'),
        ("2001-1-1", '"2001-1-1"'),
        ("10.0.0.1", '"10.0.0.1"'),
        ("yes", '"yes"'),
        ("y", '"y"'),
        ("Null", '"Null"'),
        ("~", '"~"'),
        (".inf", '".inf"'),
        ("+1", '"+1"'),
        ("=", '"="'),
        ("<<", '"<<"'),
        ("", '""'),
        ("a: b", '"a: b"'),
        ("a #b", '"a #b"'),
        ("*", '"*"'),
        ("\x85", '"\\u0085"'),
        ("\u2028", '"\\u2028"'),
        ("\ufeff", '"\\ufeff"'),
        ("1.5.1", '"1.5.1"'),
        ("ü", '"ü"'),
        (True, "true"),
        (None, "null"),
        (1e16, "1.0e+16"),
        ([], "[]"),
        ({}, "{}"),
    ],
)
def test_a_scalar_has_one_reading_in_yaml_1_1_and_1_2(value: object, text: str) -> None:
    """PyYAML reads 1.1, Go's readers a mixture: a quote settles what they would argue about."""
    assert dump({"k": value}) == f"k: {text}\n"


def test_a_script_is_a_literal_block() -> None:
    """A pull request then shows the rule that changed, not one long line."""
    script = "iptables-restore --noflush <<EOF\n*nat\n-A X -p tcp -j RETURN \n\nCOMMIT\nEOF\n"
    assert dump({"data": {"init.sh": script}, "list": ["a\nb"], "end": "a\nb\n\n"}) == (
        "data:\n"
        "  init.sh: |\n"
        "    iptables-restore --noflush <<EOF\n"
        "    *nat\n"
        "    -A X -p tcp -j RETURN \n"
        "\n"
        "    COMMIT\n"
        "    EOF\n"
        "list:\n"
        "- |-\n"
        "  a\n"
        "  b\n"
        "end: |+\n"
        "  a\n"
        "  b\n"
        "\n"
    )


def test_nesting_is_indented_as_kubectl_does() -> None:
    value = {"a": [{"b": 1, "c": [2, [3, {"d": None}]]}, []], "e": {"f": {"g": ()}}}
    assert dump(value) == (
        "a:\n- b: 1\n  c:\n  - 2\n  - - 3\n    - d: null\n- []\ne:\n  f:\n    g: []\n"
    )


def test_nothing_is_shared_between_two_places() -> None:
    """An alias would hide one of two changes in a diff, and some readers refuse aliases."""
    labels = {"app": "fsm"}
    assert dump({"a": labels, "b": labels}) == "a:\n  app: fsm\nb:\n  app: fsm\n"


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({"k": b"x"}, TypeError, "expected a JSON type, got bytes"),
        ({"k": {1}}, TypeError, "expected a JSON type, got set"),
        ({1: "x"}, TypeError, "expected text as a key, got int"),
        ({"k": float("nan")}, ValueError, "Out of range float values are not JSON compliant"),
        (
            {"k" * 1001: 1},
            ValueError,
            "expected a key of at most 1000 characters, got 1001",
        ),
    ],
)
def test_what_is_no_json_is_refused(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        dump(value)
    assert str(caught.value).startswith(message)


def test_text_in_quotes_has_no_pairs_of_surrogates() -> None:
    r"""JSON may write an emoji as \ud83d\ude00; YAML's readers refuse the halves."""
    assert quoted('a😀\u0007"\\ud83d') == '"a😀\\u0007\\"\\\\ud83d"'
    assert yaml.safe_load(quoted("😀\\ud83d\ufffe")) == "😀\\ud83d\ufffe"
