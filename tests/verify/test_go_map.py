"""Annotations in both forms that kubectl prints."""

from __future__ import annotations

import pytest

from fsm_stack.errors import InputError
from fsm_stack.snapshot.describe import read_annotations

KEY = "flomesh.io/outbound-port-exclusion-list"


@pytest.mark.requirement("C31")
@pytest.mark.parametrize(
    ("text", "annotations"),
    [
        (f"map[{KEY}:8080]", {KEY: "8080"}),
        (f"map[{KEY}:8080]'", {KEY: "8080"}),
        (f'{{"{KEY}":"8080"}}\n', {KEY: "8080"}),
        (f"map[a.io/x:1 2 b.io/y:http://z:80 {KEY}:6379,7070]",
         {"a.io/x": "1 2", "b.io/y": "http://z:80", KEY: "6379,7070"}),
        ("map[]", {}),
    ],
)  # fmt: skip
def test_both_forms_are_read(text: str, annotations: dict[str, str]) -> None:
    assert read_annotations(text) == annotations


@pytest.mark.requirement("C31")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "map[a.io/x:1 note:2]",
            "map[...]: 'note' may be a key or a part of the value before it; expected JSON: "
            "kubectl get pod NAME -o json",
        ),
        (
            "map[b.io/x:1 a.io/y:2]",
            "map[...]: the keys are not in order, so one of them is a part of a value; expected "
            "JSON: kubectl get pod NAME -o json",
        ),
        ("map[a.io/x:1 a.io/x:2]", "map[...]: the key 'a.io/x' stands twice; expected JSON"),
        ("map[8080]", "map[8080]: expected key:value after map["),
        ("8080", "'8080': expected annotations, as JSON or as Go's map[key:value ...]"),
    ],
)
def test_what_can_be_read_in_two_ways_is_an_error(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_annotations(text)
    assert str(caught.value) == message
