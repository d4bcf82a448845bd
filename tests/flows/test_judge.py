from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fsm_stack.cluster.snapshot_file import read_files
from fsm_stack.flows.counting import count, framing, sample
from fsm_stack.flows.formats import recognised
from fsm_stack.flows.judge import Judge
from fsm_stack.flows.objects import Assumed, Objects, objects_of
from fsm_stack.flows.row import End
from fsm_stack.flows.rulebook import Rulebook
from fsm_stack.flows.tally import Seen, Tally
from fsm_stack.iptables.read.text import read as read_script
from fsm_stack.iptables.sets.ranges import address_number
from fsm_stack.iptables.sets.reach import reach
from fsm_stack.iptables.write import script
from fsm_stack.redirection.origins import intercept_lists
from fsm_stack.settings.effective import profile_lists
from fsm_stack.systems import FSM
from tests.flows import given
from tests.flows.given import Flow

if TYPE_CHECKING:
    from pathlib import Path

BYPASSED = Flow(target="203.0.113.7", port=443)
REDIS = ("redis", {"tcp": 6390}, {"tcp": 8080})


def replayed(
    data: bytes,
    objects: Objects | None = None,
    stack: str = given.STACK,
    before: str = "",
    **assumed: Any,
) -> Tally:
    judge = Judge(
        Rulebook(given.settings(stack), given.TODAY),
        Rulebook(given.settings(before), given.TODAY) if before else None,
        objects,
        Assumed(**assumed),
    )
    _, reader = recognised(sample(data), "log")
    count(framing(data)([data]), reader, judge.take)
    return judge.finish()


def sides(tally: Tally) -> dict[tuple[str, str, str], int]:
    return {key: total.rows for key, total in tally.sides.items()}


def verdicts(tally: Tally) -> dict[str, str]:
    """By peer's address and port, what is told of a flow."""
    return {f"{given.address(flow[2])}:{flow[3]}": flow[5] for flow in tally.flows}


def known(tmp_path: Path, *items: dict[str, Any]) -> Objects:
    file = tmp_path / "objects.json"
    file.write_text(given.objects(*items))
    return objects_of(read_files([file]), FSM)


@pytest.mark.parametrize("kind", ["fsm", "hubble", "gcp", "istio", "vpc", "csv"])
def test_verdicts_are_those_of_the_rules_in_every_format(kind: str) -> None:
    flows = [
        BYPASSED,
        Flow(target="52.1.2.3", port=443),
        Flow(target="52.1.2.3", port=6379),
        Flow(source="52.9.9.9", target="10.128.0.1", port=9091, way="inbound"),
        Flow(source="52.9.9.9", target="10.128.0.1", port=8080, way="inbound"),
    ]
    tally = replayed(given.log(kind, flows))
    assert sides(tally) == {
        ("outbound", "bypass", "bypass"): 2,
        ("outbound", "through", "through"): 1,
        ("inbound", "bypass", "bypass"): 1,
        ("inbound", "through", "through"): 1,
    }
    assert verdicts(tally) == {
        "203.0.113.7:443": "bypass", "52.1.2.3:443": "through", "52.1.2.3:6379": "bypass",
        "52.9.9.9:9091": "bypass", "52.9.9.9:8080": "through",
    }  # fmt: skip


def test_without_addresses_only_ports_decide() -> None:
    """Public destinations are in no excluded port, and one excluded range is public."""
    flows = [Flow(target="", port=6379), Flow(target="", port=443)]
    found = verdicts(replayed(given.log("goldmane", flows)))
    assert found == {"pub anywhere:6379": "bypass", "pub anywhere:443": "may"}


def evidence(tally: Tally) -> dict[int, tuple[int, int]]:
    """Rows by entry: those that it takes, and those that it may take."""
    return {number: (one.sure.rows, one.may.rows) for number, one in tally.entries.items()}


def test_an_address_that_is_not_known_is_no_use_of_a_range() -> None:
    """The port takes it, whatever its address is."""
    tally = replayed(given.log("goldmane", [Flow(target="52.1.2.3", port=6379)]))
    assert evidence(tally) == {0: (1, 0), 3: (0, 1), 4: (0, 1)}
    assert [flow[6] for flow in tally.flows] == [0]


