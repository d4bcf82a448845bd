"""What texts of programs come from: init logs, events and refusals of the API server.

One table of causes, each with its remedy, in the order in which the first counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# What iptables prints after every error.
_ADVICE: Final = ("Try `iptables", "Error occurred at line")
_ENFORCE: Final = "pod-security.kubernetes.io/enforce"
# The strictest level that the programs of a control plane live with. An init container that loads
# rules needs NET_ADMIN, which baseline refuses.
_LEVEL, _LEVEL_OF_MESH = "baseline", "privileged"
_NAME: Final = re.compile(r"[\w./:-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What a text comes from.

    Attributes:
        means: that.
        fix: what to do; where a pod is refused a step without the end of its sentence, and empty
            where what is declared has to be applied.
        line: the line of a log that tells, whole.
        subject: what refuses a pod, by its name; empty: it has none.
        answers: a webhook said no; False where it does not answer.
        known: the words are known.
        network: the API server does not reach a server that may well run.
    """

    means: str
    fix: str = ""
    line: str = ""
    subject: str = ""
    answers: bool = True
    known: bool = True
    network: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One kind of failure, by what a text says: its first group is ``{it}``."""

    says: re.Pattern[str]
    means: str
    fix: str
    nameless: str = ""  # the name where the words have none
    answers: bool = True
    network: bool = False

    def cause(self, found: re.Match[str], *, line: str = "", **words: str) -> Cause:
        """The cause in the words of a text: where they are no name, in quotation marks."""
        name = next((one for one in found.groups() if one), self.nameless)
        shown = name if line or _NAME.fullmatch(name) else self.nameless or repr(name)
        return Cause(
            means=self.means.format(it=shown, **words),
            fix=self.fix.format(it=shown, **words),
            line=line,
            subject="" if line else name,
            answers=self.answers,
            network=self.network,
        )


def _kind(says: str, means: str, fix: str, *, nameless: str = "") -> _Kind:
    return _Kind(says=re.compile(says, re.IGNORECASE), means=means, fix=fix, nameless=nameless)


def _refusal(  # one line of the table below
    says: str, means: str, fix: str = "", *, nameless: str = "", answers: bool = True,
    network: bool = False,
) -> _Kind:  # fmt: skip
    return _Kind(says=re.compile(says), means=means, fix=fix, nameless=nameless, answers=answers,
                 network=network)  # fmt: skip


_ADMIT: Final = (
    "Let the namespace's pod security admit NET_ADMIN, or set "
    "sidecar.enablePrivilegedInitContainer."
)
_NO_TABLE: Final = (
    "the node's kernel has no nat table for this iptables back end, or the container may not use "
    "it"
)
_LOAD_TABLE: Final = (
    "Load iptable_nat (or nf_tables and nft_chain_nat) on the node, or set "
    "sidecar.enablePrivilegedInitContainer."
)
_LOAD_NFT: Final = (
    "Load nf_tables and nft_chain_nat on the node, or name an init image whose iptables is of the "
    "legacy back end."
)
_LOAD_MODULES: Final = (
    "Load xt_owner, xt_multiport and xt_REDIRECT on the node, and keep them loaded: "
    "/etc/modules-load.d."
)

_ARCHITECTURE: Final = (
    "Name an {what} for the node's architecture, or keep the pods on nodes of the image's: "
    "nodeSelector kubernetes.io/arch."
)


def _pull(says: str, means: str, fix: str) -> _Kind:
    """Why the kubelet cannot have an image, in its words or the container runtime's."""
    return _kind(rf'pull(?:ing)?(?: and unpack)? image \\?"([^"\\]+)\\?".*(?:{says})', means, fix)


