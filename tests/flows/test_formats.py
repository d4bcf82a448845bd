from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given as drawn
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fsm_stack.errors import InputError
from fsm_stack.flows.counting import Counted, Sums, count, framing, lines, sample
from fsm_stack.flows.formats import FORMATS, recognised
from tests.flows import given
from tests.flows.given import Flow

if TYPE_CHECKING:
    from collections.abc import Callable

TRUTH = [
    Flow(target="203.0.113.7", port=443, size=1000),
    Flow(target="203.0.113.7", port=443, size=500, at=given.START + 3600),
    Flow(target="52.1.2.3", port=6379, owner="api"),
    Flow(source="10.129.0.9", target="10.128.0.1", port=8080, way="inbound"),
]


def read(data: bytes, kind: str = "", fields: tuple[str, ...] = ()) -> tuple[str, Counted, Sums]:
    known, reader = recognised(sample(data[: 1 << 20]), "log", name=kind, fields=fields)
    found: Sums = []
    done = count(framing(data)([data]), reader, found.extend)
    return known.name, done, found


def shown(sums: Sums) -> list[tuple[str, str, int, int, int]]:
    found: dict[tuple[str, str, int], list[int]] = {}
    for (_, target, port, end), values in sums:
        total = found.setdefault((end.way, given.address(target), port), [0, 0])
        total[0] += int(values[1])
        total[1] += int(values[2])
    return sorted((*key, *total) for key, total in found.items())  # type: ignore[misc]  # a row


# Goldmane counts flows and not connections: below.
@pytest.mark.parametrize("kind", sorted(FORMATS.keys() - {"goldmane"}))
def test_a_format_is_recognised_and_its_connections_are_the_true_ones(kind: str) -> None:
    name, done, sums = read(given.log(kind, TRUTH))
    size = 0 if kind == "hubble" else 1  # Hubble has no sizes
    assert (name, done.bad, dict(done.passed)) == (kind, 0, {})
    assert done.records == len(TRUTH)
    assert shown(sums) == [
        ("inbound", "10.128.0.1", 8080, 1, 100 * size),
        ("outbound", "203.0.113.7", 443, 2, 1500 * size),
        ("outbound", "52.1.2.3", 6379, 1, 100 * size),
    ]
    times = [(values[3], values[4]) for _, values in sums]
    assert (given.START, given.START + 3600) in times


def test_goldmane_has_ports_and_workloads_and_no_addresses() -> None:
    name, done, sums = read(given.log("goldmane", TRUTH))
    assert (name, done.bad) == ("goldmane", 0)
    assert shown(sums) == [
        ("inbound", "wep shop/web-*", 8080, 1, 100),
        ("outbound", "pub anywhere", 443, 2, 1500),
        ("outbound", "pub anywhere", 6379, 1, 100),
    ]
    assert {end.name for (_, _, _, end), _ in sums} == {"Pods/shop/web-*", "Pods/shop/api-*"}


def test_goldmane_in_the_protos_json_spelling_with_its_service() -> None:
    record = {
        "Key": {"sourceName": "web-*", "sourceNamespace": "shop", "destName": "redis-*",
                "destNamespace": "data", "destType": "WorkloadEndpoint", "destPort": "6379",
                "destServiceName": "redis", "destServiceNamespace": "data",
                "destServicePort": "6400", "proto": "tcp", "reporter": "Src", "action": "Allow"},
        "endTime": str(given.START), "bytesIn": "7", "numConnectionsStarted": "3",
    }  # fmt: skip
    record["key"] = record.pop("Key")
    _, done, sums = read(json.dumps(record).encode())
    assert done.bad == 0
    ((source, target, port, end), values) = sums[0]
    assert (source, target, port) == (None, "wep data/redis-*", 6400)
    assert (end.service, end.original, values[1], values[2]) == ("data/redis", "yes", 3, 7)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [("", "vpc2"), ("version account-id interface-id srcaddr dstaddr srcport dstport protocol "
     "packets bytes start end action log-status", "vpc2")],
)  # fmt: skip
def test_vpc_rows_without_header_are_of_version_2_or_of_a_given_order(
    fields: str, kind: str
) -> None:
    data = "\n".join(map(getattr(given, kind), TRUTH)).encode()
    name, done, sums = read(data, fields=tuple(fields.split()))
    assert (name, done.records, done.bad) == ("vpc", 4, 0)
    assert {end.way for (_, _, _, end), _ in sums} == {""}


@pytest.mark.parametrize("write", [given.vpc, given.vpc2])
def test_vpc_rows_that_cloudwatch_exported_have_a_time_before_them(
    write: Callable[[Flow], str],
) -> None:
    rows = [write(flow).encode() for flow in TRUTH]
    plain = read(b"\n".join(rows))
    stamped = read(b"\n".join(b"2026-11-16T00:00:00.000Z " + row for row in rows))
    assert stamped[0] == "vpc"
    assert shown(stamped[2]) == shown(plain[2])
    assert stamped[1].bad == 0


