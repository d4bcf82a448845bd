"""Connections of which everything is known, and logs of them in every format."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fsm_stack.iptables.sets.ranges import dotted
from fsm_stack.settings.stack_file import load_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fsm_stack.settings.models.stack import StackSettings

TODAY = datetime(2026, 11, 28, tzinfo=UTC).date()
START = 1_794_787_200  # 2026-11-16T00:00:00Z
SECRET = "s3cr3t-t0ken"  # noqa: S105  # it must appear nowhere
STACK = """\
config:
  fsm-stack:cluster:
    podRanges: [10.128.0.0/14]
    serviceRanges: [172.30.0.0/16]
  fsm-stack:releaseAssets:
    source: existingConfigMap
  fsm-stack:traffic:
    outboundIPRangeExclusionList:
      - 169.254.169.254/32  # metadata
      - {value: 203.0.113.0/24, reason: card processor, owner: payments}
      - 172.30.7.7/32
    outboundPortExclusionList: [6379, 9092]
    inboundPortExclusionList: [9091]
  fsm-stack:annotationProfiles:
    redis: {outboundPortExclusionList: [6380]}
    batch: {outboundIPRangeInclusionList: [10.128.0.0/14, 172.30.0.0/16]}
"""


def settings(text: str = STACK) -> StackSettings:
    loaded = load_text(text, file="Pulumi.prod.yaml", today=TODAY)
    assert loaded.settings is not None, loaded.findings
    return loaded.settings


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One connection: who, where to, when, how much."""

    source: str = "10.128.0.1"
    target: str
    port: int
    size: int = 100
    at: int = START
    way: str = "outbound"
    sport: int = 40000
    owner: str = "web"
    namespace: str = "shop"

    @property
    def time(self) -> str:
        return datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def fsm(flow: Flow) -> str:
    out = flow.way == "outbound"
    local, remote = (flow.source, flow.target) if out else (flow.target, flow.source)
    ports = (flow.sport, flow.port) if out else (flow.port, flow.sport)
    headers = {"authorization": f"Bearer {SECRET}", "cookie": SECRET}
    return json.dumps({
        "type": flow.way, "meshName": "prod", "node": {"ip": "10.0.0.1"},
        "localAddr": local, "localPort": ports[0], "remoteAddr": remote, "remotePort": ports[1],
        "reqTime": flow.at * 1000, "resTime": flow.at * 1000 + 5, "endTime": flow.at * 1000 + 7,
        "pod": {"ns": flow.namespace, "ip": local, "name": f"{flow.owner}-1"},
        "service": {"name": "cards", "target": f"{remote}:{ports[1]}"},
        "req": {"method": "POST", "path": f"/pay?token={SECRET}", "headers": headers,
                "reqSize": flow.size, "body": SECRET},
        "res": {"status": 200, "headers": headers, "resSize": 0, "body": SECRET},
        "trace": {"id": "1", "span": "2", "sampled": "1"},
    })  # fmt: skip


def hubble(flow: Flow) -> str:
    end = {"namespace": flow.namespace, "pod_name": f"{flow.owner}-1",
           "labels": [f"k8s:note={SECRET}"],
           "workloads": [{"name": flow.owner, "kind": "Deployment"}]}  # fmt: skip
    out = flow.way == "outbound"
    other: dict[str, Any] = {"identity": 2, "labels": ["reserved:world"]}
    return json.dumps({"flow": {
        "time": flow.time, "uuid": "x", "verdict": "FORWARDED",
        "IP": {"source": flow.source, "destination": flow.target, "ipVersion": "IPv4"},
        "l4": {"TCP": {"source_port": flow.sport, "destination_port": flow.port,
                       "flags": {"SYN": True}}},
        "source": end if out else other, "destination": other if out else end,
        "Type": "L3_L4", "event_type": {"type": 4, "sub_type": 3},
        "traffic_direction": "EGRESS" if out else "INGRESS",
        "trace_observation_point": "TO_STACK" if out else "TO_ENDPOINT",
        "l7": {"http": {"url": f"http://x/{SECRET}"}},
    }, "node_name": "n", "time": flow.time})  # fmt: skip


def gcp(flow: Flow) -> str:
    out = flow.way == "outbound"
    details = {"pod": {"pod_name": f"{flow.owner}-1", "pod_namespace": flow.namespace,
                       "pod_workload": {"workload_name": flow.owner,
                                        "workload_type": "DEPLOYMENT"}}}  # fmt: skip
    return json.dumps({
        "insertId": SECRET, "logName": "projects/p/logs/compute.googleapis.com%2Fvpc_flows",
        "jsonPayload": {
            "connection": {"src_ip": flow.source, "src_port": flow.sport, "dest_ip": flow.target,
                           "dest_port": flow.port, "protocol": 6},
            "bytes_sent": str(flow.size), "packets_sent": "1", "start_time": flow.time,
            "end_time": flow.time, "reporter": "SRC" if out else "DEST",
            "src_gke_details" if out else "dest_gke_details": details,
        },
    })  # fmt: skip


