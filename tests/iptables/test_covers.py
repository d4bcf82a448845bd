"""The quick look for a covering rule finds what a walk over all earlier rules finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fsm_stack.iptables.rule import Destination, OutInterface, Protocol, Return, Rule
from fsm_stack.iptables.sets.coverage import Limits, rule_limits
from fsm_stack.iptables.sets.dead import Covers, Span
from fsm_stack.iptables.sets.ranges import intersection

destinations = st.builds(
    Destination,
    cidr=st.builds("10.0.{}.0/{}".format, st.integers(0, 3), st.integers(20, 24)),
    negated=st.booleans(),
)
rules = st.builds(
    lambda matches: Rule(matches=tuple(matches), target=Return()),
    st.lists(
        st.one_of(
            destinations,
            st.builds(OutInterface, name=st.sampled_from(("eth0", "eth+"))),
            st.just(Protocol(name="tcp")),
        ),
        max_size=2,
        unique_by=type,
    ),
)
small = st.tuples(st.integers(0, 40), st.integers(1, 10)).map(lambda pair: (pair[0], sum(pair)))


def takes_all(wide: Limits, narrow: Limits) -> bool:
    return all(
        axis in narrow and intersection(narrow[axis], spans) == narrow[axis]
        for axis, spans in wide.items()
    )


@given(st.lists(rules, max_size=12), rules)
def test_the_first_rule_that_takes_everything_is_found(earlier: list[Rule], asked: Rule) -> None:
    covers, narrow = Covers(), rule_limits(asked)
    assert narrow is not None
    expected = None
    for number, rule in enumerate(earlier, start=1):
        wide = rule_limits(rule)
        assert wide is not None
        covers.add(number, rule, wide)
        if expected is None and takes_all(wide, narrow):
            expected = rule
    assert covers.of(narrow) == expected


@given(st.lists(small, max_size=8), small)
def test_a_span_is_free_where_nothing_was_taken_in(
    taken: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    span = Span()
    for interval in taken:
        span.add(*interval)
    inside = {point for start, stop in taken for point in range(start, stop)}
    gaps = span.free(*asked)
    assert {point for start, stop in gaps for point in range(start, stop)} == (
        set(range(*asked)) - inside
    )
    assert all(start < stop for start, stop in gaps)
