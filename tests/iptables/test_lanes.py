"""The lanes hold every packet, each where the walk puts it, and are drawn as text that is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.cli.coverage import picture
from fsm_stack.errors import InputError
from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.judge.loadable import NotLoadableError
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import ToListener, protocol_number
from fsm_stack.iptables.picture.draw import Move, lanes_svg
from fsm_stack.iptables.picture.lanes import compared, lanes
from fsm_stack.iptables.picture.scales import addresses, ports
from fsm_stack.iptables.picture.shapes import fitted, wrapped
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.rule import Dnat, Redirect
from fsm_stack.iptables.sets.coverage import Coverage, coverage
from fsm_stack.iptables.sets.decisions import decisions
from fsm_stack.iptables.sets.diagram import Diagrams, child_at
from fsm_stack.iptables.sets.ranges import IPV4_END, address_number
from fsm_stack.iptables.sets.reach import addresses_text
from fsm_stack.lists import InterceptLists
from fsm_stack.project.rules_source import of_stack
from fsm_stack.project.sides import Sides
from fsm_stack.review.compare import Comparison
from fsm_stack.review.model import SideName
from fsm_stack.review.reports.page import change_svg
from fsm_stack.systems import FSM, OSM_EDGE

from .strategies import lists, packets, systems

if TYPE_CHECKING:
    from fsm_stack.iptables.picture.entries import Block
    from fsm_stack.iptables.picture.lanes import Lanes
    from fsm_stack.systems import System

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 28)
SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Said:
    reason: str = ""
    owner: str = ""
    until: date | None = None
    expired: bool = False
    path: str = ""


def named(blocks: tuple[Block, ...], *, own: bool = True) -> list[str]:
    return [block.text for block in blocks if block.own is own]


def drawn(found: Lanes, **options: Any) -> ET.Element:
    return ET.fromstring(lanes_svg(found, title="t", **options))  # noqa: S314  # made by us


def texts(svg: ET.Element, kind: str) -> list[str]:
    every = svg.iter(f"{SVG}text")
    return [e.text or "" for e in every if kind in (e.get("class") or "").split()]


@given(st.data())
def test_a_packet_is_in_the_lane_and_of_the_rule_that_the_walk_says(data: st.DataObject) -> None:
    """The picture claims of all packets what the walk, which the kernel confirms, says of one."""
    policy, system = data.draw(lists), data.draw(systems)
    ruleset = intercept(policy, system)
    try:
        known = decisions(ruleset)
    except NotLoadableError:
        return
    for packet in data.draw(st.lists(packets(policy), min_size=1, max_size=6)):
        walked = trace(ruleset, packet).passes[0]
        node: Any = known.diagrams[packet.direction]
        uid = packet.uid if packet.direction == "outbound" else 0
        number = protocol_number(packet.protocol)
        to = address_number(packet.destination)
        for point in (number, walked.packet.interface, uid, packet.port, 0, to):
            node = child_at(node, point)
        assert node.verdict == walked.verdict
        applied = [hop.rule for hop in walked.hops if hop.matched]
        if not applied:
            assert node.lane == "unseen"
            continue
        assert node.lane == ("sidecar" if isinstance(walked.verdict, ToListener) else "bypass")
        told = [rule for rule in applied if not isinstance(rule.target, Redirect | Dnat)]
        assert (told or applied)[-1] in known.groups[node.group].rules


MATCHES = st.sampled_from((
    "", "-d 10.0.0.0/8 ", "! -d 10.1.0.0/16 ", "-s 1.0.0.0/8 ", "--dport 80 ", "--dport 1:443 ",
    "! --dport 443 ", "-m multiport --dports 53,443 ",
))  # fmt: skip
ENDS = ("RETURN", "ACCEPT", "REDIRECT --to-ports 15001", "DNAT --to-destination 10.9.9.9")


@st.composite
def foreign(draw: st.DrawFn) -> str:
    """Chains that jump to later ones only, with rules that no injector writes."""
    lines = ["-N A", "-N B", "-N C"]
    for chain, later in (
        ("OUTPUT", "ABC"),
        ("PREROUTING", "AC"),
        ("A", "BC"),
        ("B", "C"),
        ("C", ""),
    ):
        for _ in range(draw(st.integers(0, 4))):
            target = draw(st.sampled_from((*ENDS, *later)))
            lines.append(f"-A {chain} -p tcp {draw(MATCHES)}-j {target}")
    return "\n".join(lines)


@given(foreign())
def test_of_foreign_rules_the_verdicts_are_those_of_coverage_and_all_is_drawn(script: str) -> None:
    ruleset = read(script).ruleset
    known = decisions(ruleset)
    builder, right = Diagrams(), coverage(ruleset)
    outbound, inbound = (
        builder.convert(lambda fate: fate.verdict, known.diagrams[name])
        for name in ("outbound", "inbound")
    )
    assert Coverage(outbound, inbound) == right
    svg = drawn(lanes(known))
    assert len([g for g in svg.iter(f"{SVG}g") if "lane" in g.attrib["class"].split()]) == 12


@given(lists, systems, st.sampled_from((900, 400)))
def test_every_policy_is_drawn_inside_of_the_page(
    policy: InterceptLists, system: System, width: int
) -> None:
    ruleset = intercept(policy, system)
    try:
        svg = drawn(lanes(decisions(ruleset)), width=width)
    except NotLoadableError:
        return
    for rect in svg.iter(f"{SVG}rect"):
        left, wide = float(rect.get("x", "0")), float(rect.attrib["width"])
        assert 0 <= left <= left + wide <= width
    bottom = max(float(text.attrib["y"]) for text in svg.iter(f"{SVG}text"))
    assert bottom < float(svg.attrib["height"])


def test_entries_stand_by_name_and_the_script_s_own_rules_below() -> None:
    """Who looks for a port finds it with its owner, and not among what every pod has."""
    notes = {
        ("outboundIPRangeExclusionList", "203.0.113.0/24"): [
            Said(reason="card processor", owner="payments", until=date(2027, 6, 30))
        ],
        ("outboundPortExclusionList", "6379"): [Said(owner="data", until=date(2026, 1, 1), expired=True)],
        ("networkInterfaceExclusionList", "net1"): [Said()],
    }  # fmt: skip
    given_lists = InterceptLists(
        excluded_ranges=("203.0.113.9/24",), outbound_ports=(6379,), interfaces=("net1",)
    )
    found = lanes(decisions(intercept(given_lists, FSM)), notes)
    bypass = found["outbound"]["bypass"]
    assert named(bypass) == [
        "interface net1",
        "203.0.113.0/24, card processor, payments, until 2027-06-30, to 203.0.113.0/24",
        "port 6379, data, until 2026-01-01, port 6379",
    ]
    assert [block.mark for block in bypass[:3]] == ["", "", "expired"]
    assert named(bypass, own=False) == [
        "loopback, processes of the pod that talk over loopback are not intercepted, via lo, "
        "uid any but 1500",
        "the sidecar itself, the sidecar's own traffic must not loop back into it, via any but "
        "lo, uid 1500 or via lo, uid 1500, to 127.0.0.1/32",
        "localhost, traffic to localhost is not intercepted, to 127.0.0.1/32",
    ]
    assert named(found["outbound"]["sidecar"], own=False) == [
        "all other TCP, what no outbound rule excluded is intercepted, "
        "to any but 127.0.0.1/32,203.0.113.0/24 port any but 6379",
        "the pod calls itself, the sidecar calls its own pod through a service: treat it as "
        "inbound, via lo, uid 1500, to any but 127.0.0.1/32",
    ]
    assert named(found["inbound"]["unseen"], own=False) == [
        "all that is not TCP, no rule looks at it",
        "IPv6, the rules are in the IPv4 table only",
    ]


def test_an_inclusion_is_drawn_in_the_sidecars_lane_without_what_exclusions_take() -> None:
    policy = InterceptLists(included_ranges=("10.0.0.0/8", "11.0.0.0/8"), outbound_ports=(443,))
    found = lanes(decisions(intercept(policy, FSM)))["outbound"]
    assert named(found["sidecar"]) == [
        "10.0.0.0/8, to 10.0.0.0/8 port any but 443",
        "11.0.0.0/8, to 11.0.0.0/8 port any but 443",
    ]
    assert "every other address" in [block.name for block in found["bypass"]]


def test_an_entry_that_another_takes_whole_is_without_effect() -> None:
    policy = InterceptLists(excluded_ranges=("10.1.0.0/16",), interfaces=("+",))
    blocks = lanes(decisions(intercept(policy, FSM)))["outbound"]["bypass"]
    assert [(block.name, block.mark) for block in blocks if block.own] == [
        ("interface +", ""),
        ("10.1.0.0/16", "dead"),
    ]


def test_past_a_dozen_entries_of_a_list_the_others_share_a_block() -> None:
    policy = InterceptLists(excluded_ranges=tuple(f"20.{n}.0.0/16" for n in range(1, 256, 2)))
    blocks = lanes(decisions(intercept(policy, FSM)))["outbound"]["bypass"]
    own = [block for block in blocks if block.own]
    assert [block.name for block in own[11:]] == ["20.23.0.0/16", "and 116 more"]
    rest = ",".join(f"20.{n}.0.0/16" for n in range(25, 256, 2))
    assert addresses_text(own[12].addresses) == rest


def test_what_is_rewritten_says_where_to() -> None:
    blocks = lanes(decisions(intercept(InterceptLists(dns_proxy=True), OSM_EDGE)))
    (dns,) = [block for block in blocks["outbound"]["bypass"] if block.name == "DNS"]
    assert dns.text.startswith(
        "DNS, DNS queries to the local resolver go to the sidecar's DNS listener; rewritten to "
        "127.0.0.153:5300, udp"
    )


def test_foreign_rules_stand_by_what_they_match() -> None:
    text = (
        "-A OUTPUT -p tcp -d 10.0.0.0/8 -j ACCEPT\n-A OUTPUT -p tcp -j REDIRECT --to-ports 15001\n"
    )
    found = lanes(decisions(read(text).ruleset))
    assert [block.name for block in found["outbound"]["bypass"]] == ["-d 10.0.0.0/8"]
    assert [block.name for block in found["outbound"]["sidecar"]] == ["all TCP"]
    assert [block.name for block in found["inbound"]["unseen"]] == ["every protocol", "IPv6"]
    assert texts(drawn(found), "note")[-3:] == ["nothing", "nothing", "no rule looks at it"]


@pytest.mark.parametrize("width", [900, 400])
def test_everything_stands_inside_of_the_page(width: int) -> None:
    policy = InterceptLists(
        excluded_ranges=("0.0.0.0/32", "255.255.255.255/32", "10.0.0.0/8"),
        outbound_ports=(1, 65535, 443),
    )
    svg = drawn(
        lanes(decisions(intercept(policy, FSM))), width=width, named=[("pods", "10.1.0.0/16")]
    )
    height = float(svg.attrib["height"])
    assert svg.attrib["viewBox"] == f"0 0 {width} {svg.attrib['height']}"
    for rect in svg.iter(f"{SVG}rect"):
        left, top = float(rect.get("x", "0")), float(rect.get("y", "0"))
        assert left >= 0
        assert left + float(rect.attrib["width"]) <= width
        assert 0 <= top <= top + float(rect.attrib["height"]) <= height
    for text in svg.iter(f"{SVG}text"):
        assert 0 < float(text.attrib["y"]) < height
    bars = [r for r in svg.iter(f"{SVG}rect") if r.get("class") in ("bar", "hole")]
    assert min(float(bar.attrib["width"]) for bar in bars) >= 4


def test_hostile_text_stays_text() -> None:
    """A stack file of a pull request is anybody's: it must not leave its text element."""
    bad = "</text><script>alert(1)</script>&\x1b[31m\u202e]]>\ud800\ufffe"
    notes = {("outboundPortExclusionList", "443"): [Said(reason=bad, owner='"><a href="x">')]}
    found = lanes(decisions(intercept(InterceptLists(outbound_ports=(443,)), FSM)), notes)
    svg = ET.fromstring(lanes_svg(found, title=bad, subtitle=bad, named=[(bad, "10.0.0.0/8")]))  # noqa: S314
    tags = {element.tag.removeprefix(SVG) for element in svg.iter()}
    assert tags == {"svg", "title", "style", "rect", "g", "text", "tspan", "path"}
    said = [text for text in texts(svg, "note") if "script" in text]
    assert any("alert(1)" in text for text in said)
    assert "\\x1b[31m" in " ".join(texts(svg, "note"))
    assert lanes_svg(found, title=bad) == lanes_svg(found, title=bad)


