"""What was declared happens and nothing else does, or it stops and names the collateral."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.errors import InputError
from fsm_stack.iptables.judge.simulate import trace
from fsm_stack.iptables.packet import Packet, Untouched
from fsm_stack.iptables.sets.reach import region_text
from fsm_stack.review.intent import intent, meant_for
from fsm_stack.review.model import Level
from fsm_stack.review.reports.report import findings_of, markdown, text_lines

from .sides import review, side, traffic

PORT = traffic(outboundPortExclusionList=[6379, 443])
RANGE = traffic(outboundIPRangeExclusionList=["203.0.113.0/24", "198.51.100.0/24"])


def test_what_was_meant_passes_whatever_its_risk() -> None:
    found = review(side(), side(**PORT), "bypass tcp 443")
    assert found.headline == "What was declared happens, and no other connection changes its way"
    assert (found.risk, found.collateral) == (Level.NONE, ())
    assert not found.stops(Level.LOW)
    assert [one.meant for one in found.traffic] == [True]


def test_collateral_stops_and_is_named() -> None:
    ranges = RANGE["traffic"]["outboundIPRangeExclusionList"]
    both = side(traffic=PORT["traffic"] | {"outboundIPRangeExclusionList": ranges})
    found = review(side(), both, "bypass tcp to 198.51.100.0/24")
    assert [one.subject for one in found.collateral] == ["TCP 443 to any but 198.51.100.0/24"]
    assert found.headline == f"Not declared: {found.collateral[0].sentence}"
    assert found.stops(Level.HIGH)
    assert {one.subject: one.meant for one in found.traffic} == {
        "TCP 443 to any address": False,
        "TCP to 198.51.100.0/24": True,
    }


def test_a_narrower_declaration_leaves_the_rest_as_collateral() -> None:
    found = review(side(), side(**PORT), "bypass tcp 443 to 203.0.112.0/24")
    assert found.collateral[0].risk.id == "port-to-any-address"
    regions = [region_text(part.region) for part in found.collateral[0].regions]
    assert regions == [
        "outbound tcp via any but lo uid any but 1500 to any but 127.0.0.1/32,203.0.112.0/23 "
        "port 443"
    ]


def test_what_was_declared_and_does_not_happen_stops() -> None:
    found = review(side(), side(**RANGE), "bypass tcp 5432 to 198.51.0.0/16")
    (late,) = found.expected
    assert (late.happens, late.already) == (False, False)
    assert late.missing.startswith("TCP 5432 to ")
    assert found.stops(Level.HIGH)


def test_what_was_so_before_is_said_to_be_so_and_stops_nothing() -> None:
    found = review(side(), side(), "bypass tcp 443 to 203.0.113.0/24")
    (only,) = found.expected
    assert (only.happens, only.already) == (True, True)
    assert not found.stops(Level.LOW)


def test_what_comes_back_does_so_apart_from_what_other_entries_take_out() -> None:
    """203.0.113.0/24 stays excluded: nobody has to declare that once more."""
    found = review(side(), side(**traffic(outboundPortExclusionList=[])), "mesh tcp 6379")
    (only,) = found.expected
    assert (only.happens, only.missing) == (True, "TCP 6379 to 203.0.113.0/24")
    assert not found.stops(Level.LOW)


def test_what_should_come_back_and_does_not_stops() -> None:
    assert review(side(), side(), "mesh tcp 6379").stops(Level.HIGH)


def test_nothing_can_be_declared() -> None:
    assert not review(side(), side(), "nothing").stops(Level.LOW)
    found = review(side(), side(**PORT), "nothing")
    assert found.stops(Level.HIGH)
    assert found.collateral
    lines = text_lines(found)
    assert "  nothing (--expect): does not hold" in lines
    assert sum("not declared:" in line for line in lines) == 1
    assert {one.id for one in findings_of(found)} >= {"change-not-declared"}
    assert "change-missing" not in {one.id for one in findings_of(found)}
    assert "  nothing (--expect): holds" in text_lines(review(side(), side(), "nothing"))


def test_the_risk_of_what_was_declared_is_told_as_declared() -> None:
    found = review(side(), side(**PORT), "bypass tcp 443")
    assert (found.risk, found.declared) == (Level.NONE, Level.HIGH)
    assert text_lines(found)[1].startswith("high, declared: What was declared happens")
    assert "risk **high, declared**" in markdown(found, fail_on=Level.LOW)


def test_what_is_missing_is_no_change_of_no_risk() -> None:
    found = review(side(), side(), "bypass tcp 443")
    assert found.risk is Level.MEDIUM
    assert text_lines(found)[1].startswith("medium: Declared, and does not happen")


def test_a_broken_contract_is_a_high_risk_though_the_change_was_declared() -> None:
    bound = [{"traffic": "tcp 443 to any", "verdict": "always", "reason": "r", "owner": "o"}]
    one, two = side(contracts=bound), side(contracts=bound, **PORT)
    found = review(one, two, "bypass tcp 443")
    assert (found.risk, found.stops(Level.HIGH)) == (Level.HIGH, True)
    assert text_lines(found)[1].startswith("high: Breaks the contract tcp 443")
    assert review(two, two).risk is Level.NONE


def test_a_declaration_can_speak_of_one_profile() -> None:
    before = {"batch": {"outboundPortExclusionList": [9000]}}
    after = {"batch": {"outboundPortExclusionList": [9000, 443]}}
    one, two = side(annotationProfiles=before), side(annotationProfiles=after)
    assert not review(one, two, "bypass tcp 443 on batch").stops(Level.LOW)
    assert review(one, two, "bypass tcp 443 on mesh").stops(Level.HIGH)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exclude 443", "--expect: expected 'bypass TRAFFIC', 'mesh TRAFFIC' or 'nothing', such as "
         "'bypass tcp 443 to 203.0.113.0/24', got 'exclude 443'"),
        ("bypass tcp 70000", "--expect: 'tcp 70000': expected ports such as 443 or 443,8000-8999, "
         "got '70000'"),
        ("bypass tcp 443 to example.com", "--expect: 'tcp 443 to example.com': expected an IPv4 "
         "range, any, pods, services, api-server, metadata, got 'example.com'"),
        ("bypass tcp 443 at 10.0.0.0/8", "--expect: 'tcp 443 at 10.0.0.0/8': expected [inbound] "
         "PROTOCOL PORTS [to PLACES] [over INTERFACES], got 'at'"),
        ("bypass tcp 443 to", "--expect: 'tcp 443 to': expected something behind 'to'"),
        ("bypass tcp 443 on", "--expect: 'bypass tcp 443 on': expected profiles behind 'on'"),
        ("bypass tcp 443 in", "--expect: 'bypass tcp 443 in': expected stacks behind 'in'"),
        ("nothing tcp", "--expect: 'nothing tcp': expected nothing behind 'nothing' but 'in STACKS'"),
        ("nothing on web", "--expect: 'nothing on web': expected nothing behind 'nothing' but 'in "
         "STACKS'"),
        ("mesh tcp over eth0123456789012345", "--expect: 'tcp over eth0123456789012345': expected "
         "an interface's name, got 'eth0123456789012345'"),
        ("bypass", "--expect: expected traffic such as 'tcp 5432 to 10.0.0.0/8', got nothing"),
    ],
)  # fmt: skip
def test_a_declaration_that_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        intent(text, "--expect")
    assert str(error.value) == message


@pytest.mark.parametrize(
    "text",
    ["bypass tcp 443 on web,batch in dev,stage", "bypass tcp 443 in dev, stage on web, batch"],
)
def test_a_declaration_can_speak_of_some_stacks(text: str) -> None:
    one = intent(text, "--expect")
    assert (one.scopes, one.stacks) == (("web", "batch"), ("dev", "stage"))
    known = ("dev", "stage", "prod")
    every = intent("nothing", "--expect")
    assert meant_for([one, every], ("dev",), known) == ([one, every], [])
    note = f"declared for dev, stage, not here: {text}"
    assert meant_for([one, every], ("prod",), known) == ([every], [note])
    assert intent("nothing in prod", "--expect").stacks == ("prod",)
    with pytest.raises(InputError, match="no stack 'stage'; expected one of dev, prod"):
        meant_for([one], ("dev",), ("prod", "dev"))


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(InputError, match="no profile 'bach'; expected one of mesh"):
        review(side(), side(), "bypass tcp 443 on bach")


def test_a_place_without_ranges_is_refused() -> None:
    bare: dict[str, Any] = {"cluster": {}}
    with pytest.raises(
        InputError, match=r"does not say where 'pods' is: expected cluster\.podRanges"
    ):
        review(side(**bare), side(**bare, **PORT), "bypass tcp 443 to pods")


@given(
    st.lists(st.sampled_from([80, 443, 8080]), max_size=2),
    st.lists(st.sampled_from(["198.51.100.0/24", "10.0.0.0/9"]), max_size=2),
    st.sampled_from([80, 443, 8080]),
    st.sampled_from(["198.51.100.7", "10.1.2.3", "9.9.9.9"]),
)
def test_the_collateral_is_every_change_outside_of_what_was_declared(
    ports: list[int], ranges: list[str], port: int, address: str
) -> None:
    after = side(**traffic(outboundPortExclusionList=[6379, *ports],
                           outboundIPRangeExclusionList=["203.0.113.0/24", *ranges]))  # fmt: skip
    before = side()
    found = review(before, after, "bypass tcp 443 to 10.0.0.0/8")
    packet = Packet(direction="outbound", destination=address, port=port, uid=1000)
    was, now = (trace(one.reading("mesh").ruleset, packet).verdict for one in (before, after))
    meant = port == 443 and address == "10.1.2.3" and now == Untouched()
    number = int.from_bytes(bytes(map(int, address.split("."))))
    told = any(
        any(start <= number < stop for start, stop in part.region.destinations)
        and any(start <= port < stop for start, stop in part.region.ports)
        for one in found.collateral
        for part in one.regions
    )
    assert told == (was != now and not meant)
