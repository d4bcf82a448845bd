"""Chart archives from a chart repository: a server on loopback, over TLS and without."""

from __future__ import annotations

import hashlib
import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest

from fsm_stack.errors import InputError
from fsm_stack.project.download import (
    CHART_REPOSITORY,
    Chart,
    DownloadError,
    fetch,
    find_chart,
    is_url,
)
from tests.archives import index, pack, served

if TYPE_CHECKING:
    from pathlib import Path

ARCHIVE = pack()
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)


def test_a_release_is_found_in_the_index_with_its_digest() -> None:
    pages = {"/charts/index.yaml": index("1.5.0", "1.5.1", digest=DIGEST)}
    with served(pages) as server:
        repository = f"{server.address}/charts"
        assert find_chart(repository, "1.5.1") == Chart(f"{repository}/fsm-1.5.1.tgz", DIGEST)
        with pytest.raises(InputError) as caught:
            find_chart(repository, "9.9.9")
    assert str(caught.value) == (
        f"{repository}/index.yaml: expected chart fsm 9.9.9, found versions 1.5.0, 1.5.1"
    )


@pytest.mark.parametrize("content", [b"\xff", b"a: [", b"[]", b"entries: {fsm: 3}", b""])
def test_an_index_that_is_none_is_refused(content: bytes) -> None:
    with (
        served({"/index.yaml": content}) as server,
        pytest.raises(InputError, match=r"expected (a )?chart"),
    ):
        find_chart(server.address, "1.5.1")


def test_redirects_are_followed_within_bounds() -> None:
    pages: dict[str, bytes | str | int] = {f"/{n}": f"/{n + 1}" for n in range(9)}
    pages["/5"] = ARCHIVE
    with served(pages) as server:
        assert fetch(f"{server.address}/0") == ARCHIVE
        pages["/5"], pages["/6"] = "/6", ARCHIVE
        with pytest.raises(DownloadError, match="more than 5 redirects"):
            fetch(f"{server.address}/0")


@pytest.mark.parametrize(
    "target", ["http://example.com/x", "file:///etc/passwd", "ftp://127.0.0.1/x", "https://"]
)
def test_a_redirect_to_anything_but_https_is_refused(target: str) -> None:
    with served({"/a": target}) as server, pytest.raises(InputError, match=r"expected https://"):
        fetch(f"{server.address}/a")


@pytest.mark.parametrize(
    "url", ["http://example.com/fsm.tgz", "ftp://example.com/x", "https://", "http://[::1/"]
)
def test_only_https_leaves_this_machine(url: str) -> None:
    with pytest.raises(InputError, match=r"expected https://HOST"):
        fetch(url)


def test_what_is_too_large_or_missing_is_refused() -> None:
    with served({"/a": b"x" * 2000, "/b": 503}) as server:
        with pytest.raises(DownloadError, match="/a: expected at most 1000 bytes"):
            fetch(f"{server.address}/a", limit=1000)
        with pytest.raises(DownloadError, match="/b: HTTP status 503"):
            fetch(f"{server.address}/b")
        with pytest.raises(DownloadError, match="/c: HTTP status 404"):
            fetch(f"{server.address}/c")
        address = server.address
    with pytest.raises(DownloadError, match="/a: no answer: Connection refused"):
        fetch(f"{address}/a")


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(InputError) as caught:
        fetch("http://user:s3cret@example.com/x")
    assert "s3cret" not in str(caught.value)


def test_the_environments_proxy_is_asked_and_may_be_told_to_stay_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with served({"/a": ARCHIVE}) as server, served({}) as proxy:
        url = f"{server.address}/a"
        proxy.pages[url] = b"through the proxy"  # a plain request names the whole address
        monkeypatch.setenv("http_proxy", proxy.address)
        assert fetch(url) == b"through the proxy"
        assert proxy.asked == [url]
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert fetch(url) == ARCHIVE


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of its own authority, for 127.0.0.1."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, file = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", file],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return file, context


def test_https_is_checked_against_the_authorities_that_are_given(
    certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, context = certificate
    with served({"/a": ARCHIVE}, tls=context) as server:
        url = server.address.replace("http://", "https://") + "/a"
        with pytest.raises(DownloadError, match="certificate verify failed"):
            fetch(url)
        assert fetch(url, ca_file=file) == ARCHIVE
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert fetch(url) == ARCHIVE


def test_authorities_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--ca-file: .*nothing\.pem: expected PEM certificates"):
        fetch("https://127.0.0.1:1/", ca_file=tmp_path / "nothing.pem")


def test_addresses_are_told_from_files() -> None:
    assert is_url("https://example.com/x.tgz")
    assert is_url(CHART_REPOSITORY)
    assert not is_url("fsm-1.5.1.tgz")
    assert not is_url("./https/x.tgz")
