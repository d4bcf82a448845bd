"""A mesh as far as the rules of its pods go: what of a MeshConfig decides a script, and no more.

A MeshConfig comes from files of any origin, too. A field of another type than its CRD gives it is
one that no API server would answer: it counts as absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsm_stack.injection.mesh import MeshView, mesh_view
from fsm_stack.lists import LISTS
from fsm_stack.verify.shape import mapping, text

if TYPE_CHECKING:
    from fsm_stack.lists import Holds
    from fsm_stack.systems import System

Json = dict[str, Any]


def redirecting_mesh(system: System, spec: object, *, name: str, namespace: str) -> MeshView:
    """The mesh as the injector sees it when it writes a script.

    Args:
        system: whose injector.
        spec: the MeshConfig's ``spec``; None where there is none: zero values.
        name: the mesh's.
        namespace: the control plane's.
    """
    return mesh_view(system, _deciding(spec), environment={}, name=name, namespace=namespace)


def _deciding(spec: object) -> Json:
    known = mapping(spec)
    sidecar, traffic = mapping(known.get("sidecar")), mapping(known.get("traffic"))
    return {
        "sidecar": {
            "localProxyMode": text(sidecar.get("localProxyMode")),
            "localDNSProxy": {
                "enable": mapping(sidecar.get("localDNSProxy")).get("enable") is True
            },
        },
        "traffic": {
            "interceptionMode": text(traffic.get("interceptionMode")),
            **{listed.key: _entries(traffic.get(listed.key), listed.holds) for listed in LISTS},
        },
    }


def _entries(value: object, holds: Holds) -> list[Any]:
    values = value if isinstance(value, list) else []
    kinds = (int, str) if holds == "ports" else (str,)
    return [one for one in values if isinstance(one, kinds) and not isinstance(one, bool)]
