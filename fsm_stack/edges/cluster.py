"""A Kubernetes API server, read only: GET is the one verb that this module knows.

Credentials are the official client's business (kubeconfig files, contexts, exec plugins,
in-cluster accounts); answers are decoded here as plain JSON, since its models would cost more than
the lists.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlencode

from fsm_stack.edges.spelling import did_you_mean
from fsm_stack.errors import CouldNotCheckError, InputError
from fsm_stack.verify.snapshot import IN_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Json = dict[str, Any]

PAGE: Final = 500  # objects; what kubectl asks for
CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 30.0  # between two pieces of an answer
ANSWER_SECONDS: Final = 120.0  # for a whole answer
ANSWER_MAX: Final = 1024 * 1024 * 1024  # bytes: a page of 500 objects of etcd's 1.5 MB, and more
ATTEMPTS: Final = 3
_WAIT_MAX: Final = 5.0
_PIECE: Final = 1024 * 1024
_GONE, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 410, 401, 403, 404, 429
_OK, _SERVER_ERROR = 200, 500
# What the library lets through for a file of another form than it expects.
_DAMAGED: Final = (OSError, ValueError, TypeError, KeyError, AttributeError)
_NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


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


class Get(Protocol):
    """One GET request: status, headers, content."""

    def __call__(self, url: str) -> tuple[int, Mapping[str, str], bytes]:
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
        sleep: waits between attempts.
        down: why the server is given up; empty: it is not.
    """

    context: str
    server: str
    namespace: str
    get: Get = field(repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    down: str = ""
    answered: bool = False

    def read(self, path: str, **query: str | int) -> Json:
        """One object or one page.

        Raises:
            Refused: the server's no, or an answer that cannot be used.
            CouldNotCheckError: no connection at all, or credentials that are not accepted.
        """
        content = self.content(path, **query)
        try:
            decoded = json.loads(content)
        except ValueError:
            raise Refused(f"{path}: an answer that is no JSON, or is cut off", code=0) from None
        if not isinstance(decoded, dict):
            raise Refused(f"{path}: an answer that is no object", code=0)
        return decoded

    def content(self, path: str, **query: str | int) -> bytes:
        """The bytes of an answer; see :meth:`read`."""
        if self.down:
            raise Refused(self.down, code=0)
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            try:
                code, headers, content = self.get(url)
            except OSError as error:
                if not last:
                    self.sleep(0.2 * attempt**2)
                    continue
                return self._gave_up(error)
            self.answered = True
            if (code == _TOO_MANY or code >= _SERVER_ERROR) and not last:
                self.sleep(_wait(headers, attempt))
                continue
            if code != _OK:
                raise self._refusal(path, code, content)
            return content
        raise AssertionError("unreachable")

    def pages(self, path: str, **query: str | int) -> Iterator[Json]:
        """The objects of a list, a page after the other.

        A list whose continuation expired is read again from its start, once.

        Raises:
            Refused: see :meth:`read`; what came before stays with the caller.
        """
        following = ""
        again = True
        while True:
            more: dict[str, str | int] = {"continue": following} if following else {}
            try:
                page = self.read(path, limit=PAGE, **query, **more)
            except Refused as refused:
                if refused.code != _GONE or not again:
                    raise
                following, again = "", False
                continue
            items = page.get("items")
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict):
                    yield item
            metadata = page.get("metadata")
            following = str((metadata if isinstance(metadata, dict) else {}).get("continue") or "")
            if not following:
                return

    def _gave_up(self, error: OSError) -> bytes:
        reason = str(error) or type(error).__name__
        text = f"{self.server}: no answer in {ATTEMPTS} attempts: {reason}"
        if not self.answered:
            raise CouldNotCheckError(f"context {self.context}: {text}") from error
        self.down = text
        raise Refused(text, code=0) from error

    def _refusal(self, path: str, code: int, content: bytes) -> Refused:
        try:
            message = str(json.loads(content)["message"])
        except (ValueError, KeyError, TypeError):
            message = f"{path}: HTTP status {code}"
        if code == _UNAUTHORIZED:
            raise CouldNotCheckError(
                f"context {self.context}: {self.server} does not accept the credentials "
                "(401 Unauthorized): log in again"
            )
        return Refused(message, code=code)


def _wait(headers: Mapping[str, str], attempt: int) -> float:
    try:
        asked = float(headers.get("Retry-After", ""))
    except ValueError:
        asked = 0.2 * attempt**2
    return min(max(asked, 0.0), _WAIT_MAX)


