"""Every check, in the order of the troubleshooting guides: mesh, webhook, namespace, pod."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.verify.checks import (
    admission,
    around,
    control_plane,
    declared,
    init,
    kernel,
    mesh,
    namespaces,
    next_pods,
    owners,
    pods,
    quotas,
    rules,
    webhooks,
)

if TYPE_CHECKING:
    from fsm_stack.verify.check import Check

CHECKS: Final[tuple[Check, ...]] = (
    *around.CHECKS,
    *next_pods.START_CHECKS,
    *mesh.CHECKS,
    *next_pods.CONTENT_CHECKS,
    *control_plane.CHECKS,
    *declared.RIGHT_CHECKS,
    *declared.SERVICE_CHECKS,
    *webhooks.CHECKS,
    *admission.CHECKS,
    *declared.GUARD_CHECKS,
    *namespaces.CHECKS,
    *quotas.CHECKS,
    *pods.CHECKS,
    *pods.IMAGE_CHECKS,
    *init.CHECKS,
    *rules.CHECKS,
    *kernel.CHECKS,
    *owners.CHECKS,
)
