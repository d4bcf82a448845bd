"""The picture is well-formed and shows the chains, the ends and a connection's way."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given

from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.judge.loadable import NotLoadableError
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import Packet, Pod
from fsm_stack.iptables.picture.chains import chains_svg
from fsm_stack.iptables.read.text import read
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import FSM, OSM_EDGE

from .strategies import lists, systems

if TYPE_CHECKING:
    from fsm_stack.systems import System

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str, kind: str) -> list[str]:
    found = ET.fromstring(svg).iter(f"{SVG}text")  # noqa: S314  # made by us
    return [element.text or "" for element in found if element.get("class") == kind]


def place(element: ET.Element) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a rectangle."""
    x, y, width, height = (float(element.attrib[key]) for key in ("x", "y", "width", "height"))
    return (x, y, x + width, y + height)


def of_class(root: ET.Element, kind: str, name: str) -> list[ET.Element]:
    """The shapes of one kind and class."""
    every = root.iter(f"{SVG}{kind}")
    return [one for one in every if name in one.get("class", "").split()]


def boxes(svg: str) -> dict[str, tuple[float, float, float, float]]:
    """The frame of each chain and end by its name."""
    found = {}
    for group in ET.fromstring(svg).iter(f"{SVG}g"):  # noqa: S314  # made by us
        names = [text.text or "" for text in group.findall(f"{SVG}text[@class='name']")]
        if names:
            found[names[0]] = place(group.findall(f"{SVG}rect[@class='frame']")[0])
    return found


def ways(svg: str) -> list[tuple[str, str]]:
    """From where to where each arrow leads: out of a row's right end, to the left of a head."""
    found = []
    frames = boxes(svg).items()
    for arrow in of_class(ET.fromstring(svg), "path", "arrow"):  # noqa: S314  # made by us
        points = arrow.attrib["d"].replace("M", "").replace("C", "").replace(",", "").split()
        x1, y1, bend, level, _, _, x2, y2 = map(float, points)
        assert (level, bend > x1) == (y1, True)
        starts = [
            name
            for name, (_, top, right, bottom) in frames
            if abs(x1 - right) <= 1 and top + 46 < y1 < bottom
        ]
        ends = [
            name
            for name, (left, top, _, _) in frames
            if left - 6 <= x2 < left and top < y2 < top + 46
        ]
        assert (len(starts), len(ends)) == (1, 1)
        found.append((starts[0], ends[0]))
    return found


def test_arrows_lead_from_rows_to_what_they_name() -> None:
    rules = intercept(InterceptLists(inbound_ports=(80,)), FSM)
    assert sorted(ways(chains_svg(rules, title="ways"))) == [
        ("FSM_PROXY_INBOUND", "FSM_PROXY_IN_REDIRECT"),
        ("FSM_PROXY_IN_REDIRECT", "inbound listener (15003)"),
        ("FSM_PROXY_OUTBOUND", "FSM_PROXY_IN_REDIRECT"),
        ("FSM_PROXY_OUTBOUND", "FSM_PROXY_OUT_REDIRECT"),
        ("FSM_PROXY_OUT_REDIRECT", "outbound listener (15001)"),
        ("OUTPUT", "FSM_PROXY_OUTBOUND"),
        ("PREROUTING", "FSM_PROXY_INBOUND"),
    ]


@given(lists, systems)
def test_boxes_stand_apart_and_hold_their_rows(policy: InterceptLists, system: System) -> None:
    """And all of it is inside of the page."""
    try:
        svg = chains_svg(intercept(policy, system), title="page")
    except NotLoadableError:
        return
    root = ET.fromstring(svg)  # noqa: S314  # made by us
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert root.attrib["viewBox"] == f"0 0 {width:.0f} {height:.0f}"
    named = boxes(svg)
    frames = sorted(named.values())
    for index, (left, top, right, bottom) in enumerate(frames):
        assert 36 <= left < right <= width - 35  # whole pixels
        assert 96 <= top < bottom <= height - 33
        for other in frames[index + 1 :]:
            assert other[0] >= right + 109 or other[1] >= bottom + 33 or other[3] <= top - 33
    for group in root.iter(f"{SVG}g"):
        if not (found := group.findall(f"{SVG}rect[@class='frame']")):
            continue
        left, top, right, bottom = place(found[0])
        for pill in of_class(group, "rect", "pill"):
            x1, y1, x2, y2 = place(pill)
            assert left < x1 < x2 < right - 8
            assert top + 46 < y1 < y2 < bottom
        for row in group.findall(f"{SVG}g"):
            pills = [place(one)[0] for one in of_class(row, "rect", "pill")]
            for kind, share in (("label", 7.3), ("note", 5.7)):
                (text,) = of_class(row, "text", kind)
                begin = float(text.attrib["x"])
                assert left + 15 <= begin
                assert begin + share * len(text.text or "") <= min([right, *pills])
    for start, end in ways(svg):
        assert named[start][2] < named[end][0]


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
    svg = chains_svg(ruleset, title="long", trace=trace(ruleset, packet))
    labels = texts(svg, "label")
    assert "" not in texts(svg, "pilltext")  # a count does nothing
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