def test_vpc_answers_count_to_the_connection_that_they_answer() -> None:
    """Both directions are rows, each at the interface of either end."""
    there = given.vpc(TRUTH[0])
    back = there.replace("egress", "ingress").replace(" 2 IPv4 ", " 18 IPv4 ").split()
    back[19], back[20] = back[20], back[19]
    back[5], back[6] = back[6], back[5]
    back[9] = "9000"
    going_on = there.replace(" 2 IPv4 ", " 0 IPv4 ")
    data = "\n".join([given.V5, there, " ".join(back), going_on]).encode()
    _, _, sums = read(data)
    assert shown(sums) == [("outbound", "203.0.113.7", 443, 1, 11000)]


def test_vpc_rows_of_no_connection_are_passed_over() -> None:
    row = given.vpc(TRUTH[0])
    rows = [
        row.replace(" 6 1 ", " 17 1 "),
        row.replace("ACCEPT", "REJECT"),
        row.replace("203.0.113.7", "2001:db8::1"),
        "5 1 eni-1 - - - - - - - 1 2 - NODATA" + " -" * 15,
    ]
    _, done, sums = read("\n".join([given.V5, *rows]).encode())
    assert not sums
    assert dict(done.passed) == {
        "not TCP: never redirected": 1,
        "refused on the way: no connection": 1,
        "IPv6: never redirected": 1,
        "no flow: another kind of record": 1,
    }


def test_a_missing_packet_address_is_the_interfaces() -> None:
    row = given.vpc(TRUTH[0]).replace("10.128.0.1 203.0.113.7 eu", "- - eu")
    _, _, sums = read(f"{given.V5}\n{row}".encode())
    assert shown(sums)[0][1] == "10.0.0.8"


def test_hubble_counts_a_connection_once_and_no_reply() -> None:
    first = json.loads(given.hubble(TRUTH[0]))
    changes: tuple[dict[str, object], ...] = (
        {},
        {"trace_observation_point": "FROM_ENDPOINT"},
        {"is_reply": True},
        {"verdict": "DROPPED"},
        {"l4": {"UDP": {"destination_port": 53}}},
        {"l4": {"TCP": {"destination_port": 443, "flags": {"ACK": True}}}},
        {"Type": "SOCK"},
    )
    lines_ = [json.dumps({"flow": {**first["flow"], **change}}) for change in changes]
    lines_.append(json.dumps({"lost_events": {"num_events_lost": 3}}))
    lines_.append(json.dumps(first["flow"]))  # the older export has no envelope
    _, done, sums = read("\n".join(lines_).encode())
    assert shown(sums) == [("outbound", "203.0.113.7", 443, 2, 0)]
    assert sums[0][1][0] == 4
    assert done.bad == 0
    assert sum(done.passed.values()) == 5


def test_a_field_mask_that_drops_addresses_is_told() -> None:
    flow = json.loads(given.hubble(TRUTH[0]))
    del flow["flow"]["IP"]
    _, done, _ = read(json.dumps(flow).encode())
    assert done.first_bad == (1, "expected the field IP; a field mask may have dropped it")


def test_gcp_answers_are_of_the_connection_and_gateways_of_none() -> None:
    there = json.loads(given.gcp(TRUTH[0]))
    back = json.loads(given.gcp(TRUTH[0]))
    pair = back["jsonPayload"]["connection"]
    pair |= {"src_ip": "203.0.113.7", "src_port": 443, "dest_ip": "10.128.0.1", "dest_port": 40000}
    back["jsonPayload"] |= {"reporter": "DEST", "bytes_sent": "70"}
    back["jsonPayload"]["dest_gke_details"] = back["jsonPayload"].pop("src_gke_details")
    gateway = json.loads(given.gcp(TRUTH[0]))
    gateway["jsonPayload"]["reporter"] = "SRC_GATEWAY"
    _, done, sums = read("\n".join(map(json.dumps, (there, back, gateway))).encode())
    assert shown(sums) == [("outbound", "203.0.113.7", 443, 1, 1070)]
    assert dict(done.passed) == {"of a gateway, not of a pod": 1}


def test_fsm_posts_arrays_and_gateways_post_too() -> None:
    """One line is one batch of a second."""
    batch = [json.loads(given.fsm(flow)) for flow in TRUTH]
    batch.append({"type": "fgw", "req": {"path": "/"}})
    _, done, sums = read((json.dumps(batch) + "\n").encode())
    assert (done.records, done.bad) == (5, 0)
    assert len(sums) == 3
    assert dict(done.passed) == {"of a gateway, not of a pod": 1}


