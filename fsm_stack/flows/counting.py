"""Records out of a log's bytes, and connections added up while they stream by.

What is kept is a number of connections, not of lines: when there are more than a limit, they are
handed on and forgotten, so that memory has an end whatever the length of a log.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from fsm_stack.flows.row import HEADER, BadRecordError, PassedOverError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fsm_stack.flows.row import Key, Reader

# A line may have so many bytes; of a longer one nothing is kept.
LINE_MAX: Final = 16 * 1024 * 1024
_TOO_LONG: Final = b"\0"
# So many different connections are kept at a time: about 40 MB.
_KEYS_MAX: Final = 60_000
# Lines that only hold an array together.
_BRACKETS: Final = frozenset({b"", b"[", b"]", b","})
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_SAMPLED: Final = 50
_NEXT: Final = re.compile(r"[\s,]*")

# The line that each record starts at, and the records.
Batch = tuple["range | list[int]", list[bytes]]
# Connections, each with rows, connections, bytes, first and last time.
Sums = list[tuple["Key", list[float]]]
_Counting = dict[Any, tuple["Key", list[float]]]


def lines(blocks: Iterable[bytes]) -> Iterator[Batch]:
    """A record a line."""
    number, rest, skipping = 1, b"", False
    for block in blocks:
        found = (rest + block).split(b"\n")
        rest = found.pop()
        if skipping and found:
            found[0], skipping = _TOO_LONG, False
        if len(rest) > LINE_MAX:
            rest, skipping = b"", True
        elif skipping:
            rest = b""
        if number == 1 and found:
            found[0] = found[0].removeprefix(_BYTE_ORDER_MARK)
        yield range(number, number + len(found)), found
        number += len(found)
    if rest or skipping:
        yield range(number, number + 1), [_TOO_LONG if skipping else rest]


def objects(blocks: Iterable[bytes]) -> Iterator[Batch]:
    """JSON objects that are written over several lines, as tools print them for people.

    An object ends where a brace stands as far to the right as the one that began it.
    """
    held: list[bytes] = []
    end, start, size = b"", 0, 0
    for numbers, found in lines(blocks):
        starts, records = [], []
        for number, line in zip(numbers, found, strict=True):
            bare = line.strip()
            if not held:
                if bare in _BRACKETS:
                    continue
                start, end = number, line[: len(line) - len(line.lstrip())] + b"}"
            held.append(line)
            size += len(line)
            alone = len(held) == 1 and bare != b"{"
            if alone or line.rstrip().rstrip(b",") == end or size > LINE_MAX:
                starts.append(start)
                records.append(b"\n".join(held).rstrip().rstrip(b","))
                held, size = [], 0
        yield starts, records
    if held:
        yield [start], [b"\n".join(held)]


def framing(head: bytes) -> Callable[[Iterable[bytes]], Iterator[Batch]]:
    """How the records of a log that starts so are told apart."""
    bare = [line.strip() for line in head.splitlines()[:_SAMPLED]]
    opened = [line for line in bare if line not in (b"", b"[")]
    return objects if opened and opened[0] == b"{" else lines


def sample(head: bytes) -> list[bytes]:
    """The first records of a log, for recognition; the last one may be cut off."""
    found: list[bytes] = []
    for _, records in framing(head)([head]):
        for record in records:
            bare = record.removeprefix(_BYTE_ORDER_MARK).strip()
            if bare not in _BRACKETS:
                found += elements(bare)
    return found[:_SAMPLED]


def elements(record: bytes) -> list[bytes]:
    """The records of a line that is an array, or an element of one with what stands around it."""
    bare = record.strip()
    if not bare.startswith(b"["):
        alone = bare.removeprefix(b",").lstrip().removesuffix(b",")
        return [alone.removesuffix(b"]") if alone.startswith(b"{") else bare]
    try:
        return [bytes(item) for item in msgspec.json.decode(bare, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, RecursionError):
        return [*_whole(bare)]


def _whole(bare: bytes) -> Iterator[bytes]:
    """The elements of an array that goes on or is cut off; what is left is the last one."""
    text = bare.decode("utf-8", "surrogateescape")
    decode, at = json.JSONDecoder().raw_decode, 1
    while (found := _NEXT.match(text, at)) is not None and found.end() < len(text):
        start = found.end()
        try:
            _, at = decode(text, start)
        except (ValueError, RecursionError):
            at = len(text)
        yield text[start:at].encode("utf-8", "surrogateescape")


@dataclass(slots=True, kw_only=True)
class Counted:
    """What was read of one log, or of one part of it.

    Attributes:
        records: how many there were, bad ones included.
        lines: how many lines.
        bad: how many records are none of the format.
        first_bad: the line of the first one and what is wrong with it; None: there is none.
        passed: records that no redirection concerns, by reason.
        format: its name; empty: there was nothing in it.
        cut: its compressed data ends early.
    """

    records: int = 0
    lines: int = 0
    bad: int = 0
    first_bad: tuple[int, str] | None = None
    passed: Counter[str] = field(default_factory=Counter)
    format: str = ""
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One log.

    Attributes:
        name: its path.
        counted: what was read of it.
    """

    name: str
    counted: Counted


