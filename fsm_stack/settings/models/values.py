"""The values that reach an init script: ports, ranges, interfaces, and list entries around them.

Each is parsed once, here. What passes holds no shell syntax, because its alphabet has none.
"""

import re
import unicodedata
from datetime import date
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from fsm_stack.lists import EXCLUDED_RANGES
from fsm_stack.settings.models.base import IPV4, Model, refusal, setting
from fsm_stack.settings.problems import shown
from fsm_stack.well_known import INTERFACE_NAME_MAX, MULTIPORT_MAX, PORT_MAX, PORT_MIN

CIDR_PATTERN: Final = rf"^{IPV4}/(3[0-2]|[12]?[0-9])$"
_CIDR: Final = re.compile(rf"{IPV4}(?P<prefix>/(3[0-2]|[12]?[0-9]))?")
INTERFACE_CHARACTERS: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:@"
)


def check_ascii(text: str) -> None:
    """Refuse characters that translated pages leave in copied values.

    Raises:
        PydanticCustomError: ``not-ascii``, naming the first such character.
    """
    for position, character in enumerate(text, start=1):
        if not character.isascii():
            name = unicodedata.name(character, "an unnamed character")
            raise refusal(
                "not-ascii",
                f"{shown(text)}: expected ASCII, got U+{ord(character):04X} {name} "
                f"at position {position}",
                "Retype it in ASCII.",
            )


_PORT_RANGE: Final = re.compile(r"([0-9]{1,5})\s*[-:]\s*([0-9]{1,5})")
SINGLE_PORTS: Final = "A list holds single ports"


def ports_of_range(text: str) -> range:
    """The ports of ``9000-9100`` or ``9000:9100``; none where the text is no such range."""
    match = _PORT_RANGE.fullmatch(text.strip())
    first, last = (int(match[1]), int(match[2])) if match else (0, 0)
    return range(first, last + 1) if PORT_MIN <= first <= last <= PORT_MAX else range(0)


def _of_range(ports: range) -> str:
    """What comes nearest to a range of ports, which no list takes."""
    if len(ports) <= MULTIPORT_MAX:
        return f"{SINGLE_PORTS}: write {', '.join(map(str, ports))}."
    return (
        f"{SINGLE_PORTS}, {MULTIPORT_MAX} at most: exclude the servers' addresses with "
        f"{EXCLUDED_RANGES.key}; inbound there are only single ports."
    )


