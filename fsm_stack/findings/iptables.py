"""Findings about rules as they stand in a script or a dump."""

from __future__ import annotations

from typing import Final

from fsm_stack.findings.rule import Rule

_SEEN: Final = "iptables 1.8.9, seen in the kernel"

RULES: Final = (
    Rule(
        id="shell-syntax",
        severity="error",
        title="a shell refuses the script",
        why="With `&& &&` sh stops before its first command: no rule exists and the pod fails.",
        fix="Write one && between two commands.",
        source="requirement C26; the documents' samples hold it",
    ),
    Rule(
        id="other-backend",
        severity="warning",
        title="rules of the other iptables back end are not in the dump",
        why="The kernel applies the rules of both back ends; half a dump explains half the traffic.",
        fix="Dump both: iptables-nft-save and iptables-legacy-save.",
        source=_SEEN,
    ),
    Rule(
        id="too-complex",
        severity="warning",
        title="rules that cannot be compared with one another",
        why=(
            "Which rules are dead, and whether the sidecar's own traffic comes back to it, was not "
            "looked for: no injector writes so many kinds of rules, and the work has no bound."
        ),
        fix="Ask about single connections with `fsm-stack trace --script`; merge rules that differ "
        "in one value only.",
        source="computed from the rules",
    ),
    Rule(
        id="dead-rule",
        severity="warning",
        title="a rule that no packet can reach",
        why="The rules before it take every packet it would match, and do something else with it.",
        fix="Move it before them, or remove it.",
        source="computed from the rules",
    ),
    Rule(
        id="dead-admin-rule",
        severity="info",
        title="the rule for the sidecar's admin port is dead",
        why=(
            "It follows an unconditional REDIRECT, in the scripts of all three injectors: traffic to "
            "port 15000 goes to the outbound listener."
        ),
        fix="None in the settings: the injector writes it. Do not rely on it.",
        hazard=("H19",),
        source=_SEEN,
    ),
    Rule(
        id="shadowed-rule",
        severity="info",
        title="a rule that changes nothing",
        why="Earlier rules already do the same with every packet it matches.",
        fix="Remove it; `fsm-stack tidy` does.",
        source="computed from the rules",
    ),
    Rule(
        id="duplicate-rule",
        severity="warning",
        title="the same rule twice in one chain",
        why="The second never applies.",
        fix="Remove one of the two.",
    ),
    Rule(
        id="doubled-jump",
        severity="warning",
        title="a hook jumps to the same chain twice",
        why="The script ran twice in one network namespace: every rule in it exists twice.",
        fix="Let the script run once, or flush the chains before it.",
        hazard=("H18",),
        source=_SEEN,
    ),
    Rule(
        id="dangling-jump",
        severity="error",
        title="a jump to a chain that does not exist",
        why="iptables-restore stops, nothing is loaded, and the pod does not start.",
        fix="Declare the chain, or correct its name; names are case-sensitive.",
        source=_SEEN,
    ),
    Rule(
        id="jump-loop",
        severity="error",
        title="chains jump in a circle",
        why="The kernel refuses the rules, and the pod does not start.",
        fix="Remove one of the jumps.",
        source=_SEEN,
    ),
    Rule(
        id="jump-depth",
        severity="error",
        title="jumps are nested too deep",
        why="nf_tables follows 15 jumps below a hook and refuses more; the pod does not start.",
        fix="Merge chains.",
        source="Linux nf_tables.h, NFT_JUMP_STACK_SIZE",
    ),
    Rule(
        id="unused-chain",
        severity="warning",
        title="a declared chain that nothing jumps to",
        why="Its rules never apply.",
        fix="Add the jump, or remove the chain.",
    ),
    Rule(
        id="duplicate-chain",
        severity="error",
        title="a chain is created twice",
        why="The second -N fails with 'Chain already exists', and the commands after it do not run.",
        fix="Create it once.",
        source=_SEEN,
    ),
    Rule(
        id="invalid-chain-name",
        severity="error",
        title="a chain's name is too long, or a target's",
        why="iptables takes at most 28 characters, and none of ACCEPT, DROP, RETURN and QUEUE; it stops, and the pod does not start.",
        fix="Choose another name.",
        source=_SEEN,
    ),
    Rule(
        id="insert-position",
        severity="error",
        title="a rule is inserted past the end of its chain",
        why="iptables stops with 'Index of insertion too big', and the pod does not start.",
        fix="Append it.",
        source=_SEEN,
    ),
    Rule(
        id="invalid-uid",
        severity="error",
        title="a user id outside 0 to 4294967294",
        why="iptables stops with 'Bad value for --uid-owner', and the pod does not start.",
        fix="Write the numeric user id.",
        source=_SEEN,
    ),
    Rule(
        id="wrong-hook",
        severity="error",
        title="a match that the packet's hook cannot answer",
        why=(
            "Entering packets have no owner, and iptables takes no outgoing interface in PREROUTING "
            "and no incoming one in OUTPUT: the rules do not load, and the pod does not start."
        ),
        fix="Use a chain of its own for each direction.",
        source=_SEEN,
    ),
    Rule(
        id="sidecar-loop",
        severity="error",
        title="the sidecar's own traffic is sent back into the sidecar",
        why="Its connections to other hosts come back to its outbound listener, without an end.",
        fix="Return the traffic of user 1500 before the redirection.",
        hazard=("H12",),
        source="requirement C3; the guide, user id reserved for traffic redirection",
    ),
    Rule(
        id="intercepts-nothing",
        severity="error",
        title="the rules redirect no outbound traffic at all",
        why="mTLS and policy are silently off for the pod.",
        fix="Narrow the exclusion that takes everything, or add the missing jump.",
        hazard=("H8",),
        source=_SEEN,
    ),
    Rule(
        id="missing-rule",
        severity="error",
        title="a declared entry has no rule in the script",
        why=(
            "The setting has not reached this pod: it was not merged, or the pod was made before it "
            "and not restarted since."
        ),
        fix="Restart the pod's owner, then read the script again.",
        source="requirements C27 and C35",
    ),
    Rule(
        id="undeclared-entry",
        severity="warning",
        title="a rule for something that no setting declares",
        why="The pod was made under other settings than those that are compared.",
        fix="Restart the pod's owner, or declare the entry.",
        source="requirement C27",
    ),
    Rule(
        id="old-generation",
        severity="warning",
        title="the script is of an older generation",
        why="Today's injectors write other chain names and more rules; advice for today's may not fit.",
        fix="Restart the pod's owner under the current injector.",
        source="requirements C5 and C33",
    ),
)
