"""Grafana beside the control plane, with the release's dashboards.

Source: flomesh-io/fsm charts/fsm/templates grafana-*.yaml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.manifests.manifest import Manifest, metadata
from fsm_stack.manifests.pods import (
    as_no_one,
    platform_affinity,
    scheduling,
)
from fsm_stack.manifests.programs.beside import (
    fixed_resources,
    observing,
    other_image,
    other_program,
    without_rights,
)
from fsm_stack.manifests.programs.prometheus import NAME as PROMETHEUS
from fsm_stack.manifests.release import DASHBOARDS, release_text
from fsm_stack.yaml.write import dump

if TYPE_CHECKING:
    from fsm_stack.manifests.release import ReleaseAsset
    from fsm_stack.settings.models.stack import StackSettings

_GRAFANA: Final = "fsm-grafana"
_USUAL_PORT: Final = 3000
_RENDERER_PORT: Final = 8081

_PROVISIONING: Final = "/etc/grafana/provisioning"
_DEFINITIONS: Final = f"{_GRAFANA}-dashboard-definition"

_TITLES: Final = {"dataplane": "FSM Data Plane", "controlplane": "FSM Control Plane"}


def _grafana_ini(port: int) -> str:
    """Grafana's configuration; it listens on its usual port unless it is told another."""
    sections = {
        **({} if port == _USUAL_PORT else {"server": {"http_port": str(port)}}),
        "analytics": {"check_for_updates": "true"},
        "grafana_net": {"url": "https://grafana.net"},
        "log": {"mode": "console"},
        "paths": {
            "data": "/var/lib/grafana/data",
            "logs": "/var/log/grafana",
            "plugins": "/var/lib/grafana/plugins",
            "provisioning": _PROVISIONING,
        },
    }
    return "".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
        for name, values in sections.items()
    )


def _data_sources(settings: StackSettings) -> str:
    port = settings.components.prometheus.port
    source = {
        "name": "Prometheus",
        "type": "prometheus",
        "access": "proxy",
        "orgId": 1,
        "url": f"http://{PROMETHEUS}.{settings.namespace}.svc:{port}",
        "version": 1,
        "editable": True,
    }
    deleted = [{"name": "Prometheus", "orgId": 1}]
    return dump({"apiVersion": 1, "deleteDatasources": deleted, "datasources": [source]})


def _providers() -> str:
    return dump(
        {
            "apiVersion": 1,
            "providers": [
                {
                    "name": _TITLES[folder],
                    "orgId": 1,
                    "folder": _TITLES[folder],
                    "type": "file",
                    "disableDeletion": False,
                    "editable": True,
                    "updateIntervalSeconds": 10,
                    "options": {"path": f"{_PROVISIONING}/dashboards/{folder}"},
                }
                for folder in DASHBOARDS
            ],
        }
    )


def _dashboard(text: str, namespace: str) -> str:
    """A dashboard of the release, over our data source and namespace."""
    filled = text.replace("${DS_PROMETHEUS}", "Prometheus")
    return filled.replace("${CONTROL_PLANE_NAMESPACE}", namespace).rstrip("\n") + "\n"


def _grafana_config_maps(
    settings: StackSettings, asset: ReleaseAsset | None
) -> list[dict[str, Any]]:
    def config_map(name: str, data: dict[str, str]) -> dict[str, Any]:
        about = metadata(settings, name, app=_GRAFANA)
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": data}

    ini = _grafana_ini(settings.components.grafana.port)
    ours = [
        config_map(f"{_GRAFANA}-config", {"grafana.ini": ini}),
        config_map(f"{_GRAFANA}-datasources", {"prometheus.yaml": _data_sources(settings)}),
        config_map(f"{_GRAFANA}-dashboards", {"dashboards.yaml": _providers()}),
    ]
    if settings.release_assets.source != "vendored":
        return ours
    theirs = [
        config_map(
            f"{_DEFINITIONS}-{folder}",
            {
                key: _dashboard(release_text(settings, asset, file), settings.namespace)
                for key, file in files.items()
            },
        )
        for folder, files in DASHBOARDS.items()
    ]
    return [*ours, *theirs]