# Source: kubernetes pkg/kubelet/images, containerd's and Docker's resolvers.
_OF_PULLS: Final = (
    _pull(r"toomanyrequests|429 |rate limit",
          "the registry of image {it} refuses more pulls: its rate limit",
          "Give the pods the registry's credentials (imagePullSecrets of their service account), "
          "or mirror the image and name the mirror in what is declared."),
    _pull(r"unauthorized|authentication required|no basic auth|access denied|authorization failed"
          r"|401 |403 ",
          "the registry refuses image {it}: it asks for credentials, or has no such image",
          "Give the pods the registry's credentials (imagePullSecrets of their service account), "
          "or correct the image in what is declared."),
    _pull(r"no match(?:ing manifest)? for",
          "image {it} is not there for the node's processor",
          _ARCHITECTURE.format(what="image")),
    _pull(r"x509: ",
          "the node does not trust the registry of image {it}",
          "Give the nodes' container runtime the registry's authority."),
    _pull(r"no such host",
          "the node cannot resolve the registry of image {it}",
          "Correct the image in what is declared, or let the nodes resolve its registry."),
    _pull(r"i/o timeout|connection refused|deadline exceeded|no route to host|TLS handshake",
          "the node does not reach the registry of image {it}",
          "Let the nodes connect to the registry, or mirror the image and name the mirror in what "
          "is declared."),
    _pull(r"not found|manifest unknown|404 ",
          "image {it} is not in its registry",
          "Correct the image in what is declared, or put it into the registry."),
    _kind(r'image \\?"([^"\\]+)\\?" is not present with pull policy of Never',
          "image {it} is not on the node, and may not be pulled",
          "Put the image onto the node, or let its pull policy be IfNotPresent."),
    _kind(r"couldn't parse image (?:reference|name) \\?\"([^\"\\]+)",
          "{it} is no name of an image",
          "Correct the image in what is declared."),
    _pull("", "image {it} cannot be pulled",
          "Correct the image in what is declared, or put it where its registry serves it."),
)  # fmt: skip

