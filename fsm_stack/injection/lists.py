"""From a pod's annotations and the mesh's lists to the script of its init container."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from fsm_stack.injection.annotations import keys_of, pod_lists
from fsm_stack.injection.pieces import init_container
from fsm_stack.iptables.script import script
from fsm_stack.lists import InterceptLists, merged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_stack.injection.mesh import MeshView
    from fsm_stack.injection.piece import Piece
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
