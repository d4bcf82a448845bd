"""Chart archives of the release asset's shape, byte for byte the same for the same members.

And a server on loopback that has them, as a chart repository does.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

SCRIPTS = b"the scripts of a release"
CHART = b"apiVersion: v2\nname: fsm\nversion: 1.5.1\nappVersion: v1.5.1\n"
# A template of the chart's form: a script for each mode, with places that the chart fills.
EGRESS_TEMPLATE = b"""{{- if .Values.fsm.egressGateway.enabled }}
kind: ConfigMap
data:
  egress-gateway.js: |
{{- if eq .Values.fsm.egressGateway.mode "sock5" }}
    pipy().listen({{ .Values.fsm.egressGateway.port }})
      .acceptSOCKS()
{{- end }}
{{- if eq .Values.fsm.egressGateway.mode "http2tunnel" }}
    pipy().listen({{ .Values.fsm.egressGateway.port }})

      .metrics('127.0.0.1:{{ .Values.fsm.egressGateway.adminPort }}')
{{- end }}
{{- end }}
"""
GOOD = {
    "fsm/Chart.yaml": CHART,
    "fsm/values.yaml": b"fsm: {}\n",
    "fsm/components/scripts.tar.gz": SCRIPTS,
}
# What the chart has beside the scripts of sidecars.
MORE = {
    "fsm/templates/egress-gateway-configmap.yaml": EGRESS_TEMPLATE,
    **{
        f"fsm/grafana/pipy/dashboards/fsm-{name}.json": b'{"of": "${DS_PROMETHEUS}"}\n'
        for name in (
            *("control-plane", "data-plane-performance", "mesh-sidecar-details"),
            *("pod-to-service", "service-to-service", "workload-to-service"),
            "workload-to-workload",
        )
    },
}


def member(name: str, content: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    about = tarfile.TarInfo(name)
    about.size = len(content)
    for key, value in fields.items():
        setattr(about, key, value)
    return about, content


def pack(*extra: tuple[tarfile.TarInfo, bytes], files: dict[str, bytes] | None = None) -> bytes:
    """An archive of the files, those of a good one if absent, and of the extra members."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for about, content in (
            *(
                member(name, content)
                for name, content in (GOOD if files is None else files).items()
            ),
            *extra,
        ):
            archive.addfile(about, io.BytesIO(content))
    return gzip.compress(tar.getvalue(), mtime=0)


def written_archive(folder: Path) -> Path:
    """A good archive of FSM 1.5.1 in a folder, under the name that upstream publishes it by."""
    path = folder / "fsm-1.5.1.tgz"
    path.write_bytes(pack())
    return path


class ChartServer(ThreadingHTTPServer):
    """A chart repository on loopback.

    Attributes:
        pages: content by path; a text is where the client is sent to, a number the status.
        asked: the paths that were asked for.
    """

    daemon_threads = True

    def __init__(self, pages: dict[str, bytes | str | int]) -> None:
        self.pages = pages
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Page)

    @property
    def address(self) -> str:
        """Without a slash at its end."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, ChartServer)
        server.asked.append(self.path)
        page = server.pages.get(self.path, 404)
        status, body = (200, page) if isinstance(page, bytes) else (page, b"")
        if isinstance(page, str):
            status = 302
        assert isinstance(status, int)
        self.send_response(status)
        if isinstance(page, str):
            self.send_header("Location", page)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def served(
    pages: dict[str, bytes | str | int], *, tls: ssl.SSLContext | None = None
) -> Iterator[ChartServer]:
    """A chart repository, for as long as the block runs."""
    server = ChartServer(pages)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def index(*versions: str, url: str = "fsm-{}.tgz", digest: str = "") -> bytes:
    """The index of a chart repository."""
    entries = [
        {"name": "fsm", "version": one, "urls": [url.format(one)], "digest": digest}
        for one in versions
    ]
    return json.dumps({"apiVersion": "v1", "entries": {"fsm": entries}}).encode()
