"""Plain CSV with a header: whatever somebody made of another log."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from fsm_stack.errors import InputError
from fsm_stack.flows.row import (
    EITHER,
    HEADER,
    INBOUND,
    NOT_TCP,
    OUTBOUND,
    TIME_MAX,
    Addresses,
    BadRecordError,
    Ends,
    Format,
    Key,
    Original,
    PassedOverError,
    Ports,
    Reader,
    Row,
    Way,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# The names that a column may have.
_NAMES: Final = {
    "time": ("time", "timestamp", "end", "start", "date"),
    "source": ("source", "src", "srcaddr", "src_ip", "source_ip"),
    "destination": ("destination", "dst", "dstaddr", "dst_ip", "dest_ip", "destination_ip"),
    "port": ("port", "dstport", "dst_port", "dest_port", "destination_port"),
    "protocol": ("protocol", "proto"),
    "direction": ("direction", "way", "flow_direction"),
    "workload": ("workload", "owner", "name"),
    "service": ("service",),
    "connections": ("connections", "count", "flows"),
    "bytes": ("bytes", "size"),
}
COLUMNS: Final = ("direction", "workload", "service")
_NEEDED: Final = ("time", "destination", "port")
WAYS: Final[dict[bytes, Way]] = {
    b"outbound": OUTBOUND, b"egress": OUTBOUND, b"out": OUTBOUND,
    b"inbound": INBOUND, b"ingress": INBOUND, b"in": INBOUND, b"": EITHER,
}  # fmt: skip
PROTOCOLS: Final = frozenset({b"tcp", b"TCP", b"6", b""})
_TIMES_MAX: Final = 10_000
_NUMBER_MAX: Final = 20
_SECONDS_LENGTH: Final = 11


def places_of(header: Sequence[str], needed: Sequence[str], shown: str) -> dict[str, int | None]:
    """Where each field stands among a table's columns; None: it has none.

    Raises:
        InputError: one that is needed is not there.
    """
    columns = [column.strip().strip('"').lower().replace("-", "_") for column in header]
    places = {
        field: next((columns.index(name) for name in names if name in columns), None)
        for field, names in _NAMES.items()
    }
    if missing := [field for field in needed if places[field] is None]:
        raise InputError(
            f"{shown}: expected columns {', '.join(needed)}; missing: {', '.join(missing)}"
        )
    return places


def reader(header: Sequence[str], line: bytes = b"") -> Reader:
    """Reads rows of a table.

    Args:
        header: the names of its columns.
        line: the header as it stands in the file; empty: there is none.

    Raises:
        InputError: a column that is needed is not there.
    """
    places = places_of(header, _NEEDED, "CSV")
    count, names = len(header), line.strip()
    # A column that the table does not have is one more behind the others, and empty.
    at = {field: count if place is None else place for field, place in places.items()}
    pick = itemgetter(at["time"], at["protocol"], at["connections"], at["bytes"])
    pick_told = itemgetter(
        *(at[field] for field in ("source", "destination", "port", *COLUMNS))
    )  # fmt: skip
    starts = 1 if places["connections"] is None else 0
    times = _Times()

    def read(record: bytes) -> Row:
        record = record.strip()
        found = record.split(b",") if b'"' not in record else _quoted(record)
        if len(found) != count:
            raise BadRecordError(f"expected {count} columns, got {len(found)}")
        found.append(b"")
        time, protocol, connections, size = pick(found)
        if names == record:
            raise PassedOverError(HEADER)
        if protocol not in PROTOCOLS and protocol.strip() not in PROTOCOLS:
            raise PassedOverError(NOT_TCP)
        return (
            pick_told(found),
            _number(connections) if connections else starts,
            _number(size) if size else 0,
            int(time) if time.isdigit() and len(time) <= _SECONDS_LENGTH else times[time],
        )

    return Reader(read, _key_of(Addresses(), Ports(), Ends()))


def _key_of(addresses: Addresses, ports: Ports, ends: Ends) -> Callable[[Any], Key]:
    def key(told: Any) -> Key:  # noqa: ANN401  # of a row
        source, target, port, *known = told
        end = ends.get(tuple(known))
        if end is None:
            way = WAYS.get(known[0].strip().lower())
            if way is None:
                raise BadRecordError("direction: expected outbound or inbound")
            original: Original = "yes" if way == INBOUND else "unknown"
            end = ends.of(tuple(known), way, _text(known[1]), _text(known[2]), original)
        near = addresses[source] if source.strip() else None
        return near, addresses[target], ports[port], end

    return key


class _Times(dict[bytes, float]):
    """Times in seconds since 1970, each parsed once."""

    def __missing__(self, text: bytes) -> float:
        if len(self) >= _TIMES_MAX:
            self.clear()
        self[text] = _seconds(text.strip())
        return self[text]


def _quoted(record: bytes) -> list[bytes]:
    text = record.decode("utf-8", "replace")
    try:
        return [field.encode() for field in next(csv.reader([text], strict=True))]
    except (csv.Error, StopIteration):
        raise BadRecordError("quotes that do not end") from None


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip()


def _number(value: bytes) -> int:
    number = int(value) if len(value) <= _NUMBER_MAX else -1
    if number < 0:
        raise BadRecordError("expected a whole number in connections and bytes")
    return number


def _seconds(text: bytes) -> float:
    plain = text.decode("ascii", "replace")
    whole, _, part = text.partition(b".")
    if whole.isdigit() and len(text) <= _NUMBER_MAX and (part or b"0").isdigit():
        found = float(text) if int(whole) <= TIME_MAX else float(text) / 1000
        if found <= TIME_MAX:
            return found
    try:
        time = datetime.fromisoformat(plain)
    except ValueError:
        raise BadRecordError("time: expected seconds since 1970 or ISO 8601") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _knows(record: bytes) -> Reader | None:
    header = [column.decode("utf-8", "replace") for column in record.split(b",")]
    columns = {column.strip().strip('"').lower().replace("-", "_") for column in header}
    known = [name for name in _NEEDED if columns & set(_NAMES[name])]
    return reader(header, record) if len(header) > 1 and len(known) > 1 else None


CSV: Final = Format(
    name="csv",
    title="CSV",
    original="unknown",
    addresses="nothing says whether destinations are those that pods asked for",
    weight="connections as its rows count them",
    json=False,
    knows=_knows,
    named=reader,
)
