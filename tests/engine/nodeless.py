"""What a node would do, where none is: pods that controllers made become ready."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.apiserver.client import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.apiserver.client import Api

PAUSE_SECONDS = 0.2


@contextmanager
def ready_pods(api: Api, *namespaces: str) -> Iterator[None]:
    """While the block runs, every pod of these namespaces is ready soon after it was made."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(PAUSE_SECONDS):
            for namespace in namespaces:
                for pod in api.list("v1", "Pod", namespace=namespace):
                    _make_ready(api, pod)

    worker = threading.Thread(target=work, name="ready-pods")
    worker.start()
    try:
        yield
    finally:
        ended.set()
        worker.join()


def _make_ready(api: Api, pod: dict[str, Any]) -> None:
    if pod["status"]["phase"] == "Running" or "deletionTimestamp" in pod["metadata"]:
        return
    number = int(pod["metadata"]["uid"][:4], 16)
    states = [{"type": one, "status": "True"} for one in ("Ready", "ContainersReady")]
    status = {
        "phase": "Running",
        "conditions": states,
        "podIP": f"10.244.{number >> 8}.{number & 255}",
    }
    status["podIPs"] = [{"ip": status["podIP"]}]
    try:
        api.patch(pod, {"status": status}, subresource="status")
    except ApiError as error:
        if error.reason not in {"NotFound", "Conflict"}:  # it may be gone meanwhile
            raise