def istio(flow: Flow) -> str:
    out = flow.way == "outbound"
    return json.dumps({
        "start_time": flow.time, "authority": "shop.example.com", "path": f"/{SECRET}",
        "user_agent": SECRET, "bytes_received": str(flow.size), "bytes_sent": "0",
        "downstream_local_address": f"{flow.target}:{flow.port}",
        "downstream_remote_address": f"{flow.source}:{flow.sport}",
        "upstream_host": "10.130.9.9:8443", "response_code": "-", "method": None,
        "upstream_cluster": f"{flow.way}|{flow.port}||host", "connection_termination_details": "-",
    } | ({} if out else {"requested_server_name": "-"}))  # fmt: skip


def goldmane(flow: Flow) -> str:
    out = flow.way == "outbound"
    near = {"name": f"{flow.owner}-*", "namespace": flow.namespace}
    return json.dumps({
        "source_name": near["name"] if out else "-", "dest_name": "-" if out else near["name"],
        "source_namespace": near["namespace"] if out else "-",
        "dest_namespace": "-" if out else near["namespace"],
        "dest_type": "pub" if out else "wep", "dest_port": flow.port, "proto": "tcp",
        "reporter": "Src" if out else "Dst", "action": "Allow", "policies": {"enforced": [SECRET]},
        "end_time": flow.at, "bytes_out": flow.size, "num_connections_started": 1,
    })  # fmt: skip


V5 = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start "
    "end action log-status vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr "
    "region az-id sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service "
    "flow-direction traffic-path"
)


def vpc(flow: Flow) -> str:
    way = "egress" if flow.way == "outbound" else "ingress"
    return (
        f"5 123456789010 eni-1 10.0.0.9 10.0.0.8 {flow.sport} {flow.port} 6 1 {flow.size} "
        f"{flow.at - 60} {flow.at} ACCEPT OK vpc-1 subnet-1 i-1 2 IPv4 {flow.source} {flow.target} "
        f"eu-central-1 euc1-az1 - - - - {way} 8"
    )


def vpc2(flow: Flow) -> str:
    return (
        f"2 123456789010 eni-1 {flow.source} {flow.target} {flow.sport} {flow.port} 6 1 "
        f"{flow.size} {flow.at - 60} {flow.at} ACCEPT OK"
    )


def csv(flow: Flow) -> str:
    return f"{flow.time},{flow.source},{flow.target},{flow.port},tcp,{flow.way},{flow.size}"


CSV_HEADER = "time,source,destination,port,protocol,direction,bytes"
WRITERS: dict[str, Callable[[Flow], str]] = {
    "fsm": fsm, "hubble": hubble, "gcp": gcp, "istio": istio, "goldmane": goldmane, "vpc": vpc,
    "csv": csv,
}  # fmt: skip
HEADERS = {"vpc": V5, "csv": CSV_HEADER}


def log(kind: str, flows: Sequence[Flow]) -> bytes:
    lines = [HEADERS[kind]] if kind in HEADERS else []
    return "\n".join([*lines, *map(WRITERS[kind], flows), ""]).encode()


def objects(*items: dict[str, Any]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)})


def service(name: str, address: str, ports: dict[str, int]) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"clusterIP": address,
                 "ports": [{"name": key, "port": port} for key, port in ports.items()]},
    }  # fmt: skip


def slice_of(name: str, addresses: list[str], ports: dict[str, int]) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-1", "namespace": "shop",
                     "labels": {"kubernetes.io/service-name": name}},
        "endpoints": [{"addresses": addresses, "conditions": {"ready": True}}],
        "ports": [{"name": key, "port": port, "protocol": "TCP"} for key, port in ports.items()],
    }  # fmt: skip


def behind_redis_and(name: str, port: int) -> list[dict[str, Any]]:
    """Port 8080 of 10.130.0.5, behind the excluded 172.30.7.7:6390 and a second Service's port."""
    return [
        one
        for called, address, asked in (("redis", "172.30.7.7", 6390), (name, "172.30.9.9", port))
        for one in (
            service(called, address, {"tcp": asked}),
            slice_of(called, ["10.130.0.5"], {"tcp": 8080}),
        )
    ]


def pod(
    name: str, address: str, annotations: dict[str, str] | None = None, *, meshed: bool = True
) -> dict[str, Any]:
    containers = [{"name": "app"}, *([{"name": "sidecar"}] if meshed else [])]
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": f"{name}-7f9c5d4b88-x2xwz", "namespace": "shop", "uid": "1",
                     "labels": {"pod-template-hash": "7f9c5d4b88"},
                     "annotations": annotations or {},
                     "ownerReferences": [{"kind": "ReplicaSet", "name": f"{name}-7f9c5d4b88",
                                          "controller": True}]},
        "spec": {"containers": containers},
        "status": {"podIP": address, "phase": "Running"},
    }  # fmt: skip


def address(number: int | str) -> str:
    return dotted(number) if isinstance(number, int) else number