def test_two_entries_that_each_may_take_it_are_not_both_used(tmp_path: Path) -> None:
    objects = known(
        tmp_path,
        *given.behind_redis_and("cache", 6379),
    )
    tally = replayed(given.log("vpc", [Flow(target="10.130.0.5", port=8080)]), objects)
    assert verdicts(tally) == {"10.130.0.5:8080": "bypass"}
    assert evidence(tally) == {0: (0, 1), 5: (0, 1)}


def test_a_pod_of_an_unknown_profile_is_no_use_of_a_profiles_entry(tmp_path: Path) -> None:
    stack = given.STACK.replace("[6380]", "[6380, 6379]")
    objects = known(tmp_path, given.pod("other", "10.130.0.7"))
    tally = replayed(given.log("csv", [Flow(target="52.1.2.3", port=6379)]), objects, stack)
    of_mesh, of_profile = sorted(tally.entries)
    assert evidence(tally) == {of_mesh: (1, 0), of_profile: (0, 1)}


@pytest.mark.parametrize("kind", ["fsm", "hubble", "gcp", "vpc", "csv"])
def test_a_translated_address_may_be_a_services(kind: str) -> None:
    """172.30.7.7 is excluded, and any pod may be behind it."""
    tally = replayed(given.log(kind, [Flow(target="10.130.0.5", port=8080)]))
    assert verdicts(tally) == {"10.130.0.5:8080": "may"}
    assert tally.pinned == {5}


def test_an_address_that_was_asked_for_is_no_may() -> None:
    tally = replayed(given.log("istio", [Flow(target="10.130.0.5", port=8080)]))
    assert verdicts(tally) == {"10.130.0.5:8080": "through"}


@pytest.mark.parametrize("kind", ["fsm", "hubble", "gcp", "vpc"])
def test_endpoints_are_taken_back_to_their_service(kind: str, tmp_path: Path) -> None:
    objects = known(
        tmp_path,
        given.service("redis", "172.30.7.7", {"tcp": 6390}),
        given.slice_of("redis", ["10.130.0.5"], {"tcp": 8080}),
    )
    found = verdicts(replayed(given.log(kind, [Flow(target="10.130.0.5", port=8080)]), objects))
    assert found == {"172.30.7.7:6390": "bypass"}


@pytest.mark.parametrize("kind", ["fsm", "hubble", "gcp", "vpc"])
def test_a_pod_that_is_gone_may_have_been_an_endpoint(kind: str, tmp_path: Path) -> None:
    """A week's log names pods that were replaced since; their Service's exclusion is used."""
    objects = known(
        tmp_path,
        given.pod("db", "10.130.0.7"),
        given.service("redis", "172.30.7.7", {"tcp": 6390}),
        given.slice_of("redis", ["10.130.0.5"], {"tcp": 8080}),
        given.service("cache", "172.30.8.8", {"tcp": 6379}),
        given.slice_of("cache", ["10.130.0.5"], {"tcp": 16379}),
    )
    flows = [
        Flow(target="10.130.0.6", port=8080),
        Flow(target="10.130.0.6", port=16379),
        Flow(target="10.130.0.7", port=8080),
    ]
    tally = replayed(given.log(kind, flows), objects)
    assert verdicts(tally) == {
        "10.130.0.6:8080": "may",
        "10.130.0.6:16379": "may",
        "10.130.0.7:8080": "through",
    }
    assert set(tally.seen) == {(0,), (5,)}


def test_a_pod_that_is_gone_was_an_endpoint_of_the_named_service(tmp_path: Path) -> None:
    objects = known(
        tmp_path,
        *given.behind_redis_and("other", 6390),
    )
    entry = json.loads(given.gcp(Flow(target="10.130.0.6", port=8080)))
    entry["jsonPayload"]["dest_gke_details"] = {
        "service": [{"service_name": "other", "service_namespace": "shop"}]
    }
    assert set(verdicts(replayed(json.dumps(entry).encode(), objects)).values()) == {"through"}


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({"externalIPs": ["203.0.113.60"]}, {}),
        ({}, {"loadBalancer": {"ingress": [{"hostname": "lb"}, {"ip": "203.0.113.60"}]}}),
    ],
)
def test_a_services_outer_address_may_have_been_asked_for(
    spec: dict[str, Any], status: dict[str, Any], tmp_path: Path
) -> None:
    """Kube-proxy translates it on the client's node, and the log has the endpoint."""
    service = given.service("shop", "172.30.8.8", {"tcp": 443})
    service["spec"] |= spec
    objects = known(
        tmp_path,
        service | {"status": status},
        given.slice_of("shop", ["10.130.0.5"], {"tcp": 8443}),
    )
    tally = replayed(given.log("vpc", [Flow(target="10.130.0.5", port=8443)]), objects)
    assert verdicts(tally) == {"10.130.0.5:8443": "may"}
    assert [number for taken in tally.seen for number in taken] == [4]


