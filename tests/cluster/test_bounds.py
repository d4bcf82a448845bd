"""A server that never ends, or that answers more than anybody can hold, costs one part."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from typing import Any

import pytest

from fsm_stack.cluster import api
from fsm_stack.cluster.api import ITEMS_MAX, PAGE, VALUES_MAX, Refused, decoded
from fsm_stack.cluster.read import Reader
from fsm_stack.snapshot.snapshot import Part
from fsm_stack.systems import FSM

from .test_api import Scripted, Server, mesh, page


@pytest.mark.parametrize("names", [(), ("a",)], ids=["empty", "one"])
def test_a_page_that_leads_to_itself_is_told(names: tuple[str, ...]) -> None:
    server = Server(lambda _: page(*names, following="x"))
    with pytest.raises(Refused) as caught:
        list(server.cluster().pages("/api/v1/pods"))
    assert str(caught.value) == (
        "/api/v1/pods: the server leads from a page to one that was read: the list has no end"
    )
    assert len(server.asked) == 2


def test_pages_that_lead_in_a_circle_are_told() -> None:
    following = {"": "x", "x": "y", "y": "z", "z": "x"}

    def answer(path: str) -> Scripted:
        return page("a", following=following[path.partition("continue=")[2]])

    server = Server(answer)
    with pytest.raises(Refused, match="the list has no end"):
        list(server.cluster().pages("/api/v1/pods"))
    assert len(server.asked) == 4


def test_pages_without_end_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new token every time, and nothing in the pages."""
    monkeypatch.setattr(api, "PAGES_MAX", 20)
    numbers = itertools.count()
    server = Server(lambda _: page(following=str(next(numbers))))
    with pytest.raises(Refused) as caught:
        list(server.cluster().pages("/api/v1/pods"))
    assert str(caught.value) == "/api/v1/pods: a list of more than 20 pages"
    assert len(server.asked) == 20


def test_more_objects_than_a_cluster_has_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "ITEMS_MAX", 25)
    numbers = itertools.count()
    server = Server(lambda _: page(*"abcdefghij", following=str(next(numbers))))
    read = []
    with pytest.raises(Refused) as caught:
        read.extend(server.cluster().pages("/api/v1/pods"))
    assert str(caught.value) == "/api/v1/pods: a list of more than 25 objects"
    assert len(server.asked) == 3


def test_a_page_larger_than_asked_for_counts_with_all_its_objects() -> None:
    """Some servers know no limit: they answer the whole list at once."""
    server = Server(lambda _: (200, {"items": [{"metadata": {"name": "a"}}] * (3 * PAGE)}))
    assert len(list(server.cluster().pages("/api/v1/pods"))) == 3 * PAGE
    assert ITEMS_MAX > 150_000  # pods that Kubernetes is made for


def test_a_list_without_end_costs_its_part_alone() -> None:
    def answer(path: str) -> Scripted:
        return page("svc", following="x") if "/services" in path else mesh(path)

    found = Reader(cluster=Server(answer).cluster()).snapshot(systems=[FSM], namespace="m")
    assert list(found.not_read) == [Part.SERVICES]
    assert "the list has no end" in found.not_read[Part.SERVICES]


@pytest.mark.parametrize("item", ["[]", "{}", '""', "0", '{"a":[[[]]]}'])
def test_an_answer_is_bounded_by_what_it_becomes(item: str) -> None:
    """Three characters of text become an object of sixty bytes."""
    content = f'{{"items":[{",".join([item] * VALUES_MAX)}]}}'.encode()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="too many values") as caught:
            decoded(content)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert str(caught.value) == f"an answer of too many values: expected at most {VALUES_MAX}"
    assert most < 1 << 20


def test_a_full_page_of_large_pods_is_within_the_bound() -> None:
    pod: dict[str, Any] = {
        "spec": {"containers": [{"env": [{"name": "a", "value": "b,c"}] * 500}]}
    }
    content = json.dumps({"kind": "PodList", "items": [pod] * PAGE}).encode()
    assert len(decoded(content)["items"]) == PAGE


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "9" * 5000])
def test_numbers_that_json_cannot_say_are_told(value: str) -> None:
    with pytest.raises(ValueError, match="an answer that is no JSON, or is cut off"):
        decoded(f'{{"a": {value}}}'.encode())
