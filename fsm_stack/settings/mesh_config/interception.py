"""How traffic reaches the sidecar: a closed choice for each system."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, WithJsonSchema

from fsm_stack.settings.mesh_config.refusal import refusal
from fsm_stack.settings.shown import shown
from fsm_stack.systems import system

# Every mode that some system has; which of them a stack may use depends on its system.
# Source: the enum in FSM's v1alpha3 CRD; requirement C21 for osm-edge. OSM has no such field.
MODES: Final = ("PodLevel", "NodeLevel", "iptables")


def _aside(mode: object) -> str:
    """What a mode that people try is, in a clause; empty for a typing error."""
    if isinstance(mode, str) and mode.casefold() == "ebpf":
        return "; eBPF interception is not a mode here"
    return ""


def parse_mode(value: object) -> str:
    """A mode of one of the systems.

    Raises:
        PydanticCustomError: ``unsupported-mode``, naming the modes and the likely right one.
    """
    if isinstance(value, str) and value in MODES:
        return value
    folded = value.casefold() if isinstance(value, str) else ""
    meant = next((mode for mode in MODES if mode.casefold() == folded), None)
    raise refusal(
        "unsupported-mode",
        f"FSM has PodLevel and NodeLevel, osm-edge has iptables, got {shown(value)}"
        f"{_aside(value)}",
        f"Write {meant}." if meant else "Write PodLevel (FSM) or iptables (osm-edge).",
    )


def check_mode(mode: str | None, system_name: str) -> str | None:
    """What is wrong with an interception mode in a system, with the right value; None if nothing.

    Args:
        mode: the setting ``traffic.interceptionMode``; None when the stack does not set it.
        system_name: ``fsm``, ``osm-edge`` or ``osm``.
    """
    known = system(system_name)
    if mode is None or mode in known.interception_modes:
        return None
    if not known.interception_modes:
        return (
            f"{known.title} has no interception modes, got {shown(mode)}; its init container "
            "always redirects: remove the setting"
        )
    first = known.interception_modes[0]
    modes = " and ".join(known.interception_modes)
    choice = modes if len(known.interception_modes) > 1 else f"only {modes}"
    return f"{known.title} has {choice}, got {shown(mode)}{_aside(mode)}; write {first}"


def effective_mode(mode: str | None, system_name: str) -> str | None:
    """The mode that counts: the setting, or the system's own default; None where it has none."""
    modes = system(system_name).interception_modes
    return mode or (modes[0] if modes else None)


InterceptionMode = Annotated[
    Literal["PodLevel", "NodeLevel", "iptables"],
    BeforeValidator(parse_mode),
    WithJsonSchema({"type": "string", "enum": list(MODES)}),
]
