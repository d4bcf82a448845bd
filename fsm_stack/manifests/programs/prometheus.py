"""Prometheus beside the control plane: what it scrapes, its pod, its rights.

Source: flomesh-io/fsm charts/fsm/templates prometheus-*.yaml; Prometheus' documentation of
``kubernetes_sd_configs`` and ``relabel_configs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fsm_stack.manifests.manifest import metadata
from fsm_stack.manifests.pods import (
    as_no_one,
    platform_affinity,
    resources,
    scheduling,
)
from fsm_stack.manifests.programs.beside import observing, other_image, other_program
from fsm_stack.manifests.rbac import READ, account, cluster_binding, on, role, wide_name
from fsm_stack.yaml.write import dump

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_stack.manifests.manifest import Manifest
    from fsm_stack.settings.models.stack import StackSettings

NAME: Final = "fsm-prometheus"
_CONFIG: Final = "fsm-prometheus-server-conf"
_PLATFORMS: Final = ("amd64", "arm64", "arm", "ppc64le", "s390x")

Rules = list[dict[str, Any]]

# The account that Kubernetes mounts into every pod.
_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"

# What Prometheus keeps of the control plane and of sidecars.
_OF_API_SERVER: Final = (
    "apiserver_watch_events_total",
    "apiserver_admission_webhook_rejection_count",
)
_OF_UPSTREAMS: Final = (
    "rq_xx",
    "cx_active",
    "cx_tx_bytes_total",
    "cx_rx_bytes_total",
    "rq_total",
    "cx_destroy_remote_with_active_rq",
    "cx_connect_timeout",
    "cx_destroy_local_with_active_rq",
    "rq_pending_failure_eject",
    "rq_pending_overflow",
    "rq_timeout",
    "rq_rx_reset",
)
_OF_PODS: Final = (
    "sidecar_server_live",
    "sidecar_cluster_health_check_.*",
    *(f"sidecar_cluster_upstream_{name}" for name in _OF_UPSTREAMS),
    "socks_active_connection",
    "socks_total_connection",
    "socks_send_bytes_total",
    "socks_receive_bytes_total",
    "^fsm.*",
)
_OF_CONTAINERS: Final = ("container_cpu_usage_seconds_total", "container_memory_rss")

# A sidecar puts the labels of a request into the metric's name, in this order.
_ENDS: Final = tuple(
    f"{side}_{what}"
    for side in ("source", "destination")
    for what in ("namespace", "kind", "name", "pod")
)
_REQUESTS: Final = "fsm_request_total"
_DURATIONS: Final = "fsm_request_duration_ms_(bucket|sum|count)"


def _keep(*names: str) -> dict[str, Any]:
    """Of all metrics only these."""
    return {"source_labels": ["__name__"], "regex": f"({'|'.join(names)})", "action": "keep"}


def _take(target: str, *sources: str, **more: str) -> dict[str, Any]:
    """A label made of others."""
    return {"source_labels": list(sources), "action": "replace", **more, "target_label": target}


def _over_tls(**more: bool) -> dict[str, Any]:
    """With the pod's own account."""
    return {
        "scheme": "https",
        "tls_config": {"ca_file": f"{_ACCOUNT}/ca.crt", **more},
        "bearer_token_file": f"{_ACCOUNT}/token",
    }


def _job(name: str, role: str, **more: object) -> dict[str, Any]:
    return {"job_name": name, "kubernetes_sd_configs": [{"role": role}], **more}


def _of_nodes(path: str) -> Rules:
    """Every node by way of the API server, so that no node has to be reached."""
    return [
        {"action": "labelmap", "regex": "__meta_kubernetes_node_label_(.+)"},
        {"target_label": "__address__", "replacement": "kubernetes.default.svc:443"},
        {
            "source_labels": ["__meta_kubernetes_node_name"],
            "regex": "(.+)",
            "target_label": "__metrics_path__",
            "replacement": f"/api/v1/nodes/${{1}}/proxy/{path}",
        },
    ]


def _annotated() -> Rules:
    """Pods whose annotations ask for it, at the port and path that those name."""
    pod = "__meta_kubernetes_pod_annotation_prometheus_io"
    port = f"{pod}_port"
    address = {"regex": r"([^:]+)(?::\d+)?;(\d+)", "replacement": "$1:$2"}
    return [
        {"source_labels": [f"{pod}_scrape"], "action": "keep", "regex": True},
        _take("__metrics_path__", f"{pod}_path", regex="(.+)"),
        _take("__address__", "__address__", port, **address),
    ]


def _workload() -> Rules:
    """Pod and workload as labels; a ReplicaSet's workload is its Deployment."""
    pod = "__meta_kubernetes_pod"
    kind, name = f"{pod}_controller_kind", f"{pod}_controller_name"
    dropped = (f"{pod}_label_{label}" for label in ("fsm_sidecar_uid", "pod_template_hash"))
    return [
        _take("source_namespace", "__meta_kubernetes_namespace"),
        _take("source_pod_name", f"{pod}_name"),
        {"regex": f"({pod}_label_app)", "action": "labelmap", "replacement": "source_service"},
        {"regex": f"({'|'.join((*dropped, f'{pod}_label_version'))})", "action": "drop"},
        _take("source_workload_kind", kind),
        _take("source_workload_name", name),
        _take("source_workload_kind", kind, regex="^ReplicaSet$", replacement="Deployment"),
        _take("source_workload_name", kind, name, regex=r"^ReplicaSet;(.*)-[^-]+$"),
    ]


