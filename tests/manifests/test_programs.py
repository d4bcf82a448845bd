"""The programs beside the control plane: what the settings change in them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from fsm_stack.errors import FindingsError, InputError
from fsm_stack.manifests.bundle import bundle
from fsm_stack.manifests.manifest import Wave
from fsm_stack.manifests.release import ReleaseAsset
from fsm_stack.redirection.scopes import redirection
from tests.manifests.stacks import EVERYTHING, bundle_of, named, settings_of


def container(data: dict[str, Any], kind: str, name: str, container: str) -> dict[str, Any]:
    spec = named(data, kind, name).object["spec"]["template"]["spec"]
    [found] = [item for item in spec["containers"] if item["name"] == container]
    return dict(found)


def of_release(texts: dict[str, str]) -> ReleaseAsset:
    return ReleaseAsset(version="1.5.1", sha256="0" * 64, scripts=b"pipy", texts=texts)


def test_a_dashboard_is_the_releases_over_our_data_source_and_namespace() -> None:
    settings = settings_of(
        {"mesh": {"namespace": "mesh"}, "components": {"grafana": {"enabled": True}}}
    )
    text = '{"ds": "${DS_PROMETHEUS}", "in": "${CONTROL_PLANE_NAMESPACE}"}'
    wanted = "fsm-mesh-sidecar-details.json"
    names = [
        *("control-plane", "data-plane-performance", "mesh-sidecar-details", "pod-to-service"),
        *("service-to-service", "workload-to-service", "workload-to-workload"),
    ]
    asset = of_release({f"grafana/fsm-{name}.json": text for name in names})
    made = bundle(settings, redirection(settings), asset=asset)
    [found] = [m for m in made if m.name == "fsm-grafana-dashboard-definition-controlplane"]
    assert found.object["data"][wanted] == '{"ds": "Prometheus", "in": "mesh"}\n'


def test_a_dashboard_that_is_not_vendored_stops_the_bundle() -> None:
    settings = settings_of({"components": {"grafana": {"enabled": True}}})
    with pytest.raises(FindingsError) as caught:
        bundle(settings, redirection(settings), asset=of_release({}))
    [found] = caught.value.findings
    assert (found.id, found.message) == (
        "assets-missing",
        "grafana/fsm-pod-to-service.json of FSM 1.5.1 is not vendored; expected "
        "releases/1.5.1/grafana/fsm-pod-to-service.json",
    )


def test_what_others_declare_of_the_release_is_left_out() -> None:
    """With their ConfigMaps the programs are complete, as the controller is with its scripts."""
    data = EVERYTHING | {"releaseAssets": {"source": "existingConfigMap"}}
    left_out = {m.name for m in bundle_of(EVERYTHING)} - {m.name for m in bundle_of(data)}
    assert left_out == {
        "fsm-init-repo-scripts",
        "fsm-egress-gateway-pjs",
        "fsm-grafana-dashboard-definition-controlplane",
        "fsm-grafana-dashboard-definition-dataplane",
    }


def test_the_egress_gateways_script_has_the_stacks_ports() -> None:
    gateway = {"enabled": True, "mode": "sock5", "port": 2080, "adminPort": 6061}
    settings = settings_of({"egressGateway": gateway})
    text = (
        "listen({{ .Values.fsm.egressGateway.port }})\n"
        "admin({{ .Values.fsm.egressGateway.adminPort }})\n"
    )
    asset = of_release({"egress-gateway/sock5.js": text})
    made = bundle(settings, redirection(settings), asset=asset)
    [found] = [m for m in made if m.name == "fsm-egress-gateway-pjs"]
    assert found.object["data"] == {"egress-gateway.js": "listen(2080)\nadmin(6061)\n"}
    asset = of_release({"egress-gateway/sock5.js": "x({{ .Values.other }})"})
    with pytest.raises(InputError) as caught:
        bundle(settings, redirection(settings), asset=asset)
    assert str(caught.value) == (
        "egress-gateway/sock5.js: expected no other value of the chart, got {{ .Values.other }})"
    )


def test_credentials_of_fluent_bit_come_from_secrets() -> None:
    """The chart writes Azure's key into a ConfigMap."""
    shipper = container(EVERYTHING, "Deployment", "fsm-controller", "fluentbit-logger")
    secrets = {
        one["name"]: one["valueFrom"]["secretKeyRef"]
        for one in shipper["env"]
        if "secretKeyRef" in one["valueFrom"]
    }
    assert secrets == {
        "HTTP_PROXY": {"name": "proxy", "key": "HTTP_PROXY"},
        "HTTPS_PROXY": {"name": "proxy", "key": "HTTPS_PROXY"},
        "AZURE_SHARED_KEY": {"name": "azure", "key": "key"},
    }
    conf = named(EVERYTHING, "ConfigMap", "fluentbit-configmap").object["data"]["fluent-bit.conf"]
    assert "    Customer_ID w\n    Shared_Key ${AZURE_SHARED_KEY}\n" in conf


