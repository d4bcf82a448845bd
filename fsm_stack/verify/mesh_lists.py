"""A MeshConfig judged by itself: its lists by the checks of stack files, and keys nobody reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.lists import KEYS
from fsm_stack.settings.problems import nearest
from fsm_stack.settings.stack_file import load_mapping
from fsm_stack.snapshot.shape import mapping
from fsm_stack.verify.redirecting import deciding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from fsm_stack.findings.finding import Finding
    from fsm_stack.systems import System

Json = dict[str, Any]

TRAFFIC: Final = "spec.traffic"
# What decides a pod's script, and the one place where the injectors read it.
_PLACES: Final = {
    **{key: f"{TRAFFIC}.{key}" for key in KEYS},
    "interceptionMode": f"{TRAFFIC}.interceptionMode",
    "localProxyMode": "spec.sidecar.localProxyMode",
    "localDNSProxy": "spec.sidecar.localDNSProxy",
}
_LIST: Final = "list"
# It asks for the cluster's own ranges, which no MeshConfig says.
_NOT_TOLD: Final = "excludes-mesh-traffic"


def list_findings(system: System, spec: object, today: date) -> tuple[Finding, ...]:
    """What the checks of stack files say of a MeshConfig's lists, each at its path.

    Args:
        system: whose MeshConfig.
        spec: its ``spec``, of any origin.
        today: for the checks.
    """
    traffic = {key: value for key, value in deciding(spec)["traffic"].items() if value}
    loaded = load_mapping({"system": system.name, "traffic": traffic}, name="", today=today)
    return tuple(
        item.at(file=None, line=None, column=None, path=f"spec.{item.place.path}")
        for item in loaded.findings
        if item.place.path.startswith("traffic.") and item.id != _NOT_TOLD
    )


def strays(spec: object) -> Iterator[tuple[str, str, object]]:
    """Keys that would decide a script if they stood, or were spelt, as an injector reads them.

    Yields:
        The path of such a key, the path that is read, and the value that nobody reads.
    """
    sections: list[tuple[str, Json]] = [("spec", mapping(spec))]
    for where, section in sections:  # it grows
        for key, value in section.items():
            path = f"{where}.{key}"
            right = _PLACES.get(key)
            if right is None and key.lower().endswith(_LIST):
                meant = nearest(key, list(KEYS))
                right = _PLACES[meant] if meant else None
            if right is not None and path != right:
                yield path, right, value
            elif isinstance(value, dict):
                sections.append((path, value))
