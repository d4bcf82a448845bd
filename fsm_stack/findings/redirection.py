"""Findings about which traffic is redirected: lists, ranges, ports and interfaces."""

from __future__ import annotations

from typing import Final

from fsm_stack.findings.rule import Rule

RULES: Final = (
    Rule(
        id="invalid-port",
        severity="error",
        title="a port is not a whole number from 1 to 65535",
        why=(
            "FSM accepts it everywhere; iptables-restore then stops with 'invalid port/service' and "
            "no new pod of the mesh starts."
        ),
        fix="Write a decimal port from 1 to 65535.",
        hazard=("H4",),
        source="iptables 1.8.9, seen in the kernel",
        acceptable=False,
    ),
    Rule(
        id="too-many-ports",
        severity="error",
        title="one port list has more than 15 entries",
        why=(
            "The injector writes one multiport match for the whole list and never splits it; the "
            "kernel takes 15 ports, so iptables-restore stops with 'too many ports specified' and no "
            "new pod starts. The mesh's and the pod's lists count together."
        ),
        fix="Exclude an IP range instead, or move ports from the mesh to the pods that need them.",
        hazard=("H1",),
        source="Linux uapi xt_multiport.h, XT_MULTI_PORTS = 15",
        acceptable=False,
    ),
    Rule(
        id="invalid-cidr",
        severity="error",
        title="a value is not an IPv4 CIDR",
        why=(
            "The chart's and the CRD's patterns let it through; the init script then fails, or runs "
            "what it says, as root, in every new pod."
        ),
        fix="Write four decimal numbers from 0 to 255 and a prefix length from 0 to 32: 10.0.0.0/8.",
        hazard=("H5",),
        source="flomesh-io/fsm pkg/injector, the script generator",
        acceptable=False,
    ),
    Rule(
        id="ipv6-cidr",
        severity="error",
        title="an IPv6 range is in a list that becomes IPv4 rules",
        why=(
            "The injector accepts IPv6, but the script loads an IPv4 table: 'host/network not found' "
            "and no new pod starts. IPv6 traffic is not intercepted at all."
        ),
        fix="Remove the range; IPv6 traffic bypasses the sidecar without it.",
        hazard=("H2",),
        source="iptables 1.8.9, seen in the kernel",
        acceptable=False,
    ),
    Rule(
        id="invalid-interface",
        severity="error",
        title="a value is not a network interface name",
        why=(
            "A name of 16 characters or more, an empty one or one with blanks stops iptables-restore, "
            "and no new pod starts. The script's here-document is unquoted, so shell syntax in a name "
            "would run as root in every new pod."
        ),
        fix="Write 1 to 15 letters, digits, '.', '_', '-', ':' or '@', with '+' only at the end.",
        hazard=("H3", "H6"),
        source="Linux uapi if.h, IFNAMSIZ = 16; iptables 1.8.9",
        acceptable=False,
    ),
    Rule(
        id="host-bits",
        severity="warning",
        title="a CIDR has host bits set",
        why=(
            "The kernel clears them: 2.2.2.2/24 matches all 256 addresses of 2.2.2.0/24, "
            "not the one that was probably meant."
        ),
        fix="Write the network address for the range, or /32 for the one address.",
        hazard=("H7",),
        source="requirement C32; iptables 1.8.9, seen in the kernel",
    ),
    Rule(
        id="excludes-everything",
        severity="error",
        title="outbound exclusions cover every address",
        why="Nothing outbound is intercepted any more: mTLS and policy are silently off for all pods.",
        fix="Exclude the ranges that must bypass the mesh, one by one.",
        hazard=("H8",),
        source="iptables 1.8.9, seen in the kernel",
    ),
    Rule(
        id="excludes-mesh-traffic",
        severity="error",
        title="an exclusion covers the cluster's pod or service range",
        why=(
            "Traffic between services of the mesh then bypasses the sidecar: no mTLS, no policy, "
            "no metrics."
        ),
        fix="Exclude the single addresses that must bypass the mesh, or use the range as an inclusion.",
        hazard=("H9",),
        source="openservicemesh/osm issue 4378",
    ),
    Rule(
        id="inclusion-misses-mesh",
        severity="warning",
        title="an inclusion list leaves out a range of the cluster",
        why=(
            "With an inclusion list, only what it names goes through the sidecar. Requests to the "
            "other addresses have no mTLS, no policy and no metrics."
        ),
        fix="Add the range to the list, or accept the finding with the reason.",
        hazard=("H9",),
        source="flomesh-io/fsm pkg/sidecar, end of the outbound chain",
    ),
    Rule(
        id="dead-inclusion",
        severity="warning",
        title="an inclusion lies wholly inside an exclusion",
        why="Exclusions come first in the chain, so the inclusion never redirects anything.",
        fix="Remove the inclusion, or narrow the exclusion.",
        hazard=("H10",),
        source="flomesh-io/fsm pkg/sidecar, order of the outbound chain",
    ),
    Rule(
        id="lists-ignored",
        severity="error",
        title="redirection lists are set but the interception mode ignores them",
        why=(
            "In NodeLevel mode no init container is injected, so every exclusion and inclusion list "
            "has no effect."
        ),
        fix="Set traffic.interceptionMode to PodLevel, or remove the lists.",
        hazard=("H11",),
        source="flomesh-io/fsm pkg/injector, patch creation",
    ),
    Rule(
        id="duplicate-entry",
        severity="warning",
        title="a list names the same value twice",
        why="The second entry has no effect: the injector drops it, and readers look for a reason.",
        fix="Remove one of the two.",
    ),
    Rule(
        id="reserved-port-excluded",
        severity="warning",
        title="a port exclusion names a port that the mesh reserves",
        why=(
            "The sidecar owns ports 15000, 15001, 15003, 15010 and 15901 to 15904; an application "
            "cannot listen there, so the exclusion means something else than its author thinks."
        ),
        fix="Remove the port from the list.",
        hazard=("H13",),
        source="the guide, ports reserved for traffic redirection",
    ),
    Rule(
        id="not-ascii",
        severity="error",
        title="a list or command holds a full-width or ideographic character",
        why=(
            "Text copied from a translated page carries characters such as U+FF0C or U+3001 where "
            "the injector expects an ASCII comma; the value is refused or means something else."
        ),
        fix="Retype the character in ASCII.",
        source="requirement C42",
        acceptable=False,
    ),
    Rule(
        id="unsupported-mode",
        severity="error",
        title="the interception mode is not one of this system's",
        why="The injector compares the mode exactly; an unknown one redirects nothing, or everything.",
        fix="Write one of the modes that the message names.",
        source="requirement C21; pkg/apis/config v1alpha3",
        acceptable=False,
    ),
    Rule(
        id="bypass-expired",
        severity="warning",
        title="a bypass of the mesh is past its date",
        why="Its author gave it an end so that it would not stay for ever.",
        fix="Remove the entry, or agree on a new date.",
    ),
    Rule(
        id="bypass-unused",
        severity="warning",
        title="no connection of the flow logs uses an entry",
        why=(
            "Every exclusion is a way past the mesh's encryption and policies; one that carries nothing "
            "only helps whoever looks for such a way. What happens less often than the logs are long "
            "is not in them."
        ),
        fix="Ask its owner, then remove it: `fsm-stack flows recommend` writes the change.",
    ),
    Rule(
        id="bypass-wider-than-used",
        severity="info",
        title="an excluded range has many more addresses than were used",
        why=(
            "Connections to the rest of the range bypass the mesh as well, and nobody asked for that. "
            "What happens less often than the logs are long is not in them."
        ),
        fix="Narrow it to what is used: `fsm-stack flows recommend` writes the change.",
    ),
)
