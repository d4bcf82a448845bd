"""Kubeconfig files as kubectl reads them, where the client's library does otherwise."""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from fsm_stack.cluster.connect import connect
from fsm_stack.cluster.kubeconfig import read_kubeconfig
from fsm_stack.errors import CouldNotCheckError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path

CONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "%s"}}]
users: [{name: u, user: {%s}}]
contexts: [{name: x, context: {cluster: c, user: u}}, {name: y, context: {cluster: c, user: u}}]
"""
SERVER = "https://127.0.0.1:1"


def written(
    path: Path, *, server: str = SERVER, user: str = "token: t", current: str = "x"
) -> Path:
    path.write_text(CONFIG % (server, user) + f'current-context: "{current}"\n')
    return path


@pytest.fixture
def asked() -> Iterator[tuple[str, list[Message]]]:
    """A server on loopback, and the headers of what it was asked."""
    headers: list[Message] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers.append(self.headers)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", headers
        server.shutdown()


def test_of_several_files_the_first_current_context_counts(tmp_path: Path) -> None:
    """Else another cluster is looked at than kubectl would change."""
    none = written(tmp_path / "none", current="")
    first, second = written(tmp_path / "a"), written(tmp_path / "b", current="y")
    files = os.pathsep.join(map(str, (tmp_path / "missing", none, first, second)))
    assert read_kubeconfig(files).chosen(None) == "x"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("a0: &a0 {k: 1}\n" + "".join(
            f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 10)
        ), ":12: its merge keys repeat too much: expected at most 200"),
        ("a: " + "[" * 200 + "\n", ":7: expected a Kubernetes document, this one is nested"),
    ],
    ids=["merge keys", "depth"],
)  # fmt: skip
def test_a_file_that_would_be_read_without_end_is_refused(
    tmp_path: Path, more: str, problem: str
) -> None:
    """The client's library expands whatever a file says."""
    file = written(tmp_path / "config")
    file.write_text(file.read_text() + more)
    with pytest.raises(InputError) as caught:
        read_kubeconfig(str(file))
    assert str(caught.value).startswith(f"kubeconfig: {file}{problem}")


def test_a_context_that_is_named_needs_no_current_one(tmp_path: Path) -> None:
    """Careful people have none, so that no command goes to a cluster by mistake."""
    file = written(tmp_path / "config", current="")
    assert connect(kubeconfig=file, context="y").context == "y"
    with pytest.raises(InputError) as caught:
        connect(kubeconfig=file)
    assert str(caught.value) == (
        "kubeconfig: no context is current: name it with --context; expected one of x, y"
    )


def test_a_context_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        connect(kubeconfig=written(tmp_path / "config"), context="production")
    assert str(caught.value) == (
        "context 'production': not in the kubeconfig; expected one of x, y"
    )


def test_a_token_file_may_end_in_a_line_break(
    tmp_path: Path, asked: tuple[str, list[Message]]
) -> None:
    """As `echo` leaves it."""
    server, headers = asked
    (tmp_path / "token").write_text("secret\n")
    file = written(tmp_path / "config", server=server, user="tokenFile: token")
    connect(kubeconfig=file).read("/")
    assert headers[0]["Authorization"] == "Bearer secret"


def test_a_token_that_http_cannot_send_is_refused_and_never_shown(tmp_path: Path) -> None:
    file = written(tmp_path / "config", user='token: "sec\\nret"')
    with pytest.raises(CouldNotCheckError) as caught:
        connect(kubeconfig=file).read("/")
    assert str(caught.value) == "context x: authorization: no value that HTTP can send"


def test_who_is_to_be_another_user_is(tmp_path: Path, asked: tuple[str, list[Message]]) -> None:
    """Else the account's own rights would count, which kubectl does not use."""
    server, headers = asked
    user = "token: t, as: reader, as-uid: '7', as-groups: [a, b], as-user-extra: {Team/x: [y]}"
    connect(kubeconfig=written(tmp_path / "config", server=server, user=user)).read("/")
    given = {key: value for key, value in headers[0].items() if key.startswith("Imp")}
    assert headers[0].get_all("Impersonate-Group") == ["a", "b"]
    assert given | {"Impersonate-Group": ""} == {
        "Impersonate-User": "reader",
        "Impersonate-Uid": "7",
        "Impersonate-Group": "",
        "Impersonate-Extra-team%2Fx": "y",
    }


@pytest.mark.parametrize("server", ["", "127.0.0.1:6443"])
def test_a_server_without_a_scheme_is_refused(tmp_path: Path, server: str) -> None:
    with pytest.raises(InputError) as caught:
        connect(kubeconfig=written(tmp_path / "config", server=server))
    assert str(caught.value) == (
        f"context x: its cluster's server is {server!r}, expected https://HOST:PORT"
    )


def test_a_socks_proxy_names_the_package_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "socks", None)
    monkeypatch.delitem(sys.modules, "urllib3.contrib.socks", raising=False)
    server = f'{SERVER}", proxy-url: "socks5://127.0.0.1:1080'
    with pytest.raises(InputError) as caught:
        connect(kubeconfig=written(tmp_path / "config", server=server))
    assert str(caught.value) == (
        "context x: its proxy is a SOCKS proxy, which needs one more package: pip install pysocks"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "kubeconfig: damaged, or of no known form: list indices must be integers"),
        ("a: [", "kubeconfig: FILE:2: expected YAML or JSON: did not find expected node content"),
        (
            "a: {x: &a b}\nc: *d",
            "kubeconfig: FILE:2: expected YAML or JSON: found undefined alias",
        ),
        ("contexts: [{}]", "kubeconfig: damaged, or of no known form: 'name'"),
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        connect(kubeconfig=file)
    assert str(caught.value).startswith(message.replace("FILE", str(file)))


def test_a_password_in_the_servers_address_is_left_out(tmp_path: Path) -> None:
    """A snapshot saves the address, and errors name it."""
    file = written(tmp_path / "config", server="https://me:hunter2@127.0.0.1:1")
    assert connect(kubeconfig=file).server == "https://127.0.0.1:1"
