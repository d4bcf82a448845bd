"""Strict settings through the faithful door: the injector's own lists, and pod annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsm_stack.lists import POD_LISTS, InterceptLists, Lists, merged
from fsm_stack.settings.effective import mesh_lists

if TYPE_CHECKING:
    from fsm_stack.settings.models.stack import StackSettings
    from fsm_stack.systems import System


def intercept_lists(settings: StackSettings, pod: Lists | None = None) -> InterceptLists:
    """What the injector's script generator gets for a pod with these annotations.

    Args:
        settings: the stack.
        pod: the pod's own lists; None for a pod without redirection annotations.
    """
    return InterceptLists.of(
        merged(mesh_lists(settings), pod or Lists()),
        local_proxy_mode=settings.sidecar.local_proxy_mode,
        dns_proxy=settings.profile.has_dns_rule and settings.sidecar.local_dns_proxy.enable,
    )


def pod_annotations(lists: Lists, system: System) -> dict[str, str]:
    """The annotations that carry a pod's lists; an empty list has none, since "" is refused."""
    return {
        system.annotation(name.annotation): ",".join(map(str, lists.entries(name)))
        for name in POD_LISTS
        if lists.entries(name)
    }
