"""Texts of programs and their causes: the remedy, and the line that tells, whole."""

from __future__ import annotations

import pytest

from fsm_stack.verify.causes import cause, causes, telling_line

from .world import world

HOOK = 'failed calling webhook "fsm-inject.k8s.io": failed to call webhook: Post "https://i:9090/"'
CANNOT = "Error creating: Internal error occurred: "

LOGS = [
    ("Warning: Extension owner revision 0 not supported, missing kernel module?",
     "the node's kernel has no module for iptables' owner", "Load xt_owner on the node"),
    ("line 17: RULE_APPEND failed (No such file or directory): rule in chain X",
     "the node's kernel has no module for a match or target of the script", "Load xt_owner, xt_"),
    ("iptables: No chain/target/match by that name.",
     "the node's kernel has no module for a match or target of the script", "Load xt_owner, xt_"),
    ("iptables-restore v1.8.9 (nf_tables): Couldn't load match `owner':No such file or directory",
     "the iptables of the init container's image lacks its extension owner", "Name the init image"),
    ("iptables-restore v1.8.9 (nf_tables): Could not fetch rule set generation id: Invalid argument",
     "the node's kernel has no nf_tables, or not the one that this image's iptables asks",
     "Load nf_tables"),
    ("Could not fetch rule set generation id: Permission denied (you must be root)",
     "the container lost the capability NET_ADMIN, or a security module forbids it", "Let the "),
    ("iptables-restore: line 22 failed",
     "the kernel refuses what ends at line 22 of the script: it has no module for a match or "
     "target in it", "Load xt_owner, xt_"),
    ("exec /bin/sh: exec format error",
     "the image is made for another processor than the node's", "Name an init image for"),
    ("table `nat' is incompatible, use 'nft' tool.",
     "another program wrote rules of nft's own into this network namespace, which this iptables "
     "cannot read", "Find what writes nft rules"),
    ("Cannot initialize: iptables who? (do you need to insmod?)",
     "the node's kernel has no nat table for this iptables back end, or the container may not use "
     "it", "Load iptable_nat"),
    ("/bin/sh: iptables-restore: not found",
     "the init container's image has no iptables", "Name the init image"),
    ("can't open lock file /run/xtables.lock: Read-only file system",
     "the container's file system is read-only, and iptables cannot make its lock in /run",
     "Let the init container write"),
    ("iptables: Chain already exists.", "the script ran before in this network namespace",
     "Delete the pod"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "means", "fix"), LOGS)
def test_a_log_has_its_cause_and_the_line_that_tells(line: str, means: str, fix: str) -> None:
    log = f"modprobe: can't change directory to '/lib/modules'\n{line}\nTry `iptables -h'"
    known = cause(log)
    assert known is not None
    assert (known.means, known.line) == (means, line)
    assert known.fix.startswith(fix)
    assert telling_line(log, known) == line


def test_what_no_cause_is_known_of_has_none() -> None:
    assert cause("all is well") is None
    assert list(causes("all is well\n")) == []
    assert telling_line("first\nlast\nTry `iptables -h'", None) == "last"


REFUSALS = [
    (f"{CANNOT}{HOOK}: context deadline exceeded",
     "the API server does not reach webhook fsm-inject.k8s.io in time, and without it no pod is "
     "made", "port 9090"),
    (f"{CANNOT}{HOOK}: dial tcp 10.3.146.3:9090: i/o timeout",
     "the API server does not reach webhook fsm-inject.k8s.io in time, and without it no pod is "
     "made", "port 9090"),
    (f"{CANNOT}{HOOK}: dial tcp: lookup i on 10.0.0.10:53: no such host",
     "the API server cannot resolve the Service of webhook fsm-inject.k8s.io, and without it no "
     "pod is made", "egress"),
    (f"{CANNOT}{HOOK}: x509: certificate signed by unknown authority",
     "the API server does not trust the certificate of webhook fsm-inject.k8s.io",
     "Restart the injector"),
    (f'{CANNOT}{HOOK}: no endpoints available for service "fsm-injector"',
     "no ready pod stands behind webhook fsm-inject.k8s.io, and without it no pod is made",
     "Let the injector run"),
    (f"{CANNOT}{HOOK}: dial tcp 10.96.43.30:9090: connect: connection refused",
     "nothing listens where webhook fsm-inject.k8s.io should, and without it no pod is made",
     "Let the injector run"),
    ('pods "web" is forbidden: failed quota: team: must specify limits.cpu for: fsm-init,sidecar',
     "ResourceQuota team of namespace NAMESPACE asks for requests and limits of every container, "
     "and the mesh's have none", "sidecar.initResources"),
    ('pods "web" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
     "pod security restricted:latest of namespace NAMESPACE refuses its pods", "privileged"),
    ('admission webhook "warden.gke.io" denied the request: GKE Warden rejected the request',
     "GKE Autopilot refuses what the init container needs: webhook warden.gke.io",
     "--workload-policies=allow-net-admin"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "means", "fix"), REFUSALS)
def test_a_pasted_refusal_has_its_cause(line: str, means: str, fix: str) -> None:
    (known,) = causes(f"LAST SEEN  TYPE  REASON\n{line}\n{line}\n")
    assert (known.means, known.line) == (means, line)
    assert fix in known.fix


def test_the_namespace_of_a_text_is_in_its_remedy() -> None:
    text = 'pods "web" in namespace "shop" is forbidden: violates PodSecurity "baseline:latest"'
    (known,) = causes(text)
    assert known.fix == (
        "kubectl label namespace shop pod-security.kubernetes.io/enforce=privileged --overwrite."
    )


def test_a_firewall_is_not_mended_by_a_restart_of_the_injector() -> None:
    """It runs, and is not reached."""
    mesh = world()
    mesh.remove("Pod")
    mesh.asked = ""
    said = f"{CANNOT}{HOOK}: dial tcp 10.3.146.3:9090: i/o timeout"
    mesh.the("Deployment", "web")["status"] = {
        "replicas": 0,
        "conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
                        "message": said}],
    }  # fmt: skip
    (one,) = mesh.outcome("owner-pods").findings
    assert one.value == said
    assert one.fix == (
        "Let the API server connect to port 9090 of the injector's pods: a firewall rule from the "
        "control plane to the nodes, or a NetworkPolicy, then: kubectl rollout restart "
        "deployment/web -n shop"
    )
