"""A project and scripts to ask about, for the verbs about traffic."""

from __future__ import annotations

from pathlib import Path

DOCUMENTS = Path(__file__).parent.parent / "iptables" / "documents"
PROD = """\
config:
  fsm-stack:cluster:
    serviceRanges: [10.96.0.0/16]
  fsm-stack:releaseAssets:
    source: existingConfigMap
  fsm-stack:traffic:
    outboundIPRangeExclusionList: [203.0.113.0/24]
    outboundPortExclusionList:
      - {value: 6379, reason: Redis, owner: data-team}
    inboundPortExclusionList: [8081]
  fsm-stack:annotationProfiles:
    metadata: {presets: [cloud-metadata]}
"""
OSM_EDGE = """\
config:
  fsm-stack:system: osm-edge
  fsm-stack:sidecar: {localDNSProxy: {enable: true}}
  fsm-stack:traffic:
    outboundPortExclusionList: [6379]
"""
OSM = "config: {fsm-stack:system: osm, fsm-stack:traffic: {outboundPortExclusionList: [6379]}}\n"
BROKEN_SHELL = (
    "iptables -t nat -N PROXY_OUTPUT && iptables -t nat -A OUTPUT -p tcp -j PROXY_OUTPUT && && "
    "iptables -t nat -A PROXY_OUTPUT -p tcp -j REDIRECT --to-port 15001\n"
)
TOO_MANY = "-N X\n-A OUTPUT -p tcp -j X\n-A X -p tcp -m multiport --dports " + ",".join(
    str(port) for port in range(1, 17)
) + " -j RETURN\n"  # fmt: skip


def fill(project: Path) -> Path:
    for name, text in {"prod": PROD, "edge": OSM_EDGE, "osm": OSM}.items():
        (project / f"Pulumi.{name}.yaml").write_text(text)
    return project
