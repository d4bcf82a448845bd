"""Our objects are those of FSM's chart, but for the differences on purpose."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.parity.difference import EVERY_PAIR
from tests.parity.differences import DIFFERENCES
from tests.parity.pairs import Pair, by_key, compare, corpus, load

if TYPE_CHECKING:
    from pathlib import Path

_DIRECTORY = corpus()
_PAIRS = load(_DIRECTORY) if _DIRECTORY.is_dir() else []
_RECORDED = {"default", "lists", "ha", "custom"}


def test_there_are_pairs_to_compare() -> None:
    """Without them nothing here proves anything."""
    if _PAIRS:
        return
    pytest.skip(f"no X.values.yaml in {_DIRECTORY}; set FSM_STACK_CHART_CORPUS")


@pytest.mark.parametrize("pair", [pytest.param(pair, id=pair.name) for pair in _PAIRS])
def test_the_bundle_means_what_the_chart_renders(pair: Pair) -> None:
    """Object by object, field by field; the differences on purpose are in one list."""
    assert compare(by_key(pair.ours()), pair.chart).unexpected == ()


@pytest.mark.parametrize("name", sorted(_RECORDED))
def test_no_difference_is_stale(name: str) -> None:
    """A reason that explains nothing any more would hide the next difference at its place."""
    pair = next((pair for pair in _PAIRS if pair.name == name), None)
    if pair is None:
        pytest.skip(f"no {name}.values.yaml in {_DIRECTORY}")
    seen = compare(by_key(pair.ours()), pair.chart).seen
    shown = {d for d in DIFFERENCES if EVERY_PAIR in d.pairs or name in d.pairs}
    assert {f"{d.object} {d.path}" for d in shown - seen} == set()


def test_every_difference_names_recorded_pairs() -> None:
    """A misspelt pair would never show that its difference is stale."""
    named = {name for d in DIFFERENCES for name in d.pairs}
    assert named <= _RECORDED | {EVERY_PAIR}


def test_every_difference_has_a_reason_of_its_own_kind() -> None:
    for difference in DIFFERENCES:
        assert len(difference.reason) > 20, difference


def test_an_unlisted_difference_is_seen() -> None:
    """The comparison itself: a field of ours that changes is reported by name."""
    pair = next((pair for pair in _PAIRS if pair.name == "default"), None)
    if pair is None:
        pytest.skip(f"no default.values.yaml in {_DIRECTORY}")
    ours = json.loads(json.dumps(by_key(pair.ours())))
    program = ours["Deployment/fsm-injector"]["spec"]["template"]["spec"]["containers"][0]
    program["args"][1] = "trace"
    del ours["Service/fsm-validator"]
    assert compare(ours, pair.chart).unexpected == (
        "Deployment/fsm-injector spec.template.spec.containers[fsm-injector].args[--verbosity]: "
        "ours 'trace', the chart's 'info'",
        "Service/fsm-validator (the object): ours None, the chart's ''",
    )


def test_a_directory_without_pairs_gives_none(tmp_path: Path) -> None:
    assert load(tmp_path) == []