def test_no_entry_without_an_owner_goes_unsaid() -> None:
    notes = {("outboundPortExclusionList", "443"): [Said()]}
    found = lanes(decisions(intercept(InterceptLists(outbound_ports=(443,)), FSM)), notes)
    svg = drawn(found)
    assert texts(svg, "blockname") == ["all other TCP", "port 443", "all other TCP"]
    assert "no reason given" in texts(svg, "note")
    assert texts(svg, "owner") == ["no owner"]


def test_what_changes_lanes_is_seen_first() -> None:
    before = lanes(decisions(intercept(InterceptLists(outbound_ports=(6379, 9092)), FSM)))
    after = lanes(decisions(intercept(InterceptLists(outbound_ports=(443, 6379)), FSM)))
    both = compared(before, after)
    own = [block for block in both["outbound"]["bypass"] if block.own]
    marks = [(block.name, block.mark) for block in own]
    assert marks == [("port 443", "new"), ("port 6379", ""), ("port 9092", "gone")]
    moves = [
        Move(kind="leaves", block=replace(own[0], name="TCP 443")),
        Move(kind="enters", block=replace(own[2], name="TCP 9092")),
        Move(kind="turns", way="here → there", block=replace(own[1], name="TCP 6379")),
    ]
    svg = drawn(both, moves=moves)
    assert texts(svg, "section") == [
        "3 changes", "Outbound: the pod connects", "Inbound: a client connects",
    ]  # fmt: skip
    assert texts(svg, "marktext") == [
        "leaves the mesh", "enters the mesh", "goes elsewhere", "new", "gone",
    ]  # fmt: skip
    assert texts(svg, "blockname")[:3] == ["TCP 443", "TCP 9092", "TCP 6379"]
    assert texts(svg, "note")[:3] == [
        "through the sidecar → bypasses it",
        "bypasses the sidecar → through it",
        "here → there",
    ]


