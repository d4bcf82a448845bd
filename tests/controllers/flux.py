"""Flux's kustomize-controller over a real API server, and the source that it reads.

Its source-controller is not needed: a GitRepository object with a finished artifact is, and a
server on the loopback interface that has the archive.
"""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import tarfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.apiserver.apiserver import LOOPBACK, Program, built, find
from tests.apiserver.client import eventually

from .mesh import TARGET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.apiserver.client import Api

Json = dict[str, Any]
NAMESPACE: Final = "flux-system"
_ASKED: Final = "reconcile.fluxcd.io/requestedAt"
_DEPENDENCY_SECONDS: Final = 2
_SECONDS: Final = 120


@dataclass(kw_only=True)
class Flux:
    """The running controller.

    Attributes:
        api: the cluster.
        address: of the server that has the archives.
        archives: what it serves, by name.
        program: the controller.
        number: of the newest revision.
    """

    api: Api
    address: str
    archives: dict[str, bytes]
    program: Program
    number: int = 0

    def push(self, repository: Path, source: Json) -> str:
        """A new revision of the repository, as the source-controller would report it."""
        self.number += 1
        archive = _packed(repository)
        name = f"{self.number}.tar.gz"
        self.archives[name] = archive
        revision = f"main@sha1:{self.number:040x}"
        if not self.api.exists(source):
            self.api.create(source)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        artifact = {
            "digest": f"sha256:{hashlib.sha256(archive).hexdigest()}",
            "lastUpdateTime": now,
            "path": name,
            "revision": revision,
            "size": len(archive),
            "url": f"{self.address}/{name}",
        }
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "Succeeded",
            "message": "stored",
            "lastTransitionTime": now,
        }
        generation = self.api.get(source)["metadata"]["generation"]
        status = {
            "artifact": artifact,
            "conditions": [ready],
            "observedGeneration": generation,
        }
        self.api.patch(source, {"status": status}, subresource="status")
        return revision

    def ask(self, kustomization: Json) -> None:
        """One more reconciliation, waited for, as `flux reconcile` does it."""
        self.number += 1
        word = str(self.number)
        notes = {"metadata": {"annotations": {_ASKED: word}}}
        self.api.patch(kustomization, notes)

        def handled() -> bool:
            status = self.api.get(kustomization).get("status", {})
            return status.get("lastHandledReconcileAt") == word and _ready(status) is not None

        eventually(f"{_name(kustomization)} is reconciled", handled, seconds=_SECONDS)

    def applied(self, kustomization: Json, revision: str) -> None:
        """Wait until a revision is applied and everything of it is ready."""

        def done() -> bool:
            status = self.api.get(kustomization).get("status", {})
            return status.get("lastAppliedRevision") == revision and _ready(status) is True

        try:
            eventually(f"{_name(kustomization)} has {revision}", done, seconds=_SECONDS)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.program.log_tail()}") from error


def _name(item: Json) -> str:
    return str(item["metadata"]["name"])


def _ready(status: Json) -> bool | None:
    states = {one["type"]: one["status"] for one in status.get("conditions", ())}
    return {"True": True, "False": False}.get(states.get("Ready", ""))


@contextmanager
def running(api: Api, home: Path) -> Iterator[Flux]:
    """The controller with its CRDs, until the block ends."""
    controller = find("kustomize-controller", target=TARGET)
    for file in sorted((built()[2] / "crds").glob("*.yaml")):
        api.apply(yaml.safe_load(file.read_text(encoding="utf-8")), manager="flux")
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    archives: dict[str, bytes] = {}
    flags = {
        "watch-all-namespaces": "true",
        "metrics-addr": f"{LOOPBACK}:0",
        "health-addr": f"{LOOPBACK}:0",
        "requeue-dependency": f"{_DEPENDENCY_SECONDS}s",
        "no-remote-bases": "true",
        "interval-jitter-percentage": "0",
    }
    words = [f"--{name}={value}" for name, value in flags.items()]
    own = {"KUBECONFIG": str(api.kubeconfig), "RUNTIME_NAMESPACE": NAMESPACE, "TMPDIR": str(home)}
    prefix = ("env", *(f"{name}={value}" for name, value in own.items()))
    with (
        _serving(archives) as address,
        Program.started(
            "kustomize-controller", (*prefix, str(controller), *words), home
        ) as program,
    ):
        yield Flux(api=api, address=address, archives=archives, program=program)


@contextmanager
def _serving(archives: dict[str, bytes]) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            archive = archives.get(self.path.removeprefix("/"))
            self.send_response(404 if archive is None else 200)
            self.send_header("Content-Length", str(len(archive or b"")))
            self.end_headers()
            self.wfile.write(archive or b"")

        def log_message(self, *_: Any) -> None:
            """Nothing: the controller's log says what it fetched."""

    server = http.server.ThreadingHTTPServer((LOOPBACK, 0), Handler)
    worker = threading.Thread(target=server.serve_forever, name="archives")
    worker.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        worker.join()
        server.server_close()


def _packed(folder: Path) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.add(file, arcname=str(file.relative_to(folder)), recursive=False)
    return gzip.compress(plain.getvalue())