def count(
    batches: Iterable[Batch],
    reader: Reader,
    sink: Callable[[Sums], None],
    *,
    keys_max: int = _KEYS_MAX,
) -> Counted:
    """Read every record, and add up connections.

    Args:
        batches: from :func:`lines` or :func:`objects`.
        reader: of the log's format.
        sink: gets the connections so far, each time that there are many, and at the end.
        keys_max: how many are many.
    """
    done = Counted()
    read, key = reader
    sums: _Counting = {}
    for numbers, records in batches:
        done.records += len(records)
        if numbers:
            done.lines = numbers[-1]
        for place, record in enumerate(records):
            try:
                told, connections, size, time = read(record)
                known = sums.get(told)
                if known is None:
                    sums[told] = (key(told), [1, connections, size, time, time])
                    continue
            except ValueError as error:
                _again(record, error, numbers[place], reader, sums, done)
                continue
            values = known[1]
            values[0] += 1
            values[1] += connections
            values[2] += size
            if time > values[4]:
                values[4] = time
            elif time < values[3]:
                values[3] = time
        if len(sums) > keys_max:
            sink([*sums.values()])
            sums = {}
    sink([*sums.values()])
    return done


def _again(  # noqa: PLR0917  # all that one record concerns
    record: bytes,
    error: ValueError,
    number: int,
    reader: Reader,
    sums: _Counting,
    done: Counted,
) -> None:
    """Read what is no record by itself: an array on one line, or a line of a longer array."""
    if isinstance(error, PassedOverError):
        if str(error) == HEADER:
            done.records -= 1
        else:
            done.passed[str(error)] += 1
        return
    if record.strip() in _BRACKETS:
        done.records -= 1
        return
    parts = elements(record)
    if parts == [record]:
        _bad(done, number, error)
        return
    done.records += len(parts) - 1
    for part in parts:
        try:
            told, connections, size, time = reader.read(part)
            if told not in sums:
                sums[told] = (reader.key(told), [0, 0, 0, time, time])
        except PassedOverError as passed:
            done.passed[str(passed)] += 1
        except ValueError as bad:
            _bad(done, number, bad)
        else:
            values = sums[told][1]
            values[:] = (
                values[0] + 1, values[1] + connections, values[2] + size,
                min(values[3], time), max(values[4], time),
            )  # fmt: skip


def _bad(done: Counted, number: int, error: ValueError) -> None:
    done.bad += 1
    if done.first_bad is None:
        told = isinstance(error, BadRecordError)  # another error's message quotes the record
        done.first_bad = (number, str(error) if told else "expected a number")