def test_a_node_port_may_have_been_asked_for(tmp_path: Path) -> None:
    """A pod of the node's network tells a node's address."""
    service = given.service("shop", "172.30.8.8", {"tcp": 443})
    service["spec"]["ports"][0]["nodePort"] = 30443
    node = given.pod("proxy", "203.0.113.9", meshed=False)
    node["spec"]["hostNetwork"] = True
    objects = known(tmp_path, service, node, given.slice_of("shop", ["10.130.0.5"], {"tcp": 8443}))
    tally = replayed(given.log("vpc", [Flow(target="10.130.0.5", port=8443)]), objects)
    assert verdicts(tally) == {"10.130.0.5:8443": "may"}
    assert tally.pinned == {4}


def test_a_services_port_decides_where_its_endpoints_does_not(tmp_path: Path) -> None:
    objects = known(
        tmp_path,
        given.service("cache", "172.30.8.8", {"tcp": 6379}),
        given.slice_of("cache", ["10.130.0.5"], {"tcp": 16379}),
    )
    found = verdicts(replayed(given.log("vpc", [Flow(target="10.130.0.5", port=16379)]), objects))
    assert found == {"172.30.8.8:6379": "bypass"}


@pytest.mark.parametrize("own", ["203.0.113.5", "10.130.0.5"])
def test_an_endpoint_that_is_excluded_itself_is_a_may(own: str, tmp_path: Path) -> None:
    """Prometheus asks pods, not Services: its exclusion is not unused."""
    stack = given.STACK.replace("172.30.7.7/32", "10.130.0.0/16")
    objects = known(
        tmp_path,
        given.service("web", "172.30.8.8", {"tcp": 80}),
        given.slice_of("web", [own], {"tcp": 8080}),
    )
    tally = replayed(given.log("vpc", [Flow(target=own, port=8080)]), objects, stack)
    assert verdicts(tally) == {f"{own}:8080": "may"}
    assert len(tally.entries) == 1


def test_an_endpoint_of_two_services_is_a_may(tmp_path: Path) -> None:
    objects = known(
        tmp_path,
        *given.behind_redis_and("other", 6390),
    )
    tally = replayed(given.log("vpc", [Flow(target="10.130.0.5", port=8080)]), objects)
    assert verdicts(tally) == {"10.130.0.5:8080": "may"}
    assert list(tally.seen) == [(5,)]


def test_the_service_that_a_log_names_decides(tmp_path: Path) -> None:
    objects = known(
        tmp_path,
        *given.behind_redis_and("other", 6390),
    )
    entry = json.loads(given.gcp(Flow(target="10.130.0.5", port=8080)))
    entry["jsonPayload"]["dest_gke_details"] = {
        "service": [{"service_name": "redis", "service_namespace": "shop"}]
    }
    assert verdicts(replayed(json.dumps(entry).encode(), objects)) == {"172.30.7.7:6390": "bypass"}


def test_a_headless_services_endpoint_is_itself(tmp_path: Path) -> None:
    objects = known(
        tmp_path,
        given.service("db", "None", {"tcp": 5432}),
        given.slice_of("db", ["10.130.0.5"], {"tcp": 5432}),
    )
    found = verdicts(replayed(given.log("vpc", [Flow(target="10.130.0.5", port=5432)]), objects))
    assert found == {"10.130.0.5:5432": "through"}


def test_a_goldmane_flow_of_a_known_service_is_exact(tmp_path: Path) -> None:
    objects = known(
        tmp_path,
        given.service("redis", "172.30.7.7", {"tcp": 6390}),
        given.slice_of("redis", ["10.130.0.5"], {"tcp": 8080}),
    )
    record = json.loads(given.goldmane(Flow(target="", port=8080)))
    record |= {"dest_type": "wep", "dest_name": "redis-*", "dest_namespace": "shop",
               "dest_service_name": "redis", "dest_service_namespace": "shop",
               "dest_service_port": 6390}  # fmt: skip
    assert verdicts(replayed(json.dumps(record).encode(), objects)) == {
        "172.30.7.7:6390": "bypass"
    }


