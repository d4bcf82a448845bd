"""What a flow log's line becomes: who connected where, how much; and what a format says of itself.

A row holds these values and no others, so that bodies, headers and paths of a log end with their
line. Connections are counted by their key; a million rows of one connection are one key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from fsm_stack.iptables.sets.ranges import address_number, looks_like_ipv6
from fsm_stack.well_known import PORT_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Way = Literal["outbound", "inbound", ""]
OUTBOUND: Final = "outbound"
INBOUND: Final = "inbound"
# The row says which addresses, not at which end it was written.
EITHER: Final = ""
TCP: Final = 6
# Where Linux' ephemeral ports start: net.ipv4.ip_local_port_range.
EPHEMERAL: Final = 32768
# Seconds of the year 9999: what is later is no time.
TIME_MAX: Final = 253_402_300_799
_CACHED_MAX: Final = 200_000
# A kind, a namespace and a name of Kubernetes have 63, 63 and 253 characters.
NAME_MAX: Final = 400

# Whether the logged destination is the one that iptables saw.
Original = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True, eq=False)  # one object an end: a key is hashed for each row
class End:
    """What a row says of the end at which it was seen, apart from addresses.

    Attributes:
        way: seen where it leaves a pod, where it enters one, or unknown: an empty text.
        name: ``Deployment/shop/web`` of the pod at whose end it was seen; empty: unknown.
        service: ``shop/redis``, the Service that the log names; empty: none.
        original: whether the destination is the one that iptables saw.
    """

    way: Way
    name: str
    service: str
    original: Original


# One connection, apart from how often it was made: source address as a number (None: the log has
# none), destination likewise (a text is what a log without addresses calls it), port, end.
Key = tuple["int | None", "int | str", int, End]
# What tells a connection in a record, connections, bytes, seconds since 1970.
Row = tuple[Any, int, int, float]


class BadRecordError(ValueError):
    """A line that is none of its format; the message holds nothing of the line's content."""


class PassedOverError(ValueError):
    """A record that no redirection concerns; the message is the reason."""


class Addresses(dict[bytes, int]):
    """IPv4 addresses as numbers, each parsed once."""

    def __missing__(self, text: bytes) -> int:
        """Parse one.

        Raises:
            BadRecordError: it is none.
            PassedOverError: it is IPv6.
        """
        try:
            plain = text.strip().decode("ascii")
        except UnicodeDecodeError:
            plain = ""
        number = address_number(plain)
        if number is None:
            if not looks_like_ipv6(plain) or "/" in plain:
                raise BadRecordError("expected an IP address")
            number = _mapped(plain)
        if number is None:
            raise PassedOverError(NOT_IPV4)
        if len(self) >= _CACHED_MAX:
            self.clear()
        self[text] = number
        return number


def _mapped(text: str) -> int | None:
    """The IPv4 address inside of an IPv6 one; None: there is none."""
    head, _, tail = text.rpartition(":")
    return address_number(tail) if head.lower() in {"::ffff", "0:0:0:0:0:ffff"} else None


class Ports(dict[bytes, int]):
    """Ports as numbers, each parsed once."""

    def __missing__(self, text: bytes) -> int:
        """Parse one.

        Raises:
            BadRecordError: it is none.
        """
        bare = text.strip()
        number = int(bare) if bare.isdigit() and len(bare) <= len(str(PORT_MAX)) else PORT_MAX + 1
        port_number(number)
        if len(self) >= _CACHED_MAX:
            self.clear()
        self[text] = number
        return number


def port_number(number: int) -> int:
    """The port.

    Raises:
        BadRecordError: it is none.
    """
    if not 0 <= number <= PORT_MAX:
        raise BadRecordError(f"expected a port from 0 to {PORT_MAX}")
    return number


class Ends(dict[Any, End]):
    """Ends by what a format tells them by, so that few are made."""

    def of(self, key: object, way: Way, name: str, service: str, original: Original) -> End:
        """A new end under its key.

        Raises:
            BadRecordError: a name is longer than any of Kubernetes.
        """
        if max(len(name), len(service)) > NAME_MAX:
            raise BadRecordError(f"expected names of at most {NAME_MAX} characters")
        if len(self) >= _CACHED_MAX:
            self.clear()
        found = self[key] = End(way, name, service, original)
        return found


class Reader(NamedTuple):
    """Reads records of one log.

    Both raise a :class:`PassedOverError` where no redirection concerns a record, and another
    ValueError where it is none of the format; only a :class:`BadRecordError`'s message is shown.

    Attributes:
        read: a record's row. What tells its connection may be texts as they stand there: they are
            parsed once a connection, not once a record.
        key: the connection that they mean.
    """

    read: Callable[[bytes], Row]
    key: Callable[[Any], Key]


def as_it_is(key: Any) -> Key:  # noqa: ANN401  # a key
    """For readers whose rows tell connections by their keys."""
    found: Key = key
    return found


# Why records are passed over.
NOT_TCP: Final = "not TCP: never redirected"
NOT_IPV4: Final = "IPv6: never redirected"
REFUSED: Final = "refused on the way: no connection"
HEADER: Final = ""
NO_FLOW: Final = "no flow: another kind of record"
GATEWAY: Final = "of a gateway, not of a pod"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Format:
    """What one kind of log is.

    Attributes:
        name: on the command line.
        title: for people.
        original: whether its destinations are those that iptables saw, as a rule.
        addresses: the same in a sentence.
        complete: it holds bypassed connections too; else only those that a sidecar took.
        weight: what its counts count.
        json: its records are JSON objects.
        knows: a reader for a log that has this record; None: it is none of this format.
        named: a reader for fields in a given order; None: the format has no order.
    """

    name: str
    title: str
    original: Original
    addresses: str
    complete: bool = True
    weight: str = "connections"
    json: bool = True
    knows: Callable[[bytes], Reader | None]
    named: Callable[[Sequence[str]], Reader] | None = None
