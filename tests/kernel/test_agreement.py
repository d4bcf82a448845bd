"""The simulator's verdict is what the kernel did: generated policies, real connections."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from judged import DIALECTS, Case, Dialect, case_of, judge, text_of
from network import BACKENDS, CABLES, TCP_PORTS, UDP_PORTS, Backend, Network, interface_to

from fsm_stack.iptables.packet import Packet
from fsm_stack.iptables.read.text import read
from fsm_stack.iptables.sets.coverage import coverage
from fsm_stack.lists import InterceptLists
from fsm_stack.systems import SYSTEMS

pytestmark = pytest.mark.kernel

CI = os.environ.get("CI") == "true"
POLICIES = int(os.environ.get("FSM_STACK_KERNEL_POLICIES", "200" if CI else "20"))
PACKETS = 12
COMBINATIONS = [(backend, dialect) for backend in BACKENDS for dialect in DIALECTS]
CASES = Path(__file__).parent / "cases.jsonl"
done: Counter[str] = Counter()

octet = st.integers(0, 255)
world_address = st.builds("198.{}.{}.{}".format, st.sampled_from((18, 19)), octet, octet)
world_range = st.builds("{}/{}".format, world_address, st.integers(12, 32))
any_range = st.one_of(
    world_range,
    st.sampled_from(("0.0.0.0/0", "192.0.2.0/24", "198.18.0.0/16", "127.0.0.0/8", "198.18.7.7")),
)
ports = st.lists(st.sampled_from(TCP_PORTS), max_size=5).map(tuple)
interfaces = st.lists(
    st.sampled_from(("eth0", "eth1", "lo", "eth+", "net1", "e+", "+")), max_size=2
).map(tuple)
lists = st.builds(
    InterceptLists,
    local_proxy_mode=st.sampled_from(("Localhost", "PodIP")),
    interfaces=st.one_of(st.just(()), interfaces),
    excluded_ranges=st.lists(any_range, max_size=4).map(tuple),
    included_ranges=st.lists(any_range, max_size=4).map(tuple),
    outbound_ports=ports,
    inbound_ports=ports,
    dns_proxy=st.booleans(),
)


@st.composite
def packets(draw: st.DrawFn, policy: InterceptLists) -> Packet:
    """A connection, mostly near the policy's own ranges and ports."""
    if draw(st.integers(0, 4)) == 0:
        interface = draw(st.sampled_from(tuple(CABLES)))
        return Packet(
            direction="inbound",
            destination=CABLES[interface][0],
            port=draw(st.sampled_from(TCP_PORTS)),
            interface=interface,
        )
    if draw(st.integers(0, 9)) == 0:
        destination = draw(st.sampled_from(("198.18.7.7", "127.0.0.153", "127.0.0.1")))
        return Packet(
            direction="outbound",
            protocol="udp",
            destination=destination,
            port=draw(st.sampled_from(UDP_PORTS)),
            interface=interface_to(destination),
            uid=draw(st.sampled_from((0, 1500))),
        )
    named = [
        text.partition("/")[0]
        for text in (*policy.excluded_ranges, *policy.included_ranges)
        if text.startswith("198.1")
    ]
    local = st.sampled_from(("127.0.0.1", "127.0.0.2", "192.0.2.2", "198.51.100.2", "192.0.2.1"))
    near = st.sampled_from(named) if named else world_address
    destination = draw(st.one_of(near, world_address, local))
    return Packet(
        direction="outbound",
        destination=destination,
        port=draw(st.sampled_from(TCP_PORTS)),
        interface=interface_to(destination),
        uid=draw(st.sampled_from((0, 1000, 1499, 1500, 1501))),
    )


@st.composite
def cases(draw: st.DrawFn, backend: Backend, dialect: Dialect) -> Case:
    """A policy and connections to try under it."""
    policy = draw(lists)
    return Case(
        system=draw(st.sampled_from(tuple(SYSTEMS))),
        backend=backend,
        dialect=dialect,
        lists=policy,
        packets=tuple(draw(st.lists(packets(policy), min_size=PACKETS, max_size=PACKETS))),
    )


@pytest.mark.requirement("C3", "C4", "C18", "C20", "C32")
@pytest.mark.parametrize(("backend", "dialect"), COMBINATIONS)
def test_the_simulator_agrees_with_the_kernel(
    pod: Network, backend: Backend, dialect: Dialect
) -> None:
    """The kernel is the judge of every claim about traffic."""

    @settings(
        max_examples=max(1, POLICIES // len(COMBINATIONS)),
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(backend, dialect))
    def agree(case: Case) -> None:
        done["connections"] += judge(case, pod)
        done["policies"] += 1

    agree()
    print(f"{backend}/{dialect}: {dict(done)} so far")  # noqa: T201  # the figure is the point


def test_as_many_connections_as_promised_were_made() -> None:
    """A generator that makes nothing would agree with everything."""
    if not done:
        pytest.skip("the kernel tests did not run")
    assert done["policies"] >= POLICIES // len(COMBINATIONS)
    assert done["connections"] >= done["policies"] * PACKETS


@pytest.mark.parametrize("line", CASES.read_text().splitlines())
def test_kept_cases_agree(pod: Network, line: str) -> None:
    """What once disagreed, or says most, stays."""
    judge(case_of(line), pod)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("line", CASES.read_text().splitlines())
def test_the_kernels_dumps_read_back_as_the_rules_that_were_loaded(
    pod: Network, line: str, backend: Backend
) -> None:
    """A dump of a running pod answers the same as the script that made it."""
    text = text_of(case_of(line))
    assert pod.load(text, backend).returncode == 0
    loaded = coverage(read(text.replace("$POD_IP", "192.0.2.2")).ruleset)
    for dump in (pod.save(backend), pod.listing(backend)):
        reading = read(dump)
        assert coverage(reading.ruleset) == loaded
        assert all("not a rule of any" not in step.rule.why.text for step in reading.ruleset.steps)