@pytest.mark.parametrize(
    ("original", "verdict"), [("yes", "through"), ("no", "may"), ("unknown", "may")]
)
def test_a_user_can_say_what_addresses_are(original: str, verdict: str) -> None:
    """A socket load balancer translates before iptables sees the packet."""
    data = given.log("vpc", [Flow(target="10.130.0.5", port=8080)])
    assert verdicts(replayed(data, original=original)) == {"10.130.0.5:8080": verdict}


def test_pods_have_the_rules_of_their_annotations(tmp_path: Path) -> None:
    objects = known(
        tmp_path,
        given.pod("web", "10.128.0.1", {"flomesh.io/outbound-port-exclusion-list": "6380"}),
        given.pod("odd", "10.128.0.2", {"flomesh.io/outbound-port-exclusion-list": "7777"}),
        given.pod("api", "10.128.0.3"),
        given.pod("old", "10.128.0.4", meshed=False),
    )
    flows = [
        Flow(source=f"10.128.0.{number}", target="52.1.2.3", port=port)
        for number in (1, 2, 3, 4)
        for port in (6380, 7777)
    ]
    tally = replayed(given.log("vpc", flows), objects)
    assert {(flow[1], flow[3], flow[5]) for flow in tally.flows} == {
        ("Deployment/shop/web", 6380, "bypass"), ("Deployment/shop/web", 7777, "through"),
        ("Deployment/shop/odd", 6380, "through"), ("Deployment/shop/odd", 7777, "bypass"),
        ("Deployment/shop/api", 6380, "through"), ("Deployment/shop/api", 7777, "through"),
    }  # fmt: skip
    assert dict(tally.passed) == {"of a pod without a sidecar": 2}


def test_a_profile_can_be_assumed() -> None:
    data = given.log("csv", [Flow(target="52.1.2.3", port=443)])
    tally = replayed(data, profile="batch")
    assert verdicts(tally) == {"52.1.2.3:443": "bypass"}


def test_rows_without_direction_are_judged_at_the_ends_that_are_pods() -> None:
    rows = [
        Flow(source="10.128.0.1", target="52.1.2.3", port=6379),
        Flow(source="52.9.9.9", target="10.128.0.1", port=9091),
        Flow(source="10.128.0.1", target="10.128.0.2", port=8080),
        Flow(source="192.168.0.1", target="192.168.0.2", port=8080),
    ]
    data = "\n".join(map(given.vpc2, rows)).encode()
    tally = replayed(data)
    assert sides(tally) == {
        ("outbound", "bypass", "bypass"): 1,
        ("inbound", "bypass", "bypass"): 1,
        ("outbound", "may", "may"): 1,
        ("inbound", "through", "through"): 1,
    }
    assert dict(tally.passed) == {"neither end is a pod's": 1}


def test_what_the_other_side_decides_otherwise_changes_its_side() -> None:
    narrowed = given.STACK.replace("203.0.113.0/24", "203.0.113.0/30")
    flows = [BYPASSED, Flow(target="203.0.113.1", port=443)]
    tally = replayed(given.log("vpc", flows), stack=narrowed, before=given.STACK)
    assert sides(tally) == {
        ("outbound", "bypass", "through"): 1,
        ("outbound", "bypass", "bypass"): 1,
    }


ADDRESSES = st.sampled_from(
    ["203.0.113.0", "203.0.112.255", "203.0.113.255", "169.254.169.254", "172.30.7.7", "52.1.2.3",
     "10.128.0.9", "10.131.255.255", "127.0.0.1", "255.255.255.255"]
)  # fmt: skip


@hypothesis_settings(max_examples=60, deadline=None)
@drawn(
    targets=st.lists(st.tuples(ADDRESSES, st.sampled_from([443, 6379, 9092, 6380, 15001, 0])),
                     min_size=1, max_size=20),
    profile=st.sampled_from(["mesh", "redis", "batch"]),
)  # fmt: skip
def test_verdicts_of_original_addresses_are_exactly_those_of_reach(
    targets: list[tuple[str, int]], profile: str
) -> None:
    stack = given.settings()
    pod = profile_lists(stack, profile) if profile != "mesh" else None
    rules = read_script(script(intercept_lists(stack, pod), FSM)).ruleset
    through = reach(rules)
    data = given.log("csv", [Flow(target=target, port=port) for target, port in targets])
    tally = replayed(data, original="yes", profile=profile)
    for flow in tally.flows:
        assert isinstance(flow[2], int)
        expected = through.holds(
            "outbound", interface="eth0", uid=0, port=flow[3], destination=flow[2]
        )
        assert flow[5] == ("through" if expected else "bypass")
        if flow[5] == "bypass" and profile != "batch":
            assert flow[6] >= 0 or flow[2] == address_number("127.0.0.1")


