"""A mutated pod as text: two encoders, one meaning, whatever the pod's own values are."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.errors import InputError
from fsm_stack.injector.decision import admit
from fsm_stack.injector.pod import Mutation
from fsm_stack.injector.probes import NOTHING
from fsm_stack.yaml.decode import decode_json
from fsm_stack.yaml.write import dump
from tests.given import ID, mesh, namespace, pod

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


def encode(value: Any) -> str:
    """A pod's text with this value somewhere in it."""
    return Mutation(top={"value": value}, metadata={}, spec=None, probes=NOTHING).text()


@given(VALUES)
def test_what_is_decoded_and_encoded_again_is_the_same(value: Any) -> None:
    text = json.dumps(value)
    assert decode_json(text) == value
    assert json.loads(encode(value))["value"] == value
    assert "\n" not in encode(value)


@pytest.mark.parametrize(
    "value",
    [10**30, nested(300), "\x00\x7f\u2028<&>"],
    ids=["large", "deep", "controls"],
)
def test_what_one_encoder_refuses_the_other_takes(value: Any) -> None:
    assert json.loads(encode(value))["value"] == value
    assert decode_json(encode(value))["value"] == value


def test_half_a_pair_is_written_and_not_read() -> None:
    """No UTF-8 can hold it, so that no file that is read has it; an API server's answer might."""
    text = encode("half a pair \ud800")
    assert json.loads(text)["value"] == "half a pair \ud800"
    with pytest.raises(InputError):
        decode_json(text)


@pytest.mark.parametrize(
    "account", ['"quoted"', "back\\slash", "\u2028\x85\x7f", "\ud800", "\ue000\ue001"]
)
def test_a_service_account_of_any_text_is_in_the_sidecars_arguments(account: str) -> None:
    mutation = mutated(account)
    assert any(f".sidecar.{account}.shop/" in item for item in sidecar_arguments(mutation.plain()))
    assert json.loads(mutation.text()) == mutation.plain()


def test_an_emoji_of_the_pod_is_yaml() -> None:
    r"""YAML's readers refuse the halves \ud83d\ude00, which are JSON."""
    plain = mutated("a😀\\ud83d").plain()
    assert yaml.safe_load(dump(plain)) == plain


def mutated(account: str) -> Mutation:
    known = mesh("fsm")
    _, found = admit(
        pod(serviceAccountName=account), mesh=known, namespace=namespace(of=known), proxy_id=ID
    )
    assert found is not None
    return found


def sidecar_arguments(plain: Any) -> list[str]:
    (sidecar,) = (item for item in plain["spec"]["containers"] if item["name"] == "sidecar")
    return list(sidecar["args"])
