"""What a stack redirects, in a few lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fsm_stack.lists import InterceptLists

_SHOWN = 4


def listed(values: Sequence[object]) -> str:
    """A few values, and how many more there are."""
    shown = ", ".join(str(value) for value in values[:_SHOWN])
    more = len(values) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def summary_lines(
    lists: InterceptLists, profiles: Mapping[str, Mapping[str, str]]
) -> tuple[str, ...]:
    """Lines that say what goes through the sidecar and what does not.

    Args:
        lists: the mesh-wide lists, as the script generator gets them.
        profiles: each profile's annotations.
    """
    outbound = []
    if lists.excluded_ranges:
        outbound.append(f"to {listed(lists.excluded_ranges)}")
    if lists.outbound_ports:
        outbound.append(f"to port {listed(lists.outbound_ports)}")
    if lists.interfaces:
        outbound.append(f"over {listed(lists.interfaces)}")
    inbound = []
    if lists.inbound_ports:
        inbound.append(f"to port {listed(lists.inbound_ports)}")
    if lists.interfaces:
        inbound.append(f"over {listed(lists.interfaces)}")
    whole = "all TCP"
    if lists.included_ranges:
        whole = f"TCP to {listed(lists.included_ranges)}"
    lines = [
        f"outbound: {whole}{_except(outbound)} goes through the sidecar",
        f"inbound:  all TCP{_except(inbound)} goes through the sidecar",
    ]
    for name, carries in profiles.items():
        carried = "; ".join(
            f"{key.partition('/')[2].removesuffix('-list')} {value}"
            for key, value in carries.items()
        )
        lines.append(f"profile {name}: {carried or 'nothing of its own'}")
    return tuple(lines)


def _except(parts: Sequence[str]) -> str:
    return f" except {', '.join(parts)}" if parts else ""
