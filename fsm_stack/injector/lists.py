"""From a pod's annotations and the mesh's lists to its init script, each rule with its reason."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from fsm_stack.injector.annotations import keys_of, pod_lists
from fsm_stack.injector.pieces import init_container
from fsm_stack.iptables.generate import intercept
from fsm_stack.iptables.write import script, step_line
from fsm_stack.lists import InterceptLists, merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsm_stack.injector.mesh import MeshView
    from fsm_stack.injector.pieces import Piece
    from fsm_stack.systems import System


class Interception(NamedTuple):
    """What the init container of a pod does.

    Attributes:
        lists: the script generator's arguments, merged.
        script: the text.
        piece: the init container.
        system: whose script.
    """

    lists: InterceptLists
    script: str
    piece: Piece
    system: System


def interception(annotations: Mapping[str, str], mesh: MeshView) -> Interception:
    """The init container's part of a pod with these annotations.

    Raises:
        Refusal: for the first annotation that the injector does not take.
    """
    return _interception(mesh, *map(annotations.get, keys_of(mesh.system).lists))


@lru_cache(maxsize=1024)
def _interception(mesh: MeshView, *values: str | None) -> Interception:
    given = {
        key: value
        for key, value in zip(keys_of(mesh.system).lists, values, strict=True)
        if value is not None
    }
    lists = InterceptLists.of(
        merged(mesh.lists, pod_lists(given, mesh.system)),
        local_proxy_mode=mesh.local_proxy_mode,
        dns_proxy=mesh.dns_proxy and mesh.system.has_dns_rule,
    )
    text = script(lists, mesh.system)
    return Interception(
        lists=lists, script=text, piece=init_container(mesh, text), system=mesh.system
    )


def script_lines(found: Interception) -> Iterator[str]:
    """Each rule of the script as it is spelt, and why it is there."""
    steps = intercept(found.lists, found.system).steps
    width = min(72, max(len(step_line(step)) for step in steps))
    for step in steps:
        yield f"{step_line(step):{width}}  # {step.rule.why.text}"
