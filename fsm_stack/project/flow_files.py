"""Flow logs on disk or standard input: opened, unpacked, in parts, read by several processes.

A log of text is cut at line ends, so that one large file keeps every processor busy; a compressed
one is a part by itself.
"""

from __future__ import annotations

import gc
import gzip
import os
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from fsm_stack.errors import CouldNotCheckError, InputError
from fsm_stack.flows.counting import Counted, Log, count, framing, lines, sample
from fsm_stack.flows.formats import recognised
from fsm_stack.project.files import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fsm_stack.flows.judge import Judge
    from fsm_stack.flows.tally import Tally

    Progress = Callable[[int, int], None]

STDIN: Final = "-"
_GZIP: Final = b"\x1f\x8b"
_BLOCK: Final = 1 << 20
# Below this a second process costs more than it brings.
_PART_MIN: Final = 32 << 20
_POLL_SECONDS: Final = 0.2
_BROKEN: Final = (EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """Which logs, and how to read them.

    Attributes:
        paths: files, folders of files, ``-`` for standard input.
        format: what a user named; empty: each log's own.
        fields: the order of fields, for formats that may come without a header.
        jobs: how many processes may read; 0: one a processor.
    """

    paths: tuple[str, ...]
    format: str = ""
    fields: tuple[str, ...] = ()
    jobs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    log: int
    path: str
    start: int = 0
    end: int | None = None
    size: int = 0


def read_logs(
    logs: Logs, judge: Judge, *, progress: Progress | None = None
) -> tuple[Tally, tuple[Log, ...]]:
    """Read every log and judge its connections.

    Args:
        logs: which ones.
        judge: takes the connections.
        progress: gets bytes read and bytes in all, now and then.

    Returns:
        What was added up, and what each log was.

    Raises:
        InputError: there is no such file, or a log's format is unknown.
        FileError: one cannot be read.
    """
    paths = _files(logs.paths)
    parts = [part for number, path in enumerate(paths) for part in _parts(number, path, logs)]
    total = sum(part.size for part in parts)
    jobs = min(logs.jobs or len(os.sched_getaffinity(0)), total // _PART_MIN + 1, len(parts))
    if jobs > 1:
        tally, done = _in_parallel(parts, logs, judge, jobs, progress)
    else:
        done = _read(parts, logs, judge, lambda read: progress and progress(read, total))
        tally = judge.finish()
    return tally, tuple(_whole(done, path) for path, done in _by_path(paths, parts, done))


def _files(paths: Sequence[str]) -> list[str]:
    """Every file, each once, whatever it is called."""
    found: dict[object, str] = {}
    for path in paths:
        if path == STDIN:
            found[STDIN] = path
            continue
        with told("read", path):
            if not os.path.lexists(path):
                raise InputError(f"{path}: no such file")
            inside = sorted(Path(path).rglob("*")) if Path(path).is_dir() else [Path(path)]
            for file in inside:
                if file.is_file():
                    about = file.stat()
                    found.setdefault((about.st_dev, about.st_ino), str(file))
    if not found:
        raise InputError(f"{', '.join(paths)}: no file in it; expected flow logs")
    return list(found.values())


def _parts(number: int, path: str, logs: Logs) -> Iterator[_Part]:
    """A log cut into parts; one whose records are not lines stays whole."""
    if path == STDIN:
        yield _Part(log=number, path=path)
        return
    size = Path(path).stat().st_size
    jobs = logs.jobs or len(os.sched_getaffinity(0))
    with _opened(path) as (stream, packed):
        whole = packed or framing(stream.read(_BLOCK)) is not lines
    step = size if whole else max(_PART_MIN, -(-size // jobs))
    for start in range(0, max(size, 1), max(step, 1)):
        end = min(start + step, size)
        cut = None if whole else end
        yield _Part(log=number, path=path, start=start, end=cut, size=end - start)


@contextmanager
def _opened(path: str) -> Iterator[tuple[IO[bytes], bool]]:
    """A log's bytes, unpacked; and whether they were packed."""
    if path == STDIN:
        if sys.stdin is None:  # closed by the caller: <&-
            raise InputError("standard input: expected a flow log, it is closed")
        stream = sys.stdin.buffer
        if stream.peek(len(_GZIP))[: len(_GZIP)] == _GZIP:  # type: ignore[union-attr]  # buffered
            yield gzip.GzipFile(fileobj=stream), True  # type: ignore[misc]  # a binary stream
        else:
            yield stream, False
        return
    with told("read", path), Path(path).open("rb") as raw:
        packed = raw.read(len(_GZIP)) == _GZIP
        raw.seek(0)
        yield (gzip.GzipFile(fileobj=raw) if packed else raw), packed  # type: ignore[misc]


def _read(
    parts: Iterable[_Part], logs: Logs, judge: Judge, told_bytes: Callable[[int], object]
) -> list[Counted]:
    """Read parts, one after the other."""
    found, before = [], 0
    for part in parts:
        found.append(_read_part(part, logs, judge, partial(_further, told_bytes, before)))
        before += part.size
    return found


def _further(told_bytes: Callable[[int], object], before: int, read: int) -> None:
    told_bytes(before + read)


def _read_part(
    part: _Part, logs: Logs, judge: Judge, told_bytes: Callable[[int], object]
) -> Counted:
    shown = "standard input" if part.path == STDIN else part.path
    collecting = gc.isenabled()
    gc.disable()  # nothing here refers to itself, and there are many values to walk
    try:
        with _opened(part.path) as (stream, packed):
            try:
                head = stream.read(_BLOCK)
            except _BROKEN:
                head = b""
            if not head.strip():
                return Counted(format="", cut=packed)
            known, reader = recognised(sample(head), shown, name=logs.format, fields=logs.fields)
            broken: list[str] = []
            if part.start or part.end is not None:
                blocks = _range(stream, part.start, part.end)
            else:
                blocks = chain([head], _rest(stream, broken))
            watched = _watched(blocks, stream, part, told_bytes)
            done = count(framing(head)(watched), reader, judge.take)
            return replace(done, format=known.name, cut=bool(broken))
    finally:
        if collecting:
            gc.enable()


def _rest(stream: IO[bytes], broken: list[str]) -> Iterator[bytes]:
    try:
        while block := stream.read(_BLOCK):
            yield block
    except _BROKEN as error:
        broken.append(type(error).__name__)


def _range(stream: IO[bytes], start: int, end: int | None) -> Iterator[bytes]:
    """The lines that begin in a range of bytes."""
    at = max(start - 1, 0)
    stream.seek(at)
    skipping = start > 0
    while block := stream.read(_BLOCK):
        begin = at
        at += len(block)
        if skipping:
            first = block.find(b"\n") + 1
            if not first:
                continue
            block, begin, skipping = block[first:], begin + first, False
            if end is not None and begin >= end:
                return  # the line that begins before the range is longer than the range
        if end is not None and at >= end:
            last = block.find(b"\n", max(end - 1 - begin, 0))
            if last >= 0:
                yield block[: last + 1]
                return
        yield block


def _watched(
    blocks: Iterable[bytes], stream: IO[bytes], part: _Part, told_bytes: Callable[[int], object]
) -> Iterator[bytes]:
    """The blocks, and how much of the file is behind them."""
    raw = getattr(stream, "fileobj", None) or stream
    for block in blocks:
        yield block
        if part.path != STDIN:
            told_bytes(raw.tell() - part.start)


# What a process of the pool has; set once when it starts.
_mine: dict[str, Any] = {}


def _start(logs: Logs, judge: Judge, shared: Any) -> None:  # noqa: ANN401  # a shared number
    gc.disable()
    _mine.update(logs=logs, judge=judge, shared=shared)


def _work(parts: list[_Part]) -> tuple[Tally, list[Counted]]:
    shared, before = _mine["shared"], 0

    def told_bytes(read: int) -> None:
        nonlocal before
        with shared.get_lock():
            shared.value += read - before
        before = read

    found = _read(parts, _mine["logs"], _mine["judge"], told_bytes)
    tally: Tally = _mine["judge"].finish()
    return tally, found


@contextmanager
def _ended() -> Iterator[None]:
    """Turn the end of a process from outside into an error that says what helps."""
    try:
        yield
    except BrokenProcessPool:
        raise CouldNotCheckError(
            "a process that read flow logs was ended from outside, for its memory perhaps; "
            "--jobs 1 reads with one"
        ) from None


def _in_parallel(
    parts: list[_Part], logs: Logs, judge: Judge, jobs: int, progress: Progress | None
) -> tuple[Tally, list[Counted]]:
    """Every process reads some of the parts; what they added up is one at the end."""
    shares: list[list[int]] = [[] for _ in range(jobs)]
    loads = [0] * jobs
    for number in sorted(range(len(parts)), key=lambda at: -parts[at].size):
        least = loads.index(min(loads))
        shares[least].append(number)
        loads[least] += parts[number].size
    context = get_context()
    shared = context.Value("q", 0)
    done: list[Counted | None] = [None] * len(parts)
    with (
        _ended(),
        ProcessPoolExecutor(
            jobs, mp_context=context, initializer=_start, initargs=(logs, judge, shared)
        ) as pool,
    ):
        tasks = [pool.submit(_work, [parts[at] for at in share]) for share in shares]
        left = set(tasks)
        while left:
            _, left = wait(left, timeout=_POLL_SECONDS if progress else None)
            if progress:
                progress(shared.value, sum(loads))
        tally = judge.finish()
        for share, task in zip(shares, tasks, strict=True):
            found, counted = task.result()
            tally.merge(found)
            for at, one in zip(share, counted, strict=True):
                done[at] = one
    return tally, [one for one in done if one is not None]


def _by_path(
    paths: list[str], parts: list[_Part], done: list[Counted]
) -> Iterator[tuple[str, list[Counted]]]:
    for number, path in enumerate(paths):
        yield path, [one for part, one in zip(parts, done, strict=True) if part.log == number]


def _whole(parts: Sequence[Counted], path: str) -> Log:
    """A log of its parts; a bad line's number counts from the log's first line."""
    whole = Counted()
    for part in parts:
        if part.first_bad is not None and whole.first_bad is None:
            number, why = part.first_bad
            whole.first_bad = (whole.lines + number, why)
        whole.records += part.records
        whole.lines += part.lines
        whole.bad += part.bad
        whole.passed.update(part.passed)
        whole.cut = whole.cut or part.cut
        whole.format = whole.format or part.format
    return Log(name="standard input" if path == STDIN else path, counted=whole)
