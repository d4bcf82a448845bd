"""A chart archive from a chart repository: over HTTPS, within bounds, by the digest it announces.

The environment's proxies and authorities count as with other tools: ``HTTPS_PROXY``, ``NO_PROXY``,
``SSL_CERT_FILE``, ``SSL_CERT_DIR``. Plain HTTP is for this machine only, a port-forward say.
"""

from __future__ import annotations

import re
import ssl
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from fsm_stack.credentials import without_user
from fsm_stack.errors import FsmStackError, InputError
from fsm_stack.project.chart_archive import ARCHIVE_MAX
from fsm_stack.yaml.decode import DecodeError, decode_yaml

if TYPE_CHECKING:
    from pathlib import Path

CHART_REPOSITORY: Final = "https://flomesh-io.github.io/fsm"
CHART: Final = "fsm"
INDEX_MAX: Final = 16 * 1024 * 1024
REDIRECTS_MAX: Final = 5
CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 30.0  # between two pieces
WHOLE_SECONDS: Final = 300.0
_PIECE: Final = 64 * 1024
_OK: Final = 200
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_DIGEST: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


class DownloadError(FsmStackError):
    """A server that cannot be reached, or does not give what was asked for."""


class Chart(NamedTuple):
    """Where a release's archive is, and its digest as the repository announces it."""

    url: str
    sha256: str | None


def is_url(text: str) -> bool:
    """Whether an archive is named by an address, and not by a file's path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def find_chart(repository: str, version: str, *, ca_file: Path | None = None) -> Chart:
    """A release's archive in a chart repository.

    Args:
        repository: its address, below which ``index.yaml`` is.
        version: of the chart.
        ca_file: more authorities, PEM.

    Raises:
        InputError: no such address, or the index is none or lacks the release.
        DownloadError: it cannot be fetched.
    """
    address = f"{repository.rstrip('/')}/index.yaml"
    content = fetch(address, limit=INDEX_MAX, ca_file=ca_file)
    shown = without_user(address)
    try:
        index = decode_yaml(content.decode())
    except (UnicodeDecodeError, DecodeError) as error:
        raise InputError(f"{shown}: expected a chart repository's index: {error}") from None
    entries = index.get("entries") if isinstance(index, dict) else None
    releases = entries.get(CHART) if isinstance(entries, dict) else None
    listed = releases if isinstance(releases, list) else []
    known = [one for one in listed if isinstance(one, dict)]
    found = next((one for one in known if one.get("version") == version), None)
    urls = found.get("urls") if found else None
    if not isinstance(urls, list) or not urls or not isinstance(urls[0], str):
        there = ", ".join(str(one.get("version")) for one in known[:10]) or "none"
        raise InputError(f"{shown}: expected chart {CHART} {version}, found versions {there}")
    announced = _DIGEST.fullmatch(str((found or {}).get("digest", "")))
    return Chart(
        url=urljoin(f"{repository.rstrip('/')}/", urls[0]),
        sha256=announced[1] if announced else None,
    )


def fetch(url: str, *, limit: int = ARCHIVE_MAX, ca_file: Path | None = None) -> bytes:
    """What is behind an address.

    Args:
        url: HTTPS; plain HTTP to this machine.
        limit: the most bytes that are taken.
        ca_file: more authorities, PEM.

    Raises:
        InputError: another kind of address, or authorities that cannot be read.
        DownloadError: no connection, no good answer, too many redirects, or too large.
    """
    here = _host(url) in _HERE
    context = _authorities(ca_file)
    deadline = time.monotonic() + WHOLE_SECONDS
    for _ in range(REDIRECTS_MAX + 1):
        _require(url, here=here)
        answer = _asked(url, context)
        try:
            if answer.status in _MOVED:
                url = urljoin(url, answer.headers.get("Location", ""))
                continue
            if answer.status != _OK:
                raise DownloadError(f"{without_user(url)}: HTTP status {answer.status}")
            return _content(answer, without_user(url), limit, deadline)
        finally:
            answer.release_conn()
    raise DownloadError(f"{without_user(url)}: more than {REDIRECTS_MAX} redirects")


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _require(url: str, *, here: bool) -> None:
    """HTTPS, or plain HTTP to this machine, where no redirect came from elsewhere."""
    scheme, host = url.partition("://")[0].lower(), _host(url)
    plain = scheme == "http" and here and host in _HERE
    if not host or not (scheme == "https" or plain):
        raise InputError(f"{without_user(url)}: expected https://HOST/…")


def _authorities(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()  # SSL_CERT_FILE and SSL_CERT_DIR, else the system's
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise InputError(f"--ca-file: {ca_file}: expected PEM certificates: {error}") from None
    return context


def _asked(url: str, context: ssl.SSLContext) -> Any:  # noqa: ANN401  # urllib3's answer
    import urllib3  # noqa: PLC0415  # only downloads need it

    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    try:
        return _pool(url, context).request(
            "GET",
            url,
            headers={"User-Agent": "fsm-stack", "Accept-Encoding": "identity"},
            timeout=timeout,
            retries=False,
            redirect=False,
            preload_content=False,
        )
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise DownloadError(f"{without_user(url)}: no answer: {_reason(error)}") from None


def _pool(url: str, context: ssl.SSLContext) -> Any:  # noqa: ANN401  # urllib3's pool
    import urllib3  # noqa: PLC0415  # only downloads need it

    parts = urlsplit(url)
    proxies: dict[str, str] = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return urllib3.PoolManager(ssl_context=context)
    address = proxy if "://" in proxy else f"http://{proxy}"
    user, at, _ = urlsplit(address).netloc.rpartition("@")
    headers = urllib3.make_headers(proxy_basic_auth=user) if at else None
    if urlsplit(address).scheme not in {"http", "https"}:
        raise InputError(f"proxy {without_user(address)}: expected http:// or https://")
    return urllib3.ProxyManager(address, proxy_headers=headers, ssl_context=context)


def _content(answer: Any, shown: str, limit: int, deadline: float) -> bytes:  # noqa: ANN401  # the same
    import urllib3  # noqa: PLC0415  # only downloads need it

    pieces: list[bytes] = []
    size = 0
    try:
        for piece in answer.stream(_PIECE, decode_content=False):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise DownloadError(f"{shown}: expected at most {limit} bytes")
            if time.monotonic() > deadline:
                raise DownloadError(f"{shown}: not whole after {WHOLE_SECONDS:.0f} s")
    except urllib3.exceptions.HTTPError as error:
        raise DownloadError(f"{shown}: broken off: {_reason(error)}") from None
    return b"".join(pieces)


def _reason(error: Exception) -> str:
    """The innermost reason, without objects' addresses."""
    reason: BaseException = error
    while isinstance(getattr(reason, "reason", None) or reason.__cause__, BaseException):
        reason = getattr(reason, "reason", None) or reason.__cause__  # type: ignore[assignment]  # seen to be one
    text = getattr(reason, "strerror", None) or str(reason)
    return without_user(str(text).rpartition(">: ")[2] or type(reason).__name__)