def _renderer(settings: StackSettings) -> dict[str, Any]:
    variables = {
        "ENABLE_METRICS": "true",
        "RENDERING_MODE": "clustered",
        "RENDERING_CLUSTERING_MODE": "context",
        "RENDERING_CLUSTERING_MAX_CONCURRENCY": "5",
    }
    return {
        "name": "renderer",
        **other_image(settings, "grafana_renderer"),
        "resources": fixed_resources("1", "256M", "100m", "64M"),
        "ports": [{"containerPort": _RENDERER_PORT}],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
    }


def _grafana_deployment(settings: StackSettings) -> dict[str, Any]:
    wanted = settings.components.grafana
    folders = {
        f"{_GRAFANA}-datasources": "datasources",
        f"{_GRAFANA}-dashboards": "dashboards",
        **{f"{_DEFINITIONS}-{folder}": f"dashboards/{folder}" for folder in DASHBOARDS},
    }
    rendering = {
        "GF_RENDERING_SERVER_URL": f"http://{_GRAFANA}:{_RENDERER_PORT}/render",
        "GF_RENDERING_CALLBACK_URL": f"http://{_GRAFANA}:{wanted.port}/",
        "GF_LOG_FILTERS": "rendering:debug",
    }
    env = [{"name": name, "value": value} for name, value in rendering.items()]
    container = {
        "name": "grafana",
        **other_image(settings, "grafana"),
        "resources": fixed_resources("500m", "128M", "100m", "64M"),
        "volumeMounts": [
            {
                "name": f"{_GRAFANA}-config",
                "mountPath": "/etc/grafana/grafana.ini",
                "subPath": "grafana.ini",
            },
            {"name": f"{_GRAFANA}-storage", "mountPath": "/var/lib/grafana"},
            *(
                {"name": name, "mountPath": f"{_PROVISIONING}/{folder}", "readOnly": True}
                for name, folder in folders.items()
            ),
        ],
        "ports": [{"containerPort": wanted.port}],
        **({"env": env} if wanted.remote_rendering else {}),
    }
    volumes = [
        {"name": name, "configMap": {"name": name}} for name in (f"{_GRAFANA}-config", *folders)
    ]
    pod = {
        **as_no_one(settings),
        "serviceAccountName": _GRAFANA,
        "containers": [container, *([_renderer(settings)] if wanted.remote_rendering else [])],
        "volumes": [*volumes, {"name": f"{_GRAFANA}-storage", "emptyDir": {}}],
        **scheduling(wanted, platform_affinity("amd64", "arm64", "arm", "ppc64le", "s390x"), []),
    }
    about = metadata(settings, _GRAFANA, app=_GRAFANA)
    return other_program(settings, about, _GRAFANA, pod, strategy={"type": "RollingUpdate"})


def grafana(settings: StackSettings, asset: ReleaseAsset | None) -> tuple[Manifest, ...]:
    """Grafana with FSM's dashboards, where the stack runs it.

    Raises:
        FindingsError: ``assets-missing``.
    """
    wanted = settings.components.grafana
    if not wanted.enabled:
        return ()
    ports = [{"name": "grafana-dashboard", "port": wanted.port, "targetPort": wanted.port}]
    if wanted.remote_rendering:
        ports.append(
            {"name": "grafana-renderer", "port": _RENDERER_PORT, "targetPort": _RENDERER_PORT}
        )
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(settings, _GRAFANA, app=_GRAFANA),
        "spec": {"ports": ports, "selector": {"app": _GRAFANA}},
    }
    foundation = [
        *without_rights(settings, _GRAFANA, _GRAFANA),
        *_grafana_config_maps(settings, asset),
        service,
    ]
    return observing(foundation, [_grafana_deployment(settings)])