def test_jaeger_listens_where_sidecars_send() -> None:
    jaeger = {"components": {"jaeger": {"enabled": True}}}
    for data, port in (
        (jaeger, 9411),
        (jaeger | {"observability": {"tracing": {"enable": True, "port": 9500}}}, 9500),
        ({"components": {"jaeger": {"enabled": True, "port": 9600}}}, 9600),
    ):
        program = container(data, "Deployment", "fsm-jaeger", "jaeger")
        assert program["args"] == [f"--collector.zipkin.host-port={port}"]
        assert program["ports"] == [{"containerPort": port}]
        [exposed] = named(data, "Service", "jaeger").object["spec"]["ports"]
        assert exposed["port"] == port


@pytest.mark.parametrize(
    ("ingress", "names"),
    [
        ({"enabled": False}, set()),
        ({"enabled": True}, {"IngressClass", "Service", "Deployment"}),
        ({"enabled": True, "namespaced": True}, {"IngressClass"}),
    ],
)
def test_single_namespaces_ingresses_are_the_controllers(
    ingress: dict[str, Any], names: set[str]
) -> None:
    """A NamespacedIngress makes its own; the class is one for all."""
    more = {item.key for item in bundle_of({"ingress": ingress})} - {
        item.key for item in bundle_of({})
    }
    assert {kind for kind, _, _ in more} == names


def test_an_ingress_that_serves_tls_alone_is_asked_there() -> None:
    data = {"ingress": {"enabled": True, "http": {"enabled": False}, "tls": {"enabled": True}}}
    program = container(data, "Deployment", "fsm-ingress", "ingress")
    assert program["readinessProbe"]["tcpSocket"] == {"port": 8443}
    assert [port["name"] for port in program["ports"]] == ["https", "health"]


@pytest.mark.parametrize(
    ("kubernetes", "paths", "plugins"),
    [
        ("1.34", {}, "/var/lib/rancher/k3s/data/cni"),
        ("1.28", {}, "/bin"),
        ("1.34", {"k3s": {"enable": False}}, "/bin"),
        ("1.34", {"k8s": {"enable": True}}, "/opt/cni/bin"),
        ("1.34", {"k8s": {"enable": True, "cniBin": "/a"}}, "/a"),
    ],
)
def test_where_the_node_has_its_network_plugins(
    kubernetes: str, paths: dict[str, Any], plugins: str
) -> None:
    data = {
        "cluster": {"kubernetesVersion": kubernetes},
        "traffic": {"interceptionMode": "NodeLevel"},
        "components": {"xnetwork": {"xnet": {"nodePaths": paths}}},
    }
    engine = container(data, "DaemonSet", "fsm-xnetwork", "fsm-xnet")
    at = engine["args"].index("--node-path-cni-bin")
    assert engine["args"][at + 1] == plugins
    volumes = named(data, "DaemonSet", "fsm-xnetwork").object["spec"]["template"]["spec"][
        "volumes"
    ]
    assert volumes[0] == {"name": "host-cni-bin", "hostPath": {"path": plugins}}


def test_a_bridge_of_the_network_plugin_is_named_with_its_own_address() -> None:
    """Upstream's chart gives Calico's bridge for IPv6 the address of the one for IPv4."""
    calico = {
        "enable": True,
        "bridge4": {"enable": True},
        "bridge6": {"enable": True, "mac": "02:00:00:00:00:06"},
    }
    data = {
        "traffic": {"interceptionMode": "NodeLevel"},
        "components": {"xnetwork": {"xnet": {"cnis": {"calicoVxlan": calico}}}},
    }
    arguments = container(data, "DaemonSet", "fsm-xnetwork", "fsm-xnet")["args"]
    assert arguments[-8:] == [
        *("--cni-ipv4-bridge-name", "vxlan.calico"),
        *("--cni-ipv6-bridge-name", "vxlan-v6.calico"),
        *("--cni-ipv4-bridge-mac", "ee:ee:ee:ee:ee:ee"),
        *("--cni-ipv6-bridge-mac", "02:00:00:00:00:06"),
    ]


