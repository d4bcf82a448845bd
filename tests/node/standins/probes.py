"""What the injector's Secret tells a sidecar of the pod's probes.

OSM's Envoy knows every container's by path. Pipy knows one of each kind, the first container's:
it asks the application for an HTTP probe, the helper for an HTTPS one, and does not listen for
any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsm_stack.injector.probes import KINDS, port_of

if TYPE_CHECKING:
    from fsm_stack.injector.mesh import MeshView

Json = dict[str, Any]


def bootstrap_configuration(pod: Json, mesh: MeshView) -> Json:
    """The content of the Secret."""
    containers = pod["spec"].get("containers", ())
    if mesh.profile.probes == "path":
        return _by_path(containers, mesh.system.name)
    return {"listeners": dict(_first_of_each_kind(containers))}


def _by_path(containers: list[Json], system: str) -> Json:
    paths: Json = {}
    secure: dict[str, int] = {}
    for container in containers:
        for field, kind, listener in KINDS:
            probe = (container.get(field) or {}).get("httpGet")
            if not probe:
                continue
            port = port_of(probe.get("port"), container)
            if probe.get("scheme") == "HTTPS":
                secure[str(listener)] = port
            else:
                path = f"/{system}-{kind}-probe/{container['name']}"
                paths[path] = {"listener": listener, "port": port, "path": probe.get("path", "/")}
    return {"paths": paths, "secure": secure}


def _first_of_each_kind(containers: list[Json]) -> list[tuple[str, Json]]:
    found = []
    for field, _, listener in KINDS:
        probed = [one for one in containers if one.get(field)]
        http = probed[0][field].get("httpGet") if probed else None
        if http is None:
            continue
        if http.get("scheme") == "HTTPS":
            found.append((str(listener), {"ask": "helper"}))
        else:
            port = port_of(http.get("port"), probed[0])
            application = {"ask": "application", "port": port, "path": http.get("path", "/")}
            found.append((str(listener), application))
    return found