def parse_port(value: object) -> int:
    """A port: a whole number, not a string of digits.

    Raises:
        PydanticCustomError: ``invalid-port`` or ``not-ascii``.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # the engine hands numbers over as floats
    if isinstance(value, str):
        check_ascii(value)
        fix = ""
        if value.strip().isdigit():
            fix = f"Write {int(value)} without quotes."
        elif ports := ports_of_range(value):
            fix = _of_range(ports)
        elif "," in value:
            fix = "Write one list item for each port."
        raise refusal("invalid-port", f"expected a whole number, got the text {shown(value)}", fix)
    if isinstance(value, bool) or not isinstance(value, int):
        raise refusal(
            "invalid-port", f"expected a port from {PORT_MIN} to {PORT_MAX}, got {shown(value)}"
        )
    if not PORT_MIN <= value <= PORT_MAX:
        raise refusal(
            "invalid-port", f"expected a port from {PORT_MIN} to {PORT_MAX}, got {value}"
        )
    return value


@lru_cache(maxsize=16384)  # a mesh-wide range is asked for once a profile and check
def cidr_bounds(text: str) -> tuple[int, int]:
    """First and last address, as integers, of a valid IPv4 CIDR text."""
    network = IPv4Network(text, strict=False)
    return int(network.network_address), int(network.broadcast_address)


def address_text(address: int) -> str:
    """An IPv4 address, as an integer, in dotted form."""
    return str(IPv4Address(address))


def network_text(text: str) -> str:
    """The CIDR with its host bits cleared: ``2.2.2.2/24`` becomes ``2.2.2.0/24``."""
    return str(IPv4Network(text, strict=False))


def parse_cidr(value: object) -> str:
    """An IPv4 CIDR, kept as it was written (host bits are a finding, not an error).

    Raises:
        PydanticCustomError: ``invalid-cidr``, ``ipv6-cidr`` or ``not-ascii``.
    """
    if not isinstance(value, str):
        raise refusal(
            "invalid-cidr", f"expected an IPv4 CIDR such as 10.0.0.0/8, got {shown(value)}"
        )
    check_ascii(value)
    match = _CIDR.fullmatch(value)
    if match is not None and match["prefix"]:
        return value
    address = value.partition("/")[0]
    if ":" in address and set(address.lower()) <= set("0123456789abcdef:."):
        raise refusal(
            "ipv6-cidr",
            f"expected an IPv4 CIDR, got the IPv6 range {shown(value)}; only IPv4 is intercepted",
            "Remove it: IPv6 traffic bypasses the sidecar already.",
        )
    fix = ""
    if match is not None:
        fix = f"For one address write {address}/32."
    elif "," in value:
        fix = "Write one list item for each range."
    elif value != value.strip():
        fix = "Remove the blanks around it."
    raise refusal(
        "invalid-cidr", f"expected an IPv4 CIDR such as 10.0.0.0/8, got {shown(value)}", fix
    )


def parse_interface(value: object) -> str:
    """A network interface name, with ``+`` at the end as iptables' wildcard.

    Raises:
        PydanticCustomError: ``invalid-interface`` or ``not-ascii``.
    """
    if not isinstance(value, str):
        raise refusal("invalid-interface", f"expected an interface name, got {shown(value)}")
    check_ascii(value)
    if not value:
        raise refusal("invalid-interface", "expected an interface name, got an empty string")
    if len(value) > INTERFACE_NAME_MAX:
        raise refusal(
            "invalid-interface",
            f"expected at most {INTERFACE_NAME_MAX} characters, got {len(value)}: {shown(value)}",
            f"A wildcard matches a prefix: {value[: INTERFACE_NAME_MAX - 1]}+"
            if INTERFACE_CHARACTERS.issuperset(value)
            else "",
        )
    name = value.removesuffix("+")
    wrong = [character for character in name if character not in INTERFACE_CHARACTERS]
    if wrong or value[0] == "-" or name in {".", ".."}:
        culprit = repr(wrong[0]) if wrong else f"{value!r}"
        raise refusal(
            "invalid-interface",
            f"expected letters, digits, '.', '_', '-', ':' or '@' with '+' only at the end, "
            f"got {culprit} in {shown(value)}",
        )
    return value


Port = Annotated[
    int,
    BeforeValidator(parse_port),
    WithJsonSchema({"type": "integer", "minimum": PORT_MIN, "maximum": PORT_MAX}),
]

# Upstream holds these ports in Go's int16; a higher one makes every program's decoding fail.
# Source: flomesh-io/fsm pkg/apis/config/v1alpha3, RepoServerSpec, TracingSpec, RemoteLoggingSpec.
SMALL_PORT_MAX: Final = 32767


def _small_port(value: object) -> int:
    port = parse_port(value)
    if port > SMALL_PORT_MAX:
        raise refusal(
            "invalid-port",
            f"expected a port from 1 to {SMALL_PORT_MAX}, got {port}; FSM holds this port in 16 "
            "signed bits",
            "Let the server listen on a lower port.",
        )
    return port


SmallPort = Annotated[
    int,
    BeforeValidator(_small_port),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": SMALL_PORT_MAX}),
]

Cidr = Annotated[
    str,
    BeforeValidator(parse_cidr),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": CIDR_PATTERN,
            "examples": ["10.0.0.0/8", "169.254.169.254/32"],
        }
    ),
]
Interface = Annotated[
    str,
    BeforeValidator(parse_interface),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(?!-)(?!\.\.?$)(?=.{1,15}$)[a-zA-Z0-9._:@-]*\+?$",
            "examples": ["net1", "veth+"],
        }
    ),
]


def parse_day(value: object) -> date:
    """A calendar day, written as 2026-12-31.

    Raises:
        PydanticCustomError: ``invalid-value``.
    """
    if isinstance(value, date):
        return value
    text = str(value)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # Python also reads 20261231 and 2026-W53-4
        raise refusal("invalid-value", f"expected a day as 2026-12-31, got {shown(value)}")
    return day


Day = Annotated[
    date, BeforeValidator(parse_day), WithJsonSchema({"type": "string", "format": "date"})
]


class Entry(Model):
    """One entry of a redirection list: the value, and why it is there.

    A plain value is the short form of ``{value: …}``.
    """

    reason: str = setting("", "Why this traffic bypasses, or goes through, the mesh.")
    owner: str = setting("", "Who answers for it: a team, a mailing list.")
    until: Day | None = setting(None, "The day after which the entry is a finding.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:  # noqa: ANN401  # decoded JSON
        return data if isinstance(data, dict | Entry) else {"value": data}


class PortEntry(Entry):
    """A port in a redirection list."""

    value: Port


class CidrEntry(Entry):
    """An IPv4 range in a redirection list."""

    value: Cidr


class InterfaceEntry(Entry):
    """A network interface in a redirection list."""

    value: Interface
