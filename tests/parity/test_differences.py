"""Differences on purpose that only values show which no recorded pair sets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.parity.difference import ABSENT, Difference
from tests.parity.meaning import meaning
from tests.parity.pairs import compare

_DIGEST = "sha256:" + "a" * 64
_OTHER = "sha256:" + "b" * 64


def _deployment(image: str, *args: str) -> dict[str, dict[str, Any]]:
    container = {"name": "fsm-injector", "image": image, "args": list(args)}
    spec = {"template": {"spec": {"containers": [container]}}}
    return {"Deployment/fsm-injector": {"kind": "Deployment", "spec": spec}}


def _unexpected(ours: dict[str, Any], chart: dict[str, Any]) -> tuple[str, ...]:
    return compare(ours, chart).unexpected


@pytest.mark.parametrize(
    ("ours", "charts"),
    [
        (f"flomesh/fsm-injector:1.6.0@{_DIGEST}", "flomesh/fsm-injector:1.6.0"),
        (f"flomesh/fsm-injector:1.6.0@{_DIGEST}", f"flomesh/fsm-injector@{_DIGEST}"),
        ("flomesh/fsm-injector:1.6.0", "flomesh/fsm-injector@"),
        (f"host:5000/a/fsm-injector:1.6.0@{_DIGEST}", f"host:5000/a/fsm-injector@{_DIGEST}"),
    ],
)
def test_a_digest_wins_over_the_charts_tag(ours: str, charts: str) -> None:
    assert _unexpected(_deployment(ours), _deployment(charts)) == ()


@pytest.mark.parametrize(
    ("ours", "charts"),
    [
        (f"flomesh/fsm-injector:1.6.0@{_DIGEST}", f"flomesh/fsm-injector@{_OTHER}"),
        (f"flomesh/fsm-injector:1.6.0@{_DIGEST}", "flomesh/fsm-injector:1.5.1"),
        ("flomesh/fsm-injector:1.6.0", "flomesh/fsm-injector:1.5.1"),
        ("flomesh/fsm-injector:1.6.0", "other/fsm-injector@"),
        ("flomesh/fsm-injector:1.6.0", f"flomesh/fsm-injector@{_DIGEST}"),
    ],
)
def test_another_image_is_no_difference_on_purpose(ours: str, charts: str) -> None:
    """The patterns tie both sides together: the same name, the same digest."""
    assert len(_unexpected(_deployment(ours), _deployment(charts))) == 1


def test_no_token_is_an_argument_and_the_role_is_not_dropped() -> None:
    ours = _deployment("a:1", "--vault-role", "mesh")
    chart = _deployment("a:1", "--vault-token", "")
    assert _unexpected(ours, chart) == ()


def test_a_token_of_the_chart_is_a_secret_of_ours() -> None:
    """What the chart hands over in the clear may not be lost on the way to a reference."""
    chart = _deployment("a:1", "--verbosity", "info", "--vault-token", "s.abc")
    secret = ("--vault-token-secret-name", "fsm-vault-token", "--vault-token-secret-key", "token")
    assert _unexpected(_deployment("a:1", "--verbosity", "info", *secret), chart) == ()
    assert len(_unexpected(_deployment("a:1", "--verbosity", "info"), chart)) == 2


def test_flags_mean_the_same_in_any_order_and_form() -> None:
    one = _deployment("a:1", "--verbosity", "info", "--enable-reconciler=false")
    other = _deployment("a:1", "--enable-reconciler", "false", "--verbosity=info")
    assert meaning(one["Deployment/fsm-injector"]) == meaning(other["Deployment/fsm-injector"])


def test_patterns_take_brackets_as_they_are() -> None:
    """``containers[a]`` is a path here, no set of characters."""
    known = Difference(object="*", path="c[a].*", ours=ABSENT, charts="1", reason="a test of it")
    assert known.covers("Pod/x", "c[a].image", None, "1")
    assert not known.covers("Pod/x", "ca.image", None, "1")
    assert not known.covers("Pod/x", "c[a].image", "1", "1")
    assert not known.covers("Pod/x", "c[a].image", None, "2")