def connect(*, kubeconfig: Path | None = None, context: str | None = None) -> Cluster:
    """A connection as kubectl would make it.

    Args:
        kubeconfig: a file; else ``KUBECONFIG``, ``~/.kube/config``, the pod's own account.
        context: of the file; else its current one.

    Raises:
        InputError: no such file or context.
        CouldNotCheckError: there is nothing that names a cluster.
    """
    from kubernetes import config  # noqa: PLC0415  # 0.5 s, for those who ask a cluster
    from kubernetes.client import Configuration  # noqa: PLC0415  # the same

    kube: Any = config  # its functions have no types
    settings = Configuration()
    if kubeconfig is not None and not kubeconfig.is_file():
        raise InputError(f"{kubeconfig}: no such kubeconfig file")
    file = str(kubeconfig) if kubeconfig else None
    if file is None and not _has_default_file():
        if context is not None:
            raise InputError(f"context {context!r}: there is no kubeconfig file to look it up in")
        return _in_cluster(kube, settings)
    try:
        contexts, current = _contexts(kube, file)
        names = [one["name"] for one in contexts]
        chosen = context or current["name"]
        if chosen not in names:
            hint = did_you_mean(chosen, names) or f"; expected one of {', '.join(names)}"
            raise InputError(f"context {chosen!r}: not in the kubeconfig{hint}")
        kube.load_kube_config(
            config_file=file,
            context=chosen,
            client_configuration=settings,
            persist_config=False,
        )
        about = next(one for one in contexts if one["name"] == chosen)["context"]
        return _cluster(settings, chosen, about.get("namespace") or "default")
    except (kube.ConfigException, *_DAMAGED) as error:
        raise InputError(f"kubeconfig: {_first_line(error)}") from error


def _contexts(kube: Any, file: str | None) -> tuple[list[Json], Json]:  # noqa: ANN401  # untyped
    """Every context, and the current one."""
    from yaml import YAMLError  # noqa: PLC0415  # the library's own reader

    try:
        contexts, current = kube.list_kube_config_contexts(config_file=file)
    except YAMLError as error:
        raise InputError(f"kubeconfig: not YAML: {_first_line(error)}") from error
    return contexts, current


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _has_default_file() -> bool:
    named = os.environ.get("KUBECONFIG")
    if named:
        return any(Path(part).is_file() for part in named.split(os.pathsep) if part)
    return (Path.home() / ".kube/config").is_file()


def _in_cluster(kube: Any, settings: Any) -> Cluster:  # noqa: ANN401  # an untyped library
    try:
        kube.load_incluster_config(client_configuration=settings)
    except kube.ConfigException:
        raise CouldNotCheckError(
            "no cluster: expected a kubeconfig file (KUBECONFIG, ~/.kube/config, --kubeconfig), "
            "or to run inside a pod"
        ) from None
    try:
        namespace = _NAMESPACE_FILE.read_text(encoding="utf-8").strip()
    except OSError:
        namespace = "default"
    return _cluster(settings, IN_CLUSTER, namespace)


def _cluster(settings: Any, context: str, namespace: str) -> Cluster:  # noqa: ANN401  # the same
    import urllib3  # noqa: PLC0415  # the client's own transport
    from kubernetes.client.rest import RESTClientObject  # noqa: PLC0415  # the same

    pool = RESTClientObject(settings).pool_manager
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    if not settings.verify_ssl:  # the kubeconfig says so; kubectl prints nothing either
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def get(url: str) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"Accept": "application/json", "User-Agent": "fsm-stack"}
        for entry in settings.auth_settings().values():  # refreshed where it expires
            if entry.get("in") == "header" and entry.get("value"):
                headers[entry["key"]] = entry["value"]
        try:
            answer = pool.request(
                "GET", url, headers=headers, timeout=timeout, retries=False, preload_content=False
            )
            with answer:
                return answer.status, answer.headers, _whole(answer)
        except urllib3.exceptions.HTTPError as error:
            raise OSError(_plain(error)) from error

    return Cluster(
        context=context, server=str(settings.host).rstrip("/"), namespace=namespace, get=get
    )


def _whole(answer: Any) -> bytes:  # noqa: ANN401  # an untyped library
    """The content of an answer, within bounds of time and size."""
    end = time.monotonic() + ANSWER_SECONDS
    pieces, size = [], 0
    for piece in answer.stream(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > ANSWER_MAX:
            raise TimeoutError(f"an answer of more than {ANSWER_MAX} bytes")
        if time.monotonic() > end:
            raise TimeoutError(f"an answer that took more than {ANSWER_SECONDS:.0f} s")
    return b"".join(pieces)


def _plain(error: Exception) -> str:
    """The innermost reason: ``Connection refused`` rather than three wrappers of it."""
    reason: BaseException = error
    while True:
        inner = getattr(reason, "reason", None) or reason.__cause__
        if not isinstance(inner, BaseException):
            break
        reason = inner
    text = getattr(reason, "strerror", None) or str(reason)
    return str(text).rpartition(">: ")[2] or type(reason).__name__
