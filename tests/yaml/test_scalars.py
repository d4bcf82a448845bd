from __future__ import annotations

import pytest

from fsm_stack.yaml.scalars import Scalar, Unclear, agreed, go_scalar

# What `pulumi config --json` of CLI 3.260.0 printed for these plain scalars of a stack file.
# Recorded, not computed: it is what an environment means to the engine.
RECORDED: list[tuple[str, Scalar]] = [
    ("0o17", 15),
    ("1e3", 1000),
    ("yes", "yes"),
    ("08", 8),
    ("010", 8),
    ("1_000", 1000),
    ("1:30", "1:30"),
    (".5", 0.5),
    ("+1", 1),
    ("0x1F", 31),
    ("~", None),
    ("", None),
    ("Null", None),
    ("TRUE", True),
    ("y", "y"),
    ("on", "on"),
    ("6379", 6379),
    ("1.0", 1),
    ("-0", 0),
    ("0b11", 3),
    ("12e03", 12000),
    ("1.5e3", 1500),
    ("190:20:30.15", "190:20:30.15"),
    ("=", "="),
    ("1.", 1),
    ("1__0", 10),
    ("0_7", 7),
    ("685_230.15", 685230.15),
    ("6379.5", 6379.5),
    ("10.0.0.0/8", "10.0.0.0/8"),
    ("1.6.0", "1.6.0"),
    ("1e400", "1e400"),
    ("0777", 511),
    ("0o8", "0o8"),
    ("-0x1", -1),
    ("False", False),
    ("fALSE", "fALSE"),
]


@pytest.mark.parametrize(("text", "value"), RECORDED)
def test_the_cli_reads_a_plain_scalar_so(text: str, value: Scalar) -> None:
    read = go_scalar(text)
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(("text", "value"), RECORDED)
def test_what_is_accepted_is_what_the_cli_reads(text: str, value: Scalar) -> None:
    """An offline rendering and the engine never see two meshes in one file."""
    read = agreed(text)
    assert isinstance(read, Unclear) or (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("2026-12-31", "a date"),  # the CLI hands over "2026-12-31 00:00:00 +0000 UTC"
        ("2001-12-14t21:59:43.10-05:00", "a date"),
        (".inf", "a float that is not finite"),  # the CLI fails
        ("18446744073709551615", "a number too large to be exact"),  # …552000 to the CLI
    ],
)
def test_what_the_engine_would_change_is_refused(text: str, what: str) -> None:
    assert agreed(text) == Unclear(what)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (".6085_", ".6085_"),
        ("._5", "._5"),
        (".5e3", 500),
        ("0b-11", -3),
        ("0b+11", 3),
        ("0o-17", -15),
        ("-0b-11", "-0b-11"),
        ("0b-12", "0b-12"),
        ("1_.5", 1.5),
    ],
)
def test_odd_numbers_are_read_as_yaml_v3_reads_them(text: str, value: Scalar) -> None:
    """A text that begins with a point keeps its underscores; a prefix may come before the sign.

    Source: gopkg.in/yaml.v3 resolve.go.
    """
    read = go_scalar(text)
    assert (type(read), read) == (type(value), value)
