"""What texts of programs come from: init logs, events and refusals of the API server.

One table of causes, each with its remedy. The line that tells is kept whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fsm_stack.verify.programs.refusals import pod_refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

# What iptables prints after every error.
_ADVICE: Final = ("Try `iptables", "Error occurred at line")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One known failure.

    Attributes:
        means: what it comes from.
        fix: what to do.
        line: the line that tells, whole.
    """

    means: str
    fix: str
    line: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One kind of failure.

    Attributes:
        says: what a line has, in any case; its first group is ``{it}``.
        means: what it comes from.
        fix: what to do.
    """

    says: re.Pattern[str]
    means: str
    fix: str


def _kind(says: str, means: str, fix: str) -> _Kind:
    return _Kind(says=re.compile(says, re.IGNORECASE), means=means, fix=fix)


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
_LOAD_MODULES: Final = (
    "Load xt_owner, xt_multiport and xt_REDIRECT on the node, and keep them loaded: "
    "/etc/modules-load.d."
)

# The first that a text has counts. Seen with iptables 1.8.9 of both back ends, dash and busybox
# sh; the rest from the sources of iptables (nft.c, xtables.c, xshared.c) and runc.
_KINDS: Final = (
    _kind(r"too many ports specified",
          "one list has more than 15 ports, mesh and pod together",
          "Shorten the mesh-wide list or the pod's annotation to 15 ports together."),
    _kind(r"exec format error",
          "the image is made for another processor than the node's",
          "Name an init image for the node's architecture, or keep the pods on nodes of the "
          "image's: nodeSelector kubernetes.io/arch."),
    _kind(r"(?:iptables(?:-restore)?: (?:command )?not found"
          r"|iptables(?:-restore)?\"?: executable file not found)",
          "the init container's image has no iptables",
          "Name the init image of the release."),
    _kind(r"extension (\w+) revision \d+ not supported, missing kernel module",
          "the node's kernel has no module for iptables' {it}",
          "Load xt_{it} on the node, and keep it loaded: /etc/modules-load.d."),
    _kind(r"couldn't load (?:match|target) `(\w+)'",
          "the iptables of the init container's image lacks its extension {it}",
          "Name the init image of the release, which has every extension of the script."),
    _kind(r"no chain/target/match by that name"
          r"|RULE_(?:APPEND|INSERT) failed \(No such file or directory\)",
          "the node's kernel has no module for a match or target of the script",
          _LOAD_MODULES),
    _kind(r"generation id: (?:permission denied|operation not permitted)",
          "the container lost the capability NET_ADMIN, or a security module forbids it", _ADMIT),
    _kind(r"could not fetch rule set generation id",
          "the node's kernel has no nf_tables, or not the one that this image's iptables asks",
          "Load nf_tables and nft_chain_nat on the node, or name an init image whose iptables is "
          "of the legacy back end."),
    _kind(r"table `\w+' is incompatible, use 'nft' tool",
          "another program wrote rules of nft's own into this network namespace, which this "
          "iptables cannot read",
          "Find what writes nft rules into pods, a network plugin or a security agent, or name "
          "an init image whose iptables is of the legacy back end."),
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


def cause(*texts: str) -> Cause | None:
    """The first known cause in what an init container printed; None: none is known."""
    lines = [line.strip() for text in texts for line in text.splitlines()]
    for known in _KINDS:
        for line in lines:
            if (found := known.says.search(line)) is not None:
                it = {"it": next((one for one in found.groups() if one), "")}
                means, fix = known.means.format_map(it), known.fix.format_map(it)
                return Cause(means=means, fix=fix, line=line)
    return None


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
            Cause(means=refused.means, fix=f"{refused.first}.", line=line)
            if refused.known and refused.first
            else cause(line)
        )
        if one is not None and one.means not in seen:
            seen.add(one.means)
            yield one
