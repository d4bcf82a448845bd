"""``verify --metrics`` and ``--listen``: the answers for Prometheus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fsm_stack.cli.options import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsm_stack.verify.check import Report

_PATH: Final = "/metrics"


class _Listen(Endpoint):
    """``ADDRESS:PORT``, or ``:PORT`` for every address of the machine."""

    def convert(
        self,
        value: str | tuple[str, int | None],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, int | None]:
        """The address, empty for every one, and the port."""
        if not isinstance(value, str):
            return value
        everywhere = value.startswith(":") and value.count(":") == 1
        address, port = super().convert(f"127.0.0.1{value}" if everywhere else value, param, ctx)
        if port is None:
            self.fail(f"{value!r}: expected ADDRESS:PORT or :PORT", param, ctx)
        return "" if everywhere else address, port


def metrics_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--metrics`` and ``--listen``."""
    for option in (
        click.option("--listen", type=_Listen(), metavar="ADDRESS:PORT",
                     help="Then serve the metrics there until they were scraped once."),
        click.option("--metrics", "metrics_file", type=click.Path(path_type=Path), metavar="FILE",
                     help="Write the answers as metrics of Prometheus, in one step."),
    ):  # fmt: skip
        function = option(function)
    return function


def tell_prometheus(
    report: Report, *, took: float, metrics_file: Path | None, listen: tuple[str, int] | None
) -> None:
    """Write the metrics, and serve them for one scrape, where that is asked for.

    Raises:
        FileError: the file cannot be written.
        InputError: the path is no file, or the address cannot be listened at.
    """
    if metrics_file is None and listen is None:
        return
    from fsm_stack.project.files import write_file
    from fsm_stack.verify.metrics import metrics

    text = metrics(report, took=took).encode()
    if metrics_file is not None:
        write_file(metrics_file.absolute(), text, shown=str(metrics_file))
    if listen is not None:
        _serve_once(text, listen)


def _serve_once(text: bytes, address: tuple[str, int]) -> None:
    """Serve until one reader has had the whole text; readers of other paths do not count."""
    import socket
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from fsm_stack.errors import InputError
    from fsm_stack.verify.metrics import CONTENT_TYPE

    class Handler(BaseHTTPRequestHandler):
        timeout = 30  # of a reader that sends nothing: another one may come meanwhile

        def do_GET(self) -> None:  # the library's name
            if self.path.partition("?")[0] != _PATH:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            self.wfile.flush()
            self.server.served = True  # type: ignore[attr-defined]  # ours

        def log_message(self, *_: Any) -> None:  # noqa: ANN401  # nothing: standard error is the report's
            return

    host, port = address
    every = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104  # what :PORT asks for
    bound = host or every

    class Server(HTTPServer):
        address_family = socket.AF_INET6 if ":" in bound else socket.AF_INET
        served = False

        def server_bind(self) -> None:
            if not host and self.address_family == socket.AF_INET6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            super().server_bind()

        def handle_error(self, *_: Any) -> None:  # noqa: ANN401  # a reader that went away
            return

    try:
        server = Server((bound, port), Handler)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"--listen {host}:{port}: cannot listen there: {reason}") from None
    with server:
        shown = f"[{host}]" if ":" in host else host or "localhost"
        where = f"http://{shown}:{server.server_address[1]}{_PATH}"
        click.echo(f"metrics: {where}, for one scrape", err=True)
        while not server.served:
            server.handle_request()
