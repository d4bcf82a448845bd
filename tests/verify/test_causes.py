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
    ("Chain 'FSM_PROXY_OUTBOUND' does not exist",
     "the script jumps to chain FSM_PROXY_OUTBOUND, which it does not make", "Compare it with"),
    ("iptables-restore v1.8.9 (legacy): Couldn't load target `FSM_PROXY_OUTBOUND':No such file",
     "the script jumps to chain FSM_PROXY_OUTBOUND, which it does not make", "Compare it with"),
    ("line 2: RULE_APPEND failed (Invalid argument): rule in chain OUTPUT",
     "the kernel takes a rule's target, or what it asks, in no such place: OUTPUT", "Read the scr"),
    ('The "nat" table is not intended for filtering, the use of DROP is therefore inhibited.',
     "the kernel takes a rule's target, or what it asks, in no such place: table nat", "Read the"),
    ("line 33: RULE_APPEND failed (Too many links): rule in chain C14",
     "chains jump to one another more than 15 deep, which nf_tables refuses", "Merge chains"),
    ("iptables/1.8.8 Failed to initialize nft: Protocol not supported",
     "the node's kernel has no nf_tables, or not the one that this image's iptables asks",
     "Load nf_tables"),
    ("iptables-restore v1.8.9 (nf_tables): CHAIN_ADD failed (No such file or directory): chain X",
     "the node's kernel has no nf_tables, or not the one that this image's iptables asks",
     "Load nf_tables"),
    ("modprobe: ERROR: could not insert 'ip_tables': Operation not permitted",
     "module ip_tables is not loaded, and a container may not load it", "Load ip_tables on the"),
    ("iptables-restore: COMMIT expected at line 3",
     "the script ends at line 3, before COMMIT: a part of it is missing", "Delete the pod"),
    ('Liveness probe failed: Get "http://10.1.2.3:15901/m-healthcheck": connect: connection refused',
     "nothing answers the rewritten probes: the sidecar, or the health-check helper, does not run",
     "Look at the sidecar"),
    ("iptables: Operation not supported.",
     "the node's kernel has no module for a match or target of the script", "Load xt_owner, xt_"),
    ("iptables v1.8.2 (legacy): can't initialize iptables table `nat': Permission denied (you must "
     "be root)", "the container lost the capability NET_ADMIN, or a security module forbids it",
     "Let the namespace's pod security admit NET_ADMIN"),
    ('exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown',
     "the init container's image has no shell", "Name the init image"),
    ('Error: container has runAsNonRoot and image will run as root (pod: "w_d(u)", container: app)',
     "container app would run as root, which its pod forbids", "Give it a runAsUser other than 0"),
    ("Error: container's runAsUser breaks non-root policy",
     "container of the pod would run as root, which its pod forbids", "Give it a runAsUser"),
    ('services is forbidden: User "system:serviceaccount:fsm-system:fsm" cannot list resource '
     '"services" in API group "" at the cluster scope',
     'a role lacks a right: "fsm-system:fsm" cannot list resource "services" in API group ""',
     "Let the account's role have it"),
    ("0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available",
     "no node takes the pod", "Lower its requests"),
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
    (f"{CANNOT}{HOOK}: Address is not allowed",
     "the API server has no way to the addresses of webhook fsm-inject.k8s.io's pods, and without "
     "it no pod is made", "Give the injector's pods addresses that the control plane reaches"),
    (f'{CANNOT}{HOOK}: service "fsm-injector" not found',
     "the Service of webhook fsm-inject.k8s.io is not there, and without it no pod is made",
     "fsm-stack leftovers"),
    (f"{CANNOT}{HOOK}: proxyconnect tcp: dial tcp 10.0.0.1:3128: i/o timeout",
     "the API server asks webhook fsm-inject.k8s.io through a proxy, which does not lead there",
     "NO_PROXY"),
    ('pods "web-1" is forbidden: unable to validate against any security context constraint: [pro',
     "no security context constraint that its service account may use takes fsm-init, which adds "
     "NET_ADMIN", "add-scc-to-group privileged system:serviceaccounts:"),
    ('pods "web-1" is forbidden: PodSecurityPolicy: unable to admit pod: [spec.initContainers[0].s',
     "no pod security policy that its service account may use takes fsm-init, which adds NET_ADMIN",
     "PodSecurityPolicy that allows"),
    ("Timeout: request did not complete within requested timeout - context deadline exceeded",
     "a webhook that is asked about pods takes longer than the API server waits", "Find the slow"),
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


PULL = 'Failed to pull image "flomesh/pipy:9": rpc error: code = Unknown desc = '
RESOLVE = f'{PULL}failed to resolve reference "docker.io/flomesh/pipy:9": '
PULLS = [
    (f"{RESOLVE}docker.io/flomesh/pipy:9: not found", "image flomesh/pipy:9 is not in its registry",
     "Correct the image"),
    (f"{PULL}Error response from daemon: manifest for flomesh/pipy:9 not found: manifest unknown",
     "image flomesh/pipy:9 is not in its registry", "Correct the image"),
    (f"{RESOLVE}unexpected status code 401 Unauthorized",
     "the registry refuses image flomesh/pipy:9: it asks for credentials, or has no such image",
     "Give the pods the registry's credentials"),
    (f"{PULL}toomanyrequests: You have reached your pull rate limit",
     "the registry of image flomesh/pipy:9 refuses more pulls: its rate limit", "Give the pods"),
    (f"{PULL}no match for platform in manifest: not found",
     "image flomesh/pipy:9 is not there for the node's processor", "Name an image for the node"),
    (f"{RESOLVE}tls: failed to verify certificate: x509: certificate signed by unknown authority",
     "the node does not trust the registry of image flomesh/pipy:9", "Give the nodes' container"),
    (f"{RESOLVE}dial tcp: lookup registry.example on 10.0.0.10:53: no such host",
     "the node cannot resolve the registry of image flomesh/pipy:9", "Correct the image"),
    (f"{RESOLVE}dial tcp 192.0.2.1:443: i/o timeout",
     "the node does not reach the registry of image flomesh/pipy:9", "Let the nodes connect"),
    ('Back-off pulling image "flomesh/pipy:9"', "image flomesh/pipy:9 cannot be pulled",
     "Correct the image"),
    ('Container image "flomesh/pipy:9" is not present with pull policy of Never',
     "image flomesh/pipy:9 is not on the node, and may not be pulled", "Put the image onto"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "means", "fix"), PULLS)
def test_an_image_that_cannot_be_had_has_its_cause(line: str, means: str, fix: str) -> None:
    (known,) = causes(line)
    assert (known.means, known.line) == (means, line)
    assert known.fix.startswith(fix)


def test_a_sidecar_whose_image_cannot_be_pulled_is_told_by_the_kubelets_words() -> None:
    mesh = world()
    waiting = {"reason": "ErrImagePull", "message": PULLS[0][0]}
    sidecar = mesh.the("Pod")["status"]["containerStatuses"][1]
    sidecar |= {"ready": False, "state": {"waiting": waiting}}
    (item,) = mesh.outcome("pod-ready").findings
    assert item.message == (
        "the sidecar is not ready: waiting, ErrImagePull: image flomesh/pipy:9 is not in its "
        "registry"
    )
    assert item.value == PULLS[0][0]
    assert item.fix.startswith("Correct the image")