def test_joined_addresses_are_never_lost() -> None:
    seen = Seen()
    wanted = [number * 7 + (number % 13) * 1_000_000 for number in range(3000)]
    for number in wanted:
        seen.add(number, (1, 1, 10, 0, 0), most=500)
    spans = seen.intervals()
    assert len(seen.points) <= 501
    assert all(any(start <= number < end for start, end, _ in spans) for number in wanted)
    assert sum(total.bytes for *_, total in spans) == 30_000


def test_many_sources_peers_and_workloads_have_an_end_in_memory() -> None:
    """Whatever the length of a log, and whoever connects."""
    judge = Judge(Rulebook(given.settings(), given.TODAY))
    end = End("inbound", "", "", "yes")
    values: list[float] = [1, 1, 10, 0, 0]
    for start in range(0, 300_000, 50_000):
        judge.take([((n, 0x0A800001 + n % 70_000, 8080, end), values)
                    for n in range(start, start + 50_000)])  # fmt: skip
        for cache in (judge._owns, judge._answers, judge._flows, judge._addresses._of_pods):
            assert len(cache) <= 60_001
    tally = judge.finish()
    assert tally.total().rows == 300_000
    assert sum(total.rows for total in (*tally.flows.values(), *tally.others.values())) == 300_000


def test_a_workload_without_a_namespace_is_judged() -> None:
    stack = given.STACK.replace(
        "config:\n", "config:\n  fsm-stack:enrolledNamespaces: [{name: shop}]\n"
    )
    rows = ["time,destination,port,workload", "1794787200,52.1.2.3,443,web",
            "1794787200,52.1.2.3,443,Deployment/other/web"]  # fmt: skip
    tally = replayed("\n".join(rows).encode(), stack=stack)
    assert [flow[1] for flow in tally.flows] == ["web"]
    assert dict(tally.passed) == {"of a namespace that the stack does not enroll": 1}


@pytest.mark.parametrize("kind", ["hubble", "vpc", "csv", "gcp"])
def test_duplicated_and_reordered_lines_change_no_verdict_and_no_entry(kind: str) -> None:
    flows = [BYPASSED, Flow(target="52.1.2.3", port=6379), Flow(target="52.1.2.3", port=443)]
    once, twice = (replayed(given.log(kind, rows)) for rows in (flows, [*reversed(flows), *flows]))
    assert verdicts(once) == verdicts(twice)
    assert once.entries.keys() == twice.entries.keys()
    assert [total.rows for total in twice.flows.values()] == [2, 2, 2]


def test_two_halves_of_a_log_make_the_same_tally() -> None:
    flows = [
        Flow(target=f"203.0.113.{n % 40}", port=443 + n % 3, at=given.START + n, size=n)
        for n in range(300)
    ]
    whole = replayed(given.log("vpc", flows))
    first, second = (replayed(given.log("vpc", part)) for part in (flows[:100], flows[100:]))
    first.merge(second)
    assert first == whole


def test_a_pod_that_is_gone_is_judged_as_fast_among_many_services(tmp_path: Path) -> None:
    """Of 200 Services with its port the ranges are asked, not each address."""
    many = [
        item
        for number in range(200)
        for item in (
            given.service(f"s{number}", f"172.30.9.{number}", {"tcp": 80}),
            given.slice_of(f"s{number}", [f"10.130.1.{number}"], {"tcp": 8080}),
        )
    ]
    redis = given.service("redis", "172.30.7.7", {"tcp": 80})
    objects = known(tmp_path, *many, redis, given.slice_of("redis", ["10.130.0.5"], {"tcp": 8080}))
    assert len(objects.ports[8080]) == 1
    tally = replayed(given.log("vpc", [Flow(target="10.130.0.6", port=8080)]), objects)
    assert verdicts(tally) == {"10.130.0.6:8080": "may"}
    assert tally.pinned == {5}