@pytest.mark.parametrize("indent", [None, 2])
def test_arrays_of_entries_are_read_however_they_are_printed(indent: int | None) -> None:
    """``gcloud logging read --format json`` prints one array over many lines."""
    entries = [json.loads(given.gcp(flow)) for flow in TRUTH]
    _, done, sums = read(json.dumps(entries, indent=indent).encode())
    assert (done.records, done.bad) == (4, 0)
    assert len(shown(sums)) == 3


@pytest.mark.parametrize("between", [",\n", "\n,", "\n  ,  "])
@pytest.mark.parametrize("end", ["]", "]\n", "", ","])
def test_an_array_that_starts_with_its_first_element(between: str, end: str) -> None:
    flows = [given.fsm(Flow(target="203.0.113.7", port=port)) for port in (443, 80, 22)]
    _, counted, sums = read(f"[{between.join(flows)}{end}".encode())
    assert sorted(key[2] for key, _ in sums) == [22, 80, 443]
    assert (counted.records, counted.bad) == (3, 0)


def test_what_an_array_on_one_line_held_before_it_was_cut_off_counts() -> None:
    flows = [given.fsm(Flow(target="203.0.113.7", port=port)) for port in (443, 80, 22)]
    _, counted, sums = read(f"[{','.join(flows)[:-9]}".encode())
    assert sorted(key[2] for key, _ in sums) == [80, 443]
    assert counted.records == 3
    assert counted.first_bad == (1, "damaged or cut off JSON")


def test_array_elements_a_line_each() -> None:
    data = "[\n" + ",\n".join(given.gcp(flow) for flow in TRUTH) + "\n]\n"
    _, done, sums = read(data.encode())
    assert (done.records, done.bad, len(sums)) == (4, 0, 3)


@pytest.mark.parametrize(
    "time",
    [
        "1794787200",
        "1794787200.0",
        "1794787200000",
        "2026-11-16T00:00:00Z",
        "2026-11-16 01:00:00+01:00",
    ],
)
def test_csv_takes_times_of_several_kinds(time: str) -> None:
    _, done, sums = read(f"time,destination,port\n{time},203.0.113.7,443\n".encode())
    assert done.bad == 0
    assert sums[0][1][3:] == [given.START, given.START]


@hypothesis_settings(max_examples=150, deadline=None)
@drawn(
    kind=st.sampled_from(sorted(given.WRITERS)),
    at=st.integers(0, 2000),
    cut=st.integers(0, 60),
    put=st.binary(max_size=12)
    | st.sampled_from([b"NaN", b"1e999", b"-1", b"null", b"{}", b"[]", b'"']),
)
def test_no_damage_stops_a_reading_or_is_quoted(kind: str, at: int, cut: int, put: bytes) -> None:
    """A record is a connection, passed over, or bad; nothing else, and nothing of it is told."""
    whole = given.log(kind, TRUTH[:1]).rstrip(b"\n").split(b"\n")[-1]
    at %= len(whole)
    harmed = whole[:at] + put.replace(b"\n", b"") + whole[at + cut :]
    _, done, sums = read(given.log(kind, TRUTH[1:2]) + harmed)
    assert sum(values[0] for _, values in sums) + done.bad + sum(done.passed.values()) == (
        done.records
    )
    assert done.first_bad is None or given.SECRET not in done.first_bad[1]


def test_csv_takes_other_names_quotes_and_seconds() -> None:
    data = (
        b'\xef\xbb\xbf"Timestamp",src_ip,dest-ip,dest_port,count,workload\r\n'
        b'1794787200,10.128.0.1,"203.0.113.7",443,5,"Deployment/shop/web"\r\n'
    )  # fmt: skip
    name, done, sums = read(data)
    assert (name, done.bad) == ("csv", 0)
    ((_, _, _, end), values) = sums[0]
    assert (end.name, end.original, values[1]) == ("Deployment/shop/web", "unknown", 5)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_says_what_its_addresses_are(kind: str) -> None:
    assert FORMATS[kind].original in ("yes", "no", "unknown")
    assert FORMATS[kind].addresses


def test_a_log_of_no_known_format_is_refused_with_what_was_expected() -> None:
    with pytest.raises(InputError) as error:
        read(b"Nov 16 00:00:00 host sshd[1]: hello\n")
    assert str(error.value) == (
        "log: no flow log that is known; expected one of Hubble flows, Google Cloud VPC flow log, "
        "Calico Goldmane flows, Istio access log, FSM sidecar log, AWS VPC flow log, CSV; a VPC "
        "flow log without header in an order of its own needs --fields"
    )


def test_another_format_than_the_named_one_is_refused() -> None:
    with pytest.raises(InputError, match=r"^log: expected Istio access log; no record of it"):
        read(given.log("vpc", TRUTH), kind="istio")