# The first that a text has counts. Seen with iptables 1.8.9 of both back ends, dash and busybox
# sh; the rest from the sources of iptables (nft.c, xtables.c, xshared.c) and runc.
_OF_LOGS: Final = (
    *_OF_PULLS,
    _kind(r"probe failed: Get .*:1590[1-4]/",
          "nothing answers the rewritten probes: the sidecar, or the health-check helper, does "
          "not run",
          "Look at the sidecar first: its state and its log say why it does not run."),
    _kind(r"too many ports specified",
          "one list has more than 15 ports, mesh and pod together",
          "Shorten the mesh-wide list or the pod's annotation to 15 ports together."),
    _kind(r"exec format error",
          "the image is made for another processor than the node's",
          _ARCHITECTURE.format(what="init image")),
    _kind(r"(?:iptables(?:-restore)?: (?:command )?not found"
          r"|iptables(?:-restore)?\"?: executable file not found)",
          "the init container's image has no iptables",
          "Name the init image of the release."),
    _kind(r'exec: \\?"/bin/sh\\?": .*no such file',
          "the init container's image has no shell",
          "Name the init image of the release."),
    _kind(r"(?:has runAsNonRoot and image will run as root|runAsUser breaks non-root policy)"
          r"(?:.*container: ([\w.-]+))?",
          "container {it} would run as root, which its pod forbids",
          "Give it a runAsUser other than 0 and the sidecar's 1500, or runAsNonRoot: false.",
          nameless="of the pod"),
    _kind(r'is forbidden: user "(?:system:serviceaccount:)?'
          r'([^"]+" cannot \w+ resource "[^"]+"(?: in API group "[^"]*")?)',
          'a role lacks a right: "{it}',
          "Let the account's role have it; those of the mesh's own programs have it once what is "
          "declared is applied."),
    _kind(r"\d+/\d+ nodes are available: ",
          "no node takes the pod",
          "Lower its requests, of which the mesh's part is sidecar.resources, or let a node take "
          "it."),
    _kind(r"extension (\w+) revision \d+ not supported, missing kernel module",
          "the node's kernel has no module for iptables' {it}",
          "Load xt_{it} on the node, and keep it loaded: /etc/modules-load.d."),
    _kind(r"couldn't load target `(\w*proxy_\w+)'|chain '([^']+)' does not exist",
          "the script jumps to chain {it}, which it does not make",
          "Compare it with what the injector writes: fsm-stack read FILE names the place."),
    _kind(r"couldn't load (?:match|target) `(\w+)'",
          "the iptables of the init container's image lacks its extension {it}",
          "Name the init image of the release, which has every extension of the script."),
    _kind(r"no chain/target/match by that name|iptables: operation not supported"
          r"|RULE_(?:APPEND|INSERT) failed \(No such file or directory\)",
          "the node's kernel has no module for a match or target of the script",
          _LOAD_MODULES),
    _kind(r"(?:RULE_(?:APPEND|INSERT) failed \(Invalid argument\)|use of DROP is therefore "
          r"inhibited)(?:: rule in chain (\S+))?",
          "the kernel takes a rule's target, or what it asks, in no such place: {it}",
          "Read the script: fsm-stack read FILE names the rule.", nameless="table nat"),
    _kind(r"RULE_(?:APPEND|INSERT) failed \(Too many links\)",
          "chains jump to one another more than 15 deep, which nf_tables refuses",
          "Merge chains, or name an init image whose iptables is of the legacy back end."),
    _kind(r"failed to initialize nft: protocol not supported"
          r"|(?:TABLE|CHAIN)_ADD failed \((?:No such file or directory|Operation not supported"
          r"|Not supported)\)",
          "the node's kernel has no nf_tables, or not the one that this image's iptables asks",
          _LOAD_NFT),
    _kind(r"could not insert '(\w+)': operation not permitted",
          "module {it} is not loaded, and a container may not load it",
          "Load {it} on the node, and keep it loaded: /etc/modules-load.d."),
    _kind(r"COMMIT expected at line (\d+)",
          "the script ends at line {it}, before COMMIT: a part of it is missing",
          "Delete the pod, so that the injector writes its script anew."),
    _kind(r"generation id: (?:permission denied|operation not permitted)",
          "the container lost the capability NET_ADMIN, or a security module forbids it", _ADMIT),
    _kind(r"could not fetch rule set generation id",
          "the node's kernel has no nf_tables, or not the one that this image's iptables asks",
          _LOAD_NFT),
    _kind(r"table `\w+' is incompatible, use 'nft' tool",
          "another program wrote rules of nft's own into this network namespace, which this "
          "iptables cannot read",
          "Find what writes nft rules into pods, a network plugin or a security agent, or name "
          "an init image whose iptables is of the legacy back end."),
    _kind(r"initialize iptables table `nat': (?:permission denied|operation not permitted)",
          "the container lost the capability NET_ADMIN, or a security module forbids it", _ADMIT),
    # "iptables" says the first, "iptables-restore" the second, iptables-legacy the third.
    _kind(r"can't initialize iptables table `nat'|unable to initialize table 'nat'|iptables who\?",
          _NO_TABLE, _LOAD_TABLE),
    _kind(r"read-only file system",
          "the container's file system is read-only, and iptables cannot make its lock in /run",
          "Let the init container write: no policy that sets readOnlyRootFilesystem on it."),
    _kind(r"seccomp",
          "a seccomp profile forbids what the program calls",
          "Give the pod seccompProfile RuntimeDefault, or a profile with setsockopt and netlink."),
    _kind(r"you must be root",
          "the container lost the capability NET_ADMIN or does not run as root",
          "Let the namespace's pod security admit NET_ADMIN and user 0 for the init container."),
    _kind(r"operation not permitted",
          "the container lost the capability NET_ADMIN, or a security module forbids it", _ADMIT),
    _kind(r"permission denied", "the container may not change the pod's rules", _ADMIT),
    _kind(r"must be shorter than ifnamsiz|empty interface is likely to be undesired",
          "an excluded interface has no name, or one of more than 15 characters",
          "Correct traffic.networkInterfaceExclusionList."),
    _kind(r"invalid port/service",
          "a list holds a number that is no port",
          "Correct the port list; ports are 1 to 65535."),
    _kind(r"host/network|invalid mask|bad ip address",
          "a list holds a range that is no IPv4 range, such as an IPv6 one",
          "Remove the range; the rules are in the IPv4 table only."),
    _kind(r"bad argument",
          "an entry of a list holds a blank, and iptables takes what follows for an option",
          "Correct the entry: a range, a port or the name of an interface, without blanks."),
    _kind(r"chain already exists",
          "the script ran before in this network namespace",
          "Delete the pod, so that it gets a network namespace of its own."),
    _kind(r"holding the xtables lock",
          "another program changes rules in this network namespace",
          "Let the other program end; the kubelet tries again."),
    _kind(r"syntax error",
          "the shell refuses the script",
          "Read the script: fsm-stack verify names the place."),
    _kind(r"iptables-restore(?: v[\d.]+ \(legacy\))?: line (\d+) failed",
          "the kernel refuses what ends at line {it} of the script: it has no module for a match "
          "or target in it",
          _LOAD_MODULES),
)  # fmt: skip

