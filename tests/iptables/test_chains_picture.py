"""The picture is well-formed and shows the chains, the ends and a connection's way."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.judge.loadable import NotLoadableError
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import Packet, Pod
from fsm_stack.iptables.picture.chains import chains_svg
from fsm_stack.iptables.read.text import read
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import FSM, OSM_EDGE

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str, kind: str) -> list[str]:
    found = ET.fromstring(svg).iter(f"{SVG}text")  # noqa: S314  # made by us
    return [element.text or "" for element in found if element.get("class") == kind]


def test_every_chain_and_end_is_drawn() -> None:
    svg = chains_svg(intercept(InterceptLists(dns_proxy=True), OSM_EDGE), title="a < b & c")
    assert texts(svg, "heading") == ["a < b & c"]
    assert texts(svg, "name") == [
        "OUTPUT",
        "PREROUTING",
        "OSM_PROXY_OUTBOUND",
        "OSM_PROXY_INBOUND",
        "OSM_PROXY_IN_REDIRECT",
        "OSM_PROXY_OUT_REDIRECT",
        "rewritten to 127.0.0.153:5300",
        "inbound listener (15003)",
        "outbound listener (15001)",
    ]
    assert texts(svg, "story") == []
    assert 'class="accept dead"' in svg


def test_a_connections_way_is_told_and_marked() -> None:
    ruleset = intercept(InterceptLists(local_proxy_mode="PodIP"), FSM)
    packet = Packet(direction="outbound", destination="10.96.0.1", port=443, uid=1000)
    found = trace(ruleset, packet, pod=Pod(address="10.244.1.7"), resolves_to="10.244.1.7")
    svg = chains_svg(ruleset, title="a self-call", trace=found)
    assert texts(svg, "story") == [
        "a process of the pod connects to 10.96.0.1:443: to the outbound listener (15001)",
        "the sidecar connects on to 10.244.1.7:443: to the inbound listener (15003)",
        "the sidecar hands over to the application's port 443: rewritten to 10.244.1.7",
    ]
    for number in (1, 2, 3):
        assert f'class="arrow pass{number}"' in svg
        assert f'class="ring ring{number}"' in svg
    ways = [svg.count(f'class="arrow pass{number}"') for number in (1, 2, 3)]
    assert ways == [3, 3, 1]  # the first two enter the outbound chain side by side


def test_what_leaves_stands_above_what_enters() -> None:
    """Boxes stand in the order of what leads to them, so that few arrows cross."""
    svg = chains_svg(intercept(InterceptLists(), FSM), title="order")
    places = {
        element.text: float(element.attrib["y"])
        for element in ET.fromstring(svg).iter(f"{SVG}text")  # noqa: S314  # made by us
        if element.get("class") == "name"
    }
    assert places["outbound listener (15001)"] < places["inbound listener (15003)"]
    assert places["FSM_PROXY_OUT_REDIRECT"] < places["FSM_PROXY_IN_REDIRECT"]


def test_control_characters_of_a_name_leave_the_picture_well_formed() -> None:
    svg = chains_svg(intercept(InterceptLists(), FSM), title="a\x01b\x1b[2J")
    assert texts(svg, "heading") == ["a\ufffdb\ufffd[2J"]


def test_long_lists_are_shortened_but_never_what_a_connection_took() -> None:
    ranges = tuple(f"10.{n}.0.0/16" for n in range(200))
    ruleset = intercept(InterceptLists(excluded_ranges=ranges), FSM)
    packet = Packet(direction="outbound", destination="10.150.0.1", port=443, uid=1000)
    labels = texts(chains_svg(ruleset, title="long", trace=trace(ruleset, packet)), "label")
    start = labels.index("-d 10.4.0.0/16")
    assert labels[start : start + 5] == [
        "-d 10.4.0.0/16",
        "… 145 more like this",
        "-d 10.150.0.0/16",
        "… 49 more like this",
        "everything else",
    ]


def test_a_return_from_a_nested_chain_goes_back() -> None:
    text = "-N X\n-N Y\n-A OUTPUT -j X\n-A X -j Y\n-A Y -d 10.0.0.0/8 -j RETURN\n-A X -j ACCEPT"
    assert texts(chains_svg(read(text).ruleset, title="nested"), "pilltext") == [
        "examine",
        "examine",
        "accept",
        "back",
    ]


def test_what_does_not_load_is_not_drawn() -> None:
    with pytest.raises(NotLoadableError):
        chains_svg(read("-A OUTPUT -j NOWHERE").ruleset, title="broken")
