"""Every check, in the order of the troubleshooting guides: mesh, webhook, namespace, pod."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.verify.checks import (
    admission,
    authority,
    control_plane,
    images,
    init,
    kernel,
    mesh,
    namespaces,
    owners,
    pods,
    rights,
    rules,
    services,
    webhooks,
    workloads,
)

if TYPE_CHECKING:
    from fsm_stack.verify.check import Check

CHECKS: Final[tuple[Check, ...]] = (
    *mesh.CHECKS,
    *control_plane.CHECKS,
    *rights.CHECKS,
    *services.CHECKS,
    *webhooks.CHECKS,
    *authority.CHECKS,
    *admission.CHECKS,
    *namespaces.CHECKS,
    *pods.CHECKS,
    *images.CHECKS,
    *init.CHECKS,
    *rules.CHECKS,
    *kernel.CHECKS,
    *workloads.CHECKS,
    *owners.CHECKS,
)