# Source: Kubernetes, plugin/pkg/admission/resourcequota, policy/podsecurity, limitranger,
# serviceaccount and priority, and apiserver's admission/plugin/webhook.
_OF_PODS: Final = (
    _refusal(r"failed quota: ([\w.-]+): must specify ",
             "ResourceQuota {it} of namespace {place} asks for requests and limits of every "
             "container, and the mesh's have none",
             "Set sidecar.resources and sidecar.initResources, or make a LimitRange with "
             "defaults in namespace {place}"),
    _refusal(r"exceeded quota: ([\w.-]+)|failed quota: ([\w.-]+)|insufficient quota to match",
             "ResourceQuota {it} of namespace {place} leaves no room for its pods",
             "Raise ResourceQuota {it} in namespace {place}, or lower the pods' requests",
             nameless="for its priority class"),
    _refusal(r'violates PodSecurity "([^"]+)"',
             "pod security {it} of namespace {place} refuses its pods",
             f"kubectl label namespace {{place}} {_ENFORCE}={{level}} --overwrite"),
    _refusal(r'service ?accounts? "([\w.-]+)" not found',
             "service account {it} is not there"),
    _refusal(r"no PriorityClass with name ([\w.-]+)",
             "the cluster has no priority class {it}",
             "Make priority class {it}, or name another one in priorityClassName"),
    _refusal(r'failed calling webhook "([^"]+)".*proxyconnect',
             "the API server asks webhook {it} through a proxy, which does not lead there",
             "Let the API server go past its proxy to Services: .svc and the service range in its "
             "NO_PROXY",
             answers=False, network=True),
    _refusal(r'failed calling webhook "([^"]+)".*'
             r"(?:context deadline exceeded|i/o timeout|Client\.Timeout|no route to host)",
             "the API server does not reach webhook {it} in time, and without it no pod is made",
             "Let the API server connect to port 9090 of the injector's pods: a firewall rule "
             "from the control plane to the nodes, or a NetworkPolicy",
             answers=False, network=True),
    _refusal(r'failed calling webhook "([^"]+)".*'
             r"(?:Address is not allowed|proxy error from|error dialing backend|tunnel)",
             "the API server has no way to the addresses of webhook {it}'s pods, and without it "
             "no pod is made",
             "Give the injector's pods addresses that the control plane reaches: it may be "
             "outside of an overlay network, or its tunnel to the nodes broken",
             answers=False, network=True),
    _refusal(r'failed calling webhook "([^"]+)".*no such host',
             "the API server cannot resolve the Service of webhook {it}, and without it no pod "
             "is made",
             "Let the API server reach Services of the cluster: its egress (konnectivity) or DNS",
             answers=False, network=True),
    _refusal(r'failed calling webhook "([^"]+)".*service "[^"]+" not found',
             "the Service of webhook {it} is not there, and without it no pod is made",
             "Install the mesh again, or remove what it left: fsm-stack leftovers lists it",
             answers=False, network=True),
    _refusal(r'failed calling webhook "([^"]+)".*x509: ',
             "the API server does not trust the certificate of webhook {it}",
             "Restart the injector, which writes its authority when it starts",
             answers=False),
    _refusal(r'failed calling webhook "([^"]+)".*no endpoints available',
             "no ready pod stands behind webhook {it}, and without it no pod is made",
             "Let the injector run: its Deployment, its pods' events and logs",
             answers=False),
    _refusal(r'failed calling webhook "([^"]+)".*connection refused',
             "nothing listens where webhook {it} should, and without it no pod is made",
             "Let the injector run: its Deployment, its pods' events and logs",
             answers=False),
    _refusal(r'failed calling webhook "([^"]+)"',
             "webhook {it} does not answer, and without it no pod is made",
             "Let the server of webhook {it} run",
             answers=False),
    _refusal(r"ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied request",
             "admission policy {it} refuses its pods",
             "Change what admission policy {it} names"),
    _refusal(r'admission webhook "([^"]+)" denied.*(?:GKE Warden|autogke)',
             "GKE Autopilot refuses what the init container needs: webhook {it}",
             "Let the cluster admit NET_ADMIN: gcloud container clusters update CLUSTER "
             "--workload-policies=allow-net-admin"),
    _refusal(r'admission webhook "([^"]+)" denied',
             "webhook {it} refuses its pods",
             "Change what webhook {it} complains about"),
    _refusal(r"unable to validate against any security context constraint",
             "no security context constraint that its service account may use takes fsm-init, "
             "which adds NET_ADMIN",
             "Let the service accounts of namespace {place} use one that does: oc adm policy "
             "add-scc-to-group privileged system:serviceaccounts:{place}"),
    _refusal(r"PodSecurityPolicy: unable to admit pod",
             "no pod security policy that its service account may use takes fsm-init, which adds "
             "NET_ADMIN",
             "Let the service accounts of namespace {place} use a PodSecurityPolicy that allows "
             "NET_ADMIN"),
    _refusal(r"request did not complete within requested timeout",
             "a webhook that is asked about pods takes longer than the API server waits",
             "Find the slow one: kubectl get mutatingwebhookconfigurations,"
             "validatingwebhookconfigurations -o yaml shows their timeouts"),
    _refusal(r"(?:maximum|minimum) (?:cpu|memory) usage|must specify (?:limit|request)",
             "a LimitRange of namespace {place} refuses its pods",
             "Change the LimitRange in namespace {place}, or the pods' resources"),
)  # fmt: skip


