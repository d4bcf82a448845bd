"""The injector's merge of a pod's lists with the mesh's.

Ports: the mesh's first, then the pod's. Ranges: the pod's first. The first occurrence is kept,
also within one list; values are compared as they are. Source: pkg/injector exclusions of FSM,
osm-edge and OSM, which agree in every recorded row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def merge_ports(pod: Iterable[int], mesh: Iterable[int]) -> tuple[int, ...]:
    """One port list of a pod: the mesh's ports, then its own."""
    return tuple(dict.fromkeys((*mesh, *pod)))


def merge_ranges(pod: Iterable[str], mesh: Iterable[str]) -> tuple[str, ...]:
    """One range list of a pod: its own ranges, then the mesh's."""
    return tuple(dict.fromkeys((*pod, *mesh)))