def _labels(front: str, ends: tuple[str, ...], metric: str) -> Iterator[dict[str, Any]]:
    """One rule for each label that is taken out of a metric's name."""
    for label in ends:
        parts = "_".join(f"{end}_(.*)" if end == label else f"{end}_.*" for end in _ENDS)
        yield _take(label, "__name__", regex=f"{front}{parts}_{metric}")


def _out_of_names() -> Rules:
    """The labels of requests, out of the names of a sidecar's metrics."""
    any_ends = "_".join(f"{end}_.*" for end in _ENDS)
    code = "sidecar_response_code_"
    return [
        {
            "source_labels": ["__name__"],
            "regex": "sidecar_.*fsm_request_(total|duration_ms_(bucket|count|sum))",
            "action": "keep",
        },
        _take("response_code", "__name__", regex=rf"{code}(\d{{3}})_{any_ends}_{_REQUESTS}"),
        *_labels(rf"{code}\d{{3}}_", _ENDS, _REQUESTS),
        _take("__name__", "__name__", regex=f".*({_REQUESTS})"),
        *_labels("", _ENDS[4:], _DURATIONS),
        _take("__name__", "__name__", regex=f".*({_DURATIONS})"),
    ]


def scraping() -> dict[str, Any]:
    """Prometheus' configuration: API server, nodes, containers, and pods that ask for it."""
    endpoint = [
        f"__meta_kubernetes_{name}" for name in ("namespace", "service_name", "endpoint_port_name")
    ]
    server = {
        "source_labels": endpoint,
        "action": "keep",
        "regex": "default;kubernetes;https",
    }
    return {
        "global": {
            "scrape_interval": "10s",
            "scrape_timeout": "10s",
            "evaluation_interval": "1m",
        },
        "scrape_configs": [
            _job(
                "kubernetes-apiservers",
                "endpoints",
                # The certificate is not for the endpoint's address.
                **_over_tls(insecure_skip_verify=True),
                metric_relabel_configs=[_keep(*_OF_API_SERVER)],
                relabel_configs=[server],
            ),
            _job("kubernetes-nodes", "node", **_over_tls(), relabel_configs=_of_nodes("metrics")),
            _job(
                "kubernetes-pods",
                "pod",
                metric_relabel_configs=[_keep(*_OF_PODS)],
                relabel_configs=[*_annotated(), *_workload()],
            ),
            _job(
                "smi-metrics",
                "pod",
                relabel_configs=_annotated(),
                metric_relabel_configs=_out_of_names(),
            ),
            _job(
                "kubernetes-cadvisor",
                "node",
                **_over_tls(),
                metric_relabel_configs=[_keep(*_OF_CONTAINERS)],
                relabel_configs=_of_nodes("metrics/cadvisor"),
            ),
        ],
    }


def _deployment(settings: StackSettings) -> dict[str, Any]:
    wanted = settings.components.prometheus
    container = {
        "name": "prometheus",
        **other_image(settings, "prometheus"),
        "ports": [{"containerPort": wanted.port}],
        "args": [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus/",
            f"--storage.tsdb.retention.time={wanted.retention}",
            f"--web.listen-address=:{wanted.port}",
        ],
        "resources": resources(wanted.resources),
        "volumeMounts": [
            {"mountPath": "/etc/prometheus/", "name": "prometheus-config-volume"},
            {"mountPath": "/prometheus/", "name": "prometheus-storage-volume"},
        ],
    }
    volumes = [
        {
            "name": "prometheus-config-volume",
            "configMap": {"defaultMode": 0o644, "name": _CONFIG},
        },
        {"name": "prometheus-storage-volume", "emptyDir": {}},
    ]
    pod = {
        **as_no_one(settings),
        "serviceAccountName": NAME,
        "containers": [container],
        "volumes": volumes,
        **scheduling(wanted, platform_affinity(*_PLATFORMS), []),
    }
    about = metadata(settings, NAME)
    return other_program(settings, about, NAME, pod, strategy={"type": "Recreate"})


def prometheus(settings: StackSettings) -> tuple[Manifest, ...]:
    """Prometheus, where the stack runs it: its storage lives as long as its pod."""
    wanted = settings.components.prometheus
    if not wanted.enabled:
        return ()
    config, service = metadata(settings, _CONFIG), metadata(settings, NAME)
    wide = wide_name(settings, NAME)
    config["labels"]["name"] = _CONFIG
    service["annotations"] = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(wanted.port),
    }
    port = {"port": wanted.port, "protocol": "TCP", "targetPort": wanted.port}
    rules = (
        on(
            "",
            "nodes nodes/proxy nodes/metrics services endpoints pods ingresses configmaps",
            READ,
        ),
        on("extensions", "ingresses ingresses/status", READ),
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
    )
    foundation = [
        account(settings, NAME),
        role(settings, "ClusterRole", wide, rules),
        cluster_binding(settings, wide, wide, account_name=NAME),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": config,
            "data": {"prometheus.yml": dump(scraping())},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": service,
            "spec": {"ports": [port], "selector": {"app": NAME}},
        },
    ]
    return observing(foundation, [_deployment(settings)])
