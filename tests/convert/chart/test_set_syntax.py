"""Helm's ``--set`` syntax."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.convert.chart.set_syntax import (
    SetSyntaxError,
    as_list,
    parse_set,
    parse_set_leniently,
)
from fsm_stack.errors import InputError


def read(text: str, form: Any = "set") -> dict[str, Any]:
    values: dict[str, Any] = {}
    parse_set(text, values, form)
    return values


@pytest.mark.requirement("C14")
@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=1", {"a": 1}),
        ("a=01", {"a": "01"}),
        ("a=0", {"a": 0}),
        ("a=-7", {"a": -7}),
        ("a=1.5", {"a": "1.5"}),
        ("a=True", {"a": True}),
        ("a=NULL", {"a": None}),
        ("a=", {"a": ""}),
        ("a=,b=2", {"a": "", "b": 2}),
        ("a=99999999999999999999", {"a": "99999999999999999999"}),
        ("a.b.c=x", {"a": {"b": {"c": "x"}}}),
        (r"a\.b=x", {"a.b": "x"}),
        (r"a=x\,y", {"a": "x,y"}),
        (r"a=x\=y", {"a": "x=y"}),
        ("a={6379,7070}", {"a": [6379, 7070]}),
        ("a={1.1.1.1/32,2.2.2.2/24},b=1", {"a": ["1.1.1.1/32", "2.2.2.2/24"], "b": 1}),
        (r"a={x\,y,z}", {"a": ["x,y", "z"]}),
        ("a={}", {"a": [""]}),
        ("a[0]=x", {"a": ["x"]}),
        ("a[0]=x,a[2]=y", {"a": ["x", None, "y"]}),
        ("a[0].b=x,a[0].c=y", {"a": [{"b": "x", "c": "y"}]}),
        ("a[1][1]=1", {"a": [None, [None, 1]]}),
        ("a[0]=", {"a": [""]}),
        ("a[0]", {"a": []}),
        ("=x,a=1", {"a": 1}),
        ("a=[6379]", {"a": "[6379]"}),
    ],
)
def test_what_helm_reads(text: str, values: dict[str, Any]) -> None:
    """From the cases of Helm's own parser, and the forms of FSM's documents."""
    assert read(text) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", 'key "a" has no value'),
        ("a,b=1", 'key "a" has no value (cannot end with ,)'),
        ("a.=b", 'key map "a" has no value'),
        ("a.b", 'key "b" has no value'),
        ("a={1,2", "list must terminate with '}'"),
        ("a[-1]=x", "negative -1 index not allowed"),
        ("a[70000]=x", "index of 70000 is greater than maximum supported index of 65536"),
        ("a[x]=1", "error parsing index: expected a number, got 'x'"),
        ("a[0]b=1", 'unexpected data at end of array index: "b"'),
        ("a=1,a.b=2", "unable to parse key: a is a value, no mapping"),
        ("a=1,a[0]=2", "unable to parse key: a is a value, no list"),
        ("a[0]=1,a[0][0]=2", "unable to parse key: [0] is a value, no list"),
        (
            ".".join("a" * 40) + "=1",
            "value name nested level is greater than maximum supported nested level of 30",
        ),
    ],
)
def test_what_helm_refuses(text: str, message: str) -> None:
    with pytest.raises(SetSyntaxError) as caught:
        read(text)
    assert str(caught.value) == message


@pytest.mark.requirement("C13")
@pytest.mark.parametrize(
    ("text", "message", "values"),
    [
        (
            "fsm.outboundIPRangeInclusionList=[1.1.1.1/32,2.2.2.2/24]",
            'key "2/24]" has no value',
            {"fsm": {"outboundIPRangeInclusionList": ["1.1.1.1/32", "2.2.2.2/24"]}},
        ),
        (
            "fsm.inboundPortExclusionList=[6379,7070]",
            'key "7070]" has no value',
            {"fsm": {"inboundPortExclusionList": [6379, 7070]}},
        ),
    ],
)
def test_the_documents_lists_are_refused_and_understood(
    text: str, message: str, values: dict[str, Any]
) -> None:
    """Helm's own message is told, and what to write instead."""
    with pytest.raises(SetSyntaxError) as caught:
        read(text)
    assert str(caught.value) == message
    found: dict[str, Any] = {}
    (warning,) = parse_set_leniently(text, found)
    assert found == values
    assert warning.id == "set-list-in-brackets"
    assert message in warning.message
    assert warning.fix == f'Write --set "{text.replace("[", "{").replace("]", "}")}".'


def test_what_is_wrong_otherwise_stays_an_error() -> None:
    with pytest.raises(SetSyntaxError, match="has no value"):
        parse_set_leniently("fsm.a", {})
    values: dict[str, Any] = {}
    assert parse_set_leniently("fsm.a={1,2}", values) == ()
    assert values == {"fsm": {"a": [1, 2]}}


@pytest.mark.requirement("C14")
def test_text_and_json_are_read_as_such() -> None:
    assert read("a=1,b={true,2}", "set-string") == {"a": "1", "b": ["true", "2"]}
    assert read('a=[1,2],b={"c":null},d=', "set-json") == {
        "a": [1, 2],
        "b": {"c": None},
        "d": None,
    }
    with pytest.raises(SetSyntaxError, match="--set-json: "):
        read("a={1,2}", "set-json")


def test_a_key_that_is_there_is_added_to() -> None:
    values: dict[str, Any] = {"a": {"b": 1}}
    parse_set("a.c=2", values)
    assert values == {"a": {"b": 1, "c": 2}}


texts = st.text(st.sampled_from("ab1.,=[]{}\\ -\"'xtrue"), max_size=30) | st.text(max_size=20)


@given(texts, st.sampled_from(["set", "set-string", "set-json"]))
def test_any_text_is_read_or_refused(text: str, form: Any) -> None:
    values: dict[str, Any] = {}
    try:
        parse_set(text, values, form)
    except InputError:
        return
    assert isinstance(values, dict)


@given(texts)
def test_the_lenient_reader_is_never_stricter(text: str) -> None:
    strict: dict[str, Any] = {}
    lenient: dict[str, Any] = {}
    try:
        parse_set(text, strict)
    except InputError:
        return
    assert parse_set_leniently(text, lenient) == ()
    assert lenient == strict


@given(st.lists(st.integers(1, 65535), min_size=1, max_size=15))
def test_a_list_of_ports_survives_every_spelling(ports: list[int]) -> None:
    joined = ",".join(map(str, ports))
    for text in (f"a={{{joined}}}", ",".join(f"a[{i}]={p}" for i, p in enumerate(ports))):
        assert read(text) == {"a": ports}
    for text in (f"a={{{joined}}}", rf"a=[{joined.replace(',', chr(92) + ',')}]"):
        assert as_list("a", read(text, "set-string")["a"], numbers=True)[0] == ports