def test_fields_that_lack_an_address_are_refused() -> None:
    with pytest.raises(InputError) as error:
        read(b"", fields=("srcaddr", "dstport"))
    assert str(error.value) == (
        "VPC flow log: expected the fields srcaddr, dstaddr, srcport, dstport, protocol, bytes, "
        "end; missing: dstaddr, srcport, protocol, bytes, end"
    )


def test_fields_are_for_formats_that_have_an_order() -> None:
    with pytest.raises(InputError, match="its fields have names of their own"):
        read(b"{}", kind="hubble", fields=("a",))


@pytest.mark.parametrize("kind", FORMATS)
def test_hostile_lines_are_counted_told_once_and_skipped(kind: str) -> None:
    good = given.log(kind, TRUTH).rstrip(b"\n").split(b"\n")
    bad = [
        good[-1][: len(good[-1]) // 2],  # truncated
        b"\xff\xfe\x00" + given.SECRET.encode(),
        b"[" * 100_000,
        b'{"a":' * 2_000,
        b"9" * 5_000,
        b'{"flow": 1, "jsonPayload": 1, "type": 1, "downstream_local_address": 1, "Key": 1}',
        b"\x1b[31m" + given.SECRET.encode(),
    ]
    data = b"\n".join([*good, b"", *bad, good[-1]])
    _, done, sums = read(data)
    assert done.bad == len(bad)
    assert done.first_bad is not None
    assert done.first_bad[0] == len(good) + 2
    assert given.SECRET not in done.first_bad[1]
    assert sum(values[0] for _, values in sums) == len(TRUTH) + 1


OUTER = Flow(target="203.0.113.7", port=443)
BEYOND = [
    (kind, old, new)
    for kind in ("fsm", "hubble", "gcp", "istio", "goldmane", "vpc", "csv")
    for old, new in (
        ("443", "70000"),
        ("203.0.113.7", "203.0.113.700"),
        ("100", "-100"),
        ("2026-11-16", "yester"),
    )
    # Not every format has every value; Goldmane's holds no addresses, only names with them.
    if old in given.log(kind, [OUTER]).decode() and (kind, old) != ("goldmane", "203.0.113.7")
]


@pytest.mark.parametrize(("kind", "old", "new"), BEYOND)
def test_a_value_out_of_its_bounds_makes_a_record_bad(kind: str, old: str, new: str) -> None:
    good = given.log(kind, [OUTER]).decode()
    data = "\n".join([good.strip(), good.strip().split("\n")[-1].replace(old, new)])
    _, done, _ = read(data.encode())
    assert done.bad == 1


def test_reordered_and_mixed_lines_change_nothing_that_was_counted() -> None:
    rows = given.log("hubble", TRUTH).strip().split(b"\n")
    _, _, one = read(b"\n".join(rows))
    mixed = [
        b"I1116 12:00:00 a line of another program",
        *reversed(rows),
        given.vpc(TRUTH[0]).encode(),
    ]
    _, done, two = read(b"\n".join([rows[0], *mixed[:-2], mixed[-1]]))
    assert done.bad == 2
    assert shown(one) == shown(two)


@pytest.mark.parametrize("kind", ["fsm", "hubble", "gcp", "goldmane"])
def test_a_name_longer_than_any_of_kubernetes_is_not_kept(kind: str) -> None:
    data = given.log(kind, [TRUTH[0], Flow(target="203.0.113.7", port=443, owner="x" * 10_000)])
    _, done, sums = read(data)
    assert done.first_bad == (2, "expected names of at most 400 characters")
    assert len(sums) == 1


def test_a_line_without_end_is_not_kept() -> None:
    """Memory has an end, whatever somebody feeds."""

    def endless() -> object:
        yield given.log("hubble", TRUTH[:1])
        for _ in range(40):
            yield b"x" * (1 << 20)
        yield b"\n" + given.log("hubble", TRUTH[:1])

    batches = list(lines(endless()))  # type: ignore[arg-type]  # an iterable of bytes
    assert max(len(record) for _, records in batches for record in records) < 1 << 20
    _, reader = recognised(sample(given.log("hubble", TRUTH)), "log")
    found: Sums = []
    done = count(batches, reader, found.extend)
    assert (done.bad, sum(values[0] for _, values in found)) == (1, 2)
    assert done.lines == 3


def test_connections_are_handed_on_when_they_are_many() -> None:
    flows = [Flow(target=f"52.0.{n // 200}.{n % 200}", port=443) for n in range(1000)]
    data = given.log("csv", flows)
    blocks = [data[at : at + 5000] for at in range(0, len(data), 5000)]
    _, reader = recognised(sample(data), "log")
    handed: list[int] = []
    count(lines(blocks), reader, lambda sums: handed.append(len(sums)), keys_max=100)
    assert sum(handed) == 1000
    assert max(handed) < 300