def test_a_change_without_effect_says_that_nothing_changes() -> None:
    same = lanes(decisions(intercept(InterceptLists(outbound_ports=(443,)), FSM)))
    svg = drawn(compared(same, same), moves=[])
    assert texts(svg, "section")[0] == "Nothing changes"
    assert texts(svg, "note")[0] == "No connection changes lanes."
    assert texts(svg, "marktext") == []


@given(st.lists(st.tuples(st.integers(0, IPV4_END - 1), st.integers(1, 1 << 20)), max_size=30))
def test_the_axis_keeps_the_order_and_stays_inside(spans: list[tuple[int, int]]) -> None:
    intervals = [((start, min(IPV4_END, start + size)),) for start, size in spans]
    axis = addresses(intervals, [("pods", "10.0.0.0/9"), ("bad", "x")], left=10, width=200)
    points = sorted({point for interval in intervals for span in interval for point in span})
    places = [axis.scale.place(point) for point in (0, *points, IPV4_END)]
    assert places == sorted(places)
    assert (places[0], round(places[-1], 6)) == (10, 210)
    for interval in intervals:
        for piece in axis.scale.pieces(interval):
            assert 10 - 1e-6 <= piece.x <= piece.x + piece.width <= 210 + 1e-6
            assert piece.width >= 4 - 1e-6


