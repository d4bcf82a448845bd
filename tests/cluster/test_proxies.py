"""A proxy that asks who is there: its user and password stand in its URL, as for kubectl."""

from __future__ import annotations

import base64
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from fsm_stack.cluster.connect import connect
from fsm_stack.cluster.read import Reader
from fsm_stack.errors import CouldNotCheckError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WANTED = "Basic " + base64.b64encode(b"me@home:p:w d").decode()


@pytest.fixture
def proxy() -> Iterator[tuple[int, list[tuple[str, str | None]]]]:
    """A proxy on loopback that answers for every server; what it was asked, and by whom."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Proxy-Authorization")))
            known = self.headers.get("Proxy-Authorization") == WANTED
            self.send_response(200 if known else 407)
            self.end_headers()
            self.wfile.write(json.dumps({"metadata": {"uid": "u"}}).encode())

        do_CONNECT = do_GET  # noqa: N815  # http.server's names

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port, asked
        server.shutdown()


def written(folder: Path, server: str, proxy: str = "") -> Path:
    file = folder / "config"
    cluster = {"server": server} | ({"proxy-url": proxy} if proxy else {})
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    file.write_text(json.dumps(document))
    return file


def test_a_proxys_credentials_are_sent_to_it(
    proxy: tuple[int, list[tuple[str, str | None]]], tmp_path: Path
) -> None:
    port, asked = proxy
    url = f"http://me%40home:p%3Aw%20d@127.0.0.1:{port}"
    cluster = connect(kubeconfig=written(tmp_path, "http://api.example.com", url))
    assert Reader(cluster=cluster).uid() == "u"
    assert asked == [("http://api.example.com/api/v1/namespaces/kube-system", WANTED)]


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
def test_a_proxy_of_the_environment_gets_them_too(
    proxy: tuple[int, list[tuple[str, str | None]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    port, asked = proxy
    for known in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(known, raising=False)
    monkeypatch.setenv(name, f"http://me%40home:p%3Aw%20d@127.0.0.1:{port}")
    cluster = connect(kubeconfig=written(tmp_path, "http://api.example.com"))
    assert Reader(cluster=cluster).uid() == "u"
    assert asked[0][1] == WANTED


def test_a_tunnel_gets_them_and_the_server_does_not(
    proxy: tuple[int, list[tuple[str, str | None]]], tmp_path: Path
) -> None:
    port, asked = proxy
    url = f"http://me%40home:p%3Aw%20d@127.0.0.1:{port}"
    cluster = connect(kubeconfig=written(tmp_path, "https://api.example.com", url))
    cluster.sleep = lambda _: None
    with pytest.raises(CouldNotCheckError):  # the stand-in opens no tunnel
        cluster.read("/x")
    assert asked[0] == ("api.example.com:443", WANTED)


def test_a_proxy_without_credentials_gets_none(
    proxy: tuple[int, list[tuple[str, str | None]]], tmp_path: Path
) -> None:
    port, asked = proxy
    url = f"http://127.0.0.1:{port}"
    cluster = connect(kubeconfig=written(tmp_path, "http://api.example.com", url))
    assert Reader(cluster=cluster).uid() == ""
    assert asked[0][1] is None
