"""Flows that a well-kept engine has added up: Apache Arrow batches in, the same evidence out.

What is larger than one machine is scanned and grouped where it lies, by DuckDB, Polars, Spark or
a warehouse; this module takes the groups, or gives a verdict for each destination to be joined
with. It takes whatever has Arrow's batches, and needs pyarrow only to make some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from fsm_stack.errors import InputError, require_extra
from fsm_stack.flows.counting import Counted
from fsm_stack.flows.formats.named_columns import COLUMNS, PROTOCOLS, WAYS, places_of
from fsm_stack.flows.judge import NO_ENTRY
from fsm_stack.flows.row import (
    INBOUND,
    NOT_TCP,
    TIME_MAX,
    Addresses,
    BadRecordError,
    Ends,
    PassedOverError,
    port_number,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from fsm_stack.flows.judge import Judge
    from fsm_stack.flows.row import End, Key, Original

# Columns that only groups have: when the first and the last of their connections was.
_FIRST: Final = ("first", "first_seen")
_LAST: Final = ("last", "last_seen")
_IPV4_MAX: Final = (1 << 32) - 1


class Batch(Protocol):
    """What is needed of ``pyarrow.RecordBatch``."""

    @property
    def schema(self) -> Any:  # noqa: ANN401  # pyarrow's
        """Its columns' names and types."""

    def to_pydict(self) -> dict[str, list[Any]]:
        """Every column as a list."""


def take_batches(batches: Iterable[Batch], judge: Judge) -> Counted:
    """Judge groups of connections; ``judge.finish()`` then has everything that logs would give.

    Columns are named as those of CSV logs: destination, port, and the time, or ``first`` and
    ``last``, are needed; source, protocol, direction, workload, service, connections, bytes and
    ``rows`` may be there. Addresses are texts or numbers, times numbers of seconds or timestamps.

    Args:
        batches: for example ``duckdb.sql(...).to_arrow_reader()``.
        judge: takes the connections.

    Raises:
        InputError: a column that is needed is not there.
    """
    done = Counted(format="csv")
    keys = _Keys()
    for batch in batches:
        columns = _columns(batch.to_pydict())
        sums = []
        for row in zip(*columns, strict=True):
            done.records += 1
            *told, first, last, time, count, connections, size = row
            try:
                key = keys.key(*told)
                start, end = _seconds(first or time), _seconds(last or time)
                if min(count or 0, connections or 0, size or 0) < 0:
                    raise BadRecordError("expected numbers of 0 or more")
            except PassedOverError as error:
                done.passed[str(error)] += 1
            except (ValueError, TypeError) as error:
                done.bad += 1
                known = isinstance(error, BadRecordError)
                why = str(error) if known else "a value of another type"
                done.first_bad = done.first_bad or (done.records, why)
            else:
                rows = 1 if count is None else count
                starts = rows if connections is None else connections
                sums.append((key, [rows, starts, size or 0, start, end]))
        judge.take(sums)
    return done


def verdicts(batches: Iterable[Batch], judge: Judge) -> Iterator[Any]:
    """A verdict for each destination, to be joined with the rows that have it.

    Args:
        batches: with columns destination and port; source, direction, workload and service count
            where they are there.
        judge: whose verdicts.

    Yields:
        ``pyarrow.RecordBatch`` es with the given columns, ``verdict`` (``through``, ``bypass``,
        ``may``; null: it is no connection of a pod) and ``entry``, the path of what decides.

    Raises:
        InputError: a column that is needed is not there, or pyarrow is not installed.
    """
    require_extra("arrow")
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415  # optional

    keys = _Keys()
    for batch in batches:
        given = batch.to_pydict()
        found = [_verdict(row, keys, judge) for row in zip(*_told(given), strict=True)]
        yield pa.RecordBatch.from_pydict(
            {**given, "verdict": [one for one, _ in found], "entry": [path for _, path in found]},
            schema=batch.schema.append(pa.field("verdict", pa.string())).append(
                pa.field("entry", pa.string())
            ),
        )


def _verdict(row: Sequence[Any], keys: _Keys, judge: Judge) -> tuple[str | None, str | None]:
    try:
        answer = judge.verdict(keys.key(*row))
    except (ValueError, TypeError):
        return None, None
    if answer is None:
        return None, None
    verdict, number = answer
    return verdict, judge.now.entries[number].path if number != NO_ENTRY else None


class _Keys:
    """Connections of rows, their parts parsed once each."""

    def __init__(self) -> None:
        self._addresses = Addresses()
        self._ends = Ends()

    def key(  # noqa: PLR0917  # a row's values in the order of the columns
        self,
        source: object,
        target: object,
        port: int,
        way: str | None,
        name: str | None,
        service: str | None,
        protocol: object = None,
    ) -> Key:
        """The connection that a row tells.

        Raises:
            PassedOverError: it is none of TCP.
            BadRecordError: a value is none of its column.
        """
        if protocol is not None and str(protocol).strip().encode() not in PROTOCOLS:
            raise PassedOverError(NOT_TCP)
        known = (way, name, service)
        end = self._ends.get(known) or self._end(known)
        near = None if source is None else self._address(source)
        return near, self._address(target), port_number(int(port)), end

    def _end(self, known: tuple[str | None, str | None, str | None]) -> End:
        way, name, service = known
        meant = WAYS.get((way or "").strip().lower().encode())
        if meant is None:
            raise BadRecordError("direction: expected outbound or inbound")
        original: Original = "yes" if meant == INBOUND else "unknown"
        return self._ends.of(known, meant, name or "", service or "", original)

    def _address(self, value: object) -> int:
        if isinstance(value, int):
            if not 0 <= value <= _IPV4_MAX:
                raise BadRecordError("expected an IP address")
            return value
        return self._addresses[str(value).encode()]


def _told(given: Mapping[str, list[Any]]) -> list[Sequence[Any]]:
    """The columns that tell a connection; one that is not there is empty."""
    places = places_of(tuple(given), ("destination", "port"), "Arrow batches")
    names = tuple(given)
    length = len(next(iter(given.values()), []))
    return [
        given[names[at]] if (at := places[field]) is not None else [None] * length
        for field in ("source", "destination", "port", *COLUMNS, "protocol")
    ]


def _columns(given: Mapping[str, list[Any]]) -> list[Sequence[Any]]:
    """Those, then first, last, time, rows, connections and bytes."""
    names = {name.lower(): name for name in given}
    length = len(next(iter(given.values()), []))
    places = places_of(tuple(given), (), "Arrow batches")

    def one(*known: str) -> Sequence[Any]:
        found = next((names[name] for name in known if name in names), None)
        return given[found] if found else [None] * length

    def placed(field: str) -> Sequence[Any]:
        at = places[field]
        return given[tuple(given)[at]] if at is not None else [None] * length

    first, last, time = one(*_FIRST), one(*_LAST), placed("time")
    if not any(name in names for name in (*_FIRST, *_LAST)) and places["time"] is None:
        raise InputError("Arrow batches: expected columns first and last, or time")
    return [*_told(given), first, last, time, one("rows"), placed("connections"), placed("bytes")]


def _seconds(value: float | datetime | None) -> float:
    if value is None:
        raise BadRecordError("expected a time")
    found = float(value) if isinstance(value, int | float) else _timestamp(value)
    if not 0 <= found <= TIME_MAX:
        raise BadRecordError("expected a time in seconds since 1970")
    return found


def _timestamp(value: datetime) -> float:
    """Of a time without zone, as most engines have them, in UTC."""
    from datetime import UTC  # noqa: PLC0415  # with timestamps only

    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
