"""A Kubernetes API server, read only: GET is the one verb that this module knows."""

from __future__ import annotations

import json
import math
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlencode

from fsm_stack.cluster.decode import decoded
from fsm_stack.errors import CouldNotCheckError
from fsm_stack.snapshot.shape import mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future

Json = dict[str, Any]

PAGE: Final = 500  # objects; what kubectl asks for
ATTEMPTS: Final = 3
_WAIT_MAX: Final = 5.0
_GONE, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 410, 401, 403, 404, 429
_OK, _SERVER_ERROR = 200, 500
_CONTINUE: Final = re.compile(rb'"continue":"([A-Za-z0-9_=-]+)"')


class Refused(Exception):  # noqa: N818  # the server's answer
    """The server said no, or nothing that can be used.

    Attributes:
        code: the HTTP status; 0: no usable answer.
    """

    def __init__(self, message: str, *, code: int) -> None:
        self.code = code
        super().__init__(message)

    @property
    def absent(self) -> bool:
        """There is no such object, or no such kind."""
        return self.code == _NOT_FOUND

    @property
    def forbidden(self) -> bool:
        """The account may not read it."""
        return self.code == _FORBIDDEN

    @property
    def failed(self) -> bool:
        """The server could not, or what it asks in turn: the node of a pod, for its log."""
        return self.code >= _SERVER_ERROR


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server began to answer.

    Attributes:
        code: the HTTP status.
        headers: of the answer.
        pieces: reads the rest; raises OSError as the request itself does.
    """

    code: int
    headers: Mapping[str, str]
    pieces: Callable[[], Iterable[bytes]]

    def content(self, seen: Callable[[bytes], None] | None = None) -> bytes:
        """The rest as a whole; ``seen`` gets the first piece of a good answer at once."""
        pieces: list[bytes] = []
        for piece in self.pieces():
            if seen is not None and not pieces and self.code == _OK:
                seen(piece)
            pieces.append(piece)
        return b"".join(pieces)


class Get(Protocol):
    """One GET request."""

    def __call__(self, url: str) -> Answer:
        """Ask.

        Raises:
            OSError: no connection, or a time-out.
        """


@dataclass(slots=True, kw_only=True)
class Cluster:
    """A connection.

    Attributes:
        context: the kubeconfig's context, or ``in-cluster``.
        server: the API server's address.
        namespace: the context's own, for names without one.
        get: the door to the network.
        about: the same door, where a list's objects are to come without anything but metadata.
        sleep: waits between attempts.
        down: why the server is given up; empty: it is not.
    """

    context: str
    server: str
    namespace: str
    get: Get = field(repr=False)
    about: Get | None = field(default=None, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    down: str = ""
    answered: bool = False

    def read(self, path: str, **query: str | int) -> Json:
        """One object or one page.

        Raises:
            Refused: the server's no, or an answer that cannot be used.
            CouldNotCheckError: no connection at all, or credentials that are not accepted.
        """
        content = self._content(path, query)
        try:
            return decoded(content)
        except ValueError as error:
            raise Refused(f"{path}: {error}", code=0) from None

    def content(self, path: str, *, attempts: int = ATTEMPTS, **query: str | int) -> bytes:
        """The bytes of an answer; see :meth:`read`."""
        return self._content(path, query, attempts=attempts)

    def _content(
        self,
        path: str,
        query: Mapping[str, str | int],
        begun: Future[Answer] | None = None,
        *,
        attempts: int = ATTEMPTS,
        seen: Callable[[bytes], None] | None = None,
    ) -> bytes:
        if self.down:
            raise Refused(self.down, code=0)
        for attempt in range(1, attempts + 1):
            last = attempt == attempts
            try:
                answer = begun.result() if begun else self.get(self._url(path, query))
                content = answer.content(seen)
            except OSError as error:
                begun = None
                if not last:
                    self.sleep(0.2 * attempt**2)
                    continue
                return self._gave_up(error, attempts)
            self.answered = True
            begun = None
            if (answer.code == _TOO_MANY or answer.code >= _SERVER_ERROR) and not last:
                self.sleep(_wait(answer.headers, attempt))
                continue
            if answer.code != _OK:
                raise self._refusal(path, answer.code, content)
            return content
        raise AssertionError("unreachable")

    def _url(self, path: str, query: Mapping[str, str | int]) -> str:
        return f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")

    def pages(self, path: str, **query: str | int) -> Iterator[Json]:
        """The objects of a list, a page after the other.

        A list whose continuation expired is read again from its start, once. A page begins with
        the token of the next one: the server makes that while this one arrives and is decoded.

        Raises:
            Refused: see :meth:`read`; what came before stays with the caller.
        """
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # for long lists

        first: dict[str, str | int] = {"limit": PAGE, **query}
        begun: dict[str, Future[Answer]] = {}
        again = True
        with ThreadPoolExecutor(max_workers=1) as ahead:

            def ask_early(start: bytes) -> None:
                token = _continuation(start)
                if token and token not in begun:
                    url = self._url(path, {**first, "continue": token})
                    begun[token] = ahead.submit(self.get, url)

            content = self._content(path, first, seen=ask_early)
            while True:
                try:
                    page = decoded(content)
                except ValueError as error:
                    raise Refused(f"{path}: {error}", code=0) from None
                yield from _items(page, path)
                following = str(mapping(page.get("metadata")).get("continue") or "")
                if not following:
                    return
                early = begun.pop(following, None)
                try:
                    content = self._content(
                        path, {**first, "continue": following}, early, seen=ask_early
                    )
                except Refused as refused:
                    if refused.code != _GONE or not again:
                        raise
                    again = False
                    content = self._content(path, first, seen=ask_early)

    def metadata(self, path: str, **query: str | int) -> Iterator[Json]:
        """The objects of a list, their metadata alone: no Secret's content leaves the server."""
        return replace(self, get=self.about or self.get).pages(path, **query)

    def _gave_up(self, error: OSError, attempts: int) -> bytes:
        reason = str(error) or type(error).__name__
        tried = f" in {attempts} attempts" if attempts > 1 else ""
        text = f"{self.server}: no answer{tried}: {reason}"
        if not self.answered:
            raise CouldNotCheckError(f"context {self.context}: {text}") from error
        self.down = text
        raise Refused(text, code=0) from error

    def _refusal(self, path: str, code: int, content: bytes) -> Refused:
        try:
            message = str(json.loads(content)["message"])
        except (ValueError, KeyError, TypeError, RecursionError):
            message = f"{path}: HTTP status {code}"
        if code == _UNAUTHORIZED:
            raise CouldNotCheckError(
                f"context {self.context}: {self.server} does not accept the credentials "
                "(401 Unauthorized): log in again"
            )
        return Refused(message, code=code)


def _continuation(content: bytes) -> str:
    """The next page's token, where it stands before the objects: a guess, to ask early."""
    found = _CONTINUE.search(content, 0, max(content.find(b'"items":'), 0))
    return found[1].decode() if found else ""


def _items(page: Json, path: str) -> list[Json]:
    """The objects of a page; Go writes an empty list as null."""
    items = page.get("items")
    if items is None and "items" in page:
        return []
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise Refused(f"{path}: an answer that is no list of objects", code=0)
    return items


def _wait(headers: Mapping[str, str], attempt: int) -> float:
    try:
        asked = float(headers.get("Retry-After", ""))
    except ValueError:
        asked = math.nan
    return min(max(asked, 0.0), _WAIT_MAX) if math.isfinite(asked) else 0.2 * attempt**2
