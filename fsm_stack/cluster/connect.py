"""A connection to a cluster as kubectl would make it.

Credentials are the official client's business (kubeconfig files, contexts, exec plugins,
in-cluster accounts). Its models are not used: they would cost more than the lists.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from fsm_stack.cluster.api import Answer, Cluster, secrets
from fsm_stack.cluster.kubeconfig import default_files, read_kubeconfig
from fsm_stack.credentials import without_credentials, without_user
from fsm_stack.errors import CouldNotCheckError, InputError, require_extra
from fsm_stack.snapshot.snapshot import IN_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 30.0  # between two pieces of an answer
FIRST_SECONDS: Final = 10.0  # the same, until the server has answered once: one small object
ANSWER_SECONDS: Final = 60.0  # for a whole answer: 500 pods need less at 100 kB a second
ANSWER_MAX: Final = 256 * 1024 * 1024  # bytes: a page of 500 objects of half a megabyte
_PIECE: Final = 1024 * 1024
# Source: Kubernetes' API concepts, metadata-only fetches.
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# What the library lets through for a file of another form than it expects.
_DAMAGED: Final = (ValueError, TypeError, KeyError, AttributeError)
_QUOTED_ENTRY: Final = re.compile(r"[{\[].*[}\]]")
_NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def connect(*, kubeconfig: Path | None = None, context: str | None = None) -> Cluster:
    """A connection as kubectl would make it.

    Args:
        kubeconfig: a file; else ``KUBECONFIG``, ``~/.kube/config``, the pod's own account.
        context: of the file; else its current one.

    Raises:
        InputError: no such file or context, or the library is not installed.
        CouldNotCheckError: there is nothing that names a cluster.
    """
    require_extra("cluster")
    from kubernetes import config  # noqa: PLC0415  # 0.5 s, for those who ask a cluster
    from kubernetes.client import Configuration  # noqa: PLC0415  # the same

    kube: Any = config  # its functions have no types
    settings = Configuration()
    if kubeconfig is not None and not kubeconfig.is_file():
        raise InputError(f"{kubeconfig}: no such kubeconfig file")
    file = str(kubeconfig) if kubeconfig else default_files()
    if not any(Path(part).expanduser().is_file() for part in file.split(os.pathsep) if part):
        if context is not None:
            raise InputError(f"context {context!r}: there is no kubeconfig file to look it up in")
        return _in_cluster(kube, settings)
    try:
        known = read_kubeconfig(file)
        chosen = known.chosen(context)
        with _said() as said:
            kube.load_kube_config(
                config_file=file,
                context=chosen,
                client_configuration=settings,
                persist_config=False,
            )
        if said:  # the library logs what a login program says, and goes on without credentials
            told = without_credentials(said[0])
            raise CouldNotCheckError(f"context {chosen}: no credentials: {told}")
        more = tuple(known.impersonation(chosen))
        return _cluster(settings, chosen, known.namespace(chosen), more)
    except (kube.ConfigException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"kubeconfig: {_first_line(error)}") from error
    except _DAMAGED as error:
        raise InputError(
            f"kubeconfig: damaged, or of no known form: {_first_line(error)}"
        ) from error


@contextmanager
def _said() -> Iterator[list[str]]:
    """What the library logs as errors meanwhile."""
    import logging  # noqa: PLC0415  # for those who ask a cluster

    said: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]  # a handler of one line
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield said
    finally:
        root.removeHandler(handler)


def _first_line(error: Exception) -> str:
    """An error's first line; the library quotes whole entries of a kubeconfig, tokens too."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return without_credentials(_QUOTED_ENTRY.sub("...", line))


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


def _cluster(
    settings: Any,  # noqa: ANN401  # the same
    context: str,
    namespace: str,
    more: tuple[tuple[str, str], ...] = (),
) -> Cluster:
    import urllib3  # noqa: PLC0415  # the client's own transport

    server = without_user(str(settings.host).rstrip("/"))  # which no request would send
    if not server.startswith(("https://", "http://")):
        raise InputError(
            f"context {context}: its cluster's server is {server!r}, expected https://HOST:PORT"
        )
    pool = _pool(settings, context)
    wait = FIRST_SECONDS
    if not settings.verify_ssl:  # the kubeconfig says so; kubectl prints nothing either
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def get(url: str, *, accept: str = "application/json") -> Answer:
        nonlocal wait
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=wait)
        headers = urllib3.HTTPHeaderDict({"Accept": accept, "User-Agent": "fsm-stack"})
        for key, value in (*_credentials(settings), *more):
            if not value.isprintable() or not value.isascii():  # its text stays untold
                raise CouldNotCheckError(f"context {context}: {key}: no value that HTTP can send")
            headers.add(key, value)
        try:
            answer = pool.request(
                "GET", url, headers=headers, timeout=timeout, retries=False, preload_content=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise OSError(_plain(error)) from error
        wait = READ_SECONDS
        sent = [value for _, value in _credentials(settings)]
        return Answer(answer.status, answer.headers, partial(_pieces, answer), secrets(sent))

    return Cluster(
        context=context,
        server=server,
        namespace=namespace,
        get=get,
        about=partial(get, accept=_METADATA),
    )


def _pool(settings: Any, context: str) -> Any:  # noqa: ANN401  # an untyped library
    import warnings  # noqa: PLC0415  # for those who ask a cluster

    from kubernetes.client.rest import RESTClientObject  # noqa: PLC0415  # the same

    _send_proxy_credentials(settings)
    try:
        with warnings.catch_warnings(action="ignore"):  # of what the error says, too
            return RESTClientObject(settings).pool_manager
    except ImportError:
        raise InputError(
            f"context {context}: its proxy is a SOCKS proxy, which needs one more package: "
            "pip install pysocks"
        ) from None


def _send_proxy_credentials(settings: Any) -> None:  # noqa: ANN401  # an untyped library
    """Let a proxy get the user and password of its URL, which the library does not send."""
    from urllib3.util import make_headers, parse_url  # noqa: PLC0415  # imported by now

    url = str(settings.proxy or "")
    if "@" not in url or url.startswith("socks"):  # whose own client sends them
        return
    parsed = parse_url(url)
    settings.proxy_headers = make_headers(proxy_basic_auth=unquote(parsed.auth or ""))
    settings.proxy = parsed._replace(auth=None).url


def _credentials(settings: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401  # an untyped library
    """Headers, refreshed where they expire; a token file may end in a line break."""
    for entry in settings.auth_settings().values():
        if entry.get("in") == "header" and entry.get("value"):
            yield str(entry["key"]), str(entry["value"]).strip()


def _pieces(answer: Any) -> Iterator[bytes]:  # noqa: ANN401  # an untyped library
    """The content of an answer, within bounds of time and size."""
    from urllib3.exceptions import HTTPError  # noqa: PLC0415  # imported by now

    end, size = time.monotonic() + ANSWER_SECONDS, 0
    try:
        with answer:
            for piece in answer.stream(_PIECE):
                yield piece
                size += len(piece)
                if size > ANSWER_MAX:
                    raise TimeoutError(f"an answer of more than {ANSWER_MAX} bytes")
                if time.monotonic() > end:
                    raise TimeoutError(f"an answer that took more than {ANSWER_SECONDS:.0f} s")
    except HTTPError as error:
        raise OSError(_plain(error)) from error


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
