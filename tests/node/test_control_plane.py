"""The control plane on a real node: it starts with the rendered roles, and not without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.apiserver.client import eventually

from .workloads import is_ready, ready_count

if TYPE_CHECKING:
    from .stack import Stack
    from .workloads import Json

pytestmark = pytest.mark.node

CONTROL_PLANE = "fsm-system"
READY = {"fsm-bootstrap": (1, 1), "fsm-controller": (2, 2), "fsm-injector": (1, 1)}


def test_every_program_is_scheduled_and_ready(stack: Stack) -> None:
    """They ask the API server for what the real ones ask for, as the rendered account.

    An earlier scenario's rollout may still be going on, or its pods ending: it is waited for.
    """

    def current() -> list[Json]:
        found = stack.api.list("v1", "Pod", namespace=CONTROL_PLANE)
        return [one for one in found if "deletionTimestamp" not in one["metadata"]]

    def ready() -> list[Json] | None:
        pods = current()
        settled = len(pods) == len(READY) and all(is_ready(one) for one in pods)
        return pods if settled else None

    pods = eventually("the pods of each program are ready", ready, seconds=120)
    assert {one["metadata"]["labels"]["app"]: ready_count(one) for one in pods} == READY
    assert {one["spec"]["serviceAccountName"] for one in pods} == {"fsm"}


def test_the_programs_write_what_the_package_expects_of_them(stack: Stack) -> None:
    """An authority that both webhooks carry, and a lease."""
    kinds = {
        "MutatingWebhookConfiguration": "fsm-webhook-fsm",
        "ValidatingWebhookConfiguration": "fsm-validator-mesh-fsm",
    }
    bundles = set()
    for kind, name in kinds.items():
        live = stack.api.get(stack.object(kind, name))
        bundles |= {one["clientConfig"].get("caBundle") for one in live["webhooks"]}
    assert len(bundles) == 1
    assert bundles != {None}
