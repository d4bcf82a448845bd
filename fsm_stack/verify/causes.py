"""Why an init container failed, told by what iptables and the shell print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# What iptables prints after every error.
_ADVICE: Final = ("Try `iptables", "Error occurred at line")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One known failure.

    Attributes:
        says: parts of a line, any of them, in lower case, as the programs print them.
        means: what it comes from.
        fix: what to do.
    """

    says: tuple[str, ...]
    means: str
    fix: str


# Seen with iptables 1.8.9 of both back ends, and dash and busybox sh.
CAUSES: Final = (
    Cause(
        says=("too many ports specified",),
        means="one list has more than 15 ports, mesh and pod together",
        fix="Shorten the mesh-wide list or the pod's annotation to 15 ports together.",
    ),
    Cause(
        # "iptables" says the first, "iptables-restore" the second.
        says=("can't initialize iptables table `nat'", "unable to initialize table 'nat'"),
        means="the node's kernel has no nat table for this iptables back end, or the container "
        "may not use it",
        fix="Load iptable_nat (or nf_tables and nft_chain_nat) on the node, or set "
        "sidecar.enablePrivilegedInitContainer.",
    ),
    Cause(
        says=("you must be root",),
        means="the container lost the capability NET_ADMIN or does not run as root",
        fix="Let the namespace's pod security admit NET_ADMIN and user 0 for the init container.",
    ),
    Cause(
        says=("operation not permitted",),
        means="the container lost the capability NET_ADMIN, or a security module forbids it",
        fix="Let the namespace's pod security admit NET_ADMIN, or set "
        "sidecar.enablePrivilegedInitContainer.",
    ),
    Cause(
        says=("permission denied",),
        means="the container may not change the pod's rules",
        fix="Let the namespace's pod security admit NET_ADMIN, or set "
        "sidecar.enablePrivilegedInitContainer.",
    ),
    Cause(
        says=("must be shorter than ifnamsiz", "empty interface is likely to be undesired"),
        means="an excluded interface has no name, or one of more than 15 characters",
        fix="Correct traffic.networkInterfaceExclusionList.",
    ),
    Cause(
        says=("invalid port/service",),
        means="a list holds a number that is no port",
        fix="Correct the port list; ports are 1 to 65535.",
    ),
    Cause(
        says=("host/network", "invalid mask", "bad ip address"),
        means="a list holds a range that is no IPv4 range, such as an IPv6 one",
        fix="Remove the range; the rules are in the IPv4 table only.",
    ),
    Cause(
        says=("bad argument",),
        means="an entry of a list holds a blank, and iptables takes what follows for an option",
        fix="Correct the entry: a range, a port or the name of an interface, without blanks.",
    ),
    Cause(
        says=("chain already exists",),
        means="the script ran before in this network namespace",
        fix="Delete the pod, so that it gets a network namespace of its own.",
    ),
    Cause(
        says=("holding the xtables lock",),
        means="another program changes rules in this network namespace",
        fix="Let the other program end; the kubelet tries again.",
    ),
    Cause(
        says=("syntax error",),
        means="the shell refuses the script",
        fix="Read the script: fsm-stack verify names the place.",
    ),
)


def cause(*texts: str) -> Cause | None:
    """The first known cause in what was printed; None: none is known."""
    printed = "\n".join(texts).lower()
    return next((known for known in CAUSES if any(one in printed for one in known.says)), None)


def telling_line(text: str, known: Cause | None) -> str:
    """The line of a log that says most: the cause's, else the last that is no advice."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if known is not None:
        for line in lines:
            if any(one in line.lower() for one in known.says):
                return line
    telling = [line for line in lines if not line.startswith(_ADVICE)]
    return (telling or lines or [""])[-1]
