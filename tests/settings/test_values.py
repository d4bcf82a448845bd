from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from fsm_stack.settings.models.base import Model
from fsm_stack.settings.models.components import image_reference
from fsm_stack.settings.models.values import (
    CidrEntry,
    InterfaceEntry,
    PortEntry,
    cidr_bounds,
    network_text,
)

from .loading import found, settings


class Lists(Model):
    ports: tuple[PortEntry, ...] = ()
    ranges: tuple[CidrEntry, ...] = ()
    interfaces: tuple[InterfaceEntry, ...] = ()


def problem(key: str, value: Any) -> tuple[str, str, str]:
    """The id, message and fix of the one problem that a list entry has."""
    with pytest.raises(ValidationError) as caught:
        Lists.model_validate_json(json.dumps({key: [value]}))
    (error,) = caught.value.errors()
    context = error.get("ctx", {})
    return error["type"], error["msg"], context.get("fix", "")


PORTS = [
    (0, "invalid-port", "expected a port from 1 to 65535, got 0", ""),
    (-1, "invalid-port", "expected a port from 1 to 65535, got -1", ""),
    (65536, "invalid-port", "expected a port from 1 to 65535, got 65536", ""),
    (True, "invalid-port", "expected a port from 1 to 65535, got true", ""),
    (80.5, "invalid-port", "expected a port from 1 to 65535, got 80.5", ""),
    (None, "invalid-port", "expected a port from 1 to 65535, got nothing", ""),
    (
        "80",
        "invalid-port",
        "expected a whole number, got the text '80'",
        "Write 80 without quotes.",
    ),
    (
        "6379,7070",
        "invalid-port",
        "expected a whole number, got the text '6379,7070'",
        "Write one list item for each port.",
    ),
    (
        "6379\uff0c7070",
        "not-ascii",
        "'6379\uff0c7070': expected ASCII, got U+FF0C FULLWIDTH COMMA at position 5",
        "Retype it in ASCII.",
    ),
]


@pytest.mark.requirement("C42")
@pytest.mark.parametrize(
    ("value", "rule", "message", "fix"), PORTS, ids=[str(p[0]) for p in PORTS]
)
def test_a_value_that_is_no_port_is_refused(value: Any, rule: str, message: str, fix: str) -> None:
    """H4: iptables-restore refuses it in every new pod."""
    assert problem("ports", value) == (rule, message, fix)


RANGES = [
    (
        "fd00::/8",
        "ipv6-cidr",
        "expected an IPv4 CIDR, got the IPv6 range 'fd00::/8'; only IPv4 is intercepted",
        "Remove it: IPv6 traffic bypasses the sidecar already.",
    ),
    (
        "1.1.1.1",
        "invalid-cidr",
        "expected an IPv4 CIDR such as 10.0.0.0/8, got '1.1.1.1'",
        "For one address write 1.1.1.1/32.",
    ),
    (
        " 1.1.1.1/32",
        "invalid-cidr",
        "expected an IPv4 CIDR such as 10.0.0.0/8, got ' 1.1.1.1/32'",
        "Remove the blanks around it.",
    ),
    (
        "1.1.1.1/32,2.2.2.2/24",
        "invalid-cidr",
        "expected an IPv4 CIDR such as 10.0.0.0/8, got '1.1.1.1/32,2.2.2.2/24'",
        "Write one list item for each range.",
    ),
    (
        "1.1.1.1/32\u30012.2.2.2/24",
        "not-ascii",
        "'1.1.1.1/32\u30012.2.2.2/24': expected ASCII, "
        "got U+3001 IDEOGRAPHIC COMMA at position 11",
        "Retype it in ASCII.",
    ),
    *(
        (text, "invalid-cidr", f"expected an IPv4 CIDR such as 10.0.0.0/8, got {text!r}", "")
        for text in (
            "",
            "foo; rm -rf / 10.0.0.0/8",
            "999.1.1.1/99",
            "10.0.0.0/33",
            "10.0.0.0/08",
            "010.0.0.0/8",
            "10.0.0/8",
            "10.0.0.0/255.0.0.0",
            "10.0.0.0/-1",
            "$(id -u)",
        )
    ),
    (8, "invalid-cidr", "expected an IPv4 CIDR such as 10.0.0.0/8, got 8", ""),
]


@pytest.mark.requirement("C42")
@pytest.mark.parametrize(
    ("value", "rule", "message", "fix"), RANGES, ids=[str(r[0]) for r in RANGES]
)
def test_a_value_that_is_no_range_is_refused(
    value: Any, rule: str, message: str, fix: str
) -> None:
    """H2 and H5: the chart's pattern lets all of these through, and the script fails or runs them."""
    assert problem("ranges", value) == (rule, message, fix)


ALPHABET = "expected letters, digits, '.', '_', '-', ':' or '@' with '+' only at the end, "
INTERFACES = [
    ("", "expected an interface name, got an empty string"),
    ("a" * 16, "expected at most 15 characters, got 16: 'aaaaaaaaaaaaaaaa'"),
    ("eth 0", f"{ALPHABET}got ' ' in 'eth 0'"),
    ("$(id -u)", f"{ALPHABET}got '$' in '$(id -u)'"),
    ("`id`", f"{ALPHABET}got '`' in '`id`'"),
    ("a\nb", f"{ALPHABET}got '\\n' in 'a\\nb'"),
    ("e+h", f"{ALPHABET}got '+' in 'e+h'"),
    ("-j", f"{ALPHABET}got '-j' in '-j'"),
    ("..", f"{ALPHABET}got '..' in '..'"),
    ("!eth0", f"{ALPHABET}got '!' in '!eth0'"),
    (7, "expected an interface name, got 7"),
]


