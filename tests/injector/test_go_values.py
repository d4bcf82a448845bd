"""Go's idea of numbers, ranges and white space, where Python's is another."""

from __future__ import annotations

import pytest

from fsm_stack.injector.go_values import atoi, is_cidr, lower, port_number, stored_quantity, trim
from fsm_stack.injector.mesh import mesh_view
from fsm_stack.systems import OSM_EDGE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("80", 80),
        ("+80", 80),
        ("-1", -1),
        ("007", 7),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("-9223372036854775808", -(2**63)),
        ("-9223372036854775809", None),
        ("1_000", None),
        ("٣", None),
        ("0x10", None),
        ("", None),
        ("+", None),
        (" 1", None),
        ("9" * 5000, None),
        ("0" * 5000 + "1", 1),
    ],
)
def test_a_number_is_what_atoi_takes(text: str, value: int | None) -> None:
    assert atoi(text) == value


@pytest.mark.parametrize(
    ("port", "number"),
    [
        (8080, 8080),
        ("8081", 8081),
        ("http", 0),
        (None, 0),
        (True, 0),
        ("4294967296", 0),
        ("99999999999999999999", -1),
        ("-99999999999999999999", 0),
        ("2147483648", -(2**31)),
        (8080.0, 8080),
    ],
)
def test_a_probes_port_is_cut_down_to_32_bits(port: object, number: int) -> None:
    assert port_number(port) == number


@pytest.mark.parametrize(
    "text",
    ["10.0.0.0/8", "10.0.0.0/08", "0.0.0.0/0", "1.2.3.4/32", "::/0", "fd00::/8", "1::/128",
     "::ffff:1.2.3.4/128", "64:ff9b::1.2.3.4/96", "1:2:3:4:5:6:7:8/64", "1:2:3:4:5:6:1.2.3.4/64"],
)  # fmt: skip
def test_go_takes_this_range(text: str) -> None:
    assert is_cidr(text)


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/1", "010.0.0.0/8",
     "10.0.0/8", "256.0.0.0/8", "10.0.0.0/ 8", "fe80::1%eth0/64", ":::/0", "1::2::3/64",
     "1:2:3:4:5:6:7:8::/64", "::1.2.3.4:5/64", "12345::/16", "1:/16", ":1/16", "fd00::/129",
     "1.2.3.4::/64", "10.0.0.0/9999999999", "\uff11\uff10.0.0.0/8"],
)  # fmt: skip
def test_go_refuses_this_range(text: str) -> None:
    assert not is_cidr(text)


def test_white_space_is_unicodes_and_not_pythons() -> None:
    """Python strips the separators U+001C to U+001F too; Go does not."""
    assert trim("\u3000\u00a0 80\t\n\u2009") == "80"
    assert trim("\x1c80\ufeff\u200b") == "\x1c80\ufeff\u200b"


def test_lower_case_is_made_rune_by_rune() -> None:
    assert lower("ENABLED") == "enabled"
    assert lower("D\u0130SABLED") == "disabled"
    assert lower("\u03a3\u03a3") == "\u03c3\u03c3"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("0.1", "100m"),
        ("0.5", "500m"),
        ("-", "0"),
        ("1024Mi", "1Gi"),
        ("1500m", "1500m"),
        ("2000m", "2"),
        ("1e3", "1e3"),
        ("12e2", "1200"),
        ("-1.5Ki", "-1536"),
        ("0.5Gi", "512Mi"),
        ("3.3Ki", "3379200m"),  # a fraction is not rounded away
        ("0.3Ki", "307200m"),
        ("1.234", "1.234"),  # Go's quick test takes it for canonical
        ("1.10e2", "1.10e2"),
        ("0.000000001Ki", "1024n"),
        ("0.0001n", "1n"),
        ("1.5n", "2n"),  # rounded up, as every amount below a nano
        ("1000000000.1n", "1000000001n"),
        ("1e-30", "1e-9"),
        ("1e30", "1e30"),
        ("1000E", "1"),  # beyond exa Go forgets the suffix
        ("1.0Ki", "1Ki"),
        ("1023.0", "1023"),
        ("0.99Ki", "1013760m"),
        ("10Ei", "9223372036854775807"),
        ("10.0Ei", "9223372036854775807"),
        ("-10.0Ei", "-9223372036854775807"),
        ("12345678901234567890", "12345678901234567890"),
        ("1e1000000", "10e999999"),
        ("1e4294967297", "10"),  # the exponent is cut to 32 bits
        ("k", "0"),
        ("Ei", None),
        ("1e99999999999999999999", None),
        (".5", "500m"),
        ("64M", "64M"),
        ("1000k", "1M"),
        ("lots", None),
        ("", None),
        ("1 Gi", None),
        ("1KI", None),
        ("9" * 400, None),
    ],
)
def test_a_quantity_is_stored_canonically(text: str, stored: str | None) -> None:
    assert stored_quantity(text) == stored


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0.5", "0.50"),
        ("1_0", "10.00"),
        ("0x1p-1", "0.50"),
        (".005", "0.00"),  # as 32 bits it is a little less
        ("nan", "NaN"),
        ("-Infinity", "-Inf"),
        ("inf", "+Inf"),
        ("1e39", "1.00"),  # an error in 32 bits, so the default
        ("1e400", "1.00"),
        ("0x1p2000", "1.00"),
        ("1__0", "1.00"),
        ("half", "1.00"),
    ],
)
def test_a_sampled_fraction_is_written_as_go_does(text: str, written: str) -> None:
    spec = {"observability": {"tracing": {"enable": True, "sampledFraction": text}}}
    known = mesh_view(OSM_EDGE, spec, environment={})
    assert dict(known.more_environment)["TRACING_SAMPLED_FRACTION"] == written