def test_programs_start_after_the_webhooks_and_their_accounts() -> None:
    waves = {item.slug: item.wave for item in bundle_of(EVERYTHING)}
    for slug in (
        *("deployment-fsm-ingress", "deployment-fsm-egress-gateway", "daemonset-fsm-xnetwork"),
        *("deployment-fsm-prometheus", "deployment-fsm-grafana", "deployment-fsm-jaeger"),
    ):
        assert waves[slug] is Wave.CONTROL_PLANE
    for slug in ("ingressclass-pipy", "serviceaccount-jaeger", "configmap-fluentbit-configmap"):
        assert waves[slug] is Wave.FOUNDATION


@pytest.mark.parametrize(
    ("provider", "named_as"),
    [
        (
            {},
            {
                "tresor": {
                    "ca": {"secretRef": {"name": "fsm-ca-bundle", "namespace": "fsm-system"}}
                }
            },
        ),
        (
            {"kind": "cert-manager"},
            {
                "certManager": {
                    "issuerName": "fsm-ca",
                    "issuerKind": "Issuer",
                    "issuerGroup": "cert-manager.io",
                }
            },
        ),
        (
            {"kind": "vault", "vault": {"host": "v", "tokenSecret": {"name": "n", "key": "k"}}},
            {
                "vault": {
                    "token": {
                        "secretKeyRef": {"name": "n", "key": "k", "namespace": "fsm-system"}
                    },
                    "host": "v",
                    "role": "flomesh",
                    "protocol": "https",
                    "port": 8200,
                }
            },
        ),
    ],
)
def test_a_mesh_root_certificate_names_the_issuer(
    provider: dict[str, Any], named_as: dict[str, Any]
) -> None:
    data = {"certificateProvider": provider | {"meshRootCertificate": True}}
    preset = named(data, "ConfigMap", "preset-mesh-root-certificate").object["data"]
    assert json.loads(preset["preset-mesh-root-certificate.json"]) == {
        "trustDomain": "cluster.local",
        "provider": named_as,
    }
    for program in ("fsm-bootstrap", "fsm-controller", "fsm-injector"):
        found = container(data, "Deployment", program, program)
        assert "--enable-mesh-root-certificate=true" in found["args"]


def test_grafana_listens_on_the_port_that_it_is_asked_at() -> None:
    """The chart exposes another port, and Grafana goes on listening on 3000."""

    def ini(**grafana: Any) -> str:
        data = {"components": {"grafana": {"enabled": True, **grafana}}}
        return str(named(data, "ConfigMap", "fsm-grafana-config").object["data"]["grafana.ini"])

    assert ini(port=3100).startswith("[server]\nhttp_port = 3100\n[analytics]\n")
    assert "[server]" not in ini()


def relabeled(labels: dict[str, str], rules: list[dict[str, Any]]) -> dict[str, str] | None:
    """What Prometheus makes of labels; None: it does not keep what has them.

    Source: Prometheus' documentation of relabel_config.
    """
    labels = dict(labels)
    for rule in rules:
        value = ";".join(labels.get(name, "") for name in rule.get("source_labels", []))
        action, pattern = rule.get("action", "replace"), str(rule.get("regex", "(.*)"))
        template = re.sub(r"\$\{?(\d)\}?", r"\\\1", rule.get("replacement", "$1"))
        match = re.fullmatch("true" if pattern == "True" else pattern, value)
        if action == "replace" and match:
            labels[rule["target_label"]] = match.expand(template)
        elif action == "labelmap":
            named = [(re.fullmatch(pattern, name), held) for name, held in labels.items()]
            labels |= {found.expand(template): held for found, held in named if found}
        elif (action, bool(match)) in {("keep", False), ("drop", True)}:
            return None
    return labels


def scrape(job: str, rules: str, labels: dict[str, str]) -> dict[str, str] | None:
    conf = named(EVERYTHING, "ConfigMap", "fsm-prometheus-server-conf").object["data"]
    [found] = [
        one
        for one in yaml.safe_load(conf["prometheus.yml"])["scrape_configs"]
        if one["job_name"] == job
    ]
    return relabeled(labels, found[rules])