def cause(*texts: str) -> Cause | None:
    """The first known cause in what an init container or the kubelet said; None: none is."""
    lines = [line.strip() for text in texts for line in text.splitlines()]
    for known in _OF_LOGS:
        for line in lines:
            if (found := known.says.search(line)) is not None:
                return known.cause(found, line=line)
    return None


def pod_refusal(message: str, namespace: str, *, of_mesh: bool = False) -> Cause:
    """What a controller was told when it made a pod.

    Args:
        message: the API server's words.
        namespace: of the pod.
        of_mesh: the pod is to get a sidecar, and an init container that loads rules.
    """
    level = _LEVEL_OF_MESH if of_mesh else _LEVEL
    for kind in _OF_PODS:
        if (found := kind.says.search(message)) is not None:
            return kind.cause(found, place=namespace, level=level)
    return Cause(means="the API server refuses its pods", known=False)


def telling_line(text: str, known: Cause | None) -> str:
    """The line of a log that says most: the cause's, else the last that is no advice."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if known is not None and known.line in lines:
        return known.line
    telling = [line for line in lines if not line.startswith(_ADVICE)]
    return (telling or lines or [""])[-1]


_NAMESPACE: Final = re.compile(r'namespace[:=]? "?([a-z0-9-]+)"?')
_ITS_OWN: Final = "NAMESPACE"  # a text that names none


def causes(text: str) -> Iterator[Cause]:
    """Every known cause in a pasted log, event or error of the API server, each once."""
    seen: set[str] = set()
    named = _NAMESPACE.search(text)
    namespace = named[1] if named else _ITS_OWN
    for line in filter(None, map(str.strip, text.splitlines())):
        refused = pod_refusal(line, namespace, of_mesh=True)
        one = (
            Cause(means=refused.means, fix=f"{refused.fix}.", line=line)
            if refused.known and refused.fix
            else cause(line)
        )
        if one is not None and one.means not in seen:
            seen.add(one.means)
            yield one
