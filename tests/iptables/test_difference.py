"""What a change of rules does to traffic is exact, symmetric, and told in the fewest regions."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.judge.loadable import refusals
from fsm_stack.iptables.packet import protocol_number
from fsm_stack.iptables.sets import difference
from fsm_stack.iptables.sets.coverage import Coverage, coverage
from fsm_stack.iptables.sets.diagram import AXES, Diagrams, child_at
from fsm_stack.iptables.sets.difference import Grid, Shift, fewest, parts, shifts
from fsm_stack.iptables.sets.ranges import address_number
from fsm_stack.iptables.sets.reach import region_text
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import FSM
from tests.iptables.strategies import lists, packets

BASE = InterceptLists(
    outbound_ports=(6379, 9092),
    excluded_ranges=("169.254.169.254/32", "203.0.113.0/24"),
    inbound_ports=(9091,),
)


def fates(policy: InterceptLists) -> Coverage:
    return coverage(intercept(policy, FSM))


def told(before: InterceptLists, after: InterceptLists) -> list[str]:
    return [region_text(shift.said) for shift in shifts(fates(before), fates(after))]


def loads(policy: InterceptLists) -> bool:
    return not any(refusals(intercept(policy, FSM)))


def inside(shift: Shift, direction: str, point: tuple[object, ...]) -> bool:
    return shift.region.direction == direction and all(
        any(start <= value and (stop is None or value < stop) for start, stop in intervals)
        for intervals, value in zip(parts(shift.region), point, strict=True)
    )


def verdict_at(known: Coverage, direction: str, point: tuple[object, ...]) -> object:
    node: object = known.outbound if direction == "outbound" else known.inbound
    for value in point:
        node = child_at(node, value)
    return node


@given(st.data())
def test_every_packet_of_a_region_changes_and_no_packet_outside_does(data: st.DataObject) -> None:
    """The answer covers all packets; a sample of them, on the edges of both policies, is asked."""
    before, after = data.draw(lists.filter(loads)), data.draw(lists.filter(loads))
    one, two = fates(before), fates(after)
    found = shifts(one, two)
    both = replace(
        before,
        excluded_ranges=before.excluded_ranges + after.excluded_ranges,
        included_ranges=before.included_ranges + after.included_ranges,
        outbound_ports=before.outbound_ports + after.outbound_ports,
        inbound_ports=before.inbound_ports + after.inbound_ports,
    )
    for packet in data.draw(st.lists(packets(both), min_size=1, max_size=20)):
        point = (
            protocol_number(packet.protocol),
            packet.interface,
            packet.uid,
            packet.port,
            0,
            address_number(packet.destination),
        )
        was, now = (verdict_at(known, packet.direction, point) for known in (one, two))
        holding = [shift for shift in found if inside(shift, packet.direction, point)]
        assert bool(holding) == (was != now)
        assert all((shift.before, shift.after) == (was, now) for shift in holding)


@given(lists.filter(loads), lists.filter(loads))
def test_swapped_sides_give_the_same_regions_with_their_verdicts_swapped(
    before: InterceptLists, after: InterceptLists
) -> None:
    there, back = shifts(fates(before), fates(after)), shifts(fates(after), fates(before))
    assert {(one.before, one.after, region_text(one.region)) for one in there} == {
        (one.after, one.before, region_text(one.region)) for one in back
    }


@given(lists.filter(loads), st.randoms(use_true_random=False))
def test_equal_lists_give_nothing_however_they_are_written(
    policy: InterceptLists, random: object
) -> None:
    """Order and repetitions are how a list is written, not what it does."""

    def mixed(values: tuple[object, ...]) -> tuple[object, ...]:
        again = [*values, *values[:1]]
        random.shuffle(again)  # type: ignore[attr-defined]  # hypothesis' Random
        return tuple(again)

    other = replace(
        policy,
        excluded_ranges=mixed(policy.excluded_ranges),
        included_ranges=mixed(policy.included_ranges),
        outbound_ports=mixed(policy.outbound_ports),
        inbound_ports=mixed(policy.inbound_ports),
    )
    assert shifts(fates(policy), fates(other)) == ()


def test_a_split_range_gives_nothing() -> None:
    halves = replace(
        BASE, excluded_ranges=("203.0.113.128/25", "203.0.113.0/25", "169.254.169.254")
    )
    assert shifts(fates(BASE), fates(halves)) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            {"outbound_ports": (6379, 9092, 443)},
            ["outbound tcp uid any but 1500 port 443"],
            id="a port",
        ),
        pytest.param(
            {
                "outbound_ports": (443, 6379, 9092),
                "excluded_ranges": (*BASE.excluded_ranges, "10.0.0.0/8"),
            },
            [
                "outbound tcp uid any but 1500 port 443",
                "outbound tcp uid any but 1500 to 10.0.0.0/8",
            ],
            id="a port and a range that cross",
        ),
        pytest.param(
            {"excluded_ranges": ("0.0.0.0/0",)}, ["outbound tcp uid any but 1500"], id="everything"
        ),
        pytest.param(
            {"included_ranges": ("10.0.0.0/8",)},
            ["outbound tcp uid any but 1500 to any but 10.0.0.0/8"],
            id="an inclusion",
        ),
        pytest.param(
            {"excluded_ranges": ("169.254.169.254/32", "203.0.112.0/23")},
            ["outbound tcp uid any but 1500 to 203.0.112.0/24"],
            id="a range that grows",
        ),
        pytest.param(
            {"interfaces": ("eth1",)},
            ["outbound tcp via eth1 uid any but 1500", "inbound tcp via eth1"],
            id="an interface",
        ),
        pytest.param({"inbound_ports": ()}, ["inbound tcp port 9091"], id="an inbound port back"),
        pytest.param(
            {"excluded_ranges": (*BASE.excluded_ranges, "10.0.0.0/9", "10.128.0.0/9")},
            ["outbound tcp uid any but 1500 to 10.0.0.0/8"],
            id="two halves",
        ),
    ],
)
def test_a_change_is_told_in_the_fewest_regions(
    change: dict[str, object], said: list[str]
) -> None:
    assert told(BASE, replace(BASE, **change)) == said


def test_what_is_said_of_a_range_around_an_excluded_one_is_the_whole_range() -> None:
    """10.1.0.0/16 bypassed before: to say "10.0.0.0/8 bypasses" is shorter, and true."""
    before = replace(BASE, excluded_ranges=("10.1.0.0/16",))
    after = replace(BASE, excluded_ranges=("10.0.0.0/8",))
    (shift,) = shifts(fates(before), fates(after))
    assert region_text(shift.said) == "outbound tcp uid any but 1500 to 10.0.0.0/8"
    assert "10.1.0.0" not in region_text(shift.region)
    assert "10.2.0.0/15" in region_text(shift.region)


def _three_by_three(cells: set[tuple[int, int]]) -> Grid:
    """A grid whose protocols and ports have three classes each."""
    builder = Diagrams()
    whole = builder.constant(value=0)
    for protocol, port in cells:
        box = builder.box(
            {"protocol": [(protocol, protocol + 1)], "port": [(port, port + 1)]}, 1, 0
        )
        whole = builder.combine(max, whole, box)
    # Every class has to be told apart, so that brute force sees the same grid.
    return Grid(whole)


@given(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_no_fewer_products_would_do(cells: set[tuple[int, int]]) -> None:
    """Brute force over every set of rectangles of a small grid."""
    grid = _three_by_three(cells)
    wanted = grid.values[1]
    found = fewest(grid, wanted)
    covered = 0
    for masks in found:
        covered |= grid.bits(masks)
    assert covered == wanted
    protocol, port = (
        next(i for i, axis in enumerate(AXES) if axis[0] == name) for name in ("protocol", "port")
    )
    every = set()
    for rows in range(1, 1 << grid.counts[protocol]):
        for columns in range(1, 1 << grid.counts[port]):
            masks = [1] * len(AXES)
            masks[protocol], masks[port] = rows, columns
            bits = grid.bits(tuple(masks))
            if bits & ~wanted == 0:
                every.add(bits)
    largest = [
        one for one in every if not any(one != other and one & ~other == 0 for other in every)
    ]
    for count in range(1, len(found)):
        for chosen in combinations(largest, count):
            union = 0
            for bits in chosen:
                union |= bits
            assert union != wanted


def test_a_grid_that_is_too_large_is_told_exactly_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as the fewest, but all of it and nothing else."""
    after = replace(BASE, outbound_ports=(443,))
    fine = shifts(fates(BASE), fates(after))
    monkeypatch.setattr(difference, "_CELLS_MAX", 1)
    coarse = shifts(fates(BASE), fates(after))
    for port in (443, 6379, 9092, 80):
        for destination in (0x0A000001, 0xCB007101, 0x7F000001):
            point = (6, "eth0", 0, port, 0, destination)
            assert any(inside(one, "outbound", point) for one in fine) == any(
                inside(one, "outbound", point) for one in coarse
            )
