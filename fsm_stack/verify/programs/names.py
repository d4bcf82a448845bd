"""What the programs of every known control plane are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fsm_stack.systems import SYSTEMS

if TYPE_CHECKING:
    from fsm_stack.systems import System


def programs_of(system: System) -> tuple[str, str, str]:
    """A system's Deployments, in the order in which one needs the other."""
    return (system.bootstrap_name, system.controller_name, system.injector_name)


PROGRAMS: Final = frozenset(name for known in SYSTEMS.values() for name in programs_of(known))
# The label by which a chart's Deployments select their pods. Source: the three charts.
APP_LABEL: Final = "app"
# The label of every object of an installation. Source: the charts' common labels.
NAME_LABEL: Final = "app.kubernetes.io/name"
PRODUCTS: Final = tuple(
    sorted({known.annotation_prefix for known in SYSTEMS.values()})  # flomesh.io and OSM's
)
