"""osm-edge and OSM on a real node: READY and probes of injected pods as the preview says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .other_system import bring_up
from .stack import STACK
from .test_injected import (
    EXEC,
    GRPC,
    HTTPS,
    TCP,
    Case,
    app,
    http,
    missing,
    not_ready,
    preview_of,
)
from .verified import verified
from .workloads import pod, ready_count, wait, wait_failing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .node import Node
    from .stack import Stack

pytestmark = pytest.mark.node

SECOND = ("http:8081",)
BOTH = {
    "http": Case(
        containers=(
            app(startupProbe=http(port="web"), livenessProbe=http(), readinessProbe=http()),
        ),
        ready=(2, 2),
    ),
    "http-not-well": Case(containers=(app(readinessProbe=http("/broken")),), ready=(1, 2)),
    "tcp": Case(containers=(app(readinessProbe=TCP),), ready=(3, 3)),
    "exec": Case(containers=(app(readinessProbe=EXEC),), ready=(2, 2)),
    "grpc": Case(
        containers=(app(readinessProbe=GRPC),), ready=(1, 2), told=("probe-intercepted",)
    ),
}
CASES = {
    "osm-edge": {
        **BOTH,
        "https": Case(containers=(app(readinessProbe=HTTPS),), ready=(3, 3)),
        "two-containers": Case(
            # The sidecar answers the second one's as the first one's.
            containers=(
                app(readinessProbe=http()),
                app("second", SECOND, readinessProbe=http("/broken", 8081)),
            ),
            ready=(3, 3),
            told=("probe-lost",),
        ),
    },
    "osm": {
        **BOTH,
        # Envoy passes the encrypted bytes through: no helper.
        "https": Case(containers=(app(readinessProbe=HTTPS),), ready=(2, 2)),
        "two-containers": Case(
            # A path for each container: each is asked itself.
            containers=(
                app(readinessProbe=http()),
                app("second", SECOND, readinessProbe=http("/broken", 8081)),
            ),
            ready=(2, 3),
            failing=("second",),
        ),
    },
}


@pytest.fixture(scope="module", params=list(CASES))
def other(
    node: Node, other_projects: dict[str, Path], request: pytest.FixtureRequest
) -> Iterator[tuple[str, Stack]]:
    """The system's injector, and every pod of its table side by side."""
    name: str = request.param
    stack = bring_up(node, other_projects[name])
    for case in CASES[name]:
        node.api.create(manifest(name, case))
    yield name, stack
    for case in CASES[name]:
        node.api.delete(manifest(name, case))


def manifest(system: str, name: str) -> dict[str, Any]:
    return pod(f"{system}-apps", name, *CASES[system][name].containers)


def test_pods_become_ready_exactly_as_the_preview_says(
    other: tuple[str, Stack], tmp_path: Path
) -> None:
    """READY, what the preview tells of probes, and which container fails."""
    system, stack = other
    previews = preview_of(stack, tmp_path, [manifest(system, name) for name in CASES[system]])
    for name, case in CASES[system].items():
        preview = previews[name]
        told = [one["id"] for one in preview["findings"] if one["id"].startswith("probe-")]
        assert (preview["expectedReady"], tuple(told)) == (case.ready[1], case.told), name
        live = wait(
            stack.api, manifest(system, name), f"{name} is {case.ready}",
            lambda one, case=case: ready_count(one) == case.ready,
        )  # fmt: skip
        if case.ready[0] < case.ready[1]:
            wait_failing(stack.api, live, "Readiness", case.failing)
            live = stack.api.get(live)
            assert ready_count(live) == case.ready
            assert not_ready(live) == case.failing


def test_the_live_pod_has_what_the_preview_shows(other: tuple[str, Stack], tmp_path: Path) -> None:
    system, stack = other
    shown = preview_of(stack, tmp_path, [manifest(system, "http")])["http"]["manifest"]
    live = stack.api.get(manifest(system, "http"))
    label = "osm-proxy-uuid"
    identity = live["metadata"]["labels"][label]
    text = json.dumps(shown["spec"]).replace(shown["metadata"]["labels"][label], identity)
    assert missing(json.loads(text), live["spec"]) == []


def test_verify_finds_the_pods_rules_as_declared(other: tuple[str, Stack]) -> None:
    """The control plane here is the suite's own, so only the pod is asked about."""
    system, stack = other
    checks = ("pod-injected", "pod-ready", "pod-init", "pod-script", "pod-rules", "pod-stale")
    words = [word for one in checks for word in ("--check", one)]
    asked = (STACK, "pod/http", "-n", f"{system}-apps", *words)
    assert verified(stack, *asked[1:]) == ()
    assert stack.fsm_stack("verify", *asked).exit_code == 0