def test_ports_stand_by_their_logarithm() -> None:
    axis = ports(left=0, width=170)
    places = [round(axis.scale.place(port)) for port in (0, 1, 2, 512, 1024, 65535, 65536)]
    assert places == [0, 10, 20, 100, 110, 170, 170]
    assert [tick.text for tick in axis.ticks] == ["1", "10", "100", "1k", "10k"]


def test_what_has_no_room_is_cut_with_a_mark() -> None:
    assert fitted("short", 15, 100) == "short"
    assert fitted("a" * 3000, 1, 3000) == "a" * 3000
    assert fitted("a" * 300, 15, 100) == "aaaaaaaaaaa…"
    assert fitted("界" * 300, 15, 100) == "界界界界界界…"
    assert wrapped("one two three four five", 10, 60) == ["one two", "three four", "five"]
    assert wrapped("one two three four five six seven eight", 10, 60)[2] == "five six s…"
    assert wrapped("x" * 30, 10, 60) == ["xxxxxxxxxx…"]


HOOKED = "-N X\n-A OUTPUT -p tcp -j X\n-A X -p tcp -j REDIRECT --to-port 15001\n"


def test_rules_that_are_not_decided_and_change_nothing_are_drawn() -> None:
    added = "-N D\n-A OUTPUT -m addrtype --dst-type LOCAL -j D\n-A OUTPUT -p tcp -j LOG\n"
    with_it, plain = (lanes(decisions(read(text).ruleset)) for text in (added + HOOKED, HOOKED))
    for name in ("sidecar", "bypass", "unseen"):
        assert named(with_it["outbound"][name]) == named(plain["outbound"][name])


def test_lanes_that_depend_on_what_is_not_decided_are_refused() -> None:
    text = f"-A OUTPUT -p tcp -m mark --mark 1 -j RETURN\n{HOOKED}"
    with pytest.raises(InputError, match="depends on what is not decided here: -m mark --mark 1;"):
        decisions(read(text).ruleset)


def test_the_documentation_shows_what_is_drawn() -> None:
    """A reader compares the page with a picture that the own program made."""
    pictures = ROOT / "docs/pictures"
    found = picture(of_stack(ROOT, "prod", None), TODAY)
    assert found == (pictures / "coverage-prod.svg").read_text(encoding="utf-8")
    text = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    sides = Sides(start=ROOT, today=TODAY)
    before, after = (
        sides.settings(one, SideName(title=title, kind="stack", file="Pulumi.dev.yaml"))
        for one, title in (
            (text, "dev at main"),
            (text.replace("[6379, 7070]", "[6379, 7070, 443]"), "dev"),
        )
    )
    both = Comparison(before, after)
    change = (pictures / "change-dev.svg").read_text(encoding="utf-8")
    assert change_svg(both, both.review()) == change