@pytest.mark.requirement("C20")
@pytest.mark.parametrize(("value", "message"), INTERFACES, ids=[repr(i[0]) for i in INTERFACES])
def test_a_value_that_is_no_interface_is_refused(value: Any, message: str) -> None:
    """H3 and H6: the name stops iptables-restore, or runs as root."""
    rule, text, _ = problem("interfaces", value)
    assert (rule, text) == ("invalid-interface", message)


def test_a_plain_value_is_the_short_form_of_an_entry() -> None:
    lists = Lists.model_validate_json('{"ports": [80, {"value": 80}], "interfaces": ["veth+"]}')
    assert lists.ports[0] == lists.ports[1]
    assert lists.interfaces[0].value == "veth+"


def test_numbers_that_the_engine_hands_over_as_floats_are_ports() -> None:
    assert Lists.model_validate_json('{"ports": [6379.0]}').ports[0].value == 6379


def test_an_entry_says_why_it_is_there() -> None:
    text = '{"ports": [{"value": 80, "reason": "r", "owner": "o", "until": "2026-12-31"}]}'
    (entry,) = Lists.model_validate_json(text).ports
    assert (entry.reason, entry.owner, str(entry.until)) == ("r", "o", "2026-12-31")


def test_an_end_that_is_no_day_is_refused() -> None:
    assert problem("ports", {"value": 80, "until": "soon"})[:2] == (
        "invalid-value",
        "expected a day as 2026-12-31, got 'soon'",
    )


@pytest.mark.requirement("C32")
def test_host_bits_are_cleared_as_the_kernel_does() -> None:
    assert network_text("2.2.2.2/24") == "2.2.2.0/24"
    assert network_text("2.2.2.2/32") == "2.2.2.2/32"
    assert network_text("255.255.255.255/0") == "0.0.0.0/0"
    assert cidr_bounds("10.0.0.1/31") == (0x0A000000, 0x0A000001)


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("*/15 * * * *", None),
        ("0 9-17/2 1,15 jan-mar MON,fri", None),
        ("@hourly", None),
        ("60 * * * *", "expected a minute from 0 to 59, got '60 * * * *'"),
        ("0 24 * * *", "expected an hour from 0 to 23, got '0 24 * * *'"),
        ("0 0 0 * *", "expected a day of the month from 1 to 31, got '0 0 0 * *'"),
        ("0 0 1 * 7", "expected a day of the week from 0 to 6, got '0 0 1 * 7'"),
        ("9-8 * * * *", "expected a minute that is a number, or a range from low to high, got '9-8 * * * *'"),
        ("a * * * *", "expected a minute that is a number, or a range from low to high, got 'a * * * *'"),
        ("*/0 * * * *", "expected a minute whose step is above zero, got '*/0 * * * *'"),
    ],
)  # fmt: skip
def test_a_schedule_is_one_that_kubernetes_takes(schedule: str, problem: str | None) -> None:
    told = found({"verify": {"schedule": schedule, "image": "a.b/c:1"}})
    assert [one[2] for one in told] == ([problem] if problem else [])


IMAGES = [
    ({}, "injector", "flomesh/fsm-injector:1.5.1"),
    ({}, "pipy", "flomesh/pipy:1.5.12"),
    ({}, "prometheus", "prom/prometheus:v2.34.0"),
    ({"tag": "2", "registry": "a.example"}, "injector", "a.example/fsm-injector:2"),
    ({"tag": "2", "registry": "a.example"}, "pipy", "a.example/pipy:1.5.12"),
    ({"tag": "2", "registry": "a.example"}, "prometheus", "prom/prometheus:v2.34.0"),
    *(
        (
            {"tag": "2", name: {"registry": "b.example", "name": "c", "tag": "3"}},
            name,
            "b.example/c:3",
        )
        for name in ("injector", "pipy", "prometheus")
    ),
    ({"jaeger": {"digest": "sha256:" + "0" * 64}}, "jaeger",
     "jaegertracing/all-in-one:latest@sha256:" + "0" * 64),
]  # fmt: skip


@pytest.mark.parametrize(("images", "field", "reference"), IMAGES)
def test_an_images_own_parts_go_before_the_stacks_and_the_releases(
    images: dict[str, Any], field: str, reference: str
) -> None:
    """Images that are not FSM's have neither its registry nor its tag; Pipy has its own tag."""
    known = settings({"images": images})
    assert image_reference(known.images, "1.5.1", field) == reference


def test_programs_ask_for_what_the_chart_gives_them() -> None:
    components = settings().components
    amounts = {
        "bootstrap": components.bootstrap.resources,
        "controller": components.controller.resources,
        "injector": components.injector.resources,
        "its init containers": components.injector.init_resources,
    }
    assert {name: (one.requests, one.limits) for name, one in amounts.items()} == {
        "bootstrap": ({"cpu": "0.3", "memory": "128M"}, {"cpu": "0.5", "memory": "512M"}),
        "controller": ({"cpu": "0.5", "memory": "256M"}, {"cpu": "2", "memory": "2G"}),
        "injector": ({"cpu": "0.5", "memory": "128M"}, {"cpu": "1", "memory": "512M"}),
        "its init containers": (
            {"cpu": "200m", "memory": "128M"},
            {"cpu": "500m", "memory": "512M"},
        ),
    }
