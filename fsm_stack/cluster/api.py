"""A Kubernetes API server, read only: GET is the one verb that this module knows."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Final, Protocol, TypedDict
from urllib.parse import urlencode

from fsm_stack.credentials import HIDDEN, without_credentials
from fsm_stack.errors import CouldNotCheckError
from fsm_stack.snapshot.allow_pod import POD_FIELDS
from fsm_stack.snapshot.shape import mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import msgspec

    from fsm_stack.yaml import Json


PAGE: Final = 500  # objects; what kubectl asks for
# Kubernetes is made for 150,000 pods. A page may be short, or empty, where a selector is used.
ITEMS_MAX: Final = 1_000_000
PAGES_MAX: Final = 10_000
# A page of 500 large pods has half a million; each becomes an object of up to a hundred bytes.
VALUES_MAX: Final = 5_000_000
ATTEMPTS: Final = 3
_SECRET_MIN: Final = 8  # characters
_WAIT_MAX: Final = 5.0
_GONE, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 410, 401, 403, 404, 429
_OK, _SERVER_ERROR = 200, 500


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
        secrets: what was sent and no report may hold, though a server may echo it.
    """

    code: int
    headers: Mapping[str, str]
    pieces: Callable[[], Iterable[bytes]]
    secrets: frozenset[bytes] = frozenset()

    def content(self) -> bytes:
        """The rest as a whole, without secrets."""
        content = b"".join(self.pieces())
        for secret in self.secrets:
            if secret in content:
                content = content.replace(secret, HIDDEN.encode())
        return content


def secrets(values: Iterable[str]) -> frozenset[bytes]:
    """What is secret of headers: ``Bearer x`` has ``x``; a few characters would be in any text."""
    words = (value.split()[-1] for value in values if value.split())
    return frozenset(word.encode() for word in words if len(word) >= _SECRET_MIN)


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
        try:
            return decoded(self.content(path, query))
        except ValueError as error:
            raise Refused(f"{path}: {error}", code=0) from None

    def content(
        self, path: str, query: Mapping[str, str | int], *, attempts: int = ATTEMPTS
    ) -> bytes:
        """The bytes of an answer; see :meth:`read`."""
        if self.down:
            raise Refused(self.down, code=0)
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        for attempt in range(1, attempts + 1):
            last = attempt == attempts
            try:
                answer = self.get(url)
                content = answer.content()
            except OSError as error:
                if last:
                    return self._gave_up(error, attempts)
                self.sleep(0.2 * attempt**2)
                continue
            self.answered = True
            if (answer.code == _TOO_MANY or answer.code >= _SERVER_ERROR) and not last:
                self.sleep(_wait(answer.headers, attempt))
                continue
            if answer.code != _OK:
                raise self._refusal(path, answer.code, content)
            return content
        raise AssertionError("unreachable")

    def pages(self, path: str, **query: str | int) -> Iterator[Json]:
        """The objects of a list, a page after the other.

        A list whose continuation expired is read again from its start, once. The next page is
        asked for while the objects of this one are taken: the server makes it meanwhile.

        Raises:
            Refused: see :meth:`read`; what came before stays with the caller.
        """
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # for long lists

        first: dict[str, str | int] = {"limit": PAGE, **query}
        page = self.read(path, **first)
        again = True
        walked: set[str] = set()
        count = 0
        with ThreadPoolExecutor(max_workers=1) as ahead:
            while following := str(mapping(page.get("metadata")).get("continue") or ""):
                count += len(_items(page, path))
                _require_end(path, following, walked, count)
                coming = ahead.submit(self.read, path, **first, **{"continue": following})
                yield from _items(page, path)
                try:
                    page = coming.result()
                except Refused as refused:
                    if refused.code != _GONE or not again:
                        raise
                    again = False
                    walked, count = set(), 0
                    page = self.read(path, **first)
        yield from _items(page, path)

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
        return Refused(without_credentials(message), code=code)


def _require_end(path: str, following: str, walked: set[str], count: int) -> None:
    """Refuse a list that never ends, or that is longer than any cluster's."""
    if following in walked:
        why = "the server leads from a page to one that was read: the list has no end"
        raise Refused(f"{path}: {why}", code=0)
    walked.add(following)
    if len(walked) >= PAGES_MAX:
        raise Refused(f"{path}: a list of more than {PAGES_MAX} pages", code=0)
    if count > ITEMS_MAX:
        raise Refused(f"{path}: a list of more than {ITEMS_MAX} objects", code=0)


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


_PODS: Final = b'{"kind":"PodList",'


def decoded(content: bytes) -> Json:
    """An object or a list; of a list of pods the fields in ``POD_FIELDS``.

    Half of a pod's text is about who manages its fields, a quarter is its environment and
    volumes: what nobody reads is passed over without a Python object made of it.

    Raises:
        ValueError: it is no JSON object; the text says so.
    """
    from pydantic_core import from_json  # noqa: PLC0415  # for those who ask a cluster

    # Each value but the first follows one of these; those inside of text are counted with them.
    if sum(map(content.count, (b",", b"[", b"{"))) > VALUES_MAX:
        raise ValueError(f"an answer of too many values: expected at most {VALUES_MAX}")
    try:
        if content.startswith(_PODS) and (pods := _pods(content)) is not None:
            return pods
        value = from_json(content, allow_inf_nan=False)
    except ValueError:
        raise ValueError("an answer that is no JSON, or is cut off") from None
    if not isinstance(value, dict):
        raise ValueError("an answer that is no object")  # noqa: TRY004  # of the text, not a type
    return value


def _pods(content: bytes) -> Json | None:
    """None: a field is of another type than Kubernetes gives it, or it is no JSON."""
    import msgspec  # noqa: PLC0415  # as above

    try:
        found: Json = _decoder().decode(content)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found


@lru_cache(maxsize=1)
def _decoder() -> msgspec.json.Decoder[Any]:
    from msgspec.json import Decoder  # noqa: PLC0415  # as above

    return Decoder(_typed({"metadata": True, "items": [POD_FIELDS]}))


def _typed(shape: Any) -> Any:  # noqa: ANN401  # a Shape, and a type that is made of it
    if isinstance(shape, list):
        return GenericAlias(list, (_typed(shape[0]),))
    if not isinstance(shape, dict):  # kept whole, or a function decides later
        return Any
    made: Any = TypedDict
    return made("Fields", {key: _typed(part) for key, part in shape.items()}, total=False)