POD = {
    "__address__": "10.1.2.3:8080",
    "__metrics_path__": "/metrics",
    "__meta_kubernetes_namespace": "shop",
    "__meta_kubernetes_pod_name": "web-5d8f-x2x",
    "__meta_kubernetes_pod_label_app": "web",
    "__meta_kubernetes_pod_controller_kind": "ReplicaSet",
    "__meta_kubernetes_pod_controller_name": "web-5d8f",
    "__meta_kubernetes_pod_annotation_prometheus_io_scrape": "true",
    "__meta_kubernetes_pod_annotation_prometheus_io_port": "15010",
    "__meta_kubernetes_pod_annotation_prometheus_io_path": "/stats/prometheus",
}


@pytest.mark.parametrize("job", ["kubernetes-pods", "smi-metrics"])
def test_pods_are_scraped_where_their_annotations_say(job: str) -> None:
    found = scrape(job, "relabel_configs", POD)
    assert found is not None
    assert (found["__address__"], found["__metrics_path__"]) == (
        "10.1.2.3:15010",
        "/stats/prometheus",
    )
    unasked = POD | {"__meta_kubernetes_pod_annotation_prometheus_io_scrape": "false"}
    assert scrape(job, "relabel_configs", unasked) is None


def test_metrics_of_a_pod_name_its_workload() -> None:
    """The Deployment, not the ReplicaSet between; a StatefulSet as it is."""
    stateful = POD | {
        "__meta_kubernetes_pod_controller_kind": "StatefulSet",
        "__meta_kubernetes_pod_controller_name": "db-main",
    }
    for labels, kind, name in ((POD, "Deployment", "web"), (stateful, "StatefulSet", "db-main")):
        found = scrape("kubernetes-pods", "relabel_configs", labels)
        assert found is not None
        kept = {key: value for key, value in found.items() if not key.startswith("__")}
        assert kept == {
            "source_namespace": "shop",
            "source_pod_name": "web-5d8f-x2x",
            "source_service": "web",
            "source_workload_kind": kind,
            "source_workload_name": name,
        }


@pytest.mark.parametrize(
    ("job", "path"), [("kubernetes-nodes", "metrics"), ("kubernetes-cadvisor", "metrics/cadvisor")]
)
def test_nodes_are_asked_by_way_of_the_api_server(job: str, path: str) -> None:
    """No node has to be reached from the pod."""
    node = {"__meta_kubernetes_node_name": "n1", "__meta_kubernetes_node_label_zone": "a"}
    found = scrape(job, "relabel_configs", node)
    assert found == node | {
        "zone": "a",
        "__address__": "kubernetes.default.svc:443",
        "__metrics_path__": f"/api/v1/nodes/n1/proxy/{path}",
    }


def test_labels_of_requests_are_taken_out_of_a_metrics_name() -> None:
    """A sidecar has no labels of its own: who asked whom is in the name.

    Of durations the name alone is left: the chart's patterns for their labels lack the prefix
    that its own filter asks for.
    """
    ends = {
        "source_namespace": "shop",
        "source_kind": "Deployment",
        "source_name": "web",
        "source_pod": "web-1",
        "destination_namespace": "bank",
        "destination_kind": "StatefulSet",
        "destination_name": "db",
        "destination_pod": "db-0",
    }
    middle = "_".join(f"{key}_{value}" for key, value in ends.items())
    for name, labels in (
        (
            f"sidecar_response_code_503_{middle}_fsm_request_total",
            {"__name__": "fsm_request_total", "response_code": "503"} | ends,
        ),
        (
            f"sidecar_{middle}_fsm_request_duration_ms_bucket",
            {"__name__": "fsm_request_duration_ms_bucket"},
        ),
        ("sidecar_server_live", None),
    ):
        found = scrape("smi-metrics", "metric_relabel_configs", {"__name__": name})
        assert found == labels


@pytest.mark.parametrize(
    ("job", "kept", "dropped"),
    [
        ("kubernetes-apiservers", "apiserver_watch_events_total", "apiserver_request_total"),
        ("kubernetes-pods", "sidecar_cluster_upstream_cx_active", "go_goroutines"),
        ("kubernetes-pods", "fsm_proxy_connect_count", "process_cpu_seconds_total"),
        ("kubernetes-cadvisor", "container_memory_rss", "container_fs_reads_total"),
    ],
)
def test_of_all_metrics_those_of_the_mesh_are_kept(job: str, kept: str, dropped: str) -> None:
    assert scrape(job, "metric_relabel_configs", {"__name__": kept}) == {"__name__": kept}
    assert scrape(job, "metric_relabel_configs", {"__name__": dropped}) is None
